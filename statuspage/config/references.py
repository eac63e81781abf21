"""What the parts of wallet.yaml say about each other. Read from the raw file, so that a mistake elsewhere hides nothing here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path as FilePath
from typing import Any

from statuspage.config.fields import REFERENCE, duration_ms
from statuspage.config.kinds import Finding, nearest
from statuspage.config.positions import Path
from statuspage.scenarios import catalogue
from statuspage.settings import LOCAL

_SECRET_KEYS = frozenset({"auth_token", "secret", "password", "authorization", "api_key"})
NETWORKS = "networks"  # the group of chains when a chain names none; made when the file has no such group


def errors(data: Mapping[str, Any], derived_monitors: Mapping[str, str]) -> list[Finding]:
    """Every reference that leads nowhere. `derived_monitors`: id -> chain of the monitors that chains bring."""
    components, chains = _named(data, "components"), _named(data, "chains")
    shown = dict.fromkeys(components, "component") | {
        component_of(name, chain): "chain" for name, chain in chains.items()
    }
    findings = [*_shown(components, chains, _named(data, "groups")), *_monitors(data, shown, derived_monitors)]
    for section in ("maintenance", "webhooks"):
        for index, item in enumerate(_items(data.get(section))):
            for place, word in enumerate(_words(_dict(item).get("components"))):
                findings += _leads((section, index, "components", place), word, shown, "component")
    for index, item in enumerate(_items(data.get("maintenance"))):
        chain = _dict(_dict(item).get("at_block")).get("chain")
        findings += _leads(("maintenance", index, "at_block", "chain"), chain, chains, "chain")
    languages = _words(_dict(data.get("page")).get("languages"))
    for index, item in enumerate(_items(data.get("on_call"))):
        language = _dict(item).get("language")
        if languages and isinstance(language, str) and language not in languages:
            findings.append((("on_call", index, "language"), f"the page's languages are {', '.join(languages)}"))
    return [*findings, *_renames(data)]


def component_of(name: str, chain: Mapping[str, Any]) -> str:
    """The id of the component that a chain brings."""
    own = chain.get("component")
    return own if isinstance(own, str) else name


def _shown(components: dict[str, Any], chains: dict[str, Any], groups: dict[str, Any]) -> Iterator[Finding]:
    words = catalogue()
    for section, items in (("components", components), ("chains", chains)):
        known = {**groups, NETWORKS: None} if section == "chains" else groups
        for name, item in items.items():
            path: Path = (section, name)
            yield from _leads((*path, "group"), item.get("group"), known, "group")
            for index, symptom in enumerate(_words(item.get("symptoms"))):
                yield from _leads((*path, "symptoms", index), symptom, words.symptoms, "symptom")
            yield from _leads((*path, "template"), item.get("template"), words.scenarios, "template")
    for name, chain in chains.items():
        if (own := component_of(name, chain)) in components:
            place: Path = ("chains", name, "component") if "component" in chain else ("chains", name)
            yield place, f"a component is called {own} already: give the chain another one with `component:`"


def _leads(path: Path, word: object, known: Mapping[str, object], noun: str) -> Iterator[Finding]:
    word = _word(word)
    if word and word not in known:
        short = f": there are {', '.join(known)}" if 0 < len(known) <= 25 else ""
        yield path, f"there is no {noun} {word}{nearest(word, known) or short}"


def _monitors(data: Mapping[str, Any], shown: Mapping[str, object], derived: Mapping[str, str]) -> Iterator[Finding]:
    monitors = _named(data, "monitors")
    every = {**dict.fromkeys(monitors), **derived}
    parents: dict[str, str] = {}
    for name, monitor in monitors.items():
        path: Path = ("monitors", name)
        if name in derived:
            yield path, f"chains.{derived[name]} brings a monitor {name}: choose another id"
        yield from _leads((*path, "component"), monitor.get("component"), shown, "component")
        yield from _leads((*path, "depends_on"), monitor.get("depends_on"), every, "monitor")
        parent = monitor.get("depends_on")
        if isinstance(parent, str):
            parents[name] = parent
        yield from _too_slow(path, monitor, data)
        yield from _too_many(path, monitor, data)
    for circle in _circles(parents):
        yield (
            ("monitors", circle[0], "depends_on"),
            f"this goes in a circle ({' -> '.join(circle)}): remove one depends_on",
        )


def _circles(parents: Mapping[str, str]) -> Iterator[list[str]]:
    """Every circle once, from its first member back to it. Each monitor has one parent, so one walk over all is enough."""
    seen: set[str] = set()
    for start in parents:
        way: dict[str, None] = {}
        name: str | None = start
        while name is not None and name not in seen and name not in way:
            way[name] = None
            name = parents.get(name)
        if name in way:
            members = list(way)[list(way).index(str(name)) :]
            first = members.index(min(members))
            yield [*members[first:], *members[:first], members[first]]
        seen.update(way)


def _too_slow(path: Path, monitor: Mapping[str, Any], data: Mapping[str, Any]) -> Iterator[Finding]:
    """A time-out longer than the interval is a slip when written; an inherited one is cut to the interval (rows.py)."""
    timeout, interval = (
        monitor.get("timeout"),
        monitor.get("interval", _dict(data.get("defaults")).get("interval", "30s")),
    )
    try:
        longer = duration_ms(str(timeout)) > duration_ms(str(interval))
    except ValueError:
        return
    if longer:
        yield (*path, "timeout"), f"a check must end before the next begins: at most the interval, {interval}"


def misnamed_regions(data: Mapping[str, Any], environ: Mapping[str, str]) -> Iterator[Finding]:
    """The server's own region under the name it is shown by: no monitor would ever be checked from there."""
    shown = environ.get("STATUSPAGE_REGION", LOCAL)
    places: list[tuple[Path, Any]] = [(("defaults",), data.get("defaults"))]
    places += [(("monitors", name), monitor) for name, monitor in _named(data, "monitors").items()]
    for path, holder in places:
        for index, word in enumerate(_words(_dict(holder).get("regions"))):
            if word == shown != LOCAL:
                yield (*path, "regions", index), f"write {LOCAL}: {shown} is only what this server's own region is shown as"


def _too_many(path: Path, monitor: Mapping[str, Any], data: Mapping[str, Any]) -> Iterator[Finding]:
    """A quorum that its regions can never reach would never say down."""
    defaults = _dict(data.get("defaults"))
    regions, quorum = (monitor.get(key, defaults.get(key)) for key in ("regions", "quorum"))
    if isinstance(regions, list) and isinstance(quorum, int) and quorum > len(regions):
        place = next((key for key in ("quorum", "regions") if key in monitor), None)
        if place:
            yield (*path, place), f"{len(regions)} regions can never make a quorum of {quorum}"


def _renames(data: Mapping[str, Any]) -> Iterator[Finding]:
    for section in ("groups", "components", "chains", "monitors"):
        taken: dict[str, str] = {}
        items = _named(data, section)
        for name, item in items.items():
            old = item.get("was")
            if not isinstance(old, str):
                continue
            if old in items:
                yield (section, name, "was"), f"{old} is still in the file: remove it there, or this `was`"
            elif old in taken:
                yield (section, name, "was"), f"{taken[old]} was {old} too: only one can be its successor"
            taken[old] = name


def malformed(data: Mapping[str, Any]) -> Iterator[Finding]:
    """References that are misspelt."""
    for path, text in texts_of(data):
        if "${" in REFERENCE.sub("", text):
            yield path, "write a reference as ${env:NAME} or ${file:PATH}"


def unresolved(data: Mapping[str, Any], environ: Mapping[str, str], folder: FilePath) -> Iterator[Finding]:
    """References that have no value in this process at this moment."""
    for path, text in texts_of(data):
        for name, file in REFERENCE.findall(text):
            if name and name not in environ:
                yield path, f"{name} is not set in this environment: it must be where the worker runs"
            if file and not (folder / file).is_file():
                yield path, f"{file} cannot be read here: it must be there where the worker runs"


def literal_secrets(data: Mapping[str, Any]) -> Iterator[Finding]:
    """Secrets written into the file."""
    for path, text in texts_of(data):
        word = str(path[-1]).lower()
        if word in _SECRET_KEYS and not REFERENCE.search(text) and "{" not in text:
            yield path, f"keep secrets out of this file: write ${{env:{word.upper()}}} or ${{file:PATH}}"


def advice(data: Mapping[str, Any]) -> Iterator[Finding]:
    """What works but is hardly meant."""
    url = _dict(data.get("page")).get("url")
    if (
        isinstance(url, str)
        and url.startswith("http://")
        and not url.startswith(("http://127.0.0.1", "http://localhost"))
    ):
        yield ("page", "url"), "readers should reach the page over https"
    if _dict(data.get("channels")).get("email"):
        yield ("channels", "email"), "this release does not send e-mail yet: nobody is told by it"
    if not data.get("components") and not data.get("chains"):
        yield ("page",), "the page shows nothing yet: add components"


def texts_of(value: Any, path: Path = ()) -> Iterator[tuple[Path, str]]:  # noqa: ANN401 - any YAML value
    """Every text of the file with its path."""
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from texts_of(item, (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from texts_of(item, (*path, index))


def _named(data: Mapping[str, Any], section: str) -> dict[str, Any]:
    return {name: _dict(item) for name, item in _dict(data.get(section)).items()}


def _dict(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _items(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _words(value: object) -> list[str]:
    return [_word(item) for item in _items(value)]


def _word(value: object) -> str:
    """A text as written; '' for what is none, which the schema reports."""
    return value if isinstance(value, str) else str(getattr(value, "written", ""))

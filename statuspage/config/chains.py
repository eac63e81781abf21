"""What `chains:` brings: one component per chain, and one monitor that compares all of its endpoints."""

from __future__ import annotations

import importlib.resources
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from statuspage.config.catalogue import Chain
from statuspage.config.kinds import Check, Finding, nearest, read_check
from statuspage.config.positions import Path, plain, read

# Words for chains whose names in the registry are not by language, and for the group that chains get when the file has none.
GROUP_NAMES = {"en": "Networks", "zh-Hans": "公链网络"}
# Families the probes can ask; a name that is none of them is shown and not watched. Of probes only the registry may be imported.
FAMILIES = ("evm", "bitcoin", "tron", "solana", "aptos", "substrate", "antelope")
_FACTS = ("block_s", "lag_blocks", "lag_s", "halt_s", "slow_s", "slow_factor", "empty_blocks", "cluster_delta",
          "finality_warn_s", "safe_warn_s", "confirm_s")  # fmt: skip
# What is said of a network that is about to change or end: to the operator by `config check`, to the public below its name.
_ADVICE = {
    "migrating": "this network is moving: announce what users have to do, and check its endpoints and timings",
    "sunset": "this network is being shut down by those who run it: announce until when users can move their tokens",
    "retired": "shown, but not watched: this network has ended, and a node that no longer answers is no fault",
}
_NOTES = {
    "migrating": {"en": "This network is changing over to a new one.", "zh-Hans": "该网络正在迁移到新网络。"},
    "sunset": {
        "en": "This network is being shut down by those who run it.",
        "zh-Hans": "该网络正由其运营方逐步关停。",
    },
    "retired": {"en": "This network has ended.", "zh-Hans": "该网络已停止运行。"},
}
_RETIREMENT = "chain-retirement"  # a scenario of templates/notices
_ENDPOINT = ("url", "role", "supplier", "headers", "op_node")


@dataclass(frozen=True, slots=True)
class ChainMonitor:
    """A monitor that a chain brings."""

    id: str
    chain: str
    check: Check
    supplier: str


@cache
def registry() -> dict[str, dict[str, Any]]:
    """Facts about chains by id, from the probes' data file; empty in a checkout that has none."""
    file = importlib.resources.files("probes") / "chains" / "registry.yaml"
    if not file.is_file():
        return {}
    data = plain(read(file.read_text(encoding="utf-8")).data)
    chains: dict[str, dict[str, Any]] = data.get("chains", data)
    return chains


@cache
def _by_name() -> dict[str, str]:
    """Id by every name of a chain, those that it no longer bears included."""
    return {name: each for each, facts in registry().items() for name in (each, *facts.get("aka", ()))}


def facts_of(chain_id: str) -> dict[str, Any]:
    """What the registry says of a chain, by its id or a name that it had or got; nothing of one it does not know."""
    return registry().get(_by_name().get(chain_id, ""), {})


def lifecycle(chain_id: str, given: str | None) -> str:
    """active, migrating, sunset or retired: the file's word, else the registry's."""
    return given or str(facts_of(chain_id).get("lifecycle", "active"))


def note(chain_id: str, given: str | None, languages: list[str]) -> dict[str, str]:
    """What the page says below a network's name because of its lifecycle; nothing of an active one."""
    words = _NOTES.get(lifecycle(chain_id, given), {})
    return {language: words.get(language, words["en"]) for language in languages} if words else {}


def template(chain_id: str, given: str, cycle: str | None) -> str:
    """The scenario that pre-fills the operator's form."""
    return given or (_RETIREMENT if lifecycle(chain_id, cycle) in ("sunset", "retired") else "")


def poll_ms(chain_id: str) -> int | None:
    """How often the registry advises to look at a chain, in milliseconds."""
    seconds = facts_of(chain_id).get("poll_s")
    return int(seconds * 1000) if isinstance(seconds, int | float) else None


def names(chain_id: str, given: Mapping[str, str], languages: list[str]) -> dict[str, str]:
    """Name by language: the file's, else the registry's, else the id."""
    if given:
        return dict(given)
    known = facts_of(chain_id).get("name")
    fallback = known if isinstance(known, str) else chain_id.replace("-", " ").title()
    by_language = known if isinstance(known, dict) else {}
    return {language: by_language.get(language) or by_language.get("en") or fallback for language in languages}


def monitors_of(chains: Any) -> tuple[dict[str, ChainMonitor], list[Finding], list[Finding]]:  # noqa: ANN401 - any YAML value
    """Monitors by id, errors, warnings. Reads the raw file: a chain with a mistake elsewhere still brings its monitors."""
    monitors: dict[str, ChainMonitor] = {}
    errors: list[Finding] = []
    warnings: list[Finding] = []
    for name, chain in chains.items() if isinstance(chains, dict) else ():
        if not isinstance(chain, dict):
            continue
        path: Path = ("chains", name)
        family = chain.get("family") or facts_of(name).get("family")
        said = chain.get("lifecycle")  # not checked yet: a list or a number is reported with its place elsewhere
        stage = lifecycle(name, said if isinstance(said, str) else None)
        warnings += [(path, advice) for advice in _advice(name, stage, chains)]
        if stage == "retired":
            continue
        if family is None:
            errors.append((path, _stranger(name)))
        elif not isinstance(family, str):
            continue  # the schema says what to write
        elif family not in FAMILIES:
            warnings.append((path, f"shown, but not watched: this release has no check for the {family} family"))
        else:
            found, wrong = _monitor(name, chain, family)
            errors += wrong
            if found:
                monitors[found.id] = found
            elif not wrong:
                warnings.append((path, "shown, but not watched: it has no endpoint with `role: own`"))
    return monitors, errors, warnings


def _advice(name: str, stage: str, chains: dict[str, Any]) -> list[str]:
    """What the operator should know of a network as it stands in this file."""
    found = [_ADVICE[stage]] if stage in _ADVICE else []
    hub = facts_of(name).get("balances_on")
    if hub and stage != "retired" and not any(_by_name().get(str(other)) == hub for other in chains):
        found.append(f"balances of this network live on {hub}: watch that as well, or its trouble stays unseen")
    return found


def _stranger(name: str) -> str:
    return f"this chain is not in the registry{nearest(name, _by_name())}: add `family: evm` and `id: <chain id>`"


def _monitor(name: str, chain: dict[str, Any], family: str) -> tuple[ChainMonitor | None, list[Finding]]:
    """The monitor of all endpoints that can be read, and what the probe says against them."""
    given = chain.get("endpoints")
    places = [
        (index, endpoint)
        for index, endpoint in enumerate(given if isinstance(given, list) else ())
        if isinstance(endpoint, dict) and isinstance(endpoint.get("url"), str)
    ]
    own = [(index, endpoint) for index, endpoint in places if endpoint.get("role", "own") == "own"]
    if not own:
        return None, []
    path: Path = ("chains", name)
    check, found = read_check("chain", _value(name, chain, family, [endpoint for _, endpoint in places]), path)
    findings = [(_placed(path, inner[2:], [index for index, _ in places]), message) for inner, message in found]
    if check is None:
        return None, findings
    named = {endpoint.get("supplier") for _, endpoint in own}
    supplier = named.pop() if len(named) == 1 else ""
    return ChainMonitor(f"{name}-own", name, check, supplier if isinstance(supplier, str) else ""), findings


def _placed(path: Path, inner: Path, indexes: list[int]) -> Path:
    """What the probe says against a key of the chain belongs there; anything else to the first own endpoint's chain."""
    if inner[:1] == ("endpoints",) and len(inner) > 1 and isinstance(inner[1], int):
        return (*path, "endpoints", indexes[inner[1]], *(inner[2:] or ("url",)))
    if inner[:1] == ("chain_id",):
        inner = ("id", *inner[1:])
    if inner and inner[0] in _FACTS:
        inner = ("timings", *inner)
    return (*path, *inner) if inner and inner[0] in Chain.model_fields else path


def _value(name: str, chain: dict[str, Any], family: str, endpoints: list[dict[str, Any]]) -> dict[str, Any]:
    """What the probe reads: the registry's facts, the file's over them."""
    facts = dict(facts_of(name))
    finality = facts.get("finality") or {}
    facts |= {"finality_warn_s": finality.get("warn_s"), "safe_warn_s": finality.get("safe_warn_s")}
    timings = chain.get("timings")
    facts |= timings if isinstance(timings, dict) else {}
    value: dict[str, Any] = {"name": name, "family": family}
    identity = chain.get("id", facts.get("id", facts.get("identity")))
    if isinstance(identity, int | str):
        value["chain_id"] = identity
    value |= {key: facts[key] for key in _FACTS if facts.get(key) is not None}
    if facts.get("poisson"):
        value["memoryless"] = True
    if facts.get("stack") == "op":
        value["stack"] = "op"
    if finality.get("tag") == "safe":
        value["final_tag"] = "safe"
    # Where blocks come at random or not at all for a while, an age that means a lag elsewhere means nothing.
    ages = facts.get("lag_s")
    if facts.get("poisson"):
        ages = [facts.get("slow_s", 5400), facts.get("halt_s", 10800)]
    elif facts.get("empty_blocks") is False:
        ages = [facts.get("halt_s", 300), 4 * facts.get("halt_s", 300)]
    if isinstance(ages, list) and len(ages) == 2:
        value |= {"head_age_degraded": f"{ages[0]}s", "head_age_down": f"{ages[1]}s"}
    value |= {key: chain[key] for key in ("head_age_degraded", "head_age_down") if chain.get(key) is not None}
    if chain.get("canary") is not None:
        value["canary"] = chain["canary"]
    value["endpoints"] = [{key: each[key] for key in _ENDPOINT if each.get(key)} for each in endpoints]
    return value

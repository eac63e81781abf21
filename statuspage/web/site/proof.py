"""Did this come from you? What a typed number, a pasted message or a dropped file proves."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from statuspage.channels import registry
from statuspage.clock import from_ms, iso
from statuspage.domain import claims
from statuspage.publish.snapshot import Snapshot
from statuspage.store import proof, public
from statuspage.store.pages import load_meta
from statuspage.store.proof import Entry
from statuspage.store.public_views import NoticeView

Json = dict[str, Any]
_MOST = 100  # updates of one file that are compared


@dataclass
class Finding:
    """What was found. `verdict`: published | unknown (a number we never gave) | nothing (no number in it) | genuine | altered |
    unreadable (a file we cannot judge). `faults`: (log entry, what differs).
    """

    verdict: str
    asked: list[str] = field(default_factory=list)
    notices: list[NoticeView] = field(default_factory=list)
    channels: dict[str, list[str]] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)
    entries: list[Entry] = field(default_factory=list)
    faults: list[tuple[int, str]] = field(default_factory=list)


def of_text(held: Snapshot, text: str) -> Finding:
    """A number or a whole message. A number proves that a notice exists, never that the rest of the message is ours."""
    asked = claims.numbers(text)
    found = Finding("nothing" if not asked else "unknown", asked, foreign=claims.foreign_hosts(text, _ours(held)))
    for number in asked:
        notice = by_number(held, number)
        if notice is None:
            found.missing.append(number)
        else:
            found.notices.append(notice)
            found.channels[number] = channels(held, notice)
            found.faults += _faults_of(held, notice)
    if found.notices and not found.missing:
        found.verdict = "altered" if found.faults else "published"
    return found


def by_number(held: Snapshot, number: str) -> NoticeView | None:
    """The published notice of that number."""
    public_id = public.public_id_of(held.conn, number)
    return held.remember(("notice", public_id), lambda: public.load_notice(held.conn, public_id)) if public_id else None


def channels(held: Snapshot, notice: NoticeView) -> list[str]:
    """Names of the channels it went out through, beside the page and its feeds."""
    named, everywhere = proof.channels_of(held.conn, notice.id)
    offered = list(registry.offered(load_meta(held.conn, "channels", {}) or {}))
    return list(dict.fromkeys([*named, *(_names(offered) if everywhere else ())]))


def _names(offered: list[Any]) -> list[str]:
    return [one if isinstance(one, str) else str(one.name) for one in offered]


def _ours(held: Snapshot) -> list[str]:
    page = held.view.page
    return [urlsplit(page.url).hostname or "", *(str(one) for one in page.official.get("domains", ()))]


def _faults_of(held: Snapshot, notice: NoticeView) -> Iterator[tuple[int, str]]:
    """Where what the page shows is not what was signed."""
    for update in notice.updates:
        if update.signature is None:
            continue
        entry = proof.load_entry(held.conn, update.signature.n)
        if entry is None or entry.fault:
            yield update.signature.n, entry.fault if entry else "number"
        elif any(_hash(text) != entry.hashes.get(language) for language, text in update.bodies.items()):
            yield update.signature.n, "body"


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def document(held: Snapshot, notice: NoticeView) -> Json:
    """/n/<number>.json: what was published under a number, when, and through which channels; hashes instead of texts."""
    return {
        "number": notice.number, "id": notice.public_id, "kind": notice.kind, "status": notice.status,
        "suspected": notice.is_suspected, "titles": notice.facts.titles, "published_at": iso(notice.published_at),
        "updated_at": iso(notice.updated_at), "channels": channels(held, notice),
        "updates": [
            {
                "sequence": update.sequence, "at": iso(update.display_at), "status": update.status,
                "bodies": {language: _hash(text) for language, text in update.bodies.items()},
                "entry": update.signature.n if update.signature else None,
            }
            for update in notice.updates
        ],
    }  # fmt: skip


def of_file(held: Snapshot, raw: bytes) -> Finding:
    """A JSON file: an entry of the log, or a notice from our API, compared with what was signed."""
    try:
        data = json.loads(raw)
    except (ValueError, RecursionError):
        return Finding("unreadable")
    found = Finding("unreadable")
    if isinstance(data, dict) and isinstance(data.get("payload"), str):
        _judge_entry(held, data, found)
    else:
        for index, update in enumerate(_updates(data)):
            if index >= _MOST:
                break
            _judge_update(held, update, found)
    if found.entries or found.faults:
        found.verdict = "altered" if found.faults else "genuine"
    return found


def _updates(data: object) -> Iterator[Json]:
    """Updates anywhere in a document of the API: one notice, a list of them, a whole summary."""
    waiting, seen = [data], 0
    while waiting and seen < 5000:
        one = waiting.pop()
        seen += 1
        if isinstance(one, list):
            waiting += reversed(one)
        elif isinstance(one, dict):
            extra = one.get("x_wallet")
            if "incident_id" in one and isinstance(extra, dict):
                yield one
            else:
                waiting += [value for value in one.values() if isinstance(value, dict | list)]


def _judge_entry(held: Snapshot, given: Json, found: Finding) -> None:
    n = given.get("n")
    entry = _entry(held, n, found)
    if entry is None:
        return
    for name in ("payload", "hash", "prev_hash", "key_id", "signature"):
        if given.get(name) != getattr(entry, name):
            found.faults.append((entry.n, name))
    bodies = given.get("bodies")
    for digest, text in bodies.items() if isinstance(bodies, dict) else ():
        if text is not None and (digest not in entry.hashes.values() or not isinstance(text, str) or _hash(text) != digest):
            found.faults.append((entry.n, "body"))


def _judge_update(held: Snapshot, given: Json, found: Finding) -> None:
    extra = given["x_wallet"]
    where = extra.get("signature")
    entry = _entry(held, where.get("n") if isinstance(where, dict) else None, found)
    if entry is None:
        return
    said, bodies = entry.snapshot, extra.get("bodies")
    if given.get("id") != said.get("update") or given.get("incident_id") != said.get("id"):
        found.faults.append((entry.n, "number"))
    texts = bodies if isinstance(bodies, dict) else {}
    if {language: _hash(text) for language, text in texts.items() if isinstance(text, str)} != dict(entry.hashes):
        found.faults.append((entry.n, "body"))
    if given.get("body") not in texts.values():
        found.faults.append((entry.n, "body"))
    facts = said.get("facts")
    if extra.get("titles") != (facts.get("titles") if isinstance(facts, dict) else None):
        found.faults.append((entry.n, "title"))


def _entry(held: Snapshot, n: object, found: Finding) -> Entry | None:
    """Our entry `n`; noted as a fault when there is none, or when our own record does not hold."""
    if not isinstance(n, int) or isinstance(n, bool) or not 0 < n < 2**53:
        found.faults.append((0, "number"))
        return None
    entry = held.remember(("entry", n), lambda: proof.load_entry(held.conn, n))
    if entry is None:
        found.faults.append((n, "number"))
        return None
    found.entries.append(entry)
    if entry.fault:
        found.faults.append((n, entry.fault))
    return entry


def moment_of(entry: Entry) -> Any:  # noqa: ANN401 - a datetime, for templates
    """When an entry was published."""
    return from_ms(entry.at_ms)

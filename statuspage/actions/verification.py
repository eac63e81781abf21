"""Checking the signed log: whole, true to what the page shows, and what one notice has said.

A log that was cut off at its end looks whole. So the newest entry is remembered in a file beside the database, and a log that
does not reach it, or has another entry there, is broken.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from sqlalchemy import Connection, select

from statuspage.actions.context import Context
from statuspage.clock import from_ms, iso
from statuspage.domain import signing
from statuspage.store import notices
from statuspage.store.notices import Update
from statuspage.store.schema.runtime import keys

_PAGE = 2000
_NEWEST = 100  # signatures that a glance verifies, 60 us each
_HEAD_FILE = "log-head.json"
Head = tuple[int, str]  # number and hash of the newest entry


@dataclass
class Report:
    """What a check of the log found. `broken_at` is the first row that does not hold."""

    rows: int = 0
    broken_at: int | None = None
    reason: str = ""
    entries: list[dict[str, Any]] = field(default_factory=list)

    @property
    def is_whole(self) -> bool:
        """Every row follows from the one before, and its signature and bodies hold."""
        return self.broken_at is None

    def to_json(self) -> dict[str, Any]:
        """For `--json`."""
        return {
            "rows": self.rows, "whole": self.is_whole, "broken_at": self.broken_at, "reason": self.reason,
            "entries": self.entries,
        }  # fmt: skip


def verify(ctx: Context, which: str | None = None, *, head: Head | None = None) -> Report:
    """Walk the log from its first row. `which` (number or id) also lists what that notice published. `head`: see `remembered`."""
    report = Report()
    after = (0, signing.GENESIS)
    with ctx.db.read() as conn:
        public = {row.id: row.public_key for row in conn.execute(select(keys))}
        while rows := notices.log_rows(conn, after[0] + 1, _PAGE):
            broken = signing.verify_chain([SimpleNamespace(**row) for row in rows], public, after=after)
            _collect(report, rows, which)
            report.rows += len(rows)
            found = (broken.n, broken.reason) if broken else _missing_body(conn, rows) or _shown_otherwise(conn, rows)
            found = found or _other_head(rows, head)
            if found:
                report.broken_at, report.reason = found
                return report
            after = (int(rows[-1]["n"]), str(rows[-1]["hash"]))
    if head is not None and head[0] > after[0]:
        report.broken_at, report.reason = head[0], "end"
    return report


def glance(ctx: Context, head: Head | None = None) -> Report:
    """What a start can afford, 20 us a row: every hash, every link, the end, the newest signatures. `verify` checks the rest."""
    report = Report()
    with ctx.db.read() as conn:
        public = {row.id: row.public_key for row in conn.execute(select(keys))}
        gap = notices.first_break(conn)
        newest = notices.log_head(conn)
        report.rows = int(newest["n"]) if newest else 0
        if gap is not None:
            report.broken_at, report.reason = gap, "previous"
            return report
        after = 0
        while rows := notices.log_payloads(conn, after + 1, _PAGE):
            wrong = next((row["n"] for row in rows if signing.hash_of(row["payload"]) != row["hash"]), None)
            found = (int(wrong), "hash") if wrong is not None else _other_head(rows, head)
            if found:
                report.broken_at, report.reason = found
                return report
            after = int(rows[-1]["n"])
        first = max(1, after - _NEWEST + 1)
        tail = notices.log_rows(conn, first, _NEWEST)
        before = (first - 1, str(tail[0]["prev_hash"]) if tail and first > 1 else signing.GENESIS)
        broken = signing.verify_chain([SimpleNamespace(**row) for row in tail], public, after=before)
    if broken:
        report.broken_at, report.reason = broken.n, broken.reason
    elif head is not None and head[0] > after:
        report.broken_at, report.reason = head[0], "end"
    return report


def remembered(data: Path) -> Head | None:
    """The newest entry that `remember` wrote below the data folder; None before the first or when the file cannot be read."""
    try:
        found = json.loads((data / _HEAD_FILE).read_text(encoding="utf-8"))
        return int(found["n"]), str(found["hash"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def remember(ctx: Context, data: Path) -> None:
    """Write down the newest entry, so that a log cut off before it shows. Not while the one remembered is missing or another."""
    old = remembered(data)
    with ctx.db.read() as conn:
        newest = notices.log_head(conn)
        rows = notices.log_payloads(conn, old[0], 1) if old else []
    if newest and (old is None or any((row["n"], row["hash"]) == old for row in rows)):
        text = json.dumps({"n": newest["n"], "hash": newest["hash"]})
        temporary = data / f"{_HEAD_FILE}.new"
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(data / _HEAD_FILE)


def _other_head(rows: Iterable[Any], head: Head | None) -> tuple[int, str] | None:
    """The remembered entry when it stands in `rows` with another hash: history was written anew."""
    if head is None:
        return None
    return next(((head[0], "end") for row in rows if row["n"] == head[0] and row["hash"] != head[1]), None)


def _shown_otherwise(conn: Connection, rows: list[Any]) -> tuple[int, str] | None:
    """The first row whose update, as the page shows it, is not what was signed."""
    try:
        found = notices.updates_by_id(conn, [row["update_id"] for row in rows])
    except (ValueError, TypeError, AttributeError):
        # One damaged row fails the whole read: look for it alone.
        return (int(rows[0]["n"]), "shown") if len(rows) == 1 else _first(_shown_otherwise(conn, [row]) for row in rows)
    return _first(_differs(conn, row, found.get(row["update_id"])) for row in rows)


def _differs(conn: Connection, row: Any, update: Update | None) -> tuple[int, str] | None:  # noqa: ANN401 - a row
    if update is None:
        return int(row["n"]), "update"
    said = json.loads(row["payload"])
    now, signed = update.facts.to_json(), said["snapshot"]["facts"]
    # A fact that this program does not know, or knows and the signer did not, was not altered.
    same = all(now[name] == value for name, value in signed.items() if name in now)
    shown = {language: signing.body_hash(body) for language, body in update.bodies.items()}
    wrong = {digest for language, digest in said["bodies"].items() if shown.get(language) != digest}
    more = set(shown) - set(said["bodies"])
    kept = notices.bodies_of(conn, wrong) if wrong else {}
    withdrawn = {digest for digest in wrong if digest in kept and kept[digest] is None}
    is_same = same and said["snapshot"]["status"] == update.status and not more and wrong == withdrawn
    return None if is_same else (int(row["n"]), "shown")


def _first(found: Iterable[tuple[int, str] | None]) -> tuple[int, str] | None:
    return next((one for one in found if one is not None), None)


def _missing_body(conn: Connection, rows: list[Any]) -> tuple[int, str] | None:
    """The first row whose text does not have the hash the row names. A withdrawn text is no fault: its row says it existed."""
    for row in rows:
        hashes = json.loads(row["payload"])["bodies"]
        bodies = notices.bodies_of(conn, hashes.values())
        for digest in hashes.values():
            body = bodies.get(digest, "")
            if body is not None and signing.body_hash(body) != digest:
                return int(row["n"]), "body"
    return None


def _collect(report: Report, rows: list[Any], which: str | None) -> None:
    for row in rows:
        said = json.loads(row["payload"])
        snapshot = said["snapshot"]
        if which and which.lower() not in {snapshot["notice"].lower(), snapshot["id"]}:
            continue
        if which:
            report.entries.append({
                "n": said["n"], "at": iso(from_ms(said["at"])), "number": snapshot["notice"], "sequence": snapshot["sequence"],
                "status": snapshot["status"], "titles": snapshot["facts"]["titles"], "hash": row["hash"],
            })  # fmt: skip

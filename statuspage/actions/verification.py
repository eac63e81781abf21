"""Checking the signed log: whole, and what one notice has said."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from sqlalchemy import Connection, select

from statuspage.actions.context import Context
from statuspage.clock import from_ms, iso
from statuspage.domain import signing
from statuspage.store import notices
from statuspage.store.schema.runtime import keys

_PAGE = 2000


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


def verify(ctx: Context, which: str | None = None) -> Report:
    """Walk the log from its first row. `which` (number or id) also lists what that notice published."""
    report = Report()
    after = (0, signing.GENESIS)
    with ctx.db.read() as conn:
        public = {row.id: row.public_key for row in conn.execute(select(keys))}
        while rows := notices.log_rows(conn, after[0] + 1, _PAGE):
            broken = signing.verify_chain([SimpleNamespace(**row) for row in rows], public, after=after)
            _collect(report, rows, which)
            report.rows += len(rows)
            found = (broken.n, broken.reason) if broken else _missing_body(conn, rows)
            if found:
                report.broken_at, report.reason = found
                return report
            after = (int(rows[-1]["n"]), str(rows[-1]["hash"]))
    return report


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

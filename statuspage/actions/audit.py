"""The audit log: who did what, append-only, each row bound to the one before it by a hash."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert, select, text

from statuspage.clock import to_ms
from statuspage.store.schema.people import audit_log

GENESIS = "0" * 64
_LOCK = 7_246_801  # any number that no other advisory lock of ours uses


def write(
    connection: Connection,
    at: datetime,
    actor: str,
    action: str,
    subject: str,
    details: Mapping[str, Any] | None = None,
) -> None:
    """Append one row, in the caller's transaction: what is not written down did not happen.

    `details` must hold neither secrets nor addresses nor floats. On PostgreSQL a transaction lock keeps two writers from
    hanging their rows on the same predecessor; on SQLite there is one writer.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
    previous = connection.scalar(select(audit_log.c.hash).order_by(audit_log.c.id.desc()).limit(1)) or GENESIS
    facts = dict(details or {})
    connection.execute(insert(audit_log).values(
        at=at, actor=actor, action=action, subject=subject, details=facts, prev_hash=previous,
        hash=row_hash(previous, at, (actor, action, subject), facts),
    ))  # fmt: skip


def row_hash(previous: str, at: datetime, what: tuple[str, str, str], details: Mapping[str, Any]) -> str:
    """SHA-256 in hex over the predecessor's hash and the row's canonical JSON; `what` is actor, action, subject."""
    actor, action, subject = what
    row = {"at": to_ms(at), "actor": actor, "action": action, "subject": subject, "details": details}
    canonical = json.dumps(row, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(f"{previous}\n{canonical}".encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Verified:
    """How far the chain was followed: `rows` of them, the last one's id and hash; `broken` is the first that does not follow."""

    rows: int = 0
    last_id: int = 0
    last_hash: str = GENESIS
    broken: int | None = None


def verify(connection: Connection, since: Verified | None = None, limit: int | None = None) -> Verified:
    """Follow the chain on from `since` (None: from the beginning), over at most `limit` rows."""
    found = since or Verified()
    if found.broken is not None:
        return found
    count, last_id, previous = found.rows, found.last_id, found.last_hash
    following = select(audit_log).where(audit_log.c.id > last_id).order_by(audit_log.c.id).limit(limit)
    for row in connection.execute(following).yield_per(1000):
        what = (row.actor, row.action, row.subject)
        if row.prev_hash != previous or row.hash != row_hash(previous, row.at, what, row.details):
            return Verified(count, last_id, previous, int(row.id))
        count, last_id, previous = count + 1, int(row.id), row.hash
    return Verified(count, last_id, previous)


def first_broken(connection: Connection) -> int | None:
    """The id of the first row that does not follow from the one before it; None when the chain is whole."""
    return verify(connection).broken

"""Addresses that nothing may be sent to: dead ones, and those whose owner said STOP."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, delete, insert, update

from statuspage.actions import subscribers
from statuspage.actions.context import Context
from statuspage.store import subscribers as stored
from statuspage.store.schema.delivery import subscriptions, suppressions
from statuspage.store.subscribers import Subscription


def suppress(conn: Connection, subscription_id: int, reason: str, now: datetime) -> None:
    """Never send to this address again: it is dead, or it said STOP. Operators' own addresses only fail visibly."""
    row = stored.by_id(conn, subscription_id, for_update=True)
    if row is None or row.audience != "public" or row.state != "active":
        return
    _suppress_address(conn, row.channel, row.address_hash, reason, now)
    for one in stored.by_address(conn, row.channel, row.address_hash):
        if one.audience == "public" and one.state in {"active", "pending"}:
            _silence(conn, one, now)


def _silence(conn: Connection, row: Subscription, now: datetime) -> None:
    values = {"state": "suppressed", "off_at": now, "token_hash": None}
    conn.execute(update(subscriptions).where(subscriptions.c.id == row.id).values(values))


def _suppress_address(conn: Connection, channel: str, hashed: str, reason: str, now: datetime) -> None:
    if not stored.is_suppressed(conn, channel, hashed):
        conn.execute(insert(suppressions).values(channel=channel, address_hash=hashed, reason=reason[:100], at=now))


def answered(ctx: Context, number: str, word: str) -> str:
    """What a person texted us: `stop`, `start` or `help` (domain.delivery.keyword). Returns the word, '' for nothing known.

    STOP ends every SMS to the number at once; START lifts it for subscriptions that were confirmed before. Idempotent.
    """
    now = ctx.now()
    hashed = subscribers.address_hash(ctx, "sms", number)
    if word not in {"stop", "start"}:
        return word
    with ctx.db.write() as conn:
        stored.lock_address(conn, hashed)
        rows = [row for row in stored.by_address(conn, "sms", hashed) if row.audience == "public"]
        if word == "stop":
            _suppress_address(conn, "sms", hashed, "STOP", now)
        else:
            conn.execute(delete(suppressions).where(suppressions.c.channel == "sms", suppressions.c.address_hash == hashed))
        for row in rows:
            if word == "stop" and row.state in {"active", "pending"}:
                _silence(conn, row, now)
                subscribers.note_consent(conn, row, "stopped", "keyword", "", now)
            elif word == "start" and row.state == "suppressed" and row.confirmed_at is not None:
                conn.execute(update(subscriptions).where(subscriptions.c.id == row.id).values(state="active", off_at=None))
                subscribers.note_consent(conn, row, "started", "keyword", "", now)
    return word

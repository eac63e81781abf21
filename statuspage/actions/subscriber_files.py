"""Moving subscribers from one system to another: rows of a file in, rows of a file out. Who agreed to what is kept with each."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert

from statuspage.actions import audit, subscribers
from statuspage.actions.context import Actor, Context
from statuspage.domain import address
from statuspage.errors import InvalidInput, Words
from statuspage.store import pages
from statuspage.store import subscribers as stored
from statuspage.store.schema.delivery import consents, subscriptions
from statuspage.store.schema.delivery import subscribers as people
from statuspage.store.subscribers import Subscription

COLUMNS = ("channel", "address", "language", "components", "confirmed_at")
# A webhook proves itself by its challenge; the others can be taken over with the consent that was given elsewhere.
IMPORTABLE = ("sms", "webpush")


@dataclass
class Report:
    """What became of the rows: `refused` are (line, field, why), lines counted from 1 without the heading."""

    added: int = 0
    known: int = 0
    stopped: int = 0
    refused: list[tuple[int, str, str]] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """The JSON form."""
        refused = [{"line": line, "field": name, "message": why} for line, name, why in self.refused]
        return {"added": self.added, "known": self.known, "stopped": self.stopped, "refused": refused}


def take_over(
    ctx: Context, actor: Actor, rows: Iterable[Mapping[str, str]], consent: str, *, dry_run: bool = False
) -> Report:
    """Make active subscriptions of `rows` (COLUMNS; components separated by spaces) whose owners agreed elsewhere.

    `consent` says where and how; it is kept as the proof of each. Whoever said STOP here stays stopped, whoever is known stays as
    they are. A row that cannot be taken is refused alone. With `dry_run` nothing is written. Raises InvalidInput, NotAllowed.
    """
    actor.require("admin")
    proof = consent.strip()
    if not 3 <= len(proof) <= 60:
        message = "say in 3 to 60 characters where and how these people agreed; it is kept as their proof"
        raise InvalidInput(message, "consent")
    report, now = Report(), ctx.now()
    with ctx.db.write() as conn:
        channels = pages.load_meta(conn, "channels", {}) or {}
        page = pages.load_page(conn)
        for line, row in enumerate(rows, 1):
            try:
                _take(conn, ctx, _clean(row), channels, page.languages, proof, report, now, dry_run=dry_run)
            except InvalidInput as error:
                report.refused.append((line, error.field, str(error)))
        if not dry_run:
            done = {"added": report.added, "refused": len(report.refused), "consent": proof}
            audit.write(conn, now, actor.name, "subscribers.import", "", done)
    return report


def _clean(row: Mapping[str, str]) -> dict[str, str]:
    # A quote in front keeps a spreadsheet from reading +852… as a formula; `rows_of` writes it.
    return {name: str(row.get(name) or "").strip().removeprefix("'") for name in COLUMNS}


def _take(
    conn: Connection, ctx: Context, row: Mapping[str, str], channels: Mapping[str, Any], languages: tuple[str, ...], proof: str,
    report: Report, now: datetime, *, dry_run: bool,
) -> None:  # fmt: skip
    channel = row["channel"]
    if channel not in IMPORTABLE or channels.get(channel) is None:
        message = Words("%(channel)s cannot be taken over here: it must be one of %(allowed)s, and set up in wallet.yaml",
                        channel=repr(channel), allowed=IMPORTABLE)  # fmt: skip
        raise InvalidInput(message, "channel")
    language = row["language"] or languages[0]
    if language not in languages:
        message = Words("language must be one of %(languages)s", languages=tuple(languages))
        raise InvalidInput(message, "language")
    settings = channels[channel]
    found = (address.phone(row["address"], settings.get("countries") or ()) if channel == "sms"
             else address.push(row["address"], settings.get("hosts") or ()))  # fmt: skip
    hashed = subscribers.address_hash(ctx, channel, found.identity)
    if stored.is_suppressed(conn, channel, hashed):
        report.stopped += 1
    elif stored.by_public_id(conn, subscribers.handle_of(ctx, channel, hashed, None)) is not None:
        report.known += 1
    else:
        report.added += 1
        if not dry_run:
            _write(conn, ctx, row, (channel, language, proof), found, hashed, now)


def _write(
    conn: Connection, ctx: Context, row: Mapping[str, str], named: tuple[str, str, str], found: address.Address, hashed: str,
    now: datetime,
) -> None:  # fmt: skip
    channel, language, proof = named
    person = insert(people).values(language=language, time_zone="UTC", created_at=now).returning(people.c.id)
    values = {
        "public_id": subscribers.handle_of(ctx, channel, hashed, None), "subscriber_id": conn.execute(person).scalar_one(),
        "channel": channel, "audience": "public", "label": found.label,
        "address_sealed": subscribers.sealed(ctx, found.text), "address_hash": hashed,
        "components": sorted(set(row["components"].split())), "kinds": [], "notice_id": None, "language": language,
        "state": "active", "attempts": 0, "created_at": now, "confirmed_at": _moment(row["confirmed_at"]) or now,
        "meta": {"source": "import"},
    }  # fmt: skip
    made = conn.execute(insert(subscriptions).values(values).returning(subscriptions.c.id)).scalar_one()
    conn.execute(insert(consents).values(
        subscription_id=made, action="confirmed", how="operator", text_version=proof, language=language, ip_prefix="", at=now,
    ))  # fmt: skip


def _moment(text: str) -> datetime | None:
    if not text:
        return None
    message = "write the time as 2026-11-22T05:20:00Z"
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise InvalidInput(message, "confirmed_at") from None
    if at.tzinfo is None:
        raise InvalidInput(message, "confirmed_at")
    return at


def rows_of(ctx: Context, actor: Actor, *, in_clear: bool) -> list[dict[str, Any]]:
    """Every subscription, for a file. `in_clear` opens the addresses of active ones; the audit log remembers it. Admins only."""
    actor.require("admin")
    with ctx.db.read() as conn:
        found = stored.of_audiences(conn, ("public", "operator", "oncall"))
    rows = [_row(one) for one in found]
    if in_clear:
        for row, one in zip(rows, found, strict=True):
            row["address"] = _opened(ctx, one)
        with ctx.db.write() as conn:
            audit.write(conn, ctx.now(), actor.name, "subscribers.export", "", {"count": len(rows), "in_clear": True})
    return rows


def _row(one: Subscription) -> dict[str, Any]:
    return {
        "id": one.public_id, "channel": one.channel, "audience": one.audience, "address": one.label, "state": one.state,
        "language": one.language, "components": one.components, "kinds": one.kinds, "created_at": one.created_at.isoformat(),
        "confirmed_at": one.confirmed_at.isoformat() if one.confirmed_at else None,
    }  # fmt: skip


def _opened(ctx: Context, one: Subscription) -> str:
    if one.audience != "public" or one.state != "active":
        return one.label
    text = subscribers.opened(ctx, one.address_sealed)
    # A webhook's secret is between us and its receiver.
    return str(json.loads(text)["url"]) if one.channel == "webhook" else text

"""The outbox and its deliveries: what is to be expanded, what is due, what may still be sent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, RowMapping, Select, and_, bindparam, exists, func, or_, select

from statuspage.store import pages
from statuspage.store.schema.delivery import deliveries, outbox, subscriptions
from statuspage.store.schema.delivery import subscribers as people
from statuspage.store.schema.notices import notices
from statuspage.store.types import Big

OPEN = ("queued", "sending")
NIGHT = "Night"  # the class of what only waits for its reader's morning: no failure


@dataclass(frozen=True, slots=True)
class Job:
    """A claimed delivery with all that sending it takes."""

    id: int
    key: str
    channel: str
    notice_id: int | None
    sequence: int
    urgency: int
    attempts: int
    is_ambiguous: bool  # an earlier attempt ended without an answer: look it up first
    lease_until: datetime
    kind: str
    payload: dict[str, Any]
    created_at: datetime
    expires_at: datetime
    subscription_id: int
    public_id: str
    only_notice_id: int | None  # "tell me when it is fixed": the one notice it is about
    audience: str
    language: str
    label: str
    address_sealed: bytes
    token_hash: str | None
    meta: dict[str, Any]
    time_zone: str
    waited: bool = False  # for the reader's morning, as the deliverer finds: it must still be true when it goes out


def unexpanded(conn: Connection) -> RowMapping | None:
    """The most urgent outbox row that is not expanded to deliveries, locked; None when there is none."""
    statement = select(outbox).where(outbox.c.expanded_at.is_(None)).order_by(outbox.c.urgency, outbox.c.id).limit(1)
    return conn.execute(statement.with_for_update(skip_locked=True)).mappings().first()


def due(channel: str, now: datetime, limit: int) -> Select[tuple[int]]:
    """Ids of the channel's deliveries to claim, most urgent first: those whose time has come, and those whose lease ran out."""
    return (
        select(deliveries.c.id).where(deliveries.c.channel == channel, _is_due(now))
        .order_by(deliveries.c.urgency, deliveries.c.next_try_at, deliveries.c.id)
        .limit(limit).with_for_update(skip_locked=True)
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Work:
    """What there is to do, with the settings to do it under."""

    is_unexpanded: bool
    channels: frozenset[str]
    settings: dict[str, Any]
    allow_networks: tuple[str, ...]
    quiet_hours: dict[str, Any]


def work(conn: Connection, now: datetime) -> Work:
    """What may be due, cheaply: asked before any write transaction is opened."""
    waiting = conn.execute(select(outbox.c.id).where(outbox.c.expanded_at.is_(None)).limit(1)).first()
    names = set(conn.execute(select(deliveries.c.channel).where(_is_due(now)).distinct()).scalars())
    return Work(
        waiting is not None, frozenset(names), pages.load_meta(conn, "channels", {}) or {},
        tuple(pages.load_meta(conn, "allow_networks", []) or []), pages.load_meta(conn, "quiet_hours", {}) or {},
    )  # fmt: skip


def _is_due(now: datetime) -> ColumnElement[bool]:
    return or_(
        and_(deliveries.c.state == "queued", deliveries.c.next_try_at <= now),
        and_(deliveries.c.state == "sending", deliveries.c.lease_until < now),
    )


def jobs(conn: Connection, ids: list[int]) -> list[Job]:
    """The claimed deliveries with their message and subscription, most urgent first. A message is read once, not per row."""
    statement = (
        select(
            deliveries, subscriptions.c.public_id, subscriptions.c.audience, subscriptions.c.language, subscriptions.c.label,
            subscriptions.c.address_sealed, subscriptions.c.token_hash, subscriptions.c.meta,
            subscriptions.c.notice_id.label("only_notice_id"), people.c.time_zone,
        )
        .join(subscriptions, subscriptions.c.id == deliveries.c.subscription_id)
        .join(people, people.c.id == subscriptions.c.subscriber_id)
        .where(deliveries.c.id.in_(ids)).order_by(deliveries.c.urgency, deliveries.c.next_try_at, deliveries.c.id)
    )  # fmt: skip
    rows = list(conn.execute(statement).mappings())
    wanted = {row["outbox_id"] for row in rows}
    said = {row["id"]: row for row in conn.execute(select(outbox).where(outbox.c.id.in_(wanted))).mappings()}
    return [_job(row, said[row["outbox_id"]]) for row in rows]


def _job(row: RowMapping, said: RowMapping) -> Job:
    same = ("id", "key", "channel", "notice_id", "sequence", "urgency", "attempts", "lease_until", "subscription_id", "public_id",
            "only_notice_id", "audience", "language", "label", "address_sealed", "token_hash", "meta", "time_zone")  # fmt: skip
    return Job(
        **{name: row[name] for name in same}, is_ambiguous=row["error_class"] == "Unknown", kind=said["kind"],
        payload=said["payload"], created_at=said["created_at"], expires_at=said["expires_at"],
    )  # fmt: skip


def verdict(conn: Connection, job: Job, owner: str, now: datetime) -> str:
    """Asked right before sending: `send`, or why not: `lost` (lease), `expired`, `cancelled` (no consent, or newer news), `wait`.

    An older message about the same notice that is under way to the same person must end first: order is never turned round.
    """
    # One statement with literal conditions: it runs once per message, beside every sending thread.
    named = {"job": job.id, "notice": job.notice_id, "person": job.subscription_id, "sequence": job.sequence}
    row = conn.execute(_VERDICT, named).first()
    if row is None or row.state != "sending" or row.lease_owner != owner or row.lease_until <= now:
        return "lost"
    if job.expires_at <= now:
        return "expired"
    if row.newer or not (row.consent == "active" or (job.kind == "confirm" and row.consent == "pending")):
        return "cancelled"
    return "wait" if row.older else "send"


def last_failure(conn: Connection, job: Job) -> tuple[str, str]:
    """(class, words) of what the attempt before this one failed with; empty when it did not, or only waited for the morning."""
    row = conn.execute(select(deliveries.c.error_class, deliveries.c.error).where(deliveries.c.id == job.id)).one()
    return ("", "") if row.error_class == NIGHT else (str(row.error_class or ""), str(row.error or ""))


_other = deliveries.alias("other")
_SAME = and_(_other.c.notice_id == bindparam("notice", type_=Big), _other.c.subscription_id == bindparam("person", type_=Big))
_SEQUENCE = bindparam("sequence", type_=Big)
_VERDICT = (
    select(
        deliveries.c.state, deliveries.c.lease_owner, deliveries.c.lease_until, subscriptions.c.state.label("consent"),
        exists().where(_SAME, _other.c.sequence > _SEQUENCE, _other.c.state.in_((*OPEN, "sent"))).label("newer"),
        exists().where(_SAME, _other.c.sequence < _SEQUENCE, _other.c.state == "sending").label("older"),
    )
    .join(subscriptions, subscriptions.c.id == deliveries.c.subscription_id)
    .where(deliveries.c.id == bindparam("job", type_=Big))
)  # fmt: skip


def told(conn: Connection, jobs: Sequence[Job]) -> set[int]:
    """The ids of those jobs whose reader has been sent something about the same notice before."""
    wanted = [job.id for job in jobs if job.payload.get("event") == "updated"]
    if not wanted:
        return set()
    same = and_(_other.c.notice_id == deliveries.c.notice_id, _other.c.subscription_id == deliveries.c.subscription_id)
    statement = select(deliveries.c.id).where(deliveries.c.id.in_(wanted), exists().where(same, _other.c.state == "sent"))
    return set(conn.execute(statement).scalars())


def is_still_true(conn: Connection, job: Job, now: datetime) -> bool:
    """Whether what waited for the morning is still the last word: no later update, not even one that nobody was told of."""
    row = conn.execute(select(notices.c.version, notices.c.scheduled_for).where(notices.c.id == job.notice_id)).first()
    if row is None:
        return True
    is_past = job.payload.get("event") == "reminder" and row.scheduled_for is not None and row.scheduled_for <= now
    return int(row.version) <= job.sequence and not is_past


def next_due_at(conn: Connection) -> datetime | None:
    """When the next queued delivery wants to be tried."""
    at: datetime | None = conn.scalar(select(func.min(deliveries.c.next_try_at)).where(deliveries.c.state == "queued"))
    return at


def by_reference(conn: Connection, reference: str) -> RowMapping | None:
    """The delivery that a supplier knows under this id, locked."""
    where = and_(deliveries.c.reference == reference, deliveries.c.channel == "sms")
    return conn.execute(select(deliveries).where(where).with_for_update()).mappings().first()

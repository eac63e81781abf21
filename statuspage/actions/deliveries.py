"""From an outbox row to what became of each delivery. The deliverer calls these; sending itself happens between transactions.

The contract (reliability.md 3.2): what was committed reaches every subscription at least once while it is worth sending, and at
most once more for each crash between a supplier's acceptance and `record`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    Connection,
    RowMapping,
    Select,
    Text,
    and_,
    bindparam,
    case,
    cast,
    func,
    literal,
    null,
    or_,
    select,
    update,
)

from statuspage.actions import audit, subscribers, suppressions
from statuspage.actions.context import Actor, Context
from statuspage.clock import to_ms
from statuspage.domain import delivery
from statuspage.store import deliveries as stored
from statuspage.store import upserts
from statuspage.store.schema.delivery import deliveries, outbox, subscriptions
from statuspage.store.subscribers import concerns

EXPAND_ROWS = 10_000
_MAX_ERROR = 200
_FINAL = {"delivered", "undelivered", "failed", "read", "canceled"}
_RECEIPTS = _FINAL | {"accepted", "scheduled", "queued", "sending", "sent"}
_STOPPED = {"21610"}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one attempt. `state`: sent | queued (again, at `next_try_at`) | dead | cancelled | expired.

    `error_class` "Unknown" makes the next attempt look the message up first. `suppress`: the address is dead for good.
    """

    job: stored.Job
    state: str
    reference: str = ""
    error_class: str = ""
    error: str = ""
    next_try_at: datetime | None = None
    suppress: bool = False


def expand(ctx: Context, rows: int = EXPAND_ROWS) -> int | None:
    """Turn the next piece of the most urgent outbox row into at most `rows` deliveries; how many, None when nothing waits.

    A piece is one short transaction with a cursor: a human's write never waits for 100,000 rows, and a crash repeats nothing.
    """
    now = ctx.now()
    with ctx.db.write() as conn:
        said = stored.unexpanded(conn)
        if said is None:
            return None
        if said["expires_at"] <= now:
            _close(conn, said["id"], said["cursor"], now)
            return 0
        wanted = _subscriptions_for(said)
        piece = wanted.where(subscriptions.c.id > said["cursor"]).order_by(subscriptions.c.id).limit(rows).subquery()
        count, last = conn.execute(select(func.count(), func.max(piece.c.id))).one()
        if count:
            _insert(conn, said, wanted.where(subscriptions.c.id > said["cursor"], subscriptions.c.id <= last), now)
            _cancel_older(conn, said, int(last))
        if count < rows:
            _close(conn, said["id"], int(last or said["cursor"]), now)
        else:
            conn.execute(update(outbox).where(outbox.c.id == said["id"]).values(cursor=last))
        return int(count)


def _close(conn: Connection, outbox_id: int, cursor: int, now: datetime) -> None:
    conn.execute(update(outbox).where(outbox.c.id == outbox_id).values(cursor=cursor, expanded_at=now))


def _subscriptions_for(said: RowMapping) -> Select[tuple[int]]:
    """Which subscriptions a message is for, by audience, channel and the subscriber's own filters."""
    chosen = select(subscriptions.c.id)
    if said["subscription_id"] is not None:
        return chosen.where(subscriptions.c.id == said["subscription_id"], subscriptions.c.state.in_(("pending", "active")))
    chosen = chosen.where(subscriptions.c.state == "active", subscriptions.c.audience.in_(said["audiences"]))
    if said["channels"]:
        chosen = chosen.where(subscriptions.c.channel.in_(said["channels"]))
    if said["kind"] != "notice_update":
        return chosen.where(subscriptions.c.notice_id.is_(None))
    payload = said["payload"]
    # "Tell me when it is fixed" hears exactly that.
    general = and_(subscriptions.c.notice_id.is_(None), concerns(payload["components"], payload["kind"]))
    if payload["event"] != "resolved":
        return chosen.where(general)
    return chosen.where(or_(general, subscriptions.c.notice_id == said["notice_id"]))


def _insert(conn: Connection, said: RowMapping, wanted: Select[tuple[int]], now: datetime) -> None:
    columns = ["outbox_id", "subscription_id", "key", "channel", "notice_id", "sequence", "urgency", "state", "attempts",
               "next_try_at", "reference", "receipt", "error_class", "error", "created_at"]  # fmt: skip
    key = literal(f"msg_{said['id']}_{to_ms(said['created_at']):x}_") + subscriptions.c.public_id
    made = wanted.with_only_columns(
        literal(said["id"]), subscriptions.c.id, cast(key, Text), subscriptions.c.channel,
        null() if said["notice_id"] is None else literal(said["notice_id"]), literal(said["sequence"]), literal(said["urgency"]),
        literal("queued"), literal(0), literal(to_ms(now)), *[literal("")] * 4, literal(to_ms(now)),
    )  # fmt: skip
    conn.execute(upserts.insert(conn, deliveries).from_select(columns, made).on_conflict_do_nothing())


def _cancel_older(conn: Connection, said: RowMapping, last: int) -> None:
    """A newer update replaces what is still queued about the same notice for the same people."""
    if said["notice_id"] is None:
        return
    told = select(deliveries.c.subscription_id).where(
        deliveries.c.outbox_id == said["id"], deliveries.c.subscription_id > said["cursor"], deliveries.c.subscription_id <= last
    )
    older = and_(
        deliveries.c.notice_id == said["notice_id"], deliveries.c.sequence < said["sequence"], deliveries.c.state == "queued",
        deliveries.c.subscription_id.in_(told),
    )  # fmt: skip
    conn.execute(update(deliveries).where(older).values(state="cancelled", error="a newer update took its place"))


def claim(ctx: Context, channel: str, owner: str, limit: int, lease_s: float) -> list[stored.Job]:
    """Take up to `limit` due deliveries of `channel` for `owner` until the lease ends.

    One that was being sent when its lease ran out (its worker died) may have been accepted: it comes back as ambiguous.
    """
    now = ctx.now()
    with ctx.db.write() as conn:
        taken = conn.execute(
            update(deliveries).where(deliveries.c.id.in_(stored.due(channel, now, limit)))
            .values(
                state="sending", lease_owner=owner, lease_until=now + timedelta(seconds=lease_s),
                attempts=deliveries.c.attempts + 1,
                error_class=case((deliveries.c.state == "sending", "Unknown"), else_=deliveries.c.error_class),
            ).returning(deliveries.c.id)
        ).scalars().all()  # fmt: skip
        return stored.jobs(conn, list(taken)) if taken else []


def extend(ctx: Context, job: stored.Job, owner: str, lease_s: float) -> bool:
    """Renew the lease of a delivery that waited for its turn; False when another worker has it."""
    now = ctx.now()
    mine = and_(deliveries.c.id == job.id, deliveries.c.state == "sending", deliveries.c.lease_owner == owner,
                deliveries.c.lease_until > now)  # fmt: skip
    with ctx.db.write() as conn:
        renewed = conn.execute(update(deliveries).where(mine).values(lease_until=now + timedelta(seconds=lease_s)))
        return renewed.rowcount == 1


def take_over(ctx: Context, owner: str) -> int:
    """End the leases of everybody but `owner`, who knows that the others are dead; how many there were.

    What they were sending may have been accepted: it comes back as ambiguous, as after any lease that ran out.
    """
    now = ctx.now()
    theirs = and_(deliveries.c.state == "sending", deliveries.c.lease_owner != owner, deliveries.c.lease_until > now)
    with ctx.db.write() as conn:
        return int(conn.execute(update(deliveries).where(theirs).values(lease_until=now)).rowcount)


def release(ctx: Context, owner: str, jobs: Sequence[stored.Job]) -> None:
    """Give back claimed deliveries that were not begun: a stopping worker leaves none to wait for its lease."""
    ids = [job.id for job in jobs]
    mine = and_(deliveries.c.id.in_(ids), deliveries.c.state == "sending", deliveries.c.lease_owner == owner)
    back = {"state": "queued", "lease_owner": None, "lease_until": None, "attempts": deliveries.c.attempts - 1}
    with ctx.db.write() as conn:
        conn.execute(update(deliveries).where(mine).values(back))


def record(ctx: Context, owner: str, outcomes: Sequence[Outcome]) -> None:
    """Write down what became of attempts, in one transaction.

    Only the lease's owner may put a delivery back or end it; that it was *sent* is a fact whoever says it.
    """
    now = ctx.now()
    with ctx.db.write() as conn:
        _record_sent(conn, [outcome for outcome in outcomes if outcome.state == "sent"], now)
        for outcome in outcomes:
            if outcome.state != "sent":
                _record(conn, owner, outcome, now)


def _record_sent(conn: Connection, sent: Sequence[Outcome], now: datetime) -> None:
    """All of them by one statement: marking keeps pace with sending."""
    if not sent:
        return
    marked = update(deliveries).where(deliveries.c.id == bindparam("job"), deliveries.c.state != "sent").values(
        state="sent", sent_at=now, reference=bindparam("named"), error_class="", error="", lease_owner=None, lease_until=None
    )  # fmt: skip
    conn.execute(marked, [{"job": outcome.job.id, "named": outcome.reference} for outcome in sent])
    for outcome in sent:
        subscribers.after_sent(conn, outcome.job, now)


def _record(conn: Connection, owner: str, outcome: Outcome, now: datetime) -> None:
    row = deliveries.c.id == outcome.job.id
    values: dict[str, Any] = {
        "state": outcome.state, "reference": outcome.reference, "error_class": outcome.error_class,
        "error": outcome.error[:_MAX_ERROR], "lease_owner": None, "lease_until": None,
    }  # fmt: skip
    if outcome.next_try_at is not None:
        values["next_try_at"] = outcome.next_try_at
    where = and_(row, deliveries.c.state == "sending", deliveries.c.lease_owner == owner)
    if conn.execute(update(deliveries).where(where).values(values)).rowcount == 1 and outcome.suppress:
        suppressions.suppress(conn, outcome.job.subscription_id, outcome.error_class or "permanent", now)


def decide(job: stored.Job, now: datetime, wish_s: float | None, draw: float) -> datetime | None:
    """When to try `job` again; None when it is then no longer worth sending."""
    return delivery.next_try(job.attempts, now, job.expires_at, wish_s, draw)


def requeue(ctx: Context, actor: Actor, delivery_id: int) -> bool:
    """Put a dead letter back in the queue, on an operator's word; False when it is not dead."""
    actor.require("responder")
    now = ctx.now()
    with ctx.db.write() as conn:
        dead = and_(deliveries.c.id == delivery_id, deliveries.c.state == "dead")
        back = conn.execute(update(deliveries).where(dead).values(state="queued", attempts=0, next_try_at=now, error=""))
        if back.rowcount == 1:
            audit.write(conn, now, actor.name, "delivery.requeue", str(delivery_id))
        return back.rowcount == 1


def receipt(ctx: Context, reference: str, status: str, error_code: str) -> bool:
    """Note a supplier's word about a message it accepted. False when no delivery of ours has that id. Idempotent.

    Callbacks arrive out of order and may be replayed: a final word is never replaced by an earlier one.
    """
    with ctx.db.write() as conn:
        row = stored.by_reference(conn, reference)
        if row is None:
            return False
        if row["receipt"] not in _FINAL and status in _RECEIPTS:
            values = {"receipt": status, "error": f"supplier's error {error_code}" if error_code else row["error"]}
            conn.execute(update(deliveries).where(deliveries.c.id == row["id"]).values(values))
            if error_code in _STOPPED:
                suppressions.suppress(conn, row["subscription_id"], "stopped at the supplier", ctx.now())
        return True

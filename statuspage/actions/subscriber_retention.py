"""How long addresses are kept: a day unconfirmed, thirty days after they ended."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import delete, select, update

from statuspage.actions import limits
from statuspage.actions.context import Context
from statuspage.store.schema.delivery import consents, deliveries, outbox, subscriptions

PENDING_LIFE = timedelta(hours=24)
ERASE_AFTER = timedelta(days=30)


def forget_counts(ctx: Context) -> int:
    """Delete one piece of the counters of tries that are full again; how many rows."""
    with ctx.db.write() as conn:
        return limits.forget(conn, ctx.now())


def forget_stale(ctx: Context, limit: int = 500) -> int:
    """Delete requests nobody confirmed within a day, and erase addresses 30 days after they ended; how many.

    The hash of an erased address stays in `suppressions` where its owner said STOP; proof of consent stays, without the address.
    """
    now = ctx.now()
    pending = subscriptions.c.state == "pending"
    never = select(subscriptions.c.id).where(
        pending, subscriptions.c.created_at < now - PENDING_LIFE, subscriptions.c.confirmed_at.is_(None)
    ).limit(limit)  # fmt: skip
    with ctx.db.write() as conn:
        ids = list(conn.execute(never).scalars())
        for table, column in ((deliveries, deliveries.c.subscription_id), (consents, consents.c.subscription_id),
                              (outbox, outbox.c.subscription_id), (subscriptions, subscriptions.c.id)):  # fmt: skip
            conn.execute(delete(table).where(column.in_(ids)))
        over = subscriptions.c.state.in_(("off", "suppressed"))
        ended = select(subscriptions.c.id).where(
            over, subscriptions.c.off_at < now - ERASE_AFTER, subscriptions.c.label != ""
        ).limit(limit)  # fmt: skip
        erased = list(conn.execute(ended).scalars())
        conn.execute(update(subscriptions).where(subscriptions.c.id.in_(erased)).values(
            address_sealed=b"", address_hash=subscriptions.c.public_id, label="", meta={},
        ))  # fmt: skip
    return len(ids) + len(erased)

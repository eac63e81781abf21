"""Leases with an epoch: which worker probes and which one schedules, when several share a PostgreSQL database."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import Connection, insert, select, update

from statuspage.actions.context import Context
from statuspage.errors import Conflict
from statuspage.store.schema.runtime import leases


@dataclass(frozen=True, slots=True)
class Fence:
    """Proof of a lease. A holder that slept through its lease carries an old epoch, and its writes are refused."""

    name: str
    epoch: int


def take(ctx: Context, name: str, holder: str, ttl: timedelta) -> Fence | None:
    """Take or renew the lease `name`; None while another holder has it. Each change of holder raises the epoch."""
    now = ctx.now()
    with ctx.db.write() as conn:
        row = conn.execute(select(leases).where(leases.c.name == name).with_for_update()).mappings().first()
        if row is None:
            conn.execute(insert(leases).values(name=name, holder=holder, epoch=1, until_at=now + ttl))
            return Fence(name, 1)
        if row["holder"] != holder and row["until_at"] > now:
            return None
        epoch = int(row["epoch"]) + (row["holder"] != holder)
        conn.execute(update(leases).where(leases.c.name == name).values(holder=holder, epoch=epoch, until_at=now + ttl))
        return Fence(name, epoch)


def check(conn: Connection, fence: Fence) -> None:
    """Raise Conflict unless `fence` is the newest holder: called inside the transaction that it protects."""
    epoch = conn.execute(select(leases.c.epoch).where(leases.c.name == fence.name)).scalar()
    if epoch != fence.epoch:
        message = f"another worker took over {fence.name}: nothing was written"
        raise Conflict(message)


def give_back(ctx: Context, fence: Fence, holder: str) -> None:
    """End the lease early, so that another worker need not wait for it to run out."""
    with ctx.db.write() as conn:
        mine = (leases.c.name == fence.name) & (leases.c.holder == holder) & (leases.c.epoch == fence.epoch)
        conn.execute(update(leases).where(mine).values(until_at=ctx.now()))

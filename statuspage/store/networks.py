"""Heads of chains as the chain monitors saw them last, what their probes must not forget, and notices that wait for a block."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, insert, select, update

from statuspage.domain import pace
from statuspage.domain.pace import Head
from statuspage.store import configuration
from statuspage.store.schema.networks import chain_heads, notice_blocks
from statuspage.store.schema.runtime import meta

_HEAD = [each.name for each in fields(Head)]


@dataclass(frozen=True, slots=True)
class Seen:
    """What one poll of a chain monitor brought. `block_s`: the interval that its configuration expects."""

    monitor_id: str
    chain: str
    height: int
    at: datetime
    block_s: float
    evidence: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Awaited:
    """A notice that begins at a block."""

    notice_id: int
    window_id: str
    chain: str
    height: int


def note(conn: Connection, polls: Iterable[Seen]) -> None:
    """Keep the newest head and evidence of each monitor. A chain is polled every 15 s or so: a read and a write each."""
    for poll in polls:
        row = conn.execute(select(chain_heads).where(chain_heads.c.monitor_id == poll.monitor_id)).mappings().first()
        old = _head(row) if row else pace.first(poll.height, poll.at, poll.block_s)
        new = pace.seen(old, poll.height, poll.at)
        values = {name: getattr(new, name) for name in _HEAD} | {"chain": poll.chain, "evidence": poll.evidence}
        if row is None:
            conn.execute(insert(chain_heads).values(monitor_id=poll.monitor_id, **values))
        elif poll.at >= row["at"]:
            conn.execute(update(chain_heads).where(chain_heads.c.monitor_id == poll.monitor_id).values(values))


def _head(row: RowMapping) -> Head:
    return Head(**{name: row[name] for name in _HEAD})


def heads(conn: Connection) -> dict[str, Head]:
    """The highest head of each chain."""
    found: dict[str, Head] = {}
    for row in conn.execute(select(chain_heads)).mappings():
        head = _head(row)
        if row["chain"] not in found or head.height > found[row["chain"]].height:
            found[row["chain"]] = head
    return found


def latest(conn: Connection, monitor_ids: Iterable[str]) -> dict[str, dict[str, Any]]:
    """The newest evidence by monitor: `state`, `path`, `tip`, `interval_s`, and `endpoints` with head, age, fee and finality."""
    statement = select(chain_heads.c.monitor_id, chain_heads.c.evidence)
    return {row[0]: row[1] for row in conn.execute(statement.where(chain_heads.c.monitor_id.in_(list(monitor_ids))))}


def remember(conn: Connection, memories: Mapping[str, dict[str, Any]]) -> None:
    """Keep what the probes of these monitors must find again after a restart: some kB each, once an hour."""
    for monitor_id, memory in memories.items():
        configuration.save_setting(conn, f"{configuration.PROBE_MEMORY}{monitor_id}", memory)


def remembered(conn: Connection) -> dict[str, dict[str, Any]]:
    """What is kept, by monitor."""
    rows = conn.execute(
        select(meta.c.name, meta.c.value).where(meta.c.name.startswith(configuration.PROBE_MEMORY, autoescape=True))
    )
    return {row.name.removeprefix(configuration.PROBE_MEMORY): row.value for row in rows if isinstance(row.value, dict)}


def await_block(conn: Connection, awaited: Awaited) -> None:
    """Let a notice begin at a block."""
    conn.execute(insert(notice_blocks).values({each.name: getattr(awaited, each.name) for each in fields(Awaited)}))


def awaited(conn: Connection) -> dict[int, Awaited]:
    """Everything that ever waited for a block, by notice. One row for each hard fork: few."""
    return {row["notice_id"]: Awaited(**row) for row in conn.execute(select(notice_blocks)).mappings()}

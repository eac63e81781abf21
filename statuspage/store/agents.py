"""Agents, which of their batches have come, and what waits for the checker."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select, update

from statuspage.clock import to_ms
from statuspage.domain import rollup
from statuspage.domain.agents import Boot
from statuspage.domain.rollup import HOUR_MS
from statuspage.settings import LOCAL
from statuspage.store import checks as check_store
from statuspage.store.schema.catalogue import monitors
from statuspage.store.schema.checks import check_results, hour_blocks, monitor_states
from statuspage.store.schema.people import agent_batches, agent_boots, agents


@dataclass(frozen=True, slots=True)
class Agent:
    """A probe runner elsewhere. `clock_ms`: our clock minus its own; `waiting`, `dropped`: of its spool, as it last said."""

    id: str
    region: str
    public_key: str
    seen_at: datetime | None
    created_at: datetime
    revoked_at: datetime | None
    clock_ms: int
    waiting: int
    dropped: int


@dataclass(frozen=True, slots=True)
class Arrival:
    """A batch that waits for the checker. `results` are wire forms with times by our clock."""

    id: int
    agent_id: str
    region: str
    boot: str
    sequence: int
    results: list[dict[str, Any]]


# -- agents --


def by_id(conn: Connection, agent_id: str, *, lock: bool = False) -> Agent | None:
    """One agent, revoked or not. `lock`: until the end of the transaction nobody else receives for it."""
    statement = select(agents).where(agents.c.id == agent_id)
    row = conn.execute(statement.with_for_update() if lock else statement).mappings().first()
    return Agent(**row) if row else None


def everyone(conn: Connection) -> list[Agent]:
    """Every agent, by region and name."""
    return [Agent(**row) for row in conn.execute(select(agents).order_by(agents.c.region, agents.c.id)).mappings()]


def silent(conn: Connection, since_at: datetime) -> list[Agent]:
    """Agents that should report and were not heard of since then; one that never came counts from when it was added."""
    heard = func.coalesce(agents.c.seen_at, agents.c.created_at)
    where = agents.c.revoked_at.is_(None) & (heard < since_at)
    return [Agent(**row) for row in conn.execute(select(agents).where(where).order_by(agents.c.id)).mappings()]


def put(conn: Connection, values: dict[str, Any]) -> None:
    """Write an agent, new or in place of a revoked one of that name."""
    fresh = {"seen_at": None, "revoked_at": None, "clock_ms": 0, "waiting": 0, "dropped": 0, **values}
    if conn.execute(update(agents).where(agents.c.id == values["id"]).values(fresh)).rowcount == 0:
        conn.execute(insert(agents).values(fresh))


def change(conn: Connection, agent_id: str, **values: Any) -> None:  # noqa: ANN401 - columns
    """Change columns of one agent."""
    conn.execute(update(agents).where(agents.c.id == agent_id).values(values))


# -- what came --


def load_boot(conn: Connection, agent_id: str, boot: str) -> Boot | None:
    """What has come of one start of an agent."""
    where = (agent_boots.c.agent_id == agent_id) & (agent_boots.c.boot == boot)
    row = conn.execute(select(agent_boots).where(where)).first()
    return Boot(row.last_sequence, tuple((first, last) for first, last in row.missing), row.offset_ms) if row else None


def save_boot(conn: Connection, agent_id: str, boot: str, found: Boot, at: datetime) -> None:
    """Write what has come of one start of an agent."""
    where = (agent_boots.c.agent_id == agent_id) & (agent_boots.c.boot == boot)
    values = {"last_sequence": found.last, "missing": [list(gap) for gap in found.missing], "offset_ms": found.offset_ms,
              "seen_at": at}  # fmt: skip
    if conn.execute(update(agent_boots).where(where).values(values)).rowcount == 0:
        conn.execute(insert(agent_boots).values(agent_id=agent_id, boot=boot, **values))


def forget_boots(conn: Connection, agent_id: str, before_at: datetime) -> None:
    """Forget starts that nothing was heard of since then: no signature of theirs is good any more, no spool that old."""
    conn.execute(delete(agent_boots).where(agent_boots.c.agent_id == agent_id, agent_boots.c.seen_at < before_at))


def add_batches(conn: Connection, rows: Sequence[dict[str, Any]]) -> None:
    """Put batches aside for the checker."""
    if rows:
        conn.execute(insert(agent_batches), list(rows))


def backlog(conn: Connection) -> int:
    """About how many batches wait for the checker: the span of their numbers, which costs two steps in the index."""
    lowest, highest = conn.execute(select(func.min(agent_batches.c.id), func.max(agent_batches.c.id))).one()
    return 0 if lowest is None else int(highest - lowest + 1)


def arrivals(conn: Connection, limit: int) -> list[Arrival]:
    """The oldest batches that wait, in the order in which they came."""
    rows = conn.execute(select(agent_batches).order_by(agent_batches.c.id).limit(limit)).mappings()
    return [Arrival(**row) for row in rows]


def delete_batches(conn: Connection, ids: Sequence[int]) -> None:
    """Take batches away; in the transaction that recorded them."""
    if ids:
        conn.execute(delete(agent_batches).where(agent_batches.c.id.in_(list(ids))))


# -- what each region sees --


@dataclass(frozen=True, slots=True)
class RegionView:
    """What one region saw of a component: its worst state now, when it last looked, and the last 24 hours in figures."""

    name: str
    state: str
    last_at: datetime
    checks: int
    good: int
    mean_ms: float | None

    @property
    def is_own(self) -> bool:
        """Whether the page's own server looks from there."""
        return self.name == LOCAL

    @property
    def percent(self) -> int | None:
        """Checks that found it working, in hundredths of a percent of those that could tell, floored; None when none could."""
        return self.good * 10_000 // self.checks if self.checks else None


_RANK = ("up", "unknown", "degraded", "down")


def regions_of(conn: Connection, component_id: str, now: datetime) -> list[RegionView]:
    """What each region saw of a component's monitors, by name, `local` first. Cost: hours and states, not single results."""
    rows = conn.execute(
        select(monitor_states.c.region, monitor_states.c.state, monitor_states.c.last_at, monitors.c.no)
        .join(monitors, monitors.c.id == monitor_states.c.monitor_id)
        .where(monitors.c.component_id == component_id, monitors.c.archived_at.is_(None), monitors.c.paused == False)  # noqa: E712 - SQL
    ).all()
    totals = _day_of(conn, {row.no for row in rows}, now) if len({row.region for row in rows}) > 1 else {}
    found = []
    for name in sorted({row.region for row in rows}, key=lambda each: (each != LOCAL, each)):
        here = [row for row in rows if row.region == name]
        checks, good, sum_ms = totals.get(name, (0, 0, 0))
        found.append(RegionView(
            name, max((row.state for row in here), key=_RANK.index), max(row.last_at for row in here), checks, good,
            sum_ms / good if good else None,
        ))  # fmt: skip
    return found


def _day_of(conn: Connection, numbers: set[int], now: datetime) -> dict[str, tuple[int, int, int]]:
    """Region -> (checks that could tell, the good ones, milliseconds of these) of the last 24 hours, from a whole hour on."""
    first = to_ms(now) // HOUR_MS - 24
    done = max(first, check_store.mark(conn, check_store.HOURS) or first)
    block, raw = hour_blocks.c, check_results.c
    known = block.up + block.degraded + block.down
    sums: dict[int, list[int]] = {}
    for region, *parts in conn.execute(
        select(block.region_no, func.sum(known), func.sum(block.up + block.degraded), func.sum(block.latency_sum_ms))
        .where(block.monitor_no.in_(numbers), block.hour >= first, block.hour < done).group_by(block.region_no)
    ):  # fmt: skip
        sums[region] = [int(part or 0) for part in parts]
    for region, outcome, count, took_ms in conn.execute(
        select(raw.region_no, raw.outcome, func.count(), func.sum(raw.latency_ms))
        .where(raw.monitor_no.in_(numbers), raw.at_ms >= done * HOUR_MS, raw.outcome != rollup.OUTCOME_NO["unknown"])
        .group_by(raw.region_no, raw.outcome)
    ):  # fmt: skip
        old = sums.get(region, [0, 0, 0])
        good, good_ms = (count, int(took_ms or 0)) if outcome != rollup.OUTCOME_NO["down"] else (0, 0)
        sums[region] = [old[0] + count, old[1] + good, old[2] + good_ms]
    names = check_store.region_names(conn)
    return {names[region]: (checks, good, took) for region, (checks, good, took) in sums.items()}

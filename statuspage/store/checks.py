"""Check results: raw rows for days, hour blocks for months, daily uptime for ever. Readers, and the writers that actions use.

Raw rows are written by one statement for a batch: Core's insert of many would cost more than the rows, and the driver's
executemany lets go of the interpreter at each row, where the prober beside it is waiting.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, delete, func, insert, literal_column, select, update

from statuspage.clock import to_ms
from statuspage.domain import rollup
from statuspage.domain.rollup import HOUR_MS, OUTCOME_NO, Block, Totals
from statuspage.domain.uptime import Seconds
from statuspage.errors import InvalidInput, Unavailable
from statuspage.store import upserts
from statuspage.store.schema.checks import (
    check_results,
    daily_uptime,
    hour_blocks,
    monitor_states,
    regions,
    rollup_marks,
    transitions,
)

# Names of rollup_marks. HOURS: first hour not rolled up yet. HOURS_MONITOR: monitors up to this one are done in that hour.
# LATE + monitor number: first hour whose block misses results that came later.
HOURS = "hours"
HOURS_MONITOR = "hours.monitor"
LATE = "late:"

Observed = tuple[int, int, str, str, float]  # monitor number, at_ms, region, outcome, duration in ms
Raw = tuple[int, rollup.Row]  # region number, row

_LARGEST = 2**31 - 1
# One parameter: a JSON array of rows. "WHERE true" keeps SQLite from reading ON CONFLICT as a join's ON.
_INSERT_ALL = (
    "INSERT INTO check_results (monitor_no, at_ms, region_no, outcome, latency_ms)"
    " SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]'), json_extract(value, '$[2]'),"
    " json_extract(value, '$[3]'), json_extract(value, '$[4]') FROM json_each(?) WHERE true"
    " ON CONFLICT DO NOTHING"
)
_INSERT_EACH = (
    "INSERT INTO check_results (monitor_no, at_ms, region_no, outcome, latency_ms)"
    " VALUES (%s, %s, %s, %s, %s) ON CONFLICT DO NOTHING"
)
_BLOCK = [hour_blocks.c[field.name] for field in fields(Block)]
_DAY = [daily_uptime.c[f"{field.name}_s"] for field in fields(Seconds)]


@dataclass(frozen=True, slots=True)
class Point:
    """A stretch of a response-time chart that begins at `at_ms`; it holds no results where `totals.checks` is 0."""

    at_ms: int
    totals: Totals


# -- writing: raw results --


def insert_results(conn: Connection, rows: Sequence[Observed]) -> None:
    """Write raw results; one that is there already (same monitor, region and millisecond) is left as it is.

    Results of an hour that was rolled up before are noted, so that the next roll-up adds them to its block.
    Raises InvalidInput for an outcome that is none.
    """
    if not rows:
        return
    numbers = _region_numbers(conn, {region for _, _, region, _, _ in rows})
    try:
        values = [
            (no, at_ms, numbers[region], OUTCOME_NO[outcome], min(max(round(took_ms), 0), _LARGEST))
            for no, at_ms, region, outcome, took_ms in rows
        ]
    except KeyError as error:
        message = f"outcome must be one of {', '.join(OUTCOME_NO)}, not {error}"
        raise InvalidInput(message, "outcome") from None
    if conn.dialect.name == "sqlite":
        conn.exec_driver_sql(_INSERT_ALL, (json.dumps(values),))
    else:
        conn.exec_driver_sql(_INSERT_EACH, values)
    done = mark(conn, HOURS)
    if done is not None and min(row[1] for row in rows) < done * HOUR_MS:
        _note_late(conn, [(no, at_ms // HOUR_MS) for no, at_ms, *_ in values if at_ms < done * HOUR_MS])


def _note_late(conn: Connection, found: Iterable[tuple[int, int]]) -> None:
    earliest: dict[int, int] = {}
    for no, hour in found:
        earliest[no] = min(hour, earliest.get(no, hour))
    for no, hour in earliest.items():
        known = mark(conn, f"{LATE}{no}")
        if known is None or hour < known:
            set_mark(conn, f"{LATE}{no}", hour)


def _region_numbers(conn: Connection, names: set[str]) -> dict[str, int]:
    for _ in range(5):
        known = {name: no for no, name in conn.execute(select(regions.c.no, regions.c.name))}
        missing = sorted(names - known.keys())
        if not missing:
            return known
        first = max(known.values(), default=-1) + 1
        rows = [{"no": first + index, "name": name} for index, name in enumerate(missing)]
        # Two agents may come with their first results at once: whoever loses the number draws again.
        conn.execute(upserts.insert(conn, regions).on_conflict_do_nothing(), rows)
    message = "no free number for a new region; nothing was written, try again"
    raise Unavailable(message)


def save_states(conn: Connection, rows: Sequence[dict[str, Any]]) -> None:
    """Write rows of `monitor_states`, new or changed, in one go; the caller knows from memory which have changed."""
    if rows:
        _upsert(conn, monitor_states, rows)


def add_transitions(conn: Connection, rows: Sequence[dict[str, Any]]) -> None:
    """Write rows of `transitions` in their order. A start writes one for every monitor within seconds."""
    if rows:
        conn.execute(insert(transitions), list(rows))


# -- writing: roll-ups --


def mark(conn: Connection, name: str) -> int | None:
    """How far the roll-up `name` has come; None before its first run."""
    return conn.execute(select(rollup_marks.c.mark).where(rollup_marks.c.name == name)).scalar_one_or_none()


def set_mark(conn: Connection, name: str, value: int) -> None:
    """Note how far the roll-up `name` has come, in the transaction of the work itself."""
    if conn.execute(update(rollup_marks).where(rollup_marks.c.name == name).values(mark=value)).rowcount == 0:
        conn.execute(insert(rollup_marks).values(name=name, mark=value))


def clear_mark(conn: Connection, name: str) -> None:
    """Forget a mark."""
    conn.execute(delete(rollup_marks).where(rollup_marks.c.name == name))


def late_marks(conn: Connection) -> list[tuple[int, int]]:
    """(monitor number, first hour) of every monitor whose results came after their hour was rolled up."""
    found = conn.execute(select(rollup_marks).where(rollup_marks.c.name.startswith(LATE, autoescape=True)))
    return sorted((int(row.name.removeprefix(LATE)), row.mark) for row in found)


def put_blocks(conn: Connection, blocks: Sequence[tuple[int, int, int, Block]]) -> None:
    """Write hour blocks, given as (monitor number, hour, region number, block), in place of those that are there."""
    if blocks:
        names = [field.name for field in fields(Block)]
        rows = [
            {"monitor_no": no, "hour": hour, "region_no": region, **{name: getattr(block, name) for name in names}}
            for no, hour, region, block in blocks
        ]
        _upsert(conn, hour_blocks, rows)


def delete_results(conn: Connection, monitor_no: int, before_ms: int) -> int:
    """Delete the raw results of one monitor before a moment; how many they were."""
    return conn.execute(
        delete(check_results).where(check_results.c.monitor_no == monitor_no, check_results.c.at_ms < before_ms)
    ).rowcount


def delete_blocks(conn: Connection, monitor_no: int, before_hour: int) -> int:
    """Delete the hour blocks of one monitor before an hour; how many they were."""
    return conn.execute(
        delete(hour_blocks).where(hour_blocks.c.monitor_no == monitor_no, hour_blocks.c.hour < before_hour)
    ).rowcount


def put_days(conn: Connection, days: Sequence[tuple[str, date, Seconds]]) -> None:
    """Write daily uptime in place of what is there."""
    if days:
        rows = [
            {
                "component_id": component,
                "day": day.isoformat(),
                **{f"{f.name}_s": getattr(row, f.name) for f in fields(Seconds)},
            }
            for component, day, row in days
        ]
        _upsert(conn, daily_uptime, rows)


# -- reading --


def monitor_numbers(conn: Connection, *, blocks: bool = False) -> list[int]:
    """Numbers of all monitors with raw results (or blocks), also of those since deleted. One index step per monitor."""
    table = hour_blocks if blocks else check_results
    column = table.c.monitor_no
    found: list[int] = []
    number = conn.execute(select(func.min(column))).scalar_one()
    while number is not None:
        found.append(number)
        number = conn.execute(select(func.min(column)).where(column > number)).scalar_one()
    return found


def first_result_ms(conn: Connection, monitor_no: int, since_ms: int = 0) -> int | None:
    """Time of the oldest raw result of one monitor since then."""
    column = check_results.c
    statement = select(func.min(column.at_ms)).where(column.monitor_no == monitor_no, column.at_ms >= since_ms)
    found: int | None = conn.execute(statement).scalar_one()
    return found


def results(conn: Connection, monitor_no: int, since_ms: int, until_ms: int) -> list[Raw]:
    """Raw results of one monitor in [since, until), oldest first, with the number of their region."""
    column = check_results.c
    statement = (
        select(column.region_no, column.at_ms, column.outcome, column.latency_ms)
        .where(column.monitor_no == monitor_no, column.at_ms >= since_ms, column.at_ms < until_ms)
        .order_by(column.at_ms, column.region_no)
    )
    return [(region, (at_ms, outcome, latency)) for region, at_ms, outcome, latency in conn.execute(statement)]


def region_names(conn: Connection) -> dict[int, str]:
    """Name of every region by its number."""
    return {row.no: row.name for row in conn.execute(select(regions))}


def blocks(conn: Connection, monitor_no: int, first_hour: int, end_hour: int) -> list[tuple[int, int, Block]]:
    """(hour, region number, block) of one monitor for hours in [first, end), in order."""
    statement = (
        select(hour_blocks.c.hour, hour_blocks.c.region_no, *_BLOCK)
        .where(hour_blocks.c.monitor_no == monitor_no, hour_blocks.c.hour >= first_hour, hour_blocks.c.hour < end_hour)
        .order_by(hour_blocks.c.hour, hour_blocks.c.region_no)
    )
    return [(hour, region, Block(*rest)) for hour, region, *rest in conn.execute(statement)]


def counts(
    conn: Connection, monitor_no: int, before_hour: int
) -> tuple[dict[tuple[int, int], int], dict[tuple[int, int], int]]:
    """Number of results per (hour, region) before an hour: in raw rows, and in the blocks of those hours."""
    column, block = check_results.c, hour_blocks.c
    hour = column.at_ms.op("/")(literal_column(str(HOUR_MS)))  # `/` of SQLAlchemy would divide without cutting
    raw = conn.execute(
        select(hour, column.region_no, func.count())
        .where(column.monitor_no == monitor_no, column.at_ms < before_hour * HOUR_MS).group_by(hour, column.region_no)
    )  # fmt: skip
    found = {(int(row[0]), row[1]): row[2] for row in raw}
    if not found:
        return {}, {}
    rolled = conn.execute(
        select(block.hour, block.region_no, block.up + block.degraded + block.down + block.unknown)
        .where(block.monitor_no == monitor_no, block.hour >= min(found)[0], block.hour < before_hour)
    )  # fmt: skip
    return found, {(row[0], row[1]): row[2] for row in rolled}


def totals(conn: Connection, monitor_no: int, since_at: datetime, until_at: datetime) -> Totals:
    """Counts, mean and percentiles of one monitor over whole hours of [since, until), all regions together."""
    found = series(conn, monitor_no, since_at, until_at, step_hours=10**6)
    return found[0].totals if found else rollup.merge([])


def series(
    conn: Connection, monitor_no: int, since_at: datetime, until_at: datetime, *, step_hours: int = 1
) -> list[Point]:
    """Points of a chart, oldest first, `step_hours` each; hours that were not rolled up yet come from raw results.

    Cost grows with hours, not with results: a year of one monitor is 8,760 rows.
    """
    first, end = to_ms(since_at) // HOUR_MS, -(-to_ms(until_at) // HOUR_MS)
    done = max(first, min(end, mark(conn, HOURS) or first))
    by_hour: dict[int, list[Block]] = {}
    for hour, _, block in blocks(conn, monitor_no, first, done):
        by_hour.setdefault((hour - first) // step_hours, []).append(block)
    fresh: dict[tuple[int, int], list[rollup.Row]] = {}
    for region, row in results(conn, monitor_no, done * HOUR_MS, end * HOUR_MS):
        fresh.setdefault((row[0] // HOUR_MS, region), []).append(row)
    for (hour, _), rows in fresh.items():
        by_hour.setdefault((hour - first) // step_hours, []).append(rollup.block(hour, rows))
    steps = range(-(-(end - first) // step_hours))
    return [Point((first + step * step_hours) * HOUR_MS, rollup.merge(by_hour.get(step, []))) for step in steps]


def uptime_days(
    conn: Connection, first_day: date, component_ids: Iterable[str] | None = None
) -> dict[str, dict[date, Seconds]]:
    """Seconds of each kind per component and day since `first_day`, in one query however many components there are."""
    statement = select(daily_uptime.c.component_id, daily_uptime.c.day, *_DAY).where(
        daily_uptime.c.day >= first_day.isoformat()
    )
    if component_ids is not None:
        statement = statement.where(daily_uptime.c.component_id.in_(list(component_ids)))
    out: dict[str, dict[date, Seconds]] = {}
    for component, day, *seconds in conn.execute(statement):
        out.setdefault(component, {})[date.fromisoformat(day)] = Seconds(*seconds)
    return out


def _upsert(conn: Connection, table: Any, rows: Sequence[dict[str, Any]]) -> None:  # noqa: ANN401 - as _insert
    statement = upserts.insert(conn, table)
    keys = [column.name for column in table.primary_key]
    changed = {name: statement.excluded[name] for name in rows[0] if name not in keys}
    conn.execute(statement.on_conflict_do_update(index_elements=keys, set_=changed), list(rows))

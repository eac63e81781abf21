"""Roll-ups and forgetting: raw results become hour blocks, status changes become daily uptime, old rows go.

Each runs in short transactions of its own and notes within them how far it came: killed anywhere it goes on from there, and
run twice it changes nothing. Between two transactions the writer is left free for as long as it was held, so that an
operator's notice never waits for a roll-up.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TypeVar
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from statuspage.clock import from_ms, to_ms
from statuspage.domain import rollup, uptime
from statuspage.domain.rollup import HOUR_MS, Block, Row
from statuspage.domain.uptime import Seconds
from statuspage.store import checks
from statuspage.store import uptime as uptime_store
from statuspage.store.database import Database

GRACE = timedelta(minutes=2)  # an hour is rolled up when its last probes have had the time to end
SETTLED = timedelta(hours=1)  # a day is final when what happened at its end has had the time to be confirmed
DAYS_BACK = 400  # how far the first run looks back
DAYS = "days"  # mark: first day (as a proleptic ordinal) that is not final
DAYS_CHANGE = "days.change"  # mark: newest status change that was reckoned with

_MONITORS = 50  # per transaction, about 30 ms of work
_COMPONENTS = 200
_DAY_MS = 86_400_000
_BREATH_S = 0.25

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Forgotten:
    """How many rows went."""

    results: int
    blocks: int


def roll_hours(db: Database, now: datetime) -> int:
    """Turn every hour that is over into blocks; the number of blocks written. Late results are added to their hour's block."""
    end = to_ms(now - GRACE) // HOUR_MS
    written = _mend_late(db)
    with db.read() as conn:
        numbers = checks.monitor_numbers(conn)
        mark = checks.mark(conn, checks.HOURS)
    hour = _skip_empty(db, end - DAYS_BACK * 24, end, numbers) if mark is None else mark
    while hour < end:
        made = _roll_hour(db, hour, numbers)
        written += made
        hour = hour + 1 if made else _skip_empty(db, hour + 1, end, numbers)
    return written


def _skip_empty(db: Database, hour: int, end: int, numbers: Sequence[int]) -> int:
    """The first hour from `hour` on that has results, at most `end`; what lies between counts as rolled up."""
    with db.read() as conn:
        firsts = [first for no in numbers if (first := checks.first_result_ms(conn, no, hour * HOUR_MS)) is not None]
    target = min([end, *(first // HOUR_MS for first in firsts)])
    if numbers and target > hour:
        with _short(db) as conn:
            checks.set_mark(conn, checks.HOURS, target)
    return target


def _roll_hour(db: Database, hour: int, numbers: Sequence[int]) -> int:
    with db.read() as conn:
        after = checks.mark(conn, checks.HOURS_MONITOR)
    left = [no for no in numbers if after is None or no > after]
    written = 0
    for some in list(_chunks(left, _MONITORS)) or [()]:
        with _short(db) as conn:
            made = [
                (no, hour, region, rollup.block(hour, rows))
                for no in some
                for region, rows in _by_region(checks.results(conn, no, hour * HOUR_MS, (hour + 1) * HOUR_MS)).items()
            ]
            checks.put_blocks(conn, made)
            if some and some[-1] != left[-1]:
                checks.set_mark(conn, checks.HOURS_MONITOR, some[-1])
            else:
                checks.set_mark(conn, checks.HOURS, hour + 1)
                checks.clear_mark(conn, checks.HOURS_MONITOR)
            written += len(made)
    return written


def _by_region(rows: Sequence[tuple[int, Row]]) -> dict[int, list[Row]]:
    found: dict[int, list[Row]] = {}
    for region, row in rows:
        found.setdefault(region, []).append(row)
    return found


def _mend_late(db: Database) -> int:
    with db.read() as conn:
        late = checks.late_marks(conn)
        done = checks.mark(conn, checks.HOURS) or 0
    written = 0
    for no, first in late:
        with db.read() as conn:
            raw, _ = checks.counts(conn, no, done)
        for hour in sorted({hour for hour, _ in raw if hour >= first}):
            with _short(db) as conn:
                written += _mend(conn, no, hour)
        with _short(db) as conn:
            if checks.mark(conn, f"{checks.LATE}{no}") == first:  # nothing older came meanwhile
                checks.clear_mark(conn, f"{checks.LATE}{no}")
    return written


def _mend(conn: Connection, no: int, hour: int) -> int:
    """Write the blocks of an hour anew: what the raw rows say together with what the blocks hold already."""
    found = _by_region(checks.results(conn, no, hour * HOUR_MS, (hour + 1) * HOUR_MS))
    known: dict[int, Block] = {region: block for _, region, block in checks.blocks(conn, no, hour, hour + 1)}
    made = []
    for region, rows in found.items():
        held = rollup.unpack(hour, known[region].raw) if region in known else []
        made.append((no, hour, region, rollup.block(hour, [*held, *rows])))
    checks.put_blocks(conn, made)
    return len(made)


def roll_days(db: Database, now: datetime, zone: str) -> int:
    """Bring daily uptime up to `now`; the number of days written. `zone` is the page's IANA zone.

    Reckons anew every day that is not final, and older ones where a status change was written since with a moment in the past.
    """
    place = ZoneInfo(zone)
    today = now.astimezone(place).date()
    with db.read() as conn:
        open_day = _first_open_day(conn, today, place)
        newest = uptime_store.newest_change(conn)
        seen = checks.mark(conn, DAYS_CHANGE)
        begins = dict.fromkeys(uptime_store.component_ids(conn), open_day)
        late = uptime_store.changed_since(conn, newest if seen is None else seen)
    for component_id, at in late.items():
        if component_id in begins:
            begins[component_id] = min(open_day, at.astimezone(place).date())
    by_begin: dict[date, list[str]] = {}
    for component_id, first in begins.items():
        by_begin.setdefault(first, []).append(component_id)
    written = sum(
        _roll_components(db, some, first, now, place)
        for first, ids in sorted(by_begin.items())
        for some in _chunks(ids, _COMPONENTS)
    )
    final = today
    if now - SETTLED < from_ms(uptime.midnight(today, place) * 1000):
        final = today - timedelta(days=1)
    with _short(db) as conn:
        checks.set_mark(conn, DAYS, max(open_day, final).toordinal())
        checks.set_mark(conn, DAYS_CHANGE, newest)
    return written


def _first_open_day(conn: Connection, today: date, place: ZoneInfo) -> date:
    mark = checks.mark(conn, DAYS)
    if mark is not None:
        return min(date.fromordinal(mark), today)
    oldest = min(uptime_store.first_moments(conn).values(), default=None)
    first = oldest.astimezone(place).date() if oldest else today
    return min(max(first, today - timedelta(days=DAYS_BACK)), today)


def _roll_components(db: Database, ids: Sequence[str], first: date, now: datetime, place: ZoneInfo) -> int:
    since_at = from_ms(uptime.midnight(first, place) * 1000)
    with db.read() as conn:
        lines = uptime_store.timelines(conn, ids, since_at, place)
        windows = uptime_store.announced(conn, since_at, now)
        known = checks.uptime_days(conn, first, ids)
    changed: list[tuple[str, date, Seconds]] = []
    for line in lines:
        planned = windows.get(line.component_id, [])
        days = uptime.by_day(uptime.spans(line.changes, now), planned, place, line.begin_at, now)
        held = known.get(line.component_id, {})
        changed += [(line.component_id, day, row) for day, row in days.items() if held.get(day) != row]
    for some in _chunks(changed, 500):
        with _short(db) as conn:
            checks.put_days(conn, some)
    return len(changed)


def forget(db: Database, now: datetime, *, raw_days: int = 3, block_days: int = 400) -> Forgotten:
    """Delete raw results older than `raw_days` and hour blocks older than `block_days`; daily uptime stays for ever.

    A raw result only goes when a block holds it.
    """
    _mend_late(db)
    with db.read() as conn:
        done = checks.mark(conn, checks.HOURS) or 0
        raw_numbers, block_numbers = checks.monitor_numbers(conn), checks.monitor_numbers(conn, blocks=True)
    cutoff = min(done, to_ms(now - timedelta(days=raw_days)) // HOUR_MS)
    results = sum(_forget_results(db, some, cutoff) for some in _chunks(raw_numbers, _MONITORS))
    oldest = to_ms(now - timedelta(days=block_days)) // HOUR_MS
    blocks = 0
    for some in _chunks(block_numbers, _MONITORS):
        with _short(db) as conn:
            blocks += sum(checks.delete_blocks(conn, no, oldest) for no in some)
    return Forgotten(results, blocks)


def _forget_results(db: Database, numbers: Sequence[int], cutoff_hour: int) -> int:
    """At most a day of each monitor per transaction, however much there is."""
    gone, left = 0, list(numbers)
    while left:
        with _short(db) as conn:
            firsts = {no: first for no in left if (first := checks.first_result_ms(conn, no)) is not None}
            left = [no for no, first in firsts.items() if first < cutoff_hour * HOUR_MS]
            for no in left:
                before = min(cutoff_hour, (firsts[no] + _DAY_MS) // HOUR_MS)
                raw, rolled = checks.counts(conn, no, before)
                for hour in {hour for (hour, region), number in raw.items() if number > rolled.get((hour, region), 0)}:
                    _mend(conn, no, hour)
                gone += checks.delete_results(conn, no, before * HOUR_MS)
    return gone


@contextmanager
def _short(db: Database) -> Iterator[Connection]:
    """A write transaction, and afterwards as long a pause: waiting writers get their turn."""
    began = time.monotonic()
    with db.write() as conn:
        yield conn
    time.sleep(min(_BREATH_S, time.monotonic() - began))


def _chunks(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]

"""Ninety days of made-up checks for the demo page: status changes, daily uptime and hour blocks that agree with each other.

Everything is drawn from generators seeded by names, so that the same page is made every time.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from random import Random
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, insert

from statuspage.actions.context import Context
from statuspage.clock import to_ms
from statuspage.domain import rollup, status, uptime
from statuspage.domain.rollup import HOUR_MS, OUTCOME_NO, Block
from statuspage.store import checks as check_store
from statuspage.store import monitors as monitor_store
from statuspage.store.schema.catalogue import component_status_changes
from statuspage.store.schema.checks import regions

DAYS = 90
_BLIPS = 3  # short degradations per component that no notice was written about
_CHECKS_PER_HOUR = 12
_VARIANTS = 3
_REGION = "local"
_SAID = {"source": "import", "reason": "demo data", "actor": "demo data"}
_OUTCOME = {
    status.OPERATIONAL: "up", status.DEGRADED: "degraded", status.PARTIAL: "down", status.MAJOR: "down",
    status.MAINTENANCE: "down",
}  # fmt: skip
_BASE_MS = {"tcp": 2, "tls": 9, "dns": 5, "evm": 38, "chain": 38}  # on loopback; http 24


@dataclass(frozen=True, slots=True)
class Trouble:
    """One component was not well from `start_at` to `end_at`; `announced`: it had been said before."""

    component_id: str
    start_at: datetime
    end_at: datetime
    status: str
    announced: bool = False


@dataclass(frozen=True, slots=True)
class Past:
    """The made-up past up to `now`. Days begin at midnight in `zone`."""

    now: datetime
    zone: ZoneInfo
    troubles: Sequence[Trouble]

    @property
    def begin_at(self) -> datetime:
        """Midnight of the first day."""
        first = (self.now.astimezone(self.zone) - timedelta(days=DAYS - 1)).date()
        return datetime.combine(first, time(), self.zone).astimezone(UTC)

    def of(self, component_id: str) -> list[Trouble]:
        """What befell one component: its part of the story, and small troubles of its own."""
        told = [trouble for trouble in self.troubles if trouble.component_id == component_id and trouble.end_at > self.begin_at]
        dice = Random(f"blips of {component_id}")  # noqa: S311 - made-up history, the same every time
        out = list(told)
        for _ in range(_BLIPS):
            start_at = self.begin_at + timedelta(minutes=dice.randrange(60, (DAYS - 2) * 1440))
            end_at = start_at + timedelta(minutes=dice.randint(3, 14))
            out.append(Trouble(component_id, start_at, end_at, status.DEGRADED))
        return out

    def changes(self, component_id: str) -> list[tuple[datetime, str]]:
        """(when, new status) from the first day on, in order of time; where troubles overlap the worst one shows."""
        found = self.of(component_id)
        edges = sorted({self.begin_at, *(max(each.start_at, self.begin_at) for each in found), *(each.end_at for each in found)})
        out: list[tuple[datetime, str]] = []
        for at in edges:
            new = status.worst(each.status for each in found if each.start_at <= at < each.end_at)
            if not out or out[-1][1] != new:
                out.append((at, new))
        return out


def write_days(conn: Connection, past: Past, component_ids: Sequence[str]) -> None:
    """Status changes and daily uptime of every component, by the published formula."""
    for component_id in component_ids:
        changes = past.changes(component_id)
        before = [status.UNKNOWN, *(new for _, new in changes)]
        rows = [
            {"component_id": component_id, "old": old, "new": new, "at": at, **_SAID}
            for old, (at, new) in zip(before, changes, strict=False)
        ]
        conn.execute(insert(component_status_changes), rows)
        windows = [
            (to_ms(each.start_at) // 1000, to_ms(each.end_at) // 1000)
            for each in past.troubles
            if each.component_id == component_id and each.announced
        ]
        days = uptime.by_day(uptime.spans(changes, past.now), windows, past.zone, past.begin_at, past.now)
        check_store.put_days(conn, [(component_id, day, seconds) for day, seconds in days.items()])


def write_blocks(ctx: Context, past: Past) -> None:
    """Hour blocks of every monitor, one transaction each: the writer is free in between. Repeating it changes nothing."""
    with ctx.db.write() as conn:
        monitors = monitor_store.active(conn)
        region = _region(conn)
        end_hour = to_ms(past.now) // HOUR_MS
        if check_store.mark(conn, check_store.HOURS) is None:
            check_store.set_mark(conn, check_store.HOURS, end_hour)
    first_hour = to_ms(past.begin_at) // HOUR_MS
    for monitor in monitors.values():
        changes = past.changes(monitor.component_id)
        made = _blocks(monitor.id, _BASE_MS.get(monitor.kind, 24), changes, range(first_hour, end_hour))
        with ctx.db.write() as conn:
            check_store.put_blocks(conn, [(monitor.no, hour, region, block) for hour, block in made])


def _region(conn: Connection) -> int:
    known = {name: no for no, name in check_store.region_names(conn).items()}
    if _REGION not in known:
        known[_REGION] = max(known.values(), default=-1) + 1
        conn.execute(insert(regions).values(no=known[_REGION], name=_REGION))
    return known[_REGION]


def _blocks(monitor_id: str, base_ms: int, changes: Sequence[tuple[datetime, str]], hours: range) -> list[tuple[int, Block]]:
    """A quiet hour is one of a few patterns per hour of the day (a block's bytes are relative to its hour), others are single."""
    dice = Random(f"results of {monitor_id}")  # noqa: S311 - made-up history, the same every time
    quiet = {
        (of_day, variant): rollup.block(0, _rows(dice, 0, of_day, base_ms, []))
        for of_day in range(24)
        for variant in range(_VARIANTS)
    }
    at_ms = [to_ms(at) for at, _ in changes]
    spans = [
        (start, end, new)
        for start, end, (_, new) in zip(at_ms, [*at_ms[1:], hours.stop * HOUR_MS], changes, strict=True)
        if new != status.OPERATIONAL
    ]
    out = []
    for hour in hours:
        here = [span for span in spans if span[0] < (hour + 1) * HOUR_MS and span[1] > hour * HOUR_MS]
        if here:
            out.append((hour, rollup.block(hour, _rows(dice, hour, hour % 24, base_ms, here))))
        else:
            out.append((hour, quiet[hour % 24, dice.randrange(_VARIANTS)]))
    return out


def _rows(dice: Random, hour: int, of_day: int, base_ms: int, spans: Sequence[tuple[int, int, str]]) -> list[rollup.Row]:
    """Results of one hour. Busy evenings (UTC+8) answer a little slower; a failing check has waited, a degraded one was slow."""
    step_ms = HOUR_MS // _CHECKS_PER_HOUR
    busy = 1.2 + 0.3 * math.sin((of_day - 6) * math.pi / 12)
    rows = []
    for index in range(_CHECKS_PER_HOUR):
        at_ms = hour * HOUR_MS + index * step_ms + dice.randrange(2000)
        now = status.worst(new for start, end, new in spans if start <= at_ms < end)
        outcome = _OUTCOME.get(now, "unknown")
        latency = base_ms * busy * dice.lognormvariate(0, 0.25) * {"degraded": 12, "down": 40}.get(outcome, 1)
        rows.append((at_ms, OUTCOME_NO[outcome], round(latency)))
    return rows

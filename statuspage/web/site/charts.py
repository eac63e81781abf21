"""Response times as small drawings: half of the answers as a line, the slower 45 % as a band above it. Text says the same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache

from sqlalchemy import Connection

from statuspage.clock import from_ms, to_ms
from statuspage.domain import rollup
from statuspage.domain.rollup import HOUR_MS
from statuspage.store import public_pages
from statuspage.store.checks import Point

# Name, hours shown, hours a point: 24 to 60 points each, whatever the span.
RANGES = (("day", 24, 1), ("week", 168, 6), ("month", 720, 24), ("year", 8760, 168))
MONITORS = 3  # of one component; more would be a dashboard
_HEIGHT = 40
_ROLLED_UP = timedelta(minutes=5)  # after an hour's end its results have become a block


@dataclass(frozen=True, slots=True)
class Chart:
    """One drawing. `line`, `band`, `failed`: path data in a box of `width` x 40. Milliseconds; None when nothing answered.

    `top_ms`: the upper edge of the box. `silent`: points without an answer although something was checked.
    """

    name: str
    width: int
    line: str
    band: str
    failed: str
    top_ms: int
    p50_ms: int | None
    p95_ms: int | None
    checks: int
    silent: int
    first_at: datetime
    last_at: datetime


class Charts:
    """Charts of all monitors; one is computed again when its newest point may have changed: hourly, or once a day for a year."""

    def __init__(self) -> None:
        self._kept: dict[tuple[int, str], tuple[int, Chart]] = {}
        self._sparks: tuple[int, dict[str, tuple[int | None, ...]]] = (-1, {})

    def sparks(self, conn: Connection, now: datetime) -> dict[str, tuple[int | None, ...]]:
        """Median response times of the last 24 hours by component; read anew once an hour, when it has been rolled up."""
        hour = to_ms(now - _ROLLED_UP) // HOUR_MS
        if self._sparks[0] != hour:
            self._sparks = hour, public_pages.load_sparks(conn, now - _ROLLED_UP)
        return self._sparks[1]

    def of(self, conn: Connection, monitor_no: int, now: datetime) -> list[Chart]:
        """The charts of one monitor, from the day to the year; empty when it has measured nothing in a year."""
        if not public_pages.has_results(conn, monitor_no, now - timedelta(days=365)):
            return []
        return [self._one(conn, monitor_no, now, *each) for each in RANGES]

    def _one(self, conn: Connection, no: int, now: datetime, name: str, hours: int, step: int) -> Chart:
        # Whole steps: the same hour always falls into the same point. A year moves once a day, the others once an hour.
        unit = 24 if step >= 24 else 1
        end = (to_ms(now) // HOUR_MS // unit + 1) * unit
        known = self._kept.get((no, name))
        if known is None or known[0] != end:
            since, until = from_ms((end - hours) * HOUR_MS), from_ms(end * HOUR_MS)
            points = public_pages.response_times(conn, no, since, until, step)
            known = (end, draw(name, points, until))
            self._kept[no, name] = known
        return known[1]


def draw(name: str, points: Sequence[Point], until: datetime) -> Chart:
    """The chart of these points."""
    half = [point.totals.percentile_ms(0.5) for point in points]
    slow = [point.totals.percentile_ms(0.95) for point in points]
    top = _top(max((value for value in slow if value is not None), default=1.0))
    ups = [None if value is None else _y(value, top) for value in half]
    tops = [None if value is None else _y(value, top) for value in slow]
    failed = [index for index, point in enumerate(points) if point.totals.down]
    silent = sum(1 for point in points if point.totals.checks and not point.totals.answered)
    buckets = [sum(column) for column in zip(*(point.totals.buckets for point in points), strict=True)] or [0]
    low = min((point.totals.latency_min_ms for point in points if point.totals.answered), default=0)
    high = max((point.totals.latency_max_ms for point in points), default=0)
    p50, p95 = (rollup.percentile(buckets, share, low, high) for share in (0.5, 0.95))
    return Chart(
        name, len(points), _line(ups), _band(ups, tops), "".join(f"M{index} {_HEIGHT}v-3h1v3z" for index in failed), top,
        None if p50 is None else round(p50), None if p95 is None else round(p95), sum(point.totals.checks for point in points),
        silent, from_ms(points[0].at_ms) if points else until, until,
    )  # fmt: skip


def _top(value: float) -> int:
    """The next round number: 1, 2, 5, 10 ..."""
    step = 1
    while step * 5 < value:
        step *= 10
    return next(step * factor for factor in (1, 2, 5, 10) if step * factor >= value)


def _y(value: float, top: int) -> float:
    return round(_HEIGHT - value / top * (_HEIGHT - 4), 1)


def _runs(values: Sequence[float | None]) -> list[list[int]]:
    """Indexes of neighbours that have a value."""
    runs: list[list[int]] = []
    for index, value in enumerate(values):
        if value is None:
            continue
        if runs and runs[-1][-1] == index - 1:
            runs[-1].append(index)
        else:
            runs.append([index])
    return runs


def _line(ups: Sequence[float | None]) -> str:
    """Each point is a step of its own width, so that a lone one is seen too."""
    return "".join("M" + "L".join(f"{index} {ups[index]}H{index + 1}" for index in run) for run in _runs(ups))


def _band(ups: Sequence[float | None], tops: Sequence[float | None]) -> str:
    out = ""
    for run in _runs(ups):
        over = "L".join(f"{index} {tops[index]}H{index + 1}" for index in run)
        under = "L".join(f"{index + 1} {ups[index]}H{index}" for index in reversed(run))
        out += f"M{over}L{under}z"
    return out


@lru_cache(maxsize=4096)
def spark(values: tuple[int | None, ...]) -> str:
    """A day of response times as path data in a box of 23 x 8: whole numbers and relative steps, about 80 bytes."""
    known = [value for value in values if value is not None]
    if len(known) < 2:
        return ""
    low, high = min(known), max(known)
    # A flat day is a flat line: differences below a fifth of the level are not blown up to drama.
    span = max(high - low, low * 0.2, 1)
    out, last = "", None
    for index, value in enumerate(values):
        if value is None:
            last = None
            continue
        height = 7 - round((value - low) / span * 6)
        out += f"M{index} {height}" if last is None else f"l1{' ' if height >= last else ''}{height - last}"
        last = height
    return out

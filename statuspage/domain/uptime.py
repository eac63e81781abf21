"""Uptime by the published formula (docs/uptime.md).

The time line of a component is cut into half-open intervals of whole seconds. At each second the worst kind wins; announced
maintenance and unknown leave the denominator; a major outage weighs 1, a partial one 0.3, degraded 0. The figure is in hundredths
of a percent, floored, so that any outage shows as less than 100.00; there is none when nothing was measured.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from statuspage.domain import status

KINDS = ("up", "unknown", "degraded", "partial", "major", "maintenance")
RANK = {"up": 0, "unknown": 1, "degraded": 2, "partial": 3, "major": 4}
WEIGHT_TENTHS = {"major": 10, "partial": 3}

# Out of service without a word beforehand is out of service: only *announced* maintenance leaves the denominator, or a click
# on "maintenance" in the middle of an outage would improve the figure.
KIND_OF_STATUS = {
    status.OPERATIONAL: "up", status.UNKNOWN: "unknown", status.DEGRADED: "degraded", status.PARTIAL: "partial",
    status.MAJOR: "major", status.MAINTENANCE: "major",
}  # fmt: skip

Span = tuple[int, int, str]  # start, end (exclusive) in seconds since the epoch, kind
Window = tuple[int, int]

OVERRUN = timedelta(minutes=5)  # work that ends this soon after its announced end was on time


@dataclass(frozen=True, slots=True)
class Seconds:
    """Seconds of each kind. Days are added up, never averaged."""

    up: int = 0
    unknown: int = 0
    degraded: int = 0
    partial: int = 0
    major: int = 0
    maintenance: int = 0

    def __add__(self, other: Seconds) -> Seconds:
        return Seconds(*map(int.__add__, astuple(self), astuple(other)))

    @property
    def total(self) -> int:
        """All of it."""
        return self.up + self.unknown + self.degraded + self.partial + self.major + self.maintenance

    @property
    def counted(self) -> int:
        """The denominator: all but maintenance and unknown."""
        return self.up + self.degraded + self.partial + self.major


@dataclass(frozen=True, slots=True)
class Bar:
    """One day of a chart. `level`: up, degraded, partial, major, maintenance or unknown; `percent` as `percent` gives it."""

    day: date
    level: str
    percent: int | None
    seconds: Seconds


def percent(seconds: Seconds) -> int | None:
    """Uptime in hundredths of a percent, 0 to 10000, floored; None when nothing was measured."""
    counted = seconds.counted * 10
    if not counted:
        return None
    lost = seconds.major * WEIGHT_TENTHS["major"] + seconds.partial * WEIGHT_TENTHS["partial"]
    return (counted - lost) * 10_000 // counted


def measured(seconds: Seconds) -> int | None:
    """Share of the time in which we could see, in hundredths of a percent, floored; None for no time at all."""
    return (seconds.total - seconds.unknown) * 10_000 // seconds.total if seconds.total else None


def total(days: Iterable[Seconds]) -> Seconds:
    """The sum of some days, the only way from days to a longer window."""
    return sum(days, Seconds())


def spans(changes: Sequence[tuple[datetime, str]], end_at: datetime) -> list[Span]:
    """Spans of a component from its status changes (when, new status) in order of time; the last one lasts until `end_at`.

    Ends are rounded outwards: neighbours may overlap by a second, where the worse wins, so that the shortest outage still counts
    as one.
    """
    ends = [*(at for at, _ in changes[1:]), end_at]
    found = ((_floor(at), _ceil(end), KIND_OF_STATUS[new]) for (at, new), end in zip(changes, ends, strict=True))
    return [span for span in found if span[0] < span[1]]


def announced(
    published_at: datetime, began_at: datetime, promised_at: datetime | None, ended_at: datetime | None, now: datetime
) -> Window | None:
    """The window of a maintenance that leaves the denominator, None when it was not published before it began.

    It lasts until the work ended (or `now`), but an overrun of more than OVERRUN counts from the promised end as what it is: an
    outage that nobody announced.
    """
    if published_at >= began_at:
        return None
    end_at = ended_at or now
    if promised_at and end_at > promised_at + OVERRUN:
        end_at = promised_at
    window = _floor(began_at), _ceil(end_at)
    return window if window[0] < window[1] else None


def seconds(lo: int, hi: int, observed: Iterable[Span], maintenance: Iterable[Window]) -> Seconds:
    """Seconds of each kind in [lo, hi); spans and windows may overlap, repeat and come in any order."""
    days = _cut(lo, hi, observed, maintenance, [])
    return next(days, Seconds())


def by_day(
    observed: Iterable[Span], maintenance: Iterable[Window], zone: ZoneInfo, begin_at: datetime, end_at: datetime
) -> dict[date, Seconds]:
    """Seconds of each kind for every local day that [begin_at, end_at) touches; the first and last day may be cut short.

    `begin_at` is the component's first moment: time before it is no one's time, not unknown time. A day has 23 to 25 hours.
    """
    lo, hi = _floor(begin_at), _floor(end_at)
    if lo >= hi:
        return {}
    days = list(local_days(zone, begin_at, end_at))
    midnights = [start for _, start, _ in days[1:]]
    return dict(zip((day for day, _, _ in days), _cut(lo, hi, observed, maintenance, midnights), strict=True))


def local_days(zone: ZoneInfo, begin_at: datetime, end_at: datetime) -> Iterator[tuple[date, int, int]]:
    """(day, start, end) in seconds since the epoch of every local day that [begin_at, end_at) touches; days tile the time."""
    day = begin_at.astimezone(zone).date()
    start, end_s = midnight(day, zone), _floor(end_at)
    while start < end_s:
        following = day + timedelta(days=1)
        end = midnight(following, zone)
        if start < end:  # Samoa had no 30 December 2011
            yield day, start, end
        day, start = following, end


def midnight(day: date, zone: ZoneInfo) -> int:
    """First second of `day` in `zone`. Where 00:00 is skipped it is the moment of the change, where it comes twice the first."""
    return int(datetime.combine(day, time(), zone).astimezone(UTC).timestamp())


def bars(days: Mapping[date, Seconds], last: date, count: int = 90) -> list[Bar]:
    """`count` bars ending with `last`, oldest first; a day without a row is unknown, never up."""
    out = []
    for back in range(count - 1, -1, -1):
        day = last - timedelta(days=back)
        row = days.get(day, Seconds())
        out.append(Bar(day, level(row), percent(row), row))
    return out


def level(row: Seconds) -> str:
    """What a day is shown as: its worst kind of outage; without one, up, unless more of the day was unseen than seen."""
    for kind in ("major", "partial", "degraded"):
        if getattr(row, kind):
            return kind
    if row.up and row.up >= row.unknown:
        return "up"
    return "maintenance" if row.maintenance > row.unknown else "unknown"


def _cut(
    lo: int, hi: int, observed: Iterable[Span], maintenance: Iterable[Window], midnights: Sequence[int]
) -> Iterator[Seconds]:
    """Sweep once over all edges; one `Seconds` for [lo, hi) and one more after each of `midnights` inside it."""
    if lo >= hi:
        return
    edges = sorted(_edges(lo, hi, [*observed, *((start, end, "maintenance") for start, end in maintenance)]))
    stops: Iterable[tuple[int, str, int]] = ((at, "", 0) for at in [*midnights, hi])
    active, here, sums = dict.fromkeys(KINDS, 0), lo, dict.fromkeys(KINDS, 0)
    for at, kind, step in heapq.merge(edges, stops, key=lambda edge: edge[0]):
        if at > here:
            sums[_winner(active)] += at - here
            here = at
        if kind:
            active[kind] += step
        else:
            yield Seconds(**sums)
            sums = dict.fromkeys(KINDS, 0)


def _edges(lo: int, hi: int, observed: Iterable[Span]) -> Iterator[tuple[int, str, int]]:
    for start, end, kind in observed:
        first, last = max(start, lo), min(end, hi)
        if first < last:
            yield first, kind, 1
            yield last, kind, -1


def _winner(active: Mapping[str, int]) -> str:
    if active["maintenance"]:
        return "maintenance"
    return max((kind for kind in RANK if active[kind]), key=RANK.__getitem__, default="unknown")


def _floor(at: datetime) -> int:
    return int(at.replace(microsecond=0).timestamp())


def _ceil(at: datetime) -> int:
    return _floor(at) + (1 if at.microsecond else 0)

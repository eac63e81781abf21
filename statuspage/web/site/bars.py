"""90 days of a component as one small SVG: normal days are one rectangle filled by a shared pattern, the others a path each.

100 components x 90 rectangles would be 600 kB; this is about 150 bytes a component. The text beside it and the component's own
page say the same in words.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import date

from statuspage.domain import uptime
from statuspage.domain.uptime import Bar, Seconds

DAYS = 90
# From a day's level to the class that colours it; the order is that of drawing.
CLASSES = {"unknown": "unknown", "maintenance": "work", "degraded": "degraded", "partial": "partial", "major": "major"}


@dataclass(frozen=True, slots=True)
class Strip:
    """What the template draws. `first`: index of the first measured day (90 when there is none). `paths`: class -> path data.

    `percent`: hundredths over the whole window, None when nothing was measured. `trouble`: the days with an outage, newest
    first.
    """

    first: int
    paths: tuple[tuple[str, str], ...]
    percent: int | None
    measured: int | None
    trouble: tuple[Bar, ...]


def strip(days: Mapping[date, Seconds], last: date) -> Strip:
    """The strip of the 90 days that end with `last`."""
    start = date.fromordinal(last.toordinal() - DAYS + 1)
    shown = {day: row for day, row in days.items() if start <= day <= last}
    first = (min(shown) - start).days if shown else DAYS
    levels: dict[str, list[int]] = {}
    for index in range(first, DAYS):
        row = shown.get(date.fromordinal(start.toordinal() + index))
        # Nearly every day is all up: the shortest road for it, since this runs for every component and day.
        level = "up" if row is not None and row.up and row.up == row.total else uptime.level(row or Seconds())
        if level != "up":
            levels.setdefault(level, []).append(index)
    paths = tuple((CLASSES[level], _path(levels[level], level)) for level in CLASSES if level in levels)
    if 0 < first < DAYS:
        paths = (("none", _path(list(range(first)), "none")), *paths)
    whole = _total(shown)
    worse = [index for level in ("major", "partial", "degraded") for index in levels.get(level, ())]
    trouble = tuple(_bar(shown, date.fromordinal(start.toordinal() + index)) for index in sorted(worse, reverse=True))
    return Strip(first, paths, uptime.percent(whole), uptime.measured(whole), trouble)


def _total(shown: Mapping[date, Seconds]) -> Seconds:
    """As uptime.total, which would make 9,000 objects for a hundred components: equal days are counted first."""
    counts = Counter(shown.values())
    names = [field.name for field in fields(Seconds)]
    return Seconds(**{name: sum(getattr(row, name) * times for row, times in counts.items()) for name in names})


def _bar(shown: Mapping[date, Seconds], day: date) -> Bar:
    row = shown[day]
    return Bar(day, uptime.level(row), uptime.percent(row), row)


def _path(indexes: list[int], level: str) -> str:
    """Bars of a fixed width at these days; an outage stands taller, so that it shows without colour."""
    top, height = ("0", "8") if level == "major" else ("1", "7") if level == "partial" else ("2", "6")
    return "".join(f"M{index}.1 {top}h.8v{height}h-.8z" for index in indexes)


def percent_words(hundredths: int | None) -> str:
    """99.98%: floored, two decimals, never rounded up to 100; empty when nothing was measured."""
    return "" if hundredths is None else f"{hundredths // 100}.{hundredths % 100:02d}%"

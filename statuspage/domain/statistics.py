"""Figures over past faults: how long it took to see, to say and to mend them, why they happened, and whether promises held."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

HELD = timedelta(minutes=10)  # a promised end counts as kept when it was over by then


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault of the past. Times that are not known are None; `etas` are the ends that were promised, in order."""

    cause: str
    components: tuple[str, ...]
    started_at: datetime
    detected_at: datetime | None
    published_at: datetime
    resolved_at: datetime | None
    by_machine: bool
    etas: tuple[datetime, ...]


@dataclass(frozen=True, slots=True)
class Spread:
    """Seconds: the median, and what nine of ten did not exceed; None without any. `count`: how many it is made of."""

    count: int
    median_s: float | None
    most_s: float | None


@dataclass(frozen=True, slots=True)
class Promises:
    """First promised ends of faults that are over: how many, how many were kept, and the median error in seconds."""

    count: int
    kept: int
    error_s: float | None


@dataclass(frozen=True, slots=True)
class Statistics:
    """`causes` and `components` are (id, faults, seconds they lasted), the most frequent first."""

    count: int
    open: int
    by_machine: int
    detect: Spread
    publish: Spread
    fix: Spread
    promises: Promises
    causes: tuple[tuple[str, int, float], ...]
    components: tuple[tuple[str, int, float], ...]


def statistics(faults: Sequence[Fault]) -> Statistics:
    """The figures of these faults."""
    over = [one for one in faults if one.resolved_at is not None]
    return Statistics(
        count=len(faults), open=len(faults) - len(over), by_machine=sum(one.by_machine for one in faults),
        detect=_spread(_s(one.started_at, one.detected_at) for one in faults if one.detected_at is not None),
        publish=_spread(_s(one.started_at, one.published_at) for one in faults),
        fix=_spread(_lasted(one) for one in over),
        promises=_promises(over),
        causes=_counted((one.cause, _lasted(one)) for one in faults),
        components=_counted((key, _lasted(one)) for one in faults for key in one.components),
    )  # fmt: skip


def _s(since: datetime, until: datetime) -> float:
    return max(0.0, (until - since).total_seconds())


def _lasted(one: Fault) -> float:
    return _s(one.started_at, one.resolved_at) if one.resolved_at is not None else 0.0


def _spread(seconds: Iterable[float]) -> Spread:
    found = sorted(seconds)
    if not found:
        return Spread(0, None, None)
    # Nearest rank, as everywhere: a figure that was really measured.
    return Spread(len(found), found[(len(found) - 1) // 2], found[-(-len(found) * 9 // 10) - 1])


def _promises(over: Iterable[Fault]) -> Promises:
    errors = [one.resolved_at - one.etas[0] for one in over if one.etas and one.resolved_at is not None]
    spread = _spread(abs(error.total_seconds()) for error in errors)
    return Promises(len(errors), sum(error <= HELD for error in errors), spread.median_s)


def _counted(pairs: Iterable[tuple[str, float]]) -> tuple[tuple[str, int, float], ...]:
    times: Counter[str] = Counter()
    seconds: Counter[str] = Counter()
    for key, lasted in pairs:
        times[key] += 1
        seconds[key] += int(lasted)
    return tuple((key, count, float(seconds[key])) for key, count in sorted(times.items(), key=lambda item: (-item[1], item[0])))

"""When a monitor is due next: a fixed cadence with a spread phase, faster while a change is being confirmed."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from probes.result import Outcome
from probes.run import Run
from probes.spec import ProbeSpec

FIRST_ROUND_S = 9.0  # a restart sees everything once within this time, however long the intervals
_SHORTEST_S = 0.05  # an interval of 0 is a mistake, not a wish to spin
_RANK = {"up": 0, "degraded": 1, "down": 2}


@dataclass(slots=True)
class Streak:
    """What a monitor last settled on, and the run of equal outcomes that may change it.

    The verdict that counts is domain/monitoring's; this one only decides how soon to look again.
    """

    settled: Outcome | None = None
    candidate: Outcome | None = None
    length: int = 0

    def add(self, outcome: Outcome, failures: int, successes: int) -> bool:
        """Count one outcome. True while a change is being confirmed. Unknown confirms nothing and refutes nothing."""
        if outcome == "unknown":
            return self.candidate is not None
        if outcome == self.settled:
            self.candidate, self.length = None, 0
            return False
        if outcome != self.candidate:
            self.candidate, self.length = outcome, 0
        self.length += 1
        worse = _RANK[outcome] > _RANK[self.settled or "up"]
        if self.length >= (failures if worse else successes) or (self.settled is None and not worse):
            self.settled, self.candidate, self.length = outcome, None, 0
            return False
        return True


@dataclass(slots=True, eq=False)
class Entry:
    """One monitor in the engine: its spec, its place in time, its reusable run. Times in seconds of the loop's clock."""

    spec: ProbeSpec
    run: Run
    authority: str
    phase: float  # 0..1, its place within the interval
    origin: float  # when the cadence began
    due: float
    streak: Streak
    running: bool = False
    removed: bool = False
    again: bool = False  # asked for by hand while running
    task: asyncio.Task[None] | None = None  # while it runs
    version: int = 0  # a heap item of an older version is void

    def grid(self, after: float) -> float:
        """The first regular moment after `after`."""
        interval = max(_SHORTEST_S, self.spec.interval_s)
        first = self.origin + self.phase * interval
        return first + interval * max(0.0, (after - first) // interval + 1)

    def next_due(self, started: float, now: float, *, confirming: bool, hold_s: float = 0.0) -> tuple[float, int]:
        """When to run again after a run that began at `started`, and how many regular runs were missed.

        `hold_s`: how long the target asked to be left alone from `now` on. What was asked at one moment by many is not
        asked again at one moment.
        """
        spec = self.spec
        if hold_s > 0:
            regular, _ = self.next_due(started, now, confirming=confirming)
            return max(regular, now + hold_s + self.phase * min(hold_s, FIRST_ROUND_S)), 0
        if confirming:
            return max(now, started + min(spec.retry_s, spec.interval_s)), 0
        due = self.grid(started + spec.interval_s / 2)
        if due >= now:
            return due, 0
        return self.grid(now), int((now - due) // max(_SHORTEST_S, spec.interval_s)) + 1


def first_due(origin: float, phase: float, interval_s: float) -> float:
    """When a monitor runs for the first time."""
    return origin + phase * min(interval_s, FIRST_ROUND_S)

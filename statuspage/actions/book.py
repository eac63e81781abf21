"""What the checker keeps in memory: active monitors, what each region sees, what the regions say together."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from statuspage.domain import judgement, quorum
from statuspage.domain.judgement import BAD, Judgement, is_explained
from statuspage.domain.monitoring import MonitorState, Policy
from statuspage.settings import LOCAL as LOCAL  # noqa: PLC0414 - the region whose results this process makes itself
from statuspage.store.monitors import Monitor

Key = tuple[str, str]  # monitor id, region
Meaning = tuple[str, str]  # component status and chain verdict that the evidence names, '' for none
NO_MEANING: Meaning = ("", "")


def running_s() -> float:
    """Seconds on a clock that nobody sets. Where there is one, it goes on while the machine sleeps."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()


@dataclass
class Book:
    """One owner, the checker's thread. `clock_s` times silence and gaps: the wall clock may jump.

    `heard`: when each region last reported. `held`: monitors that fail but are explained by another that they depend on.
    """

    monitors: dict[str, Monitor] = field(default_factory=dict)
    states: dict[Key, MonitorState] = field(default_factory=dict)
    policies: dict[str, Policy] = field(default_factory=dict)
    judgements: dict[str, Judgement] = field(default_factory=dict)
    meanings: dict[Key, Meaning] = field(default_factory=dict)
    heard: dict[Key, float] = field(default_factory=dict)
    held: set[str] = field(default_factory=set)
    parents: dict[str, str | None] = field(default_factory=dict)
    silent_after_s: dict[str, float] = field(default_factory=dict)
    regions: dict[str, set[str]] = field(default_factory=dict)
    clock_s: Callable[[], float] = running_s
    looked_s: float = 0.0
    looked_at: datetime | None = None
    silence_due_s: float = 0.0

    def load(self, monitors: dict[str, Monitor]) -> set[Key]:
        """Take over a new configuration; states of monitors and regions that stay are kept, the keys of the others returned."""
        self.monitors = monitors
        self.policies = {item.id: Policy(item.failures, item.successes) for item in monitors.values()}
        self.parents = {item.id: item.depends_on for item in monitors.values()}
        self.silent_after_s = {
            item.id: quorum.silent_after(item.interval_ms).total_seconds() for item in monitors.values()
        }
        gone = {key for key in self.states if key[0] not in monitors or not monitors[key[0]].is_watched_from(key[1])}
        for key in gone:
            for known in (self.states, self.meanings, self.heard):
                known.pop(key, None)
        self.judgements = {name: found for name, found in self.judgements.items() if name in monitors}
        self.held &= monitors.keys()
        self.regions = {}
        for monitor_id, region in self.states:
            self.regions.setdefault(monitor_id, set()).add(region)
        return gone

    def judge(self, monitor_id: str, turned: Iterable[str], fresh: Mapping[Key, MonitorState],
              meant: Mapping[Key, Meaning], at: datetime, since_at: datetime) -> Judgement:  # fmt: skip
        """What the regions of a monitor say together at `at`; those that have `turned` are found in `fresh` and `meant`.

        A new state is dated back to `since_at`, the first result that led to it.
        """
        monitor = self.monitors[monitor_id]
        old = self.judgements.get(monitor_id) or judgement.first(at)
        regions = self.regions.get(monitor_id, set()).union(turned)
        votes = {
            region: (fresh.get((monitor_id, region)) or self.states[monitor_id, region]).state
            for region in regions
            if monitor.is_watched_from(region)
        }
        state = quorum.verdict(votes.values(), monitor.quorum)
        new = judgement.turned(old, state, at, judgement.flap_window(monitor.interval_ms))
        if new.state != old.state:
            new = judgement.since(new, min(since_at, at))
        if state not in BAD:
            return new if state == "unknown" else judgement.meaning(new, *NO_MEANING)
        keys = [(monitor_id, region) for region, vote in sorted(votes.items()) if vote == state]
        said = [meant.get(key) or self.meanings.get(key, NO_MEANING) for key in keys]
        return judgement.meaning(new, *judgement.worst_meaning(said))

    def keep(self, fresh: Mapping[Key, MonitorState]) -> None:
        """Take over states that were written."""
        for key in fresh.keys() - self.states.keys():
            self.regions.setdefault(key[0], set()).add(key[1])
        self.states.update(fresh)

    def is_explained(self, monitor_id: str, judgements: Mapping[str, Judgement], now: datetime) -> bool:
        """Whether a failing monitor has no word of its own: see domain.judgement."""
        return is_explained(monitor_id, self.parents, judgements, now, grace(self.monitors[monitor_id]))

    def silent(self, now_s: float) -> list[Key]:
        """Regions that reported something once and have been silent for too long since. All are looked at about once a minute."""
        if now_s < self.silence_due_s:
            return []
        due_s = now_s + quorum.SILENT_AT_LEAST.total_seconds()
        found: list[Key] = []
        for key, heard_s in self.heard.items():
            if self.states[key].state == "unknown":
                continue
            until_s = heard_s + self.silent_after_s[key[0]]
            if until_s <= now_s:
                found.append(key)
            else:
                due_s = min(due_s, until_s)
        self.silence_due_s = due_s if not found else now_s
        return found

    def hear(self, keys: Iterable[Key], now_s: float) -> None:
        """Note that these regions have just reported."""
        self.heard.update(dict.fromkeys(keys, now_s))


def grace(monitor: Monitor) -> timedelta:
    """How long a monitor may need to recover once what it depends on works again: its next check, and those that confirm it."""
    return timedelta(milliseconds=monitor.interval_ms + monitor.successes * monitor.retry_ms + monitor.timeout_ms)

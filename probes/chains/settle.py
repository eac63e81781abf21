"""From findings to a state that lasts: enter slowly, leave more slowly; and what a state means for monitor and component."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from probes.result import Outcome

OK, CONGESTED, CHAIN_SLOW = "OK", "CONGESTED", "CHAIN_SLOW"
FINALITY_DELAYED, CHAIN_HALTED = "FINALITY_DELAYED", "CHAIN_HALTED"
OWN_NODE_BEHIND, OWN_NODE_ON_FORK, OWN_ENDPOINT_OVERLOADED = (
    "OWN_NODE_BEHIND",
    "OWN_NODE_ON_FORK",
    "OWN_ENDPOINT_OVERLOADED",
)
UNKNOWN, UNKNOWN_STALE = "UNKNOWN", "UNKNOWN_STALE"
STATES = (
    OK, CONGESTED, CHAIN_SLOW, FINALITY_DELAYED, CHAIN_HALTED, OWN_NODE_BEHIND, OWN_NODE_ON_FORK, OWN_ENDPOINT_OVERLOADED,
    UNKNOWN, UNKNOWN_STALE,
)  # fmt: skip


ENTER_POLLS, ENTER_MS, LEAVE_POLLS = 3, 60_000, 5


@dataclass(frozen=True, slots=True)
class Finding:
    """What one set of polls says, before hysteresis. `path`: the questions asked, in order, with their answers."""

    state: str
    path: tuple[str, ...]
    tip: int | None = None
    severe: bool = False
    quorum: bool = False
    error_class: str | None = None
    compare_height: int | None = None


@dataclass(frozen=True, slots=True)
class Memory:
    """What is carried from poll to poll: the settled state, the one that asks to be it, and the chain's pace."""

    state: str = UNKNOWN
    severe: bool = False
    candidate: str = UNKNOWN
    count: int = 0
    since_ms: int = 0
    tips: tuple[tuple[int, int], ...] = ()  # (poll's time, tip) of the last polls that had a tip
    grown_ms: int | None = None
    grown_tip: int | None = None
    interval_s: float | None = None
    pressed_since_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """The settled state and how it was reached."""

    state: str
    finding: Finding
    severe: bool
    memory: Memory = field(repr=False)

    def to_json(self) -> dict[str, Any]:
        """For evidence."""
        shown: dict[str, Any] = {"state": self.state, "finding": self.finding.state, "path": list(self.finding.path)}
        memory = self.memory
        if self.finding.tip is not None:
            shown["tip"] = self.finding.tip
        if memory.interval_s is not None:
            shown["interval_s"] = round(memory.interval_s, 3)
        if memory.candidate != memory.state:
            shown["confirming"] = {"state": memory.candidate, "polls": memory.count}
        return shown


def settled(memory: Memory, finding: Finding, now_ms: int, confirm_s: float | None = None) -> Verdict:
    """Bad states are entered after 3 findings and 60 s (or `confirm_s`), and left for OK after 5 good ones.

    Not knowing is no claim and holds at once. So does what an own endpoint says where no references ever agreed: the
    monitor's own thresholds confirm that.
    """
    if finding.state == memory.state:
        return _verdict(replace(memory, candidate=finding.state, count=0, severe=finding.severe), finding)
    alone = not finding.quorum and not memory.tips
    at_once = finding.state in (UNKNOWN, UNKNOWN_STALE) or alone
    if at_once or (finding.state == OK and memory.state in (UNKNOWN, UNKNOWN_STALE)):
        return _verdict(
            replace(memory, state=finding.state, candidate=finding.state, count=0, severe=finding.severe), finding
        )
    is_same = finding.state == memory.candidate and memory.count > 0
    count, since_ms = (memory.count + 1, memory.since_ms) if is_same else (1, now_ms)
    memory = replace(memory, candidate=finding.state, count=count, since_ms=since_ms)
    waited = now_ms - since_ms >= (ENTER_MS if confirm_s is None else confirm_s * 1000)
    ready = count >= LEAVE_POLLS if finding.state == OK else count >= ENTER_POLLS and waited
    if ready:
        memory = replace(memory, state=finding.state, count=0, severe=finding.severe)
    return _verdict(memory, finding)


def _verdict(memory: Memory, finding: Finding) -> Verdict:
    return Verdict(memory.state, finding, memory.severe, memory)


# State -> outcome, outcome when severe, error class, status of the component (operational, degraded, ... of the page).
_MEANING: dict[str, tuple[Outcome, Outcome, str | None, str]] = {
    OK: ("up", "up", None, "operational"),
    CONGESTED: ("up", "up", None, "operational"),
    CHAIN_SLOW: ("degraded", "degraded", "slow", "degraded"),
    FINALITY_DELAYED: ("degraded", "degraded", "head_stale", "degraded"),
    CHAIN_HALTED: ("down", "down", "head_stale", "major_outage"),
    OWN_NODE_BEHIND: ("degraded", "down", "node_behind", "degraded"),
    OWN_NODE_ON_FORK: ("down", "down", "node_behind", "partial_outage"),
    OWN_ENDPOINT_OVERLOADED: ("degraded", "down", "overloaded", "degraded"),
    UNKNOWN: ("unknown", "unknown", "internal", "unknown"),
    UNKNOWN_STALE: ("degraded", "down", "head_stale", "unknown"),
}


def outcome_of(verdict: Verdict) -> tuple[Outcome, str | None]:
    """Outcome and error class of the monitor. A stale own head that cannot be explained is still stale to its users."""
    mild, severe, error_class, _ = _MEANING[verdict.state]
    outcome = severe if verdict.severe else mild
    reason = verdict.finding.error_class if verdict.finding.state == verdict.state else None
    if verdict.state == OWN_ENDPOINT_OVERLOADED and reason == "rate_limited":
        reason = "overloaded"  # as of an own endpoint that is watched alone
    return outcome, None if error_class is None else reason or error_class


def component_status_of(verdict: Verdict) -> str:
    """Status of the chain's component; an own endpoint that does not answer at all is a partial outage."""
    if verdict.state == OWN_ENDPOINT_OVERLOADED and verdict.severe:
        return "partial_outage"
    return _MEANING[verdict.state][3]

"""From check results to the state of a monitor: N failures in a row, M successes in a row.

A run is a row of equal outcomes. Two refinements keep honest monitors honest:

* An endpoint that is by turns slow and failing is not working. Results that all contradict the present state and differ
  among themselves only by `degraded` form one run of `degraded`, the claim they all bear out.
* `unknown` says that we could not look. It breaks a run, opens nothing and closes nothing; only `failures` of them in a
  row make the state itself unknown.

From steady input the right state is reached within `Policy.settle` results, whatever came before.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from statuspage.errors import InvalidInput

STATES = ("up", "degraded", "down", "unknown")


@dataclass(frozen=True, slots=True)
class Policy:
    """How many equal results in a row are believed. Raises InvalidInput below 1."""

    failures: int
    successes: int

    def __post_init__(self) -> None:
        """Refuse counts that would never, or always, be reached."""
        for field, value in (("failures", self.failures), ("successes", self.successes)):
            if value < 1:
                message = f"{field} must be 1 or more, not {value}"
                raise InvalidInput(message, field)

    @property
    def settle(self) -> int:
        """Steady results after which the state is right for certain, whatever went before."""
        return self.failures + max(self.failures, self.successes)


@dataclass(frozen=True, slots=True)
class MonitorState:
    """The present of one monitor in one region; everything `advance` needs, so that a restart changes nothing.

    `since_at`: first result of the run that led to `state`. `streak` of `streak_outcome` began at `streak_at`; a streak of
    0 means that nothing but unknown was ever seen. `last_at`: time of the newest result applied.
    """

    state: str
    since_at: datetime
    streak_outcome: str
    streak: int
    streak_at: datetime
    last_at: datetime


@dataclass(frozen=True, slots=True)
class Transition:
    """A confirmed change. `began_at`: first result of the run that led here; `at`: the result that confirmed it."""

    old: str
    new: str
    began_at: datetime
    at: datetime


def first_state(at: datetime) -> MonitorState:
    """A monitor that was never seen."""
    return MonitorState("unknown", at, "unknown", 0, at, at)


def advance(
    state: MonitorState | None, outcome: str, at: datetime, policy: Policy
) -> tuple[MonitorState, Transition | None]:
    """Apply one result; `None` is a monitor that was never seen. Costs about a microsecond while nothing changes.

    A result not newer than the last one applied (spooled, doubled) changes nothing: the same object comes back. At first
    contact one success is enough for up. Raises InvalidInput for an outcome that is none of STATES.
    """
    if state is None:
        state = first_state(at)
    elif at <= state.last_at:
        return state, None
    elif outcome == state.state and outcome == state.streak_outcome and state.streak:
        return MonitorState(outcome, state.since_at, outcome, state.streak + 1, state.streak_at, at), None
    return _turn(state, outcome, at, policy)


def _turn(state: MonitorState, outcome: str, at: datetime, policy: Policy) -> tuple[MonitorState, Transition | None]:
    if outcome not in STATES:
        message = f"outcome must be one of {', '.join(STATES)}, not {outcome!r}"
        raise InvalidInput(message, "outcome")
    is_first = state.streak == 0
    if is_first and outcome == "unknown":
        return MonitorState("unknown", state.since_at, "unknown", 0, state.streak_at, at), None
    run = _joined(state, outcome)
    streak, streak_at = (state.streak + 1, state.streak_at) if run else (1, at)
    run = run or outcome
    if run == state.state or streak < (1 if is_first and run == "up" else _needed(state.state, run, policy)):
        return MonitorState(state.state, state.since_at, run, streak, streak_at, at), None
    return MonitorState(run, streak_at, run, streak, streak_at, at), Transition(state.state, run, streak_at, at)


def _joined(state: MonitorState, outcome: str) -> str:
    """The outcome of the run that `outcome` continues, '' when it begins a new one."""
    if outcome == state.streak_outcome and state.streak:
        return outcome
    pair = {outcome, state.streak_outcome}
    if "degraded" in pair and "unknown" not in pair and state.state not in pair:
        return "degraded"
    return ""


def _needed(old: str, new: str, policy: Policy) -> int:
    is_recovery = new == "up" or (old == "down" and new == "degraded")
    return policy.successes if is_recovery else policy.failures

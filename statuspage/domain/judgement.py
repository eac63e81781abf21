"""The judgement of a monitor: what its regions say together, over time. Components and notices follow it and nothing else.

Flapping: a monitor that fails for the third time within a window is not working, and telling each change is noise. It is then
*degraded* until it has been quiet for a whole window. Nagios looks back over the 20 possible changes between 21 checks (its
documentation, "Detection and Handling of State Flapping"), hence the window of 20 intervals; its floor of ten minutes is for
quick checks. Five changes are two whole outages and the beginning of a third: an endpoint that comes and goes every two minutes
makes two notices and then one that stays (reliability.md F9), and one relapse alone is none.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from statuspage.domain import status

BAD = frozenset({"down", "degraded"})
FLAP_CROSSINGS = 5
FLAP_INTERVALS = 20
FLAP_AT_LEAST = timedelta(minutes=10)
# Who fails without a break for so much of the window fails, whatever was before: it must not be shown as merely degraded.
STEADY_FAILURE = 3


@dataclass(frozen=True, slots=True)
class Judgement:
    """`state`: quorum of the reporting regions. `known`: the last state that was not unknown, '' when there was none.

    `status`: the component status that the evidence names, '' to follow the monitor's when_down. `cause`: a chain's verdict.
    `crossings`: the newest changes between working and failing; `flapping_at`: since when they are too many.
    """

    state: str
    since_at: datetime
    known: str = ""
    status: str = ""
    cause: str = ""
    crossings: tuple[datetime, ...] = ()
    flapping_at: datetime | None = None

    @property
    def shown(self) -> str:
        """The state that counts: a flapping monitor is degraded, up or down, as long as we see it at all."""
        return "degraded" if self.flapping_at and self.state != "unknown" else self.state

    @property
    def failing_as(self) -> str:
        """What an open notice goes on saying: unknown takes nothing back."""
        return "degraded" if self.flapping_at else self.known if self.state == "unknown" else self.state


def first(at: datetime) -> Judgement:
    """A monitor that nobody has seen."""
    return Judgement("unknown", at)


def flap_window(interval_ms: int) -> timedelta:
    """The stretch of time in which changes count."""
    return max(FLAP_INTERVALS * timedelta(milliseconds=interval_ms), FLAP_AT_LEAST)


def turned(old: Judgement, state: str, at: datetime, window: timedelta) -> Judgement:
    """The judgement once the regions say `state`; the same one while they say what they said.

    A change through unknown counts once, between what was known before and after; the first sight is no change.
    """
    if state == old.state:
        return old
    if state == "unknown":
        return replace(old, state=state, since_at=at)
    crossings, flapping_at = old.crossings, old.flapping_at
    if old.known and (old.known in BAD) != (state in BAD):
        crossings = (*(each for each in crossings if at - each < window), at)[-FLAP_CROSSINGS:]
        if len(crossings) == FLAP_CROSSINGS:
            flapping_at = flapping_at or at
    return replace(old, state=state, since_at=at, known=state, crossings=crossings, flapping_at=flapping_at)


def since(judgement: Judgement, at: datetime) -> Judgement:
    """The judgement, dated back to the first result that led to it."""
    return replace(judgement, since_at=at)


def meaning(judgement: Judgement, component_status: str, cause: str) -> Judgement:
    """The judgement with what its evidence says of the component; the same one while it says the same."""
    if (judgement.status, judgement.cause) == (component_status, cause):
        return judgement
    return replace(judgement, status=component_status, cause=cause)


def worst_meaning(said: Iterable[tuple[str, str]]) -> tuple[str, str]:
    """Of what several regions name as component status and cause, the worst: a chain that stands is news wherever it is seen."""
    return max(said, key=lambda each: (status.RANK[each[0]] if each[0] else -1, each[1]), default=("", ""))


def rested(judgement: Judgement, at: datetime, window: timedelta) -> Judgement:
    """The judgement without its flapping, once it was quiet for a window; the same one before. Unknown is not quiet."""
    if judgement.flapping_at is None or judgement.state == "unknown":
        return judgement
    quiet_since = max([judgement.flapping_at, judgement.since_at, *judgement.crossings[-1:]])
    enough = window / STEADY_FAILURE if judgement.state in BAD else window
    if at - quiet_since < enough:
        return judgement
    return replace(judgement, flapping_at=None, crossings=())


def forgiven(judgement: Judgement, settled_at: datetime) -> Judgement:
    """The judgement without the changes before `settled_at`, when a person closed the incident that they belong to."""
    crossings = tuple(at for at in judgement.crossings if at > settled_at)
    if len(crossings) == len(judgement.crossings):
        return judgement
    return replace(judgement, crossings=crossings, flapping_at=None)


def shifted(judgement: Judgement, by: timedelta) -> Judgement:
    """The judgement after the wall clock was set: what was so long ago stays so long ago."""
    moved = tuple(each + by for each in judgement.crossings)
    return replace(judgement, crossings=moved, flapping_at=judgement.flapping_at and judgement.flapping_at + by)


def ancestors(monitor_id: str, parents: Mapping[str, str | None]) -> Iterator[str]:
    """The monitors above one, nearest first. A circle, which no configuration may hold, ends where it closes."""
    seen = {monitor_id}
    above = parents.get(monitor_id)
    while above and above not in seen:
        seen.add(above)
        yield above
        above = parents.get(above)


def is_explained(
    monitor_id: str,
    parents: Mapping[str, str | None],
    judgements: Mapping[str, Judgement],
    now: datetime | None = None,
    grace: timedelta = timedelta(0),
) -> bool:
    """Whether a failure needs no words of its own: a monitor above is down, or worked again less than `grace` before `now`.

    The grace is for those below to recover as well: what they saw last was still their parent's outage.
    """
    for above in ancestors(monitor_id, parents):
        found = judgements.get(above)
        if found is None:
            continue
        if found.shown == "down":
            return True
        if now and found.state == "up" and found.crossings and timedelta(0) <= now - found.crossings[-1] < grace:
            return True
    return False

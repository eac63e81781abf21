"""The one line at the top of the page: what is wrong at the moment, with which components, and how sure we are.

The level follows the worst effective status. It is `suspected` while only machines say so: a person's word is needed before
the page says "down".
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from statuspage.domain import status

OK, SUSPECTED, DOWN, DEGRADED, MAINTENANCE, UNKNOWN = "ok", "suspected", "down", "degraded", "maintenance", "unknown"
LEVELS = (OK, UNKNOWN, MAINTENANCE, DEGRADED, SUSPECTED, DOWN)  # from best to worst

_LEVEL_OF = {
    status.OPERATIONAL: OK, status.UNKNOWN: UNKNOWN, status.MAINTENANCE: MAINTENANCE, status.DEGRADED: DEGRADED,
    status.PARTIAL: DOWN, status.MAJOR: DOWN,
}  # fmt: skip
_LEVEL_OF_IMPACT = {"minor": DEGRADED, "major": DOWN, "critical": DOWN}


@dataclass(frozen=True, slots=True)
class Standing:
    """One component: its effective status and since when it has it."""

    component_id: str
    status: str
    since_at: datetime


@dataclass(frozen=True, slots=True)
class Claim:
    """One open public notice: which components it claims, what it says of the whole, whether a person stands behind it.

    `is_trouble`: incidents and security notices; advisories and maintenance explain, they do not break anything.
    """

    component_ids: frozenset[str]
    impact: str
    is_suspected: bool
    is_trouble: bool
    since_at: datetime


@dataclass(frozen=True, slots=True)
class Verdict:
    """`level` is one of LEVELS; `component_ids` those it is about (none for ok); `since_at` when it began (None for ok)."""

    level: str
    component_ids: tuple[str, ...] = ()
    since_at: datetime | None = None


def verdict(standings: Sequence[Standing], claims: Iterable[Claim]) -> Verdict:
    """The verdict over all components and open notices. A page without components is unknown."""
    trouble = [claim for claim in claims if claim.is_trouble]
    by_level: dict[str, list[Standing]] = {}
    for standing in standings:
        by_level.setdefault(_level(standing, trouble), []).append(standing)
    level = max(by_level, key=LEVELS.index, default=UNKNOWN)
    nameless = [claim for claim in trouble if not claim.component_ids and claim.impact in _LEVEL_OF_IMPACT]
    worst_claim = max(nameless, key=lambda claim: LEVELS.index(_level_of(claim)), default=None)
    if worst_claim and LEVELS.index(_level_of(worst_claim)) > LEVELS.index(level):
        return Verdict(_level_of(worst_claim), (), worst_claim.since_at)
    if level == OK:
        return Verdict(OK)
    found = by_level.get(level, [])
    names = tuple(standing.component_id for standing in found)
    told = [claim.since_at for claim in trouble if claim.component_ids.intersection(names)]
    # A notice knows better than the status column since when something fails: detection comes after the fact.
    since = told if level in (SUSPECTED, DOWN, DEGRADED) and told else [standing.since_at for standing in found]
    return Verdict(level, names, min(since, default=None))


def _level(standing: Standing, trouble: Iterable[Claim]) -> str:
    level = _LEVEL_OF.get(standing.status, UNKNOWN)
    if level not in (DOWN, DEGRADED):
        return level
    speaking = [claim for claim in trouble if standing.component_id in claim.component_ids]
    return SUSPECTED if speaking and all(claim.is_suspected for claim in speaking) else level


def _level_of(claim: Claim) -> str:
    return SUSPECTED if claim.is_suspected else _LEVEL_OF_IMPACT[claim.impact]

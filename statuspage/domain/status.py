"""Component statuses: the words, their order, and how a component's effective status comes about.

Baseline statuses are stored, effective ones are computed: maintenance replaces what *monitors* say, never what a public
notice says; notice impacts add, the worst wins. `unknown` is a status of its own and never counts as working.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

OPERATIONAL = "operational"
UNKNOWN = "unknown"
MAINTENANCE = "under_maintenance"
DEGRADED = "degraded"
PARTIAL = "partial_outage"
MAJOR = "major_outage"

# From best to worst: one unseen monitor beside working ones makes a component unknown, not working.
ORDER = (OPERATIONAL, UNKNOWN, MAINTENANCE, DEGRADED, PARTIAL, MAJOR)
RANK = {status: rank for rank, status in enumerate(ORDER)}

# Statuspage's words; it has none for unknown, and a client that adds up states must not count unknown as working.
STATUSPAGE = {
    OPERATIONAL: "operational", UNKNOWN: "degraded_performance", MAINTENANCE: "under_maintenance",
    DEGRADED: "degraded_performance", PARTIAL: "partial_outage", MAJOR: "major_outage",
}  # fmt: skip

IMPACTS = ("none", "minor", "major", "critical", "maintenance")
_IMPACT_OF = {OPERATIONAL: "none", UNKNOWN: "none", MAINTENANCE: "maintenance", DEGRADED: "minor", PARTIAL: "major",
              MAJOR: "critical"}  # fmt: skip


def worst(statuses: Iterable[str], default: str = OPERATIONAL) -> str:
    """The worst of `statuses`, `default` when there are none."""
    return max(statuses, key=RANK.__getitem__, default=default)


def impact_of(statuses: Iterable[str]) -> str:
    """The impact that a mixture of component statuses has (Statuspage computes it the same way)."""
    return _IMPACT_OF[worst(statuses)]


def effective(baseline: str, monitors: Iterable[str], notices: Iterable[str], *, in_maintenance: bool) -> str:
    """Effective status of one component.

    `baseline` is what a person last asserted, used where no monitor watches; `monitors` are the statuses that its monitors
    imply; `notices` the statuses that open public notices claim.
    """
    seen = list(monitors)
    watched = MAINTENANCE if in_maintenance else worst(seen, default=baseline)
    return worst([watched, *notices])


@dataclass(frozen=True, slots=True)
class PageStatus:
    """Statuspage's roll-up: indicator none|minor|major|critical|maintenance and its sentence."""

    indicator: str
    description: str


_SENTENCES = {
    OPERATIONAL: PageStatus("none", "All Systems Operational"),
    UNKNOWN: PageStatus("minor", "Status Unknown"),
    MAINTENANCE: PageStatus("maintenance", "Service Under Maintenance"),
    DEGRADED: PageStatus("minor", "Partially Degraded Service"),
    PARTIAL: PageStatus("major", "Partial System Outage"),
    MAJOR: PageStatus("critical", "Major Service Outage"),
}


def page_status(statuses: Iterable[str]) -> PageStatus:
    """The roll-up of all components' effective statuses; a page without components is unknown."""
    return _SENTENCES[worst(statuses, default=UNKNOWN)]

"""What several regions say together. Only those that report have a vote; silence is no opinion."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

Quorum = str | int  # majority | all | any | a number of regions

# A region has missed three rounds, or a minute and a half of a quick one: what it said last is no news any more. Healthchecks and
# Gatus let a vote live as long as its process; a partitioned agent would then hold its last word for ever (reliability.md F13).
SILENT_ROUNDS = 3
SILENT_AT_LEAST = timedelta(seconds=90)


def silent_after(interval_ms: int) -> timedelta:
    """How long a region may say nothing before its vote is void."""
    return max(SILENT_ROUNDS * timedelta(milliseconds=interval_ms), SILENT_AT_LEAST)


def needed(quorum: Quorum, reporting: int) -> int:
    """Votes that make a verdict when `reporting` regions report. A number stays what it is, however few report."""
    if quorum == "all":
        return max(reporting, 1)
    if quorum == "any":
        return 1
    return quorum if isinstance(quorum, int) else reporting // 2 + 1


def verdict(states: Iterable[str], quorum: Quorum = "majority") -> str:
    """One state of several: down when enough of the regions that report say down, degraded when enough say down or degraded.

    None reporting is unknown; so is trouble seen by fewer regions than a number asks for, while not even that many report.
    """
    votes = [state for state in states if state != "unknown"]
    if not votes:
        return "unknown"
    enough = needed(quorum, len(votes))
    down = votes.count("down")
    bad = down + votes.count("degraded")
    if enough > len(votes):
        return "unknown" if bad else "up"
    if down >= enough:
        return "down"
    return "degraded" if bad >= enough else "up"

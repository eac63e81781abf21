"""Effective component statuses: recomputed whenever something they depend on changes, in the same transaction."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import Connection

from statuspage.domain import status
from statuspage.store import components, notices

_MEANING = {"up": status.OPERATIONAL, "degraded": status.DEGRADED, "unknown": status.UNKNOWN}
_IN_WINDOW = {"in_progress", "verifying"}


def refresh(
    conn: Connection, component_ids: Iterable[str], at: datetime, *, source: str, reason: str, actor: str
) -> dict[str, list[str]]:
    """Recompute the effective status of `component_ids`; {id: [old, new]} of those that changed."""
    wanted = sorted(set(component_ids))
    if not wanted:
        return {}
    rows = components.load(conn, wanted)
    implied = _implied(components.seen(conn, wanted))
    claims: dict[str, list[str]] = defaultdict(list)
    in_window: set[str] = set()
    for component_id, claimed, notice in notices.claims_on(conn, wanted):
        if notice.kind != "maintenance":
            claims[component_id].append(claimed)
        elif notice.status in _IN_WINDOW:
            in_window.add(component_id)
    changed: dict[str, list[str]] = {}
    for component in rows.values():
        new = status.effective(
            component.baseline,
            implied.get(component.id, []),
            claims[component.id],
            in_maintenance=component.id in in_window,
        )
        if new != component.status:
            components.set_status(conn, component, new, at, source=source, reason=reason, actor=actor)
            changed[component.id] = [component.status, new]
    return changed


def _implied(rows: list[components.Seen]) -> dict[str, list[str]]:
    """Component id -> statuses its monitors imply. Regions of one monitor vote; a monitor whose parent is down is silent."""
    votes: dict[str, list[components.Seen]] = defaultdict(list)
    for row in rows:
        votes[row.monitor_id].append(row)
    states = {monitor_id: verdict([row.state for row in group]) for monitor_id, group in votes.items()}
    implied: dict[str, list[str]] = defaultdict(list)
    for monitor_id, group in votes.items():
        first = group[0]
        if first.depends_on and states.get(first.depends_on) == "down":
            continue
        state = states[monitor_id]
        implied[first.component_id].append(first.when_down if state == "down" else _MEANING[state])
    return implied


def verdict(states: list[str]) -> str:
    """One state of several regions: the majority of those that report; unknown when none does."""
    reporting = [state for state in states if state != "unknown"]
    if not reporting:
        return "unknown"
    counts = Counter(reporting)
    down = counts["down"]
    if down * 2 > len(reporting):
        return "down"
    return "degraded" if (down + counts["degraded"]) * 2 > len(reporting) else "up"

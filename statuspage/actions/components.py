"""Effective component statuses: recomputed whenever something they depend on changes, in the same transaction."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import Connection

from statuspage.domain import status
from statuspage.domain.judgement import BAD, Judgement, is_explained
from statuspage.store import components, notices

_MEANING = {"up": status.OPERATIONAL, "unknown": status.UNKNOWN}
_IN_WINDOW = {"in_progress", "verifying"}


def refresh(
    conn: Connection, component_ids: Iterable[str], at: datetime, *, source: str, reason: str, actor: str
) -> dict[str, list[str]]:
    """Recompute the effective status of `component_ids`; {id: [old, new]} of those that changed."""
    wanted = sorted(set(component_ids))
    if not wanted:
        return {}
    rows = components.load(conn, wanted)
    implied = _implied(components.said(conn, wanted))
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
    """Component id -> statuses its monitors imply.

    A monitor that fails while one that it depends on is down does not know: it cannot reach what it looks at.
    """
    parents = {row.monitor_id: row.depends_on for row in rows}
    judgements = {row.monitor_id: row.judgement for row in rows}
    implied: dict[str, list[str]] = defaultdict(list)
    for row in rows:
        hidden = row.state in BAD and is_explained(row.monitor_id, parents, judgements)
        implied[row.component_id].append(status.UNKNOWN if hidden else meaning(row.judgement, row.when_down))
    return implied


def meaning(judgement: Judgement, when_down: str) -> str:
    """What a judgement means for the component: what its evidence names, else what the monitor is configured to mean."""
    state = judgement.shown
    if state not in BAD:
        return _MEANING[state]
    if judgement.flapping_at:
        return status.DEGRADED
    return judgement.status or (when_down if state == "down" else status.DEGRADED)

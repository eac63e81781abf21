"""What uptime is reckoned from: each component's status over time, and the maintenance that was announced before it began."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, Connection, ScalarSelect, and_, func, or_, select, true

from statuspage.clock import from_ms
from statuspage.domain import uptime
from statuspage.domain.uptime import Window
from statuspage.store.schema.catalogue import component_status_changes, components
from statuspage.store.schema.notices import notice_components, notices

_change = component_status_changes.c


@dataclass(frozen=True, slots=True)
class Timeline:
    """One component from `begin_at`, its first moment that counts: (when, status) in order of time, the first at or before it."""

    component_id: str
    begin_at: datetime
    changes: list[tuple[datetime, str]]


def timelines(conn: Connection, component_ids: Collection[str], since_at: datetime, zone: ZoneInfo) -> list[Timeline]:
    """Status over time since `since_at`. Cost grows with the changes since then, not with those before.

    A component counts from the moment it was created (or from its first imported change), not before its start date.
    """
    before = _one(_change.new, _change.at < since_at, newest=True)
    after = _one(_change.old, _change.at >= since_at, newest=False)
    first = _one(_change.at, true(), newest=False)
    statement = select(
        components.c.id, components.c.status, components.c.created_at, components.c.start_date, before, after, first
    ).where(components.c.id.in_(list(component_ids)))
    later: dict[str, list[tuple[datetime, str]]] = {}
    changed = (
        select(_change.component_id, _change.at, _change.new)
        .where(_change.component_id.in_(list(component_ids)), _change.at >= since_at)
        .order_by(_change.at, _change.id)
    )
    for row in conn.execute(changed):
        later.setdefault(row.component_id, []).append((row.at, row.new))
    found = []
    for component_id, now_status, created_at, start_date, old, next_old, first_at in conn.execute(statement):
        begin_at = min(created_at, first_at) if first_at else created_at
        if start_date:
            begin_at = max(begin_at, from_ms(uptime.midnight(date.fromisoformat(start_date), zone) * 1000))
        begin_at = max(begin_at, since_at)
        changes = [(min(since_at, begin_at), old or next_old or now_status), *later.get(component_id, [])]
        found.append(Timeline(component_id, begin_at, changes))
    return found


def _one(column: ColumnElement[Any], condition: ColumnElement[bool], *, newest: bool) -> ScalarSelect[Any]:
    order = (_change.at.desc(), _change.id.desc()) if newest else (_change.at, _change.id)
    mine = _change.component_id == components.c.id
    return select(column).where(and_(mine, condition)).order_by(*order).limit(1).correlate(components).scalar_subquery()


def first_moments(conn: Connection) -> dict[str, datetime]:
    """Component id -> when it was created, or its first recorded change where that is older. Archived ones are left out."""
    first = select(_change.component_id, func.min(_change.at).label("at")).group_by(_change.component_id).subquery()
    statement = (
        select(components.c.id, components.c.created_at, first.c.at)
        .outerjoin(first, first.c.component_id == components.c.id)
        .where(components.c.archived_at.is_(None))
        .order_by(components.c.id)
    )
    return {row.id: min(row.created_at, row.at) if row.at else row.created_at for row in conn.execute(statement)}


def component_ids(conn: Connection) -> list[str]:
    """Components that are not archived."""
    return list(
        conn.scalars(select(components.c.id).where(components.c.archived_at.is_(None)).order_by(components.c.id))
    )


def newest_change(conn: Connection) -> int:
    """Id of the newest status change, 0 before the first."""
    return conn.scalar(select(func.max(_change.id))) or 0


def changed_since(conn: Connection, change_id: int) -> dict[str, datetime]:
    """Component id -> earliest moment named by a status change written after `change_id`."""
    statement = (
        select(_change.component_id, func.min(_change.at)).where(_change.id > change_id).group_by(_change.component_id)
    )
    return {row[0]: row[1] for row in conn.execute(statement)}


def announced(conn: Connection, since_at: datetime, now: datetime) -> dict[str, list[Window]]:
    """Component id -> windows of maintenance since `since_at` that leave the denominator (see domain.uptime.announced)."""
    column = notices.c
    statement = (
        select(notice_components.c.component_id, column.published_at, column.started_at, column.scheduled_for,
               column.scheduled_until, column.resolved_at)
        .join(notice_components, notice_components.c.notice_id == column.id)
        .where(column.kind == "maintenance", column.visibility == "public",
               column.status.in_(("in_progress", "verifying", "completed")), column.published_at.is_not(None),
               or_(column.resolved_at.is_(None), column.resolved_at >= since_at))
    )  # fmt: skip
    found: dict[str, list[Window]] = {}
    for component_id, published_at, started_at, scheduled_for, scheduled_until, resolved_at in conn.execute(statement):
        began_at = started_at or scheduled_for
        window = began_at and uptime.announced(published_at, began_at, scheduled_until, resolved_at, now)
        if window:
            found.setdefault(component_id, []).append(window)
    return found

"""Figures about ourselves, by cheap queries; never an address, a secret or a text that somebody wrote."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import Connection, and_, func, literal, select

from statuspage.clock import from_ms, to_ms
from statuspage.domain.rollup import OUTCOME_NO
from statuspage.store.schema.catalogue import components, monitors
from statuspage.store.schema.checks import check_results, monitor_states
from statuspage.store.schema.delivery import deliveries, outbox
from statuspage.store.schema.notices import changes
from statuspage.store.schema.notices import notices as notices_table
from statuspage.store.types import Flag

_WORDS = {number: word for word, number in OUTCOME_NO.items()}
_WATCHED = and_(monitors.c.paused == literal(value=False, type_=Flag), monitors.c.archived_at.is_(None))


def results(conn: Connection, since: datetime) -> dict[str, int]:
    """Outcome -> number of probe runs recorded since then; every outcome is named, unknown on its own."""
    recent = and_(check_results.c.monitor_no == monitors.c.no, check_results.c.at_ms >= to_ms(since))
    statement = select(check_results.c.outcome, func.count()).select_from(monitors).join(check_results, recent)
    found = {_WORDS[row[0]]: int(row[1]) for row in conn.execute(statement.group_by(check_results.c.outcome))}
    return {word: found.get(word, 0) for word in OUTCOME_NO}


def states(conn: Connection) -> dict[str, int]:
    """State -> number of watched monitors and regions in it; those never seen are unknown."""
    state = func.coalesce(monitor_states.c.state, "unknown")
    statement = select(state, func.count()).select_from(monitors).outerjoin(monitor_states).where(_WATCHED).group_by(state)
    found = {str(row[0]): int(row[1]) for row in conn.execute(statement)}
    return {word: found.get(word, 0) for word in OUTCOME_NO}


def lateness_s(conn: Connection, now: datetime) -> list[float]:
    """For each watched monitor and region, seconds since its next result was due; 0 for those in time."""
    statement = (
        select(monitors.c.interval_ms, monitors.c.timeout_ms, monitor_states.c.last_at)
        .join(monitor_states, monitor_states.c.monitor_id == monitors.c.id).where(_WATCHED)
    )  # fmt: skip
    due = (row.last_at + timedelta(milliseconds=row.interval_ms + row.timeout_ms) for row in conn.execute(statement))
    return [max(0.0, (now - at).total_seconds()) for at in due]


def component_statuses(conn: Connection) -> dict[str, int]:
    """Status -> number of components."""
    statement = select(components.c.status, func.count()).where(components.c.archived_at.is_(None))
    return {row[0]: int(row[1]) for row in conn.execute(statement.group_by(components.c.status))}


def open_notices(conn: Connection) -> dict[str, int]:
    """Kind -> number of public notices that are not over."""
    statement = select(notices_table.c.kind, func.count()).where(
        notices_table.c.visibility == "public", notices_table.c.resolved_at.is_(None)
    )
    return {row[0]: int(row[1]) for row in conn.execute(statement.group_by(notices_table.c.kind))}


def messages(conn: Connection, since: datetime) -> dict[tuple[str, str], int]:
    """(channel, state) -> number of messages made since then."""
    keys = (deliveries.c.channel, deliveries.c.state)
    statement = select(*keys, func.count()).where(deliveries.c.created_at >= since).group_by(*keys)
    return {(row[0], row[1]): int(row[2]) for row in conn.execute(statement)}


def oldest_due(conn: Connection, now: datetime) -> dict[str, datetime]:
    """Channel -> when its longest waiting message should have been tried. What waits for a morning or a back-off is not due."""
    waiting = and_(deliveries.c.state == "queued", deliveries.c.next_try_at <= now)
    statement = select(deliveries.c.channel, func.min(deliveries.c.next_try_at)).where(waiting)
    return {row[0]: row[1] for row in conn.execute(statement.group_by(deliveries.c.channel))}


def outbox_depth(conn: Connection) -> int:
    """Announcements that are not turned into messages yet."""
    return conn.scalar(select(func.count()).select_from(outbox).where(outbox.c.expanded_at.is_(None))) or 0


def unpublished(conn: Connection, published: int) -> tuple[int, datetime | None]:
    """(how many changes follow the one numbered `published`, when the oldest of them was committed)."""
    row = conn.execute(select(func.count(), func.min(changes.c.at)).where(changes.c.seq > published)).one()
    oldest = row[1]
    return int(row[0]), from_ms(oldest) if isinstance(oldest, int) else oldest

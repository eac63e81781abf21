"""What the regions of each monitor say together: rows of `judgements`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from sqlalchemy import Connection, RowMapping, func, select

from statuspage.clock import from_ms, to_ms
from statuspage.domain.judgement import Judgement
from statuspage.store import upserts
from statuspage.store.schema.checks import judgements, monitor_states
from statuspage.store.schema.notices import notice_monitors, notices


def load(conn: Connection, ids: Iterable[str] | None = None) -> dict[str, Judgement]:
    """Judgements by monitor id (those of `ids`, or all). A monitor that nobody has seen has none."""
    statement = select(judgements)
    if ids is not None:
        statement = statement.where(judgements.c.monitor_id.in_(list(ids)))
    return {row["monitor_id"]: _judgement(row) for row in conn.execute(statement).mappings()}


def _judgement(row: RowMapping) -> Judgement:
    values = {name: row[name] for name in Judgement.__dataclass_fields__}
    return Judgement(**{**values, "crossings": tuple(from_ms(ms) for ms in row["crossings"])})


def save(conn: Connection, found: Mapping[str, Judgement]) -> None:
    """Write judgements by monitor id, new or changed, in one go: a start writes all of them."""
    if not found:
        return
    rows = [
        {"monitor_id": monitor_id, "state": each.state, "since_at": each.since_at, "known": each.known, "status": each.status,
         "cause": each.cause, "crossings": [to_ms(at) for at in each.crossings], "flapping_at": each.flapping_at}
        for monitor_id, each in found.items()
    ]  # fmt: skip
    statement = upserts.insert(conn, judgements)
    changed = {name: statement.excluded[name] for name in rows[0] if name != "monitor_id"}
    conn.execute(statement.on_conflict_do_update(index_elements=["monitor_id"], set_=changed), rows)


def dialled(conn: Connection) -> dict[str, str]:
    """The address that each monitor last dialled, as far as it dialled one; of several regions any."""
    statement = select(monitor_states.c.monitor_id, monitor_states.c.dialled).where(monitor_states.c.dialled != "")
    return {row[0]: row[1] for row in conn.execute(statement)}


def settled_at(conn: Connection, monitor_id: str) -> datetime | None:
    """When a person last closed a notice in which this monitor failed."""
    statement = (
        select(func.max(notices.c.resolved_at))
        .join(notice_monitors, notice_monitors.c.notice_id == notices.c.id)
        .where(notice_monitors.c.monitor_id == monitor_id, notices.c.touched == True)  # noqa: E712 - SQL
    )
    found: datetime | None = conn.execute(statement).scalar_one()
    return found

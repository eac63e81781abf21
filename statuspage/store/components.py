"""Components and what decides their effective status."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, and_, func, insert, select, update

from statuspage.domain import judgement
from statuspage.domain.judgement import Judgement
from statuspage.store import judgements
from statuspage.store.schema.catalogue import component_groups, component_status_changes, components, monitors
from statuspage.store.schema.checks import judgements as judgements_table

_MANY = 500  # beyond it one scan costs less than naming them


@dataclass(frozen=True, slots=True)
class Component:
    """What actions need of a component."""

    id: str
    public_id: str
    names: dict[str, str]
    group_names: dict[str, str]
    baseline: str
    status: str
    template: str


@dataclass(frozen=True, slots=True)
class Seen:
    """One monitor as its regions judge it together, with what it means for its component."""

    monitor_id: str
    component_id: str
    when_down: str
    depends_on: str | None
    judgement: Judgement

    @property
    def state(self) -> str:
        """The state that counts."""
        return self.judgement.shown


def load(conn: Connection, ids: Iterable[str] | None = None) -> dict[str, Component]:
    """Components by id (those of `ids`, or all that are not archived)."""
    statement = (
        select(components, component_groups.c.names.label("group_names"))
        .outerjoin(component_groups, component_groups.c.id == components.c.group_id)
        .order_by(components.c.position)
    )
    statement = statement.where(components.c.archived_at.is_(None) if ids is None else components.c.id.in_(list(ids)))
    return {
        row["id"]: Component(row["id"], row["public_id"], row["names"], row["group_names"] or {}, row["baseline"], row["status"],
                             row["template"])
        for row in conn.execute(statement).mappings()
    }  # fmt: skip


def seen(conn: Connection, component_ids: Iterable[str]) -> list[Seen]:
    """The active monitors of `component_ids` and all that they depend on; `unknown` where nobody has seen anything yet."""
    statement = (
        select(monitors.c.id, monitors.c.component_id, monitors.c.when_down, monitors.c.depends_on, monitors.c.created_at)
        .where(monitors.c.archived_at.is_(None), monitors.c.paused == False)  # noqa: E712 - SQL
    )  # fmt: skip
    rows = {row.id: row for row in conn.execute(statement)}
    wanted = set(component_ids)
    ids = {row.id for row in rows.values() if row.component_id in wanted}
    parents = {row.id: row.depends_on for row in rows.values()}
    ids.update(*(judgement.ancestors(each, parents) for each in tuple(ids)))
    known = judgements.load(conn, ids) if len(ids) < _MANY else judgements.load(conn)
    return [
        Seen(
            row.id,
            row.component_id,
            row.when_down,
            row.depends_on,
            known.get(row.id) or judgement.first(row.created_at),
        )
        for row in rows.values()
        if row.id in ids
    ]


def said(conn: Connection, component_ids: Iterable[str]) -> list[Seen]:
    """As `seen`, for those who only ask what is said: monitors that stand alone and say the same of a component are one row.

    The database does the counting: at the start of 10,000 monitors every batch asks for all of them.
    """
    wanted = list(component_ids)
    is_active = and_(monitors.c.archived_at.is_(None), monitors.c.paused == False)  # noqa: E712 - SQL
    known, flapping_at = judgements_table.c, func.max(judgements_table.c.flapping_at)
    is_flapping = known.flapping_at.is_not(None)
    statement = (
        select(func.min(monitors.c.id), monitors.c.component_id, monitors.c.when_down, known.state, known.status, flapping_at,
               func.min(monitors.c.created_at))
        .outerjoin(judgements_table, known.monitor_id == monitors.c.id)
        .where(is_active, monitors.c.depends_on.is_(None), monitors.c.component_id.in_(wanted))
        .group_by(monitors.c.component_id, monitors.c.when_down, known.state, known.status, is_flapping)
    )  # fmt: skip
    alone = [
        Seen(
            each, component_id, when_down, None, Judgement(state or "unknown", at, status=named or "", flapping_at=flapping)
        )
        for each, component_id, when_down, state, named, flapping, at in conn.execute(statement)
    ]
    below = select(monitors.c.component_id).distinct().where(
        is_active, monitors.c.depends_on.is_not(None), monitors.c.component_id.in_(wanted)
    )
    depending = list(conn.scalars(below))
    return alone + (seen(conn, depending) if depending else [])


def set_status(
    conn: Connection, component: Component, new: str, at: datetime, *, source: str, reason: str, actor: str
) -> None:
    """Record a change of the effective status and its projection. The only writer of components.status."""
    conn.execute(
        insert(component_status_changes).values(
            component_id=component.id, old=component.status, new=new, source=source, reason=reason, actor=actor, at=at
        )
    )
    conn.execute(update(components).where(components.c.id == component.id).values(status=new, status_at=at))

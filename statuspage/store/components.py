"""Components and what decides their effective status."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, insert, select, update

from statuspage.domain import judgement
from statuspage.domain.judgement import Judgement
from statuspage.store import judgements
from statuspage.store.schema.catalogue import component_groups, component_status_changes, components, monitors

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

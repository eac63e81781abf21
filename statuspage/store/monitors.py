"""Monitors as configured, and what the checker keeps of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, delete, insert, select, update

from statuspage.store.schema.catalogue import components, monitors
from statuspage.store.schema.checks import monitor_states, transitions
from statuspage.store.schema.runtime import heartbeats, run_requests

HEARTBEAT = "heartbeat"


@dataclass(frozen=True, slots=True)
class Monitor:
    """One active monitor with what its component says of it."""

    id: str
    no: int
    component_id: str
    kind: str
    target: str
    options: dict[str, Any]
    interval_ms: int
    timeout_ms: int
    retry_ms: int
    failures: int
    successes: int
    when_down: str
    publish: str
    depends_on: str | None
    supplier: str
    regions: str | tuple[str, ...]
    quorum: str | int
    allow_networks: tuple[str, ...]
    component_names: dict[str, str]
    symptoms: tuple[str, ...]
    template: str

    def is_watched_from(self, region: str) -> bool:
        """Whether `region` is to check it, and has a vote. Heartbeats are told to this server, wherever it stands."""
        return self.regions == "all" or region in self.regions or self.kind == HEARTBEAT


def active(conn: Connection, ids: Iterable[str] | None = None) -> dict[str, Monitor]:
    """Every monitor that should run, by id; or those of `ids` among them."""
    statement = (
        select(monitors, components.c.names.label("component_names"), components.c.symptoms, components.c.template)
        .join(components, components.c.id == monitors.c.component_id)
        .where(monitors.c.archived_at.is_(None), monitors.c.paused == False, components.c.archived_at.is_(None))  # noqa: E712 - SQL
        .order_by(monitors.c.no)
    )
    statement = statement if ids is None else statement.where(monitors.c.id.in_(list(ids)))
    return {row["id"]: _monitor(row) for row in conn.execute(statement).mappings()}


def _monitor(row: RowMapping) -> Monitor:
    values = {name: row[name] for name in Monitor.__dataclass_fields__}
    lists = {name: tuple(row[name] or ()) for name in ("allow_networks", "symptoms")}
    return Monitor(
        **{**values, **lists, "regions": row["regions"] if row["regions"] == "all" else tuple(row["regions"])}
    )


def state_rows(conn: Connection) -> list[RowMapping]:
    """Every recorded state."""
    return list(conn.execute(select(monitor_states)).mappings())


def save_state(conn: Connection, values: dict[str, Any]) -> None:
    """Write a state row, new or changed."""
    key = (monitor_states.c.monitor_id == values["monitor_id"]) & (monitor_states.c.region == values["region"])
    if conn.execute(update(monitor_states).where(key).values(values)).rowcount == 0:
        conn.execute(insert(monitor_states).values(values))


def forget_region(conn: Connection, monitor_id: str, region: str) -> None:
    """Drop what one region has seen of a monitor that it checks no more."""
    key = (monitor_states.c.monitor_id == monitor_id) & (monitor_states.c.region == region)
    conn.execute(delete(monitor_states).where(key))


def add_transition(conn: Connection, values: dict[str, Any]) -> int:
    """Write a transition; its id."""
    return int(conn.execute(insert(transitions).values(values).returning(transitions.c.id)).scalar_one())


def beat(conn: Connection, name: str, at: datetime) -> None:
    """Write a loop's heartbeat. Only after work done: a process that is merely alive has none."""
    if conn.execute(update(heartbeats).where(heartbeats.c.name == name).values(at=at)).rowcount == 0:
        conn.execute(insert(heartbeats).values(name=name, at=at))


def beats(conn: Connection) -> dict[str, datetime]:
    """Heartbeat per loop."""
    return {row.name: row.at for row in conn.execute(select(heartbeats))}


def open_run_requests(conn: Connection) -> list[RowMapping]:
    """'Run now' requests of the console that no worker has served."""
    return list(
        conn.execute(
            select(run_requests).where(run_requests.c.done_at.is_(None)).order_by(run_requests.c.id)
        ).mappings()
    )


def finish_run_request(conn: Connection, request_id: int, result: dict[str, Any], at: datetime) -> None:
    """Write the answer to a 'run now' request."""
    conn.execute(update(run_requests).where(run_requests.c.id == request_id).values(done_at=at, result=result))

"""The rows that wallet.yaml owns: read for comparison, written, renamed with everything that refers to them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Column, Connection, Integer, Table, bindparam, func, insert, select, update

from statuspage.domain.configuration import Stored
from statuspage.store.schema.base import metadata
from statuspage.store.schema.catalogue import component_groups, components, monitors
from statuspage.store.schema.checks import judgements, monitor_states
from statuspage.store.schema.delivery import subscriptions
from statuspage.store.schema.runtime import meta, run_requests

PROBE_MEMORY = "probe_memory:"  # and the monitor's id: a meta row that is no setting
TABLES: dict[str, Table] = {"groups": component_groups, "components": components, "monitors": monitors}


def stored(conn: Connection) -> Stored:
    """Everything a plan is compared with."""
    rows = {
        noun: {row["id"]: {**row, "archived": row["archived_at"] is not None} for row in conn.execute(select(table)).mappings()}
        for noun, table in TABLES.items()
    }
    in_use: dict[str, list[str]] = {}
    for row in rows["monitors"].values():
        if row["source"] != "file" and not row["archived"]:
            in_use.setdefault(row["component_id"], []).append(row["id"])
    of_page = ~meta.c.name.startswith(PROBE_MEMORY, autoescape=True)
    settings = {row.name: row.value for row in conn.execute(select(meta.c.name, meta.c.value).where(of_page))}
    return Stored(rows, settings, in_use)


def save_setting(conn: Connection, name: str, value: Any) -> None:  # noqa: ANN401 - any JSON value
    """Write a meta row, new or changed."""
    if conn.execute(update(meta).where(meta.c.name == name).values(value=value)).rowcount == 0:
        conn.execute(insert(meta).values(name=name, value=value))


def add(conn: Connection, noun: str, rows: list[dict[str, Any]]) -> None:
    """Insert rows, all with the same columns: one statement for thousands of monitors keeps the single writer free."""
    if rows:
        conn.execute(insert(TABLES[noun]), rows)


def change(conn: Connection, noun: str, rows: list[dict[str, Any]]) -> None:
    """Overwrite columns of the rows with these ids; all name the same columns."""
    if not rows:
        return
    table = TABLES[noun]
    columns = {name: bindparam(f"new_{name}", type_=table.c[name].type) for name in rows[0] if name != "id"}
    statement = update(table).where(table.c.id == bindparam("new_id")).values(columns)
    conn.execute(statement, [{f"new_{name}": value for name, value in row.items()} for row in rows])


def archive(conn: Connection, noun: str, row_id: str, at: datetime) -> None:
    """Take a row out of sight; nothing that refers to it is lost."""
    change(conn, noun, [{"id": row_id, "archived_at": at, "updated_at": at}])


def forget_state(conn: Connection, monitor_id: str) -> None:
    """Drop what is known of a monitor that checks no more."""
    for known in (monitor_states, judgements):
        conn.execute(known.delete().where(known.c.monitor_id == monitor_id))


def next_monitor_no(conn: Connection) -> int:
    """A number that no monitor ever had: results of an archived one must not become another's."""
    return int(conn.scalar(select(func.max(monitors.c.no))) or 0) + 1


def rename(conn: Connection, noun: str, old: str, new: str) -> None:
    """Give a row another id and take along every row that refers to it.

    Signed snapshots of past notices keep the old id: what was published is never rewritten.
    """
    table = TABLES[noun]
    row = dict(conn.execute(select(table).where(table.c.id == old)).mappings().one())
    unique = {column.name: row[column.name] for column in table.columns if column.unique}
    parked = {name: -value if isinstance(table.c[name].type, Integer) else f"~{value}" for name, value in unique.items()}
    change(conn, noun, [{"id": old, **parked}])
    conn.execute(insert(table).values({**row, "id": new}))
    for column in _referring(table):
        conn.execute(update(column.table).where(column == old).values({column.name: new}))
    if noun == "monitors":
        conn.execute(update(monitors).where(monitors.c.depends_on == old).values(depends_on=new))
        conn.execute(update(run_requests).where(run_requests.c.monitor_id == old).values(monitor_id=new))
        conn.execute(update(meta).where(meta.c.name == f"{PROBE_MEMORY}{old}").values(name=f"{PROBE_MEMORY}{new}"))
    if noun == "components":
        _rename_in_subscriptions(conn, old, new)
    conn.execute(table.delete().where(table.c.id == old))


def _referring(table: Table) -> list[Column[Any]]:
    """Columns of any table with a foreign key to `table`."""
    return [key.parent for other in metadata.sorted_tables for key in other.foreign_keys if key.column.table is table]


def _rename_in_subscriptions(conn: Connection, old: str, new: str) -> None:
    mentions = func.instr(subscriptions.c.components, f'"{old}"') if conn.dialect.name == "sqlite" else (
        func.strpos(subscriptions.c.components, f'"{old}"'))  # fmt: skip
    for row in conn.execute(select(subscriptions.c.id, subscriptions.c.components).where(mentions > 0)).all():
        ids = [new if item == old else item for item in row.components]
        conn.execute(update(subscriptions).where(subscriptions.c.id == row.id).values(components=ids))

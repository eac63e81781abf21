"""INSERT … ON CONFLICT, which SQLAlchemy keeps in two dialects that share no type."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Table
from sqlalchemy.dialects import sqlite

from statuspage.store import on_demand


def insert(conn: Connection, table: Table) -> Any:  # noqa: ANN401 - the two share no type
    """An INSERT with `on_conflict_do_nothing` and `on_conflict_do_update`."""
    return sqlite.insert(table) if conn.dialect.name == "sqlite" else on_demand.postgres_dialect().insert(table)

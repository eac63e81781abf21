"""One metadata for all tables, with every constraint named: Alembic's batch mode drops unnamed ones on SQLite."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Column, MetaData, Table, Text

from statuspage.store.types import Big

metadata = MetaData(naming_convention={
    "pk": "pk_%(table_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
})  # fmt: skip


def table(name: str, *parts: Any, **options: Any) -> Table:  # noqa: ANN401 - passed on to Table
    """A STRICT table on SQLite, a plain one elsewhere."""
    return Table(name, metadata, *parts, sqlite_strict=True, **options)


def row_id() -> Column[int]:
    """An integer primary key that the database draws."""
    return Column("id", Big, primary_key=True, autoincrement=True)


def text_id(name: str = "id") -> Column[str]:
    """A primary key that a person or we chose."""
    return Column(name, Text, primary_key=True)

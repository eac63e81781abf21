"""Running Alembic. Loaded by store/migrate.py when there is something to migrate."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection


def to_head(conn: Connection) -> None:
    """Apply every missing revision on `conn`."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).resolve().parent / "migrations"))
    config.attributes["connection"] = conn
    command.upgrade(config, "head")

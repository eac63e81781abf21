"""Bringing a database to this program's schema, with a backup first, and refusing one that is newer."""

from __future__ import annotations

import sqlite3
from datetime import datetime
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from statuspage.errors import SettingsError
from statuspage.store.database import Database

_HERE = Path(__file__).resolve().parent / "migrations"


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(_HERE))
    return config


def head() -> str:
    """The revision this program was written for."""
    found = ScriptDirectory.from_config(_config()).get_current_head()
    assert found  # noqa: S101 - a package without migrations was not built by us
    return found


def current(conn: Connection) -> str | None:
    """The revision a database is at; None for an empty one."""
    return MigrationContext.configure(conn).get_current_revision()


def upgrade(db: Database, backups: Path, now: datetime) -> str | None:
    """Migrate to `head`; the path of the backup taken, None when nothing had to be done or nothing was there.

    Raises SettingsError for a database that a newer program has migrated: going back needs that backup.
    """
    with db.read() as conn:
        at = current(conn)
    if at == head():
        return None
    known = {script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions()}
    if at is not None and at not in known:
        message = (
            f"the database is at revision {at}, newer than this program ({head()}): install the newer version again"
        )
        raise SettingsError(message)
    backup = back_up(db, backups, now) if at is not None else None
    with db.migration() as conn:
        config = _config()
        config.attributes["connection"] = conn
        command.upgrade(config, "head")
    return str(backup) if backup else None


def back_up(db: Database, folder: Path, now: datetime) -> Path | None:
    """A consistent copy of a live SQLite file, checked; PostgreSQL is backed up by its own tools (None)."""
    if not db.is_sqlite:
        return None
    source = db.url.removeprefix("sqlite:///")
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    target = folder / f"statuspage-{now:%Y%m%dT%H%M%S}Z.db"
    with sqlite3.connect(source) as live, sqlite3.connect(target) as copy:
        live.backup(copy)
        verdict = copy.execute("PRAGMA integrity_check").fetchone()[0]
    live.close()
    copy.close()
    if verdict != "ok":
        message = f"the database {source} is damaged ({verdict}); restore a backup before going on"
        raise SettingsError(message)
    return target

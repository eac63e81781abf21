"""Bringing a database to this program's schema, with a backup first, and refusing one that is newer.

Whether there is anything to do is read off file names and one row: Alembic, a sixth of a start, is loaded only to migrate.
"""

from __future__ import annotations

import re
import sqlite3
from datetime import datetime
from pathlib import Path

from sqlalchemy import Connection, inspect, text

from statuspage.errors import SettingsError
from statuspage.store import on_demand
from statuspage.store.database import Database

_VERSIONS = Path(__file__).resolve().parent / "migrations" / "versions"
_REVISION = re.compile(r"(\d{4})_\w+\.py")


def revisions() -> list[str]:
    """Every revision of this program, the first to the newest: the numbers that the files' names begin with."""
    return sorted(found[1] for path in _VERSIONS.iterdir() if (found := _REVISION.fullmatch(path.name)))


def head() -> str:
    """The revision this program was written for."""
    return revisions()[-1]


def current(conn: Connection) -> str | None:
    """The revision a database is at; None for an empty one."""
    if not inspect(conn).has_table("alembic_version"):
        return None
    found = conn.execute(text("SELECT version_num FROM alembic_version")).scalar_one_or_none()
    return str(found) if found is not None else None


def upgrade(db: Database, backups: Path, now: datetime) -> str | None:
    """Migrate to `head`; the path of the backup taken, None when nothing had to be done or nothing was there.

    Raises SettingsError for a database that a newer program has migrated: going back needs that backup.
    """
    with db.read() as conn:
        at = current(conn)
    if at == head():
        return None
    if at is not None and at not in revisions():
        message = (
            f"the database is at revision {at}, newer than this program ({head()}): install the newer version again"
        )
        raise SettingsError(message)
    backup = back_up(db, backups, now) if at is not None else None
    with db.migration() as conn:
        on_demand.migration().to_head(conn)
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

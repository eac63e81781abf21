"""Learning that another process has written, without asking a table: cheap enough for four times a second.

SQLite counts commits of other connections in `PRAGMA data_version`; PostgreSQL tells by LISTEN / NOTIFY (store.notices.CHANGES).
"""

from __future__ import annotations

import sqlite3
from typing import Protocol

from sqlalchemy.engine import make_url

from statuspage.store import on_demand
from statuspage.store.database import Database


class Watch(Protocol):
    """Tells whether something was committed since the last call."""

    def has_changed(self) -> bool:
        """True after a commit by anyone. Never raises: what cannot be asked counts as changed now and then."""

    def close(self) -> None:
        """Give the connection back."""


def watch(db: Database) -> Watch:
    """A watch on `db`. Use it from one thread."""
    if db.is_sqlite:
        return SqliteWatch(db)
    found: Watch = on_demand.postgres().PostgresWatch(db)
    return found


class SqliteWatch:
    """Compares `PRAGMA data_version` on a connection of its own: in a pool the number would be another connection's."""

    def __init__(self, db: Database) -> None:
        path = make_url(db.url).database
        self._connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=0.2, check_same_thread=False)
        self._version = -1

    def has_changed(self) -> bool:
        """True after a commit by any other connection."""
        try:
            (version,) = self._connection.execute("PRAGMA data_version").fetchone()
        except sqlite3.Error:
            return True
        changed = bool(version != self._version)
        self._version = version
        return changed

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

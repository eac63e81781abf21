"""Learning that another process has written, without asking a table: cheap enough for four times a second.

SQLite counts commits of other connections in `PRAGMA data_version`; PostgreSQL tells by LISTEN / NOTIFY (store.notices.CHANGES).
"""

from __future__ import annotations

import logging
import sqlite3
import time
from typing import Protocol

import psycopg
from psycopg.conninfo import make_conninfo
from sqlalchemy.engine import make_url

from statuspage.store.database import PG_CONNECT, Database
from statuspage.store.notices import CHANGES

LOG = logging.getLogger(__name__)
_RETRY_S = 5.0


class Watch(Protocol):
    """Tells whether something was committed since the last call."""

    def has_changed(self) -> bool:
        """True after a commit by anyone. Never raises: what cannot be asked counts as changed now and then."""

    def close(self) -> None:
        """Give the connection back."""


def watch(db: Database) -> Watch:
    """A watch on `db`. Use it from one thread."""
    return SqliteWatch(db) if db.is_sqlite else PostgresWatch(db)


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


class PostgresWatch:
    """Listens on a connection of its own; while it is lost, everything counts as changed every five seconds."""

    def __init__(self, db: Database) -> None:
        self._url = make_url(db.url).set(drivername="postgresql").render_as_string(hide_password=False)
        self._connection: psycopg.Connection | None = None
        self._tried_at = -_RETRY_S

    def has_changed(self) -> bool:
        """True after a NOTIFY, after a reconnection, and every five seconds without a connection."""
        if self._connection is None:
            return self._connect()
        try:
            return any(True for _ in self._connection.notifies(timeout=0, stop_after=1))
        except psycopg.Error as error:
            LOG.warning("listening to the database ended (%s); trying again", type(error).__name__)
            self.close()
            return True

    def _connect(self) -> bool:
        if time.monotonic() - self._tried_at < _RETRY_S:
            return False
        self._tried_at = time.monotonic()
        try:
            self._connection = psycopg.connect(make_conninfo(self._url, **PG_CONNECT), autocommit=True)
            self._connection.execute(f"LISTEN {CHANGES}".encode())
        except psycopg.Error as error:
            LOG.warning("cannot listen to the database (%s)", type(error).__name__)
            self.close()
        return True

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.close()
        self._connection = None

"""LISTEN on PostgreSQL: learning at once that another process has committed."""

from __future__ import annotations

import logging
import time

import psycopg
from psycopg.conninfo import make_conninfo
from sqlalchemy.engine import make_url

from statuspage.store.database import PG_CONNECT, Database
from statuspage.store.notices import CHANGES

LOG = logging.getLogger(__name__)
_RETRY_S = 5.0


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

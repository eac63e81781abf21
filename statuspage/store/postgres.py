"""What only PostgreSQL needs: connections that end by the client's clock, and LISTEN."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from typing import Any

import psycopg
from psycopg.conninfo import make_conninfo
from sqlalchemy.engine import make_url

from statuspage.store.database import PG_CONNECT, Database
from statuspage.store.notices import CHANGES

LOG = logging.getLogger(__name__)
_RETRY_S = 5.0


class BoundedConnection(psycopg.Connection[Any]):
    """Closes itself when the server takes longer than `deadline_s`: a frozen one cannot enforce its own statement_timeout."""

    deadline_s: float | None = None

    def wait(self, gen: Any, interval: float = 0.1, timeout: float | None = None) -> Any:  # noqa: ANN401 - psycopg's generators
        """As psycopg's, but never longer than the deadline. Raises OperationalError."""
        try:
            return super().wait(gen, interval=interval, timeout=self.deadline_s if timeout is None else timeout)
        except psycopg.errors._WaitTimeout as error:  # noqa: SLF001 - the only name psycopg has for it
            if timeout is not None:
                raise
            self.pgconn.finish()
            message = f"no answer within {self.deadline_s} s"
            raise psycopg.OperationalError(message) from error


def connect(arguments: Sequence[Any], options: Mapping[str, Any], deadline_s: float | None) -> BoundedConnection:
    """A connection whose every statement ends within `deadline_s`; None: whenever the server ends it."""
    found: BoundedConnection = BoundedConnection.connect(*arguments, **options)
    found.deadline_s = deadline_s
    return found


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

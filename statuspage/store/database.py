"""Connections: one writer, many readers, the same rules on SQLite and PostgreSQL.

SQLite: WAL, `synchronous=FULL` (a signed notice or a sent SMS must never outlive its row), BEGIN IMMEDIATE for writers
(a deferred BEGIN that reads and then writes fails at once with "locked", whatever the busy timeout), checkpoints only on
the writer (WAL-reset bug of SQLite before 3.51.3). PostgreSQL through psycopg 3.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.pool import QueuePool

from statuspage.errors import Unavailable, Words
from statuspage.store import on_demand

BUSY_MS = 2000  # a web request never waits longer for the database
PG_CONNECT = {
    "connect_timeout": 2, "keepalives_idle": 5, "keepalives_interval": 2, "keepalives_count": 2, "tcp_user_timeout": 4000,
}  # fmt: skip
# The server ends a reader's statement at BUSY_MS; a frozen server ends nothing, so the client looks at its own clock as well.
_READ_S, _WRITE_S = 2.5, 10.0
_PAUSE_S = 1.0  # after an answer that did not come: a page asks several times, and must not wait several times


class Database:
    """One database. `write()` and `read()` open transactions; both raise Unavailable when the database cannot answer.

    `busy_s`: how long a SQLite transaction waits for another: briefly where a web thread would be held.
    Listeners are called after each commit that wrote, on the committing thread: they must only set a flag.
    """

    def __init__(self, url: str, *, readers: int = 8, busy_s: float = BUSY_MS / 1000) -> None:
        self.url = url
        self._busy_s = busy_s
        self.is_sqlite = url.startswith("sqlite")
        self._listeners: list[Callable[[], None]] = []
        self._write_lock = threading.Lock()
        self._writer = self._engine(write=True, size=1 if self.is_sqlite else 4, deadline_s=_WRITE_S)
        self._reader = self._engine(write=False, size=readers, deadline_s=_READ_S)
        self._file = Path(url.removeprefix("sqlite:///")) if self.is_sqlite else None
        self._opened: tuple[int, int] | None = None
        self._silent_until = 0.0

    def _engine(self, *, write: bool, size: int, deadline_s: float | None = None) -> Engine:
        connect = {"timeout": self._busy_s, "check_same_thread": False} if self.is_sqlite else PG_CONNECT
        engine = create_engine(
            self.url, poolclass=QueuePool, pool_size=size, max_overflow=0, pool_timeout=self._busy_s,
            pool_pre_ping=not self.is_sqlite, hide_parameters=True, connect_args=connect,
        )  # fmt: skip
        if self.is_sqlite:
            event.listen(engine, "connect", _sqlite_writer if write else _sqlite_reader)
            event.listen(engine, "begin", _begin_immediate if write else _begin_deferred)
        else:
            event.listen(engine, "do_connect", lambda *given: on_demand.postgres().connect(*given[2:], deadline_s))
            if not write:
                event.listen(engine, "begin", _begin_snapshot)
        return engine

    def on_commit(self, listener: Callable[[], None]) -> None:
        """Call `listener` after each committed write of this process."""
        self._listeners.append(listener)

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction that commits at the end of the block, or rolls back whole."""
        if self.is_sqlite and not self._write_lock.acquire(timeout=self._busy_s):
            message = "the database is busy with another write; nothing was written, try again"
            raise Unavailable(message)
        try:
            self._look_at_file()
            with self._answering(), self._writer.begin() as connection:
                yield connection
        finally:
            if self.is_sqlite:
                self._write_lock.release()
        for listener in self._listeners:
            listener()

    @contextmanager
    def migration(self) -> Iterator[Connection]:
        """A writing transaction for DDL; on SQLite without foreign keys, as batch operations rebuild tables."""
        engine = self._engine(write=True, size=1)
        try:
            with engine.connect() as connection:
                if self.is_sqlite:
                    connection.connection.driver_connection.execute("PRAGMA foreign_keys=OFF")  # type: ignore[union-attr]
                with connection.begin():
                    yield connection
        finally:
            engine.dispose()

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """One read-only snapshot: everything read in the block is of the same moment."""
        self._look_at_file()
        with self._answering(), self._reader.connect() as connection:
            try:
                yield connection
            finally:
                with suppress(DBAPIError):
                    connection.rollback()

    @contextmanager
    def _answering(self) -> Iterator[None]:
        """Outages as Unavailable. A server that has just kept somebody waiting for nothing is not asked again for a second."""
        began = time.monotonic()
        if began < self._silent_until:
            message = "the database did not answer a moment ago; nothing was written, try again"
            raise Unavailable(message)
        try:
            with _translated():
                yield
        except Unavailable:
            if not self.is_sqlite and time.monotonic() - began >= _PAUSE_S:
                self._silent_until = time.monotonic() + _PAUSE_S
            raise

    def _look_at_file(self) -> None:
        """Raise Unavailable while the SQLite file is not the one we opened: SQLite would go on writing into a deleted file.

        It costs one stat (2 us). Another file in its place is never opened by this process: SQLite finds no lock of another
        process on the index of the log (-shm), takes itself for the first and cuts it: whoever has it mapped dies of SIGBUS.
        Closing that file would copy our log into it. Our own connections stay open and go on once the file is back.
        """
        if self._file is None:
            return
        try:
            found = self._file.stat()
        except OSError as error:
            if self._opened is None:
                return  # the first start makes it
            message = Words("the database file is gone (%(kind)s); nothing was written, put it back", kind=type(error).__name__)
            raise Unavailable(message) from error
        now = (found.st_dev, found.st_ino)
        if self._opened not in {None, now}:
            other = "another file lies in the database's place; nothing was written, put ours back, or restart to use it"
            raise Unavailable(other)
        self._opened = now

    def close(self) -> None:
        """Give all connections back."""
        self._reader.dispose()
        self._writer.dispose()


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except PoolTimeoutError as error:
        message = "every database connection is in use; nothing was written, try again"
        raise Unavailable(message) from error
    except DBAPIError as error:
        if _is_outage(error):
            kind = type(error.orig).__name__
            message = Words("the database does not answer (%(kind)s); nothing was written, try again", kind=kind)
            raise Unavailable(message) from error
        raise


def _is_outage(error: DBAPIError) -> bool:
    if isinstance(error, OperationalError | InterfaceError):
        return True
    return error.connection_invalidated or type(error.orig).__name__ in {
        "QueryCanceled", "AdminShutdown", "CannotConnectNow", "ReadOnlySqlTransaction",
        "DiskFull", "LockNotAvailable", "DatabaseError",
    }  # fmt: skip


def _sqlite_common(dbapi: Any) -> None:  # noqa: ANN401 - a DBAPI connection
    dbapi.isolation_level = None
    dbapi.execute("PRAGMA foreign_keys=ON")


def _sqlite_writer(dbapi: Any, _record: Any) -> None:  # noqa: ANN401 - SQLAlchemy's event signature
    _sqlite_common(dbapi)
    dbapi.execute("PRAGMA journal_mode=WAL")
    dbapi.execute("PRAGMA synchronous=FULL")
    dbapi.execute("PRAGMA wal_autocheckpoint=1000")


def _sqlite_reader(dbapi: Any, _record: Any) -> None:  # noqa: ANN401 - SQLAlchemy's event signature
    _sqlite_common(dbapi)
    dbapi.execute("PRAGMA wal_autocheckpoint=0")
    dbapi.execute("PRAGMA query_only=ON")


def _begin_immediate(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _begin_deferred(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN")


def _begin_snapshot(connection: Connection) -> None:
    connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
    connection.exec_driver_sql(f"SET LOCAL statement_timeout = {BUSY_MS}")

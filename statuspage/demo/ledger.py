"""The demo wallet's books: accounts, transfers, payments, and the copy of the balances that the app displays.

One SQLite file. Amounts are integer cents. Its faults live in the file itself (a trigger that refuses writes, a table that is
gone, a display copy that nobody refreshes), so that they survive a restart and are found by using the function, not by a flag.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

PROBE = "probe"
_OPENING_CENTS = {PROBE: 100_000, "alice": 250_000, "bob": 180_000, "chen": 320_000, "li": 90_000}
DEMO_SECRET = "demo"  # noqa: S105 - printed in the documentation: a demo without real money
_KEPT_ENTRIES = 2000
_SCHEMA = """
CREATE TABLE IF NOT EXISTS accounts (id TEXT PRIMARY KEY, balance INTEGER NOT NULL CHECK (balance >= 0));
CREATE TABLE IF NOT EXISTS transfers (
  id INTEGER PRIMARY KEY, order_no TEXT NOT NULL UNIQUE, source TEXT NOT NULL, target TEXT NOT NULL, amount INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS payments (
  id INTEGER PRIMARY KEY, order_no TEXT NOT NULL UNIQUE, account TEXT NOT NULL, merchant TEXT NOT NULL, amount INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS entries (
  id INTEGER PRIMARY KEY AUTOINCREMENT, account TEXT NOT NULL, amount INTEGER NOT NULL, order_no TEXT NOT NULL,
  created_ms INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS entries_by_account ON entries (account, id);
CREATE TABLE IF NOT EXISTS display (account TEXT PRIMARY KEY, balance INTEGER NOT NULL, upto INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS messages (id INTEGER PRIMARY KEY, room TEXT NOT NULL, author TEXT NOT NULL, text TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS tuning (name TEXT PRIMARY KEY, value INTEGER NOT NULL);
"""
_USERS = """
CREATE TABLE IF NOT EXISTS users (name TEXT PRIMARY KEY, salt BLOB NOT NULL, verifier BLOB NOT NULL, level TEXT NOT NULL)
"""


class Refused(Exception):
    """The customer's order cannot be carried out: no such account, not enough money."""


class StorageFault(Exception):
    """The storage does not accept the write."""


def _verifier(secret: str, salt: bytes) -> bytes:
    return hashlib.scrypt(secret.encode(), salt=salt, n=2**12, r=8, p=1)


class Ledger:
    """The books in one file. Safe from several threads: each call has a connection of its own."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._waiting = 0
        self._count = threading.Lock()
        with self._connection() as db:
            db.execute("PRAGMA journal_mode=WAL")
            db.executescript(_SCHEMA)
            for account, cents in _OPENING_CENTS.items():
                db.execute("INSERT OR IGNORE INTO accounts VALUES (?, ?)", (account, cents))
            if not _has_table(db, "users_lost"):
                db.execute(_USERS)
                for name in _OPENING_CENTS:
                    salt = secrets.token_bytes(16)
                    row = (name, salt, _verifier(DEMO_SECRET, salt), "verified")
                    db.execute("INSERT OR IGNORE INTO users VALUES (?, ?, ?, ?)", row)

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        with closing(sqlite3.connect(self._path, timeout=5, isolation_level=None)) as db:
            db.execute("PRAGMA synchronous=NORMAL")
            yield db

    @contextmanager
    def _order(self, *, dry_run: bool) -> Iterator[sqlite3.Connection]:
        """One order, whole or not at all. A dry run does everything but the commit, so it fails where the real one fails."""
        with self._connection() as db:
            db.execute("BEGIN IMMEDIATE")
            try:
                yield db
            except sqlite3.DatabaseError as error:
                db.execute("ROLLBACK")
                raise StorageFault(str(error)) from error
            except BaseException:
                db.execute("ROLLBACK")
                raise
            db.execute("ROLLBACK" if dry_run else "COMMIT")

    @property
    def queue_depth(self) -> int:
        """Transfers that wait for the standby's confirmation at this moment."""
        return self._waiting

    def transfer(self, source: str, target: str, cents: int, order_no: str = "", *, dry_run: bool = False) -> str:
        """Move `cents`; returns the order number. Repeating an order number pays once. Raises Refused, StorageFault."""
        order_no = order_no or f"T{secrets.token_hex(6)}"
        self._await_standby()
        with self._order(dry_run=dry_run) as db:
            if db.execute("SELECT 1 FROM transfers WHERE order_no = ?", (order_no,)).fetchone():
                return order_no
            _take(db, source, cents, order_no)
            row = (order_no, source, target, cents)
            db.execute("INSERT INTO transfers (order_no, source, target, amount) VALUES (?, ?, ?, ?)", row)
            _book(db, target, cents, order_no)
        return order_no

    def pay(self, account: str, merchant: str, cents: int, *, dry_run: bool = False) -> str:
        """Pay a merchant; returns the order number. Raises Refused, StorageFault."""
        order_no = f"P{secrets.token_hex(6)}"
        with self._order(dry_run=dry_run) as db:
            _take(db, account, cents, order_no)
            row = (order_no, account, merchant, cents)
            db.execute("INSERT INTO payments (order_no, account, merchant, amount) VALUES (?, ?, ?, ?)", row)
        return order_no

    def credit(self, account: str, cents: int, *, dry_run: bool = False) -> str:
        """Add money from outside (top-up by card, interest); returns the order number. Raises Refused, StorageFault."""
        order_no = f"C{secrets.token_hex(6)}"
        with self._order(dry_run=dry_run) as db:
            _book(db, account, cents, order_no)
        return order_no

    def balance(self, account: str) -> int:
        """The true balance in cents. Raises Refused for an account that is not there."""
        with self._connection() as db:
            return _balance(db, account)

    def displayed(self, account: str) -> tuple[int, float]:
        """What the app shows: cents, and by how many seconds it is behind the books (0.0 when nothing is missing)."""
        with self._connection() as db:
            row = db.execute("SELECT balance, upto FROM display WHERE account = ?", (account,)).fetchone()
            if row is None:
                message = "no such account"
                raise Refused(message)
            cents, upto = row
            sql = "SELECT min(created_ms) FROM entries WHERE account = ? AND id > ?"
            oldest = db.execute(sql, (account, upto)).fetchone()[0]
        return cents, 0.0 if oldest is None else max(0.001, time.time() - oldest / 1000)

    def refresh_display(self) -> None:
        """Bring the displayed balances up to date with the books."""
        with self._order(dry_run=False) as db:
            db.execute(
                "INSERT OR REPLACE INTO display SELECT id, balance, (SELECT coalesce(max(e.id), 0) FROM entries e) FROM accounts"
            )

    def trim(self) -> None:
        """Drop old entries: the demo may run for months."""
        with self._order(dry_run=False) as db:
            db.execute("DELETE FROM entries WHERE id <= (SELECT max(id) FROM entries) - ?", (_KEPT_ENTRIES,))
            db.execute("DELETE FROM transfers WHERE id <= (SELECT max(id) FROM transfers) - ?", (_KEPT_ENTRIES,))
            db.execute("DELETE FROM payments WHERE id <= (SELECT max(id) FROM payments) - ?", (_KEPT_ENTRIES,))
            db.execute("DELETE FROM messages WHERE id <= (SELECT max(id) FROM messages) - ?", (_KEPT_ENTRIES,))

    def entries(self, account: str, count: int = 50) -> list[dict[str, str | int]]:
        """The latest entries, newest first: order, cents, Unix milliseconds."""
        with self._connection() as db:
            sql = "SELECT order_no, amount, created_ms FROM entries WHERE account = ? ORDER BY id DESC LIMIT ?"
            rows = db.execute(sql, (account, count)).fetchall()
        return [{"order": order_no, "cents": cents, "at_ms": created_ms} for order_no, cents, created_ms in rows]

    def accounts(self) -> list[str]:
        """Every account's id."""
        with self._connection() as db:
            return [row[0] for row in db.execute("SELECT id FROM accounts ORDER BY id")]

    def level(self, name: str, secret: str) -> str | None:
        """The customer's verification level when the secret is right, else None. Raises sqlite3.Error without the table."""
        with self._connection() as db:
            row = db.execute("SELECT salt, verifier, level FROM users WHERE name = ?", (name,)).fetchone()
        salt, verifier, level = row or (b"-" * 16, b"", "")
        return level if hmac.compare_digest(_verifier(secret, salt), verifier) else None

    def say(self, room: str, author: str, text: str) -> None:
        """Add a line to a support chat."""
        with self._order(dry_run=False) as db:
            db.execute("INSERT INTO messages (room, author, text) VALUES (?, ?, ?)", (room, author, text))

    def talk(self, room: str, count: int = 20) -> list[dict[str, str]]:
        """The last lines of a support chat, oldest first."""
        with self._connection() as db:
            sql = "SELECT author, text FROM messages WHERE room = ? ORDER BY id DESC LIMIT ?"
            rows = db.execute(sql, (room, count)).fetchall()
        return [{"author": author, "text": text} for author, text in reversed(rows)]

    def refuse_writes(self, table: str, *, refuse: bool) -> None:
        """Make the storage of `table` (transfers | payments) refuse every new row, or accept them again."""
        if table not in {"transfers", "payments"}:
            raise ValueError(table)
        with self._connection() as db:
            db.execute(
                f"CREATE TRIGGER IF NOT EXISTS {table}_refused BEFORE INSERT ON {table} "
                "BEGIN SELECT RAISE(ABORT, 'storage does not accept writes'); END"
                if refuse
                else f"DROP TRIGGER IF EXISTS {table}_refused"
            )

    def lose_users(self, *, lost: bool) -> None:
        """Take the table of customers away, or put it back."""
        old, new = ("users", "users_lost") if lost else ("users_lost", "users")
        with self._connection() as db:
            if _has_table(db, old):
                db.execute(f"ALTER TABLE {old} RENAME TO {new}")

    def slow_standby(self, wait_ms: int) -> None:
        """How long the standby takes to confirm a transfer from now on."""
        with self._connection() as db:
            db.execute("INSERT OR REPLACE INTO tuning VALUES ('standby_ms', ?)", (wait_ms,))

    def _await_standby(self) -> None:
        with self._connection() as db:
            row = db.execute("SELECT value FROM tuning WHERE name = 'standby_ms'").fetchone()
        if not row or not row[0]:
            return
        with self._count:
            self._waiting += 1
        try:
            time.sleep(row[0] / 1000)
        finally:
            with self._count:
                self._waiting -= 1


def _has_table(db: sqlite3.Connection, name: str) -> bool:
    return db.execute("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?", (name,)).fetchone() is not None


def _balance(db: sqlite3.Connection, account: str) -> int:
    row = db.execute("SELECT balance FROM accounts WHERE id = ?", (account,)).fetchone()
    if row is None:
        message = "no such account"
        raise Refused(message)
    return int(row[0])


def _take(db: sqlite3.Connection, account: str, cents: int, order_no: str) -> None:
    if cents <= 0:
        message = "the amount must be above zero"
        raise Refused(message)
    if _balance(db, account) < cents:
        message = "not enough money"
        raise Refused(message)
    _book(db, account, -cents, order_no)


def _book(db: sqlite3.Connection, account: str, cents: int, order_no: str) -> None:
    _balance(db, account)
    db.execute("UPDATE accounts SET balance = balance + ? WHERE id = ?", (cents, account))
    row = (account, cents, order_no, time.time_ns() // 1_000_000)
    db.execute("INSERT INTO entries (account, amount, order_no, created_ms) VALUES (?, ?, ?, ?)", row)

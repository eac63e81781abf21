"""Who probes and schedules when several processes could: one host by a file lock, several hosts by a lease with an epoch."""

from __future__ import annotations

import fcntl
import os
import secrets
import socket
import time
from datetime import timedelta
from pathlib import Path
from typing import IO, Protocol

from statuspage.actions import leases
from statuspage.actions.context import Context
from statuspage.actions.leases import Fence

TTL = timedelta(seconds=15)
RENEW_S = 5.0


class Election(Protocol):
    """Asked before each round of work."""

    def is_leader(self) -> bool:
        """True while this process is the one to work. Raises Unavailable when that cannot be known."""

    @property
    def fence(self) -> Fence | None:
        """What to check inside a transaction; None where the operating system guards."""

    def resign(self) -> None:
        """Let another take over at once."""


class FileElection:
    """One host (SQLite): the kernel drops the lock when the holder dies, however it dies."""

    fence: Fence | None = None

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: IO[str] | None = None

    def is_leader(self) -> bool:
        """Try to take the lock, keep it once taken."""
        if self._file is not None:
            return True
        self._path.parent.mkdir(parents=True, exist_ok=True)
        file = self._path.open("w", encoding="ascii")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.close()
            return False
        file.write(str(os.getpid()))
        file.flush()
        self._file = file
        return True

    def resign(self) -> None:
        """Release the lock."""
        if self._file is not None:
            self._file.close()
            self._file = None


class LeaseElection:
    """Several hosts (PostgreSQL): a row that must be renewed."""

    def __init__(self, ctx: Context, name: str) -> None:
        self._ctx = ctx
        self._name = name
        self._holder = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"
        self._renew_at = 0.0
        self.fence: Fence | None = None

    def is_leader(self) -> bool:
        """Renew every few seconds; between renewals the last answer stands, well within the lease."""
        if time.monotonic() >= self._renew_at:
            self.fence = leases.take(self._ctx, self._name, self._holder, TTL)
            self._renew_at = time.monotonic() + RENEW_S
        return self.fence is not None

    def resign(self) -> None:
        """Give the lease back."""
        if self.fence is not None:
            leases.give_back(self._ctx, self.fence, self._holder)
            self.fence = None


def election(ctx: Context, name: str, data: Path) -> Election:
    """The right kind for the database in use."""
    return FileElection(data / f"{name}.lock") if ctx.db.is_sqlite else LeaseElection(ctx, name)

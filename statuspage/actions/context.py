"""What every action is given: the database, the keys, the time, and who acts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from statuspage import clock
from statuspage.errors import NotAllowed, Words
from statuspage.keys import Keys
from statuspage.store.database import Database

ROLES = ("viewer", "responder", "admin")


@dataclass(frozen=True)
class Context:
    """Handed to every action by the composition roots."""

    db: Database
    keys: Keys
    now: Callable[[], datetime] = clock.now


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts: an operator, the command line (admin: it runs on the server itself), or a machine."""

    name: str
    role: str
    is_machine: bool = False

    def require(self, role: str) -> None:
        """Raise NotAllowed unless this actor holds at least `role`."""
        if ROLES.index(self.role) < ROLES.index(role):
            own = Words(self.role)
            message = Words("this needs the role %(role)s; %(name)s is %(own)s", role=Words(role), name=self.name, own=own)
            raise NotAllowed(message)


MONITORS = Actor("monitors", "responder", is_machine=True)
SCHEDULER = Actor("scheduler", "responder", is_machine=True)
COMMAND_LINE = Actor("command line", "admin")

"""Opening an installation: what every command and every server begins with."""

from __future__ import annotations

from dataclasses import dataclass

from statuspage import clock, keys, settings
from statuspage.actions.context import Context
from statuspage.settings import Settings
from statuspage.store import migrate
from statuspage.store.database import Database

_PATIENCE_S = 30.0  # a command waits for the server's writes; nobody else waits for the command


@dataclass(frozen=True)
class Installation:
    """An opened installation."""

    settings: Settings
    ctx: Context


def open_installation(*, serves: bool = False) -> Installation:
    """Settings, keys and a database at this program's schema. Raises SettingsError."""
    found = settings.load()
    found.data.mkdir(parents=True, exist_ok=True, mode=0o700)
    db = Database(found.url) if serves else Database(found.url, busy_s=_PATIENCE_S)
    migrate.upgrade(db, found.data / "backups", clock.now())
    return Installation(found, Context(db, keys.load(found)))

"""Opening an installation: what every command and every server begins with."""

from __future__ import annotations

from dataclasses import dataclass

from statuspage import clock, keys, settings
from statuspage.actions.context import Context
from statuspage.settings import Settings
from statuspage.store import migrate
from statuspage.store.database import Database


@dataclass(frozen=True)
class Installation:
    """An opened installation."""

    settings: Settings
    ctx: Context


def open_installation() -> Installation:
    """Settings, keys and a database at this program's schema. Raises SettingsError."""
    found = settings.load()
    found.data.mkdir(parents=True, exist_ok=True, mode=0o700)
    db = Database(found.url)
    migrate.upgrade(db, found.data / "backups", clock.now())
    return Installation(found, Context(db, keys.load(found)))

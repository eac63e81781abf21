"""The loops' signs of life: written after work done, read by /healthz and before the outside heartbeat."""

from __future__ import annotations

from datetime import datetime

from statuspage.store import monitors
from statuspage.store.database import Database


def beat(db: Database, name: str, now: datetime) -> None:
    """Note that loop `name` has done its work at `now`. Raises Unavailable."""
    with db.write() as conn:
        monitors.beat(conn, name, now)

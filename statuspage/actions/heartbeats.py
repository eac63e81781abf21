"""The loops' signs of life: written after work done, read by /healthz and before the outside heartbeat."""

from __future__ import annotations

from datetime import datetime

from statuspage.store import monitors
from statuspage.store.database import Database


def beat(db: Database, name: str, now: datetime) -> None:
    """Note that loop `name` has done its work at `now`. Raises Unavailable."""
    with db.write() as conn:
        monitors.beat(conn, name, now)


def begin(db: Database, name: str, now: datetime) -> None:
    """Count a loop that has never worked as alive from `now` on. Raises Unavailable.

    A page that no monitor watches lives by its publisher's sign of life: without one its very first files would say that we
    cannot see.
    """
    with db.read() as conn:
        is_known = name in monitors.beats(conn)
    if not is_known:
        beat(db, name, now)

"""What the public site is given by the composition root."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from statuspage import clock
from statuspage.settings import Settings
from statuspage.store.database import Database


@dataclass(frozen=True)
class Services:
    """`now` is the one clock; tests hand in their own. `watched` are the heartbeats whose silence turns /healthz red."""

    db: Database
    settings: Settings
    now: Callable[[], datetime] = clock.now
    watched: tuple[str, ...] = ("checker", "publisher", "deliverer", "scheduler")

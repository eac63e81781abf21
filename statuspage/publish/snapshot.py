"""One moment for one publishing cycle, so that page, feed and JSON agree.

The publisher sets the snapshot, the routes it renders through find it here instead of opening a transaction of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from sqlalchemy import Connection

from statuspage.store.public_views import PublicView

T = TypeVar("T")


@dataclass(frozen=True)
class Snapshot:
    """An open read transaction and what it says. `remember` keeps what several pages of one cycle need."""

    conn: Connection
    view: PublicView
    _kept: dict[Any, Any] = field(default_factory=dict, repr=False)

    def remember(self, key: Any, load: Callable[[], T]) -> T:  # noqa: ANN401 - any hashable
        """The value of `load()`, computed once per snapshot and key."""
        if key not in self._kept:
            self._kept[key] = load()
        found: T = self._kept[key]
        return found

    def blinded(self) -> Snapshot:
        """The same moment as it is told once we cannot see any more."""
        return replace(self, view=self.view.blinded())


current: ContextVar[Snapshot | None] = ContextVar("snapshot", default=None)


@contextmanager
def using(snapshot: Snapshot) -> Iterator[Snapshot]:
    """Within the block, `current` is `snapshot`."""
    token = current.set(snapshot)
    try:
        yield snapshot
    finally:
        current.reset(token)

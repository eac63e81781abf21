"""What follows when the judgement of monitors turns: component statuses, notices, the publisher; in the caller's transaction."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from statuspage.actions import components, suspicions
from statuspage.actions.book import Book, Key
from statuspage.actions.context import MONITORS, Context
from statuspage.actions.suspicions import Failing
from statuspage.domain.judgement import BAD, Judgement, ancestors
from statuspage.store import judgements as store
from statuspage.store import notices as notice_store
from statuspage.store.monitors import Monitor


@dataclass(frozen=True, slots=True)
class Turned:
    """One monitor's judgement before and after, with the words of the result that decided it."""

    monitor: Monitor
    old: Judgement
    new: Judgement
    error_class: str = ""
    message: str = ""


def follow(conn: Connection, ctx: Context, book: Book, turned: Sequence[Turned], now: datetime) -> set[str]:
    """Write the judgements and all that hangs on them; the monitors that are to be held, as another explains their failure."""
    fresh = {item.monitor.id: item.new for item in turned}
    judgements: Mapping[str, Judgement] = ChainMap(fresh, book.judgements)
    store.save(conn, fresh)
    changed = components.refresh(
        conn, _touched(book, turned), now, source="monitor", reason=turned[0].monitor.id, actor=MONITORS.name
    )
    tell_publisher(conn, changed, now)
    held: set[str] = set()
    failing: list[Failing] = []
    working: list[str] = []
    for item in turned:
        if item.new.shown in BAD and _is_news(item):
            if book.is_explained(item.monitor.id, judgements, now):
                held.add(item.monitor.id)
            else:
                failing.append(
                    Failing(item.monitor, item.new, min(item.new.since_at, now), item.error_class, item.message)
                )
        elif item.new.shown == "up" != item.old.shown:
            working.append(item.monitor.id)
    if failing:
        suspicions.raise_for(conn, ctx, failing, now)
    if working:
        suspicions.clear_for(conn, ctx, working, now)
    return held


def _is_news(item: Turned) -> bool:
    old, new = item.old, item.new
    return (old.shown, old.status, old.cause, old.flapping_at) != (new.shown, new.status, new.cause, new.flapping_at)


def _touched(book: Book, turned: Sequence[Turned]) -> set[str]:
    """Components to look at again: those of the monitors, and of what depends on one that went down or came back."""
    found = {item.monitor.component_id for item in turned}
    pivots = {item.monitor.id for item in turned if "down" in (item.old.shown, item.new.shown)}
    if pivots:
        below = (name for name, parent in book.parents.items() if parent)
        found.update(
            book.monitors[name].component_id for name in below if pivots.intersection(ancestors(name, book.parents))
        )
    return found


def tell_regions(conn: Connection, book: Book, keys: Iterable[Key], now: datetime) -> None:
    """Tell the publisher where a region changed its view, which changes its component's page even where no verdict follows."""
    several = (name for name, region in keys if book.regions.get(name, set()) - {region})
    tell_publisher(conn, {book.monitors[name].component_id: list[str]() for name in several}, now)


def tell_publisher(conn: Connection, changed: Mapping[str, list[str]], now: datetime) -> None:
    """Tell the publisher which components look different, if any."""
    if changed:
        notice_store.add_change(conn, {"components": sorted(changed)}, now)

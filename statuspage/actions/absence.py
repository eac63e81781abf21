"""What passing time does to judgements: silent regions, gaps of our own, rest after flapping, failures that were explained.

Called about once a second. It costs a few look-ups while nothing is due, and opens a transaction only when something is.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from statuspage.actions import checks, suspicions, turns
from statuspage.actions.book import Book, Key
from statuspage.actions.context import Context
from statuspage.actions.turns import Turned
from statuspage.domain import judgement
from statuspage.domain.judgement import BAD
from statuspage.domain.monitoring import MonitorState
from statuspage.store import checks as check_store

_LEAP = timedelta(seconds=5)  # the wall clock against the one that nobody sets: it was set


def tick(ctx: Context, book: Book) -> int:
    """Look at what time has done since the last call; how many judgements it changed.

    After a gap of our own (the process was stopped, the machine slept) nothing is known until it was seen again.
    """
    now, now_s = ctx.now(), book.clock_s()
    away = timedelta(seconds=now_s - book.looked_s)
    leap = now - book.looked_at - away if book.looked_at else timedelta(0)
    seen_before = book.looked_at is not None
    if seen_before and away > checks.GAP:
        _unlearn(ctx, book, now, away, now_s)
    elif abs(leap) > _LEAP:
        book.judgements = {name: judgement.shifted(each, leap) for name, each in book.judgements.items()}
    book.looked_s, book.looked_at = now_s, now
    return _silence(ctx, book, now, now_s) + _rest(ctx, book, now) + _speak(ctx, book, now)


def _unlearn(ctx: Context, book: Book, now: datetime, away: timedelta, now_s: float) -> None:
    with ctx.db.write() as conn:
        checks.forget(conn, book, now, keep_bad=away < checks.FORGET_AFTER)
        checks.refresh(conn, book, now - away, now)
    book.hear(book.heard, now_s)


def _silence(ctx: Context, book: Book, now: datetime, now_s: float) -> int:
    silent = book.silent(now_s)
    if not silent:
        return 0
    fresh = {key: _unseen(book.states[key], now) for key in silent}
    by_monitor: dict[str, set[str]] = {}
    for monitor_id, region in silent:
        by_monitor.setdefault(monitor_id, set()).add(region)
    turned = []
    for monitor_id, regions in by_monitor.items():
        new = book.judge(monitor_id, regions, fresh, {}, now, now)
        old = book.judgements.get(monitor_id) or judgement.first(now)
        words = f"silent: {len(regions)} of {len(book.regions[monitor_id])} regions"  # names stand in the transitions
        turned += [Turned(book.monitors[monitor_id], old, new, "", words)] if new != old else []
    with ctx.db.write() as conn:
        check_store.save_states(conn, [checks.state_row(*key, state, None) for key, state in fresh.items()])
        check_store.add_transitions(conn, [_silent_row(key, book.states[key], now) for key in silent])
        held = turns.follow(conn, ctx, book, turned, now) if turned else set()
        turns.tell_regions(conn, book, silent, now)
    book.keep(fresh)
    _take(book, turned)
    book.held |= held
    return len(turned)


def _unseen(old: MonitorState, now: datetime) -> MonitorState:
    """As if never seen: the next success is enough for up. What comes late for the time before stays late."""
    return MonitorState("unknown", now, "unknown", 0, now, old.last_at)


def _silent_row(key: Key, old: MonitorState, now: datetime) -> dict[str, Any]:
    return {
        "monitor_id": key[0], "region": key[1], "old": old.state, "new": "unknown", "began_at": min(old.last_at, now),
        "at": now, "error_class": "", "message": "nothing was heard from this region", "evidence": {},
    }  # fmt: skip


def _rest(ctx: Context, book: Book, now: datetime) -> int:
    """End the flapping of what has been quiet for long enough."""
    turned = []
    for name, old in book.judgements.items():
        if old.flapping_at:
            monitor = book.monitors[name]
            new = judgement.rested(old, now, judgement.flap_window(monitor.interval_ms))
            turned += [Turned(monitor, old, new, "", "quiet again")] if new != old else []
    return _write(ctx, book, turned, now)


def _write(ctx: Context, book: Book, turned: Sequence[Turned], now: datetime) -> int:
    if turned:
        with ctx.db.write() as conn:
            held = turns.follow(conn, ctx, book, turned, now)
        _take(book, turned)
        book.held |= held
    return len(turned)


def _take(book: Book, turned: Sequence[Turned]) -> None:
    book.judgements.update({item.monitor.id: item.new for item in turned})


def _speak(ctx: Context, book: Book, now: datetime) -> int:
    """Let those that were held speak, once what explained them works again and they still fail."""
    for name in sorted(book.held):
        found = book.judgements.get(name)
        if found is None or found.shown == "up":
            book.held.discard(name)
    free = {
        name
        for name in book.held
        if book.judgements[name].shown in BAD and not book.is_explained(name, book.judgements, now)
    }
    if free:
        with ctx.db.write() as conn:
            suspicions.raise_for(conn, ctx, suspicions.failing_of(conn, free), now)
        book.held -= free
    return len(free)

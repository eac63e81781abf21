"""Heartbeats as a source of check results: signals from the store, judged, in the shape that probes give."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from probes import heartbeat
from probes.heartbeat import Signal
from probes.result import CheckResult
from statuspage.actions import pings as actions
from statuspage.actions.context import Context
from statuspage.clock import to_ms
from statuspage.errors import Unavailable
from statuspage.store import monitors as monitor_store
from statuspage.store import pings as store
from statuspage.store.monitors import Monitor

log = logging.getLogger(__name__)

KIND = store.KIND
# A job tries again for half a minute, and the newest sign of our life may be as old as the longest ordinary interval; a longer
# silence of ours may have swallowed a signal.
_AWAY = timedelta(seconds=60)
_LEAP_S = 10.0  # the wall clock against the monotonic one


@dataclass(slots=True)
class _Watch:
    """One heartbeat: when it speaks next, whatever comes first of a signal, a limit and its interval."""

    monitor: Monitor
    signals: list[Signal] = field(default_factory=list)
    speak_ms: int = 0
    until_ms: int | None = None


class Heartbeats:
    """Polled by the checker, on its thread: `take` gives what is to be recorded now. A poll without news costs one look-up."""

    def __init__(self, ctx: Context, monitors: Iterable[Monitor], beat: str = "checker") -> None:
        self._ctx = ctx
        self._watches: dict[str, _Watch] = {}
        self._wanted = [each for each in monitors if each.kind == KIND]
        self._is_loaded = False
        self._seen = 0
        self._last_at: datetime | None = None
        self._last_monotonic = time.monotonic()
        self._beat = beat

    def load(self, monitors: Iterable[Monitor]) -> None:
        """Watch these from now on; other kinds are left out."""
        self._wanted = [each for each in monitors if each.kind == KIND]
        self._is_loaded = False

    def run_now(self, monitor_id: str) -> bool:
        """Judge one heartbeat with the next poll. False for one that is not watched."""
        watch = self._watches.get(monitor_id)
        if watch is not None:
            watch.speak_ms = 0
        return watch is not None

    def take(self, now: datetime) -> list[CheckResult]:
        """The results that are due at `now`; nothing while the database does not answer."""
        if not self._wanted and not self._watches:
            return []
        try:
            self._notice_absence(now)
            if not self._is_loaded:
                self._load(now)
            self._read_news()
        except Unavailable as error:
            log.warning("heartbeats wait: %s", error)
            return []
        now_ms = to_ms(now)
        return [_result(watch, now_ms) for watch in self._watches.values() if _is_due(watch, now_ms)]

    def _notice_absence(self, now: datetime) -> None:
        """Mark the time in which nobody listened: before this process, while it stood still, or skipped by the clock."""
        monotonic = time.monotonic()
        if self._last_at is None:
            with self._ctx.db.read() as conn:
                since = monitor_store.beats(conn).get(self._beat)
        else:
            stood_still = monotonic - self._last_monotonic > _AWAY.total_seconds()
            leapt = abs((now - self._last_at).total_seconds() - (monotonic - self._last_monotonic)) > _LEAP_S
            since = self._last_at if stood_still or leapt else None
        if since is not None and (now - since > _AWAY or (self._last_at is not None and now > since)):
            actions.mark_away(self._ctx, since, now)
        self._last_at, self._last_monotonic = now, monotonic

    def _load(self, now: datetime) -> None:
        actions.mark_settings(self._ctx, now)
        old = self._watches
        self._watches = {}
        for monitor in self._wanted:
            known = old.get(monitor.id)
            self._watches[monitor.id] = known if known and known.monitor == monitor else _Watch(monitor)
        with self._ctx.db.read() as conn:
            for watch in self._watches.values():
                watch.signals = [_signal(row) for row in store.of_monitor(conn, watch.monitor.id)]
        self._is_loaded = True

    def _read_news(self) -> None:
        with self._ctx.db.read() as conn:
            newest = store.newest_id(conn)
            if newest == self._seen:
                return
            about = store.monitors_since(conn, self._seen)
            for monitor_id, watch in self._watches.items():
                if monitor_id in about or store.EVERYBODY in about:
                    watch.signals = [_signal(row) for row in store.of_monitor(conn, monitor_id)]
                    watch.speak_ms = 0
        self._seen = newest


def _is_due(watch: _Watch, now_ms: int) -> bool:
    # Later than one interval from now: the clock was set back.
    ahead = watch.speak_ms - now_ms > watch.monitor.interval_ms
    return ahead or now_ms >= watch.speak_ms or (watch.until_ms is not None and now_ms > watch.until_ms)


def _result(watch: _Watch, now_ms: int) -> CheckResult:
    judged = heartbeat.judge(watch.monitor.options, watch.signals, now_ms)
    watch.speak_ms, watch.until_ms = now_ms + watch.monitor.interval_ms, judged.until_ms
    return CheckResult(
        watch.monitor.id, judged.outcome, now_ms, 0.0, judged.error_class, judged.message, {}, judged.evidence
    )


def _signal(row: Mapping[Any, Any]) -> Signal:
    since_ms = to_ms(row["since_at"]) if row["since_at"] else 0
    return Signal(to_ms(row["at"]), row["kind"], row["rid"], row["code"], row["body"], since_ms)

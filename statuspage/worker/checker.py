"""The checker: monitors from the store into the probe engine, results from the engine into the store."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from probes.result import CheckResult
from probes.spec import ProbeSpec
from statuspage.actions import absence, checks, suspicions
from statuspage.actions.book import LOCAL, Book
from statuspage.actions.context import Context
from statuspage.actions.specs import spec_of
from statuspage.errors import Conflict, Unavailable
from statuspage.store import monitors as store
from statuspage.store import networks, notices, pages
from statuspage.store.monitors import Monitor
from statuspage.worker.arrivals import Arrivals
from statuspage.worker.election import Election
from statuspage.worker.heartbeats import KIND as HEARTBEAT
from statuspage.worker.heartbeats import Heartbeats

log = logging.getLogger(__name__)

DRAIN_S = 0.5
RELOAD_S = 1.0
# Results held back while the database does not answer; beyond it the oldest go, and what they would have said is unknown.
BACKLOG = 200_000
# Recording is Python, and so is probing: while one works the other waits. After each batch the recorder rests as long as it
# worked, so that the start of 10,000 monitors, or a storm, takes at most half of the prober's time.
BATCH = 500
_REST_S = 0.25


class EngineLike(Protocol):
    """What the checker needs of probes.engine.Engine."""

    def start(self) -> None:
        """Begin probing."""

    def stop(self) -> None:
        """End probing."""

    def replace(self, specs: list[ProbeSpec]) -> None:
        """Take over a new set of monitors."""

    def run_now(self, monitor_id: str) -> bool:
        """Run one monitor at once; False for one it does not know."""


EngineFactory = Callable[[list[ProbeSpec], Callable[[list[CheckResult]], None], list[str]], EngineLike]


def _specs(monitors: dict[str, Monitor], remembered: Mapping[str, Mapping[str, Any]]) -> list[ProbeSpec]:
    """What this server's engine runs: what is to be watched from here, with what its probes must not forget.

    Heartbeats are told, they do not ask.
    """
    here = [item for item in monitors.values() if item.kind != HEARTBEAT and item.is_watched_from(LOCAL)]
    return [spec_of(item, remembered.get(item.id)) for item in here]


class Checker:
    """Owns the book of states. Only the elected process probes; the others stand by."""

    def __init__(self, ctx: Context, election: Election, engine: EngineFactory) -> None:
        self._ctx = ctx
        self._election = election
        self._make_engine = engine
        self._results: deque[CheckResult] = deque(maxlen=BACKLOG)
        self._arrived = threading.Event()
        self._arrivals = Arrivals()
        self._asked: dict[str, int] = {}  # monitor id -> run request waiting for its next result

    def run(self, stop: threading.Event) -> None:
        """Stand by until elected, then probe until `stop` or until another worker took over."""
        while not stop.is_set():
            if self._election.is_leader():
                self._lead(stop)
            stop.wait(2.0)

    def _lead(self, stop: threading.Event) -> None:
        book = checks.begin(self._ctx)
        seen_change, self_test, remembered = self._configuration()
        engine = self._make_engine(_specs(book.monitors, remembered), self._take, self_test)
        heartbeats = Heartbeats(self._ctx, book.monitors.values())
        engine.start()
        reload_at = time.monotonic() + RELOAD_S
        try:
            while not stop.is_set() and self._election.is_leader():
                self._arrived.wait(DRAIN_S)
                self._arrived.clear()
                self._results.extend(heartbeats.take(self._ctx.now()))
                began = time.monotonic()
                if not self._drain(book):
                    stop.wait(DRAIN_S)
                elif self._results:
                    self._arrived.set()
                    stop.wait(min(_REST_S, time.monotonic() - began))
                if time.monotonic() >= reload_at:
                    seen_change = self._reload(book, engine, heartbeats, seen_change)
                    self._settle(book)
                    reload_at = time.monotonic() + RELOAD_S
        finally:
            engine.stop()
            while self._drain(book) and self._results:
                pass
            self._election.resign()

    def _take(self, batch: list[CheckResult]) -> None:
        """Called on the engine's thread: only put aside and wake."""
        self._results.extend(batch)
        self._arrived.set()

    def _drain(self, book: Book) -> bool:
        """Record what has arrived. False when the database does not answer: the results stay for the next round."""
        batch: list[CheckResult] = []
        while self._results and len(batch) < BATCH:
            batch.append(self._results.popleft())
        elsewhere = self._arrivals.take(self._ctx, book.monitors)
        if not batch and not elsewhere.ids:
            return True
        try:
            checks.record(
                self._ctx, book, [*elsewhere.results, *batch], fence=self._election.fence, arrived=elsewhere.ids
            )
        except Unavailable as error:
            log.warning("results wait: %s", error)
            self._results.extendleft(reversed(batch))
            return False
        except Conflict as error:
            log.warning("standing down: %s", error)
            self._election.resign()
            return False
        self._answer(batch)
        # What is not watched from here cannot be run at once: its next result from elsewhere answers.
        self._answer([one for one in elsewhere.results if not book.monitors[one.monitor_id].is_watched_from(LOCAL)])
        if elsewhere.more:
            self._arrived.set()
        return True

    def _configuration(self) -> tuple[int, list[str], dict[str, dict[str, Any]]]:
        with self._ctx.db.read() as conn:
            self_test = list(pages.load_meta(conn, "defaults", {}).get("self_test", []))
            return notices.last_change(conn), self_test, networks.remembered(conn)

    def _reload(self, book: Book, engine: EngineLike, heartbeats: Heartbeats, seen_change: int) -> int:
        """Take over a new configuration, and serve 'run now' requests."""
        try:
            with self._ctx.db.read() as conn:
                newest, reconfigured = notices.changes_since(conn, seen_change)
                requests = store.open_run_requests(conn)
                monitors = store.active(conn) if reconfigured else None
                remembered = networks.remembered(conn) if reconfigured else {}
        except Unavailable:
            return seen_change
        if monitors is not None and monitors != book.monitors:
            engine.replace(_specs(monitors, remembered))
            heartbeats.load(monitors.values())
            try:
                checks.configure(self._ctx, book, monitors)
            except Unavailable as error:
                log.warning("the configuration waits: %s", error)
                return seen_change
        for request in requests:
            if self._asked.setdefault(request["monitor_id"], request["id"]) == request["id"]:
                _ = heartbeats.run_now(request["monitor_id"]) or engine.run_now(request["monitor_id"])
        return newest

    def _settle(self, book: Book) -> None:
        try:
            absence.tick(self._ctx, book)
            suspicions.settle_all(self._ctx)
        except Unavailable as error:
            log.warning("notices wait: %s", error)

    def _answer(self, batch: list[CheckResult]) -> None:
        if not self._asked:
            return
        for result in batch:
            if result.monitor_id in self._asked:
                checks.answer_run_request(self._ctx, self._asked.pop(result.monitor_id), result)

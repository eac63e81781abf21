"""Telling a WebSub hub which feeds changed, so that readers who support it hear within seconds. Readers who poll lose nothing.

The hub is pinged as every hub understands it: POST hub.mode=publish with the feed's address, one feed a request.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable
from datetime import datetime

from statuspage.channels.safehttp import GuardedSession, check_status
from statuspage.errors import DeliveryError, Permanent, Throttled

LOG = logging.getLogger(__name__)

FIRST_PAUSE_S, LONGEST_PAUSE_S = 2.0, 300.0
MOST = 2000  # feeds waiting; a hub that is away for long misses news that its readers fetch by polling


class Hub:
    """The hub at `address`. `tell` may be called by any thread; `run` belongs to one."""

    def __init__(self, address: str, session: GuardedSession, now: Callable[[], datetime]) -> None:
        self._address = address
        self._session = session
        self._now = now
        self._waiting: dict[str, None] = {}  # a feed that changes twice before it is told is told once
        self._lock = threading.Lock()
        self._wake = threading.Event()

    def tell(self, feeds: Iterable[str]) -> None:
        """Note that these feeds changed. Never blocks."""
        if not self._address:
            return
        with self._lock:
            for feed in feeds:
                if len(self._waiting) < MOST:
                    self._waiting[feed] = None
        self._wake.set()

    def run(self, stop: threading.Event) -> None:
        """Ping until `stop`. What the hub did not take is told again, ever more slowly."""
        pause_s = FIRST_PAUSE_S
        while not stop.is_set():
            self._wake.wait(1.0)
            self._wake.clear()
            try:
                self._ping_all(stop)
                pause_s = FIRST_PAUSE_S
            except DeliveryError as error:
                LOG.warning("WebSub hub: %s; told again in %.0f s", error, pause_s)
                stop.wait((isinstance(error, Throttled) and error.retry_after_s) or pause_s)
                pause_s = min(pause_s * 2, LONGEST_PAUSE_S)
                self._wake.set()

    def _ping_all(self, stop: threading.Event) -> None:
        while (feed := self._next()) and not stop.is_set():
            try:
                answer = self._session.post(self._address, data={"hub.mode": "publish", "hub.url": feed})
                check_status(answer, "the hub", self._now().timestamp())
            except Permanent as error:
                LOG.error("WebSub hub will not hear of %s: %s", feed, error)  # noqa: TRY400 - the message says it all
            except DeliveryError:
                with self._lock:
                    self._waiting.setdefault(feed, None)
                raise

    def _next(self) -> str | None:
        with self._lock:
            feed = next(iter(self._waiting), None)
            if feed is not None:
                del self._waiting[feed]
            return feed

"""The publisher's loop: woken by a commit of this process at once, by one of another process within a quarter of a second."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import closing

from statuspage.actions import heartbeats
from statuspage.actions.context import Context
from statuspage.errors import Unavailable
from statuspage.publish.publisher import Publisher
from statuspage.store.watch import Watch, watch

LOG = logging.getLogger(__name__)

POLL_S = 0.25
IDLE_S = 2.0  # a cycle looks around at least so often: "as of", a new day, the time of the last check
BEAT_S = 10.0
RETRY_S = 1.0


def run(
    ctx: Context, publisher: Publisher, stop: threading.Event, wake: threading.Event,
    tell: Callable[[Iterable[str]], None] = lambda _addresses: None,
) -> None:  # fmt: skip
    """Publish until `stop`. `wake` is set by commits of this process. The heartbeat is written after cycles that worked.

    `tell` is handed the addresses of feeds that changed, once they are on disk. It must not block.
    """
    beaten = float("-inf")
    with closing(watch(ctx.db)) as commits:
        while not stop.is_set():
            try:
                if beaten == float("-inf"):
                    heartbeats.begin(ctx.db, "publisher", ctx.now())
                counts = publisher.run_once()
                if counts.feeds:
                    tell(counts.feeds)
                if time.monotonic() - beaten >= BEAT_S:
                    heartbeats.beat(ctx.db, "publisher", ctx.now())
                    beaten = time.monotonic()
            except Unavailable as error:
                LOG.warning("nothing published: %s", error)
                stop.wait(RETRY_S)
                continue
            if not counts.pending:
                wait(commits, wake, IDLE_S, stop)


def wait(commits: Watch, wake: threading.Event, timeout_s: float, stop: threading.Event) -> bool:
    """True as soon as somebody has committed, False after the time-out or when `stop` is set."""
    until = time.monotonic() + timeout_s
    while not stop.is_set():
        if wake.is_set() or commits.has_changed():
            wake.clear()
            return True
        left = until - time.monotonic()
        if left <= 0:
            return False
        wake.wait(min(POLL_S, left))
    return False

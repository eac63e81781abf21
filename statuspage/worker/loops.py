"""Supervised loops: a dead one is restarted with back-off, and each proves its life by a heartbeat written after work done."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

log = logging.getLogger(__name__)

FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 30.0
STEADY_S = 60.0


@dataclass
class Loop:
    """One loop: `run(stop)` returns when `stop` is set; anything else is a death."""

    name: str
    run: Callable[[threading.Event], None]
    deaths: int = 0
    alive: bool = False
    last_error: str = ""
    thread: threading.Thread | None = field(default=None, repr=False)


class Supervisor:
    """Runs loops on threads of their own until `stop`."""

    def __init__(self, loops: list[Loop]) -> None:
        self.loops = {loop.name: loop for loop in loops}
        self._stop = threading.Event()

    def start(self) -> None:
        """Start every loop."""
        for loop in self.loops.values():
            loop.thread = threading.Thread(target=self._keep, args=(loop,), name=loop.name, daemon=True)
            loop.thread.start()

    def stop(self, timeout_s: float) -> list[str]:
        """Ask every loop to end and wait; names of those that did not within `timeout_s` in all."""
        self._stop.set()
        until = time.monotonic() + timeout_s
        for loop in self.loops.values():
            if loop.thread:
                loop.thread.join(max(0.05, until - time.monotonic()))
        return [loop.name for loop in self.loops.values() if loop.thread and loop.thread.is_alive()]

    def _keep(self, loop: Loop) -> None:
        pause = FIRST_PAUSE_S
        while not self._stop.is_set():
            began = time.monotonic()
            loop.alive = True
            try:
                loop.run(self._stop)
                loop.last_error = "returned"
            except Exception as error:  # the one place where any death is survived
                loop.last_error = f"{type(error).__name__}: {error}"
                log.exception("loop %s died", loop.name)
            loop.alive = False
            if self._stop.is_set():
                return
            loop.deaths += 1
            pause = FIRST_PAUSE_S if time.monotonic() - began > STEADY_S else min(pause * 2, LONGEST_PAUSE_S)
            self._stop.wait(pause)

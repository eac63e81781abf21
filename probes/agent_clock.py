"""The agent's clock: the wall clock read once at start, carried on by one that nobody sets.

A wall clock that jumps would put results in the wrong order and make the server's correction wrong in the middle of a run.
Within a boot of the agent the distance between any two stamps is exact; the server knows from each request how far off they
all are.
"""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

_KERNEL = Path("/proc/sys/kernel/random/boot_id")


def elapsed_ns() -> int:
    """Nanoseconds of a clock that never jumps; on Linux it also counts while the machine sleeps."""
    clock = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic_ns() if clock is None else time.clock_gettime_ns(clock)


@lru_cache(maxsize=1)
def kernel_id() -> str:
    """Which start of the machine this is; where the system does not tell, this process knows only of itself."""
    try:
        return _KERNEL.read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        return secrets.token_hex(16)


@dataclass(frozen=True, slots=True)
class Clock:
    """`anchor_ms`: the wall clock, UTC milliseconds, when `elapsed_ns` showed `since_ns` in the machine's start `kernel`."""

    anchor_ms: int
    since_ns: int
    kernel: str

    @classmethod
    def start(cls) -> Clock:
        """A clock that shows the wall clock's time now."""
        return cls(time.time_ns() // 1_000_000, elapsed_ns(), kernel_id())

    def now_ms(self) -> int:
        """What this clock shows, UTC milliseconds.

        After a restart of the machine nothing carried it on: then the wall clock is what it comes closest to.
        """
        if self.kernel == kernel_id():
            return self.anchor_ms + (elapsed_ns() - self.since_ns) // 1_000_000
        return time.time_ns() // 1_000_000

    def to_json(self) -> list[int | str]:
        """As kept in the spool."""
        return [self.anchor_ms, self.since_ns, self.kernel]

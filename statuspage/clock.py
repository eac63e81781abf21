"""The one source of now. Everything else takes the time as an argument."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

_EPOCH = datetime.fromtimestamp(0, UTC)
_MS = timedelta(milliseconds=1)


def now() -> datetime:
    """Current time, aware, UTC, cut to milliseconds (the resolution of the store)."""
    return from_ms(time.time_ns() // 1_000_000)


def to_ms(at: datetime) -> int:
    """Milliseconds since the epoch. Raises ValueError for a naive time: its meaning would depend on the machine."""
    if at.tzinfo is None:
        message = f"naive datetime {at.isoformat()}: give it a time zone"
        raise ValueError(message)
    return (at - _EPOCH) // _MS


def from_ms(ms: int) -> datetime:
    """The aware UTC time of `ms` milliseconds since the epoch."""
    return _EPOCH + ms * _MS


def iso(at: datetime) -> str:
    """ISO 8601 with milliseconds and Z, the form of Statuspage's JSON."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03d}Z"

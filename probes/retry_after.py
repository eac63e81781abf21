"""Retry-After: a server that asks to be left alone is left alone, as far as watching it allows (RFC 9110, 10.2.3)."""

from __future__ import annotations

from datetime import UTC
from email.utils import parsedate_to_datetime

LIMITED, UNAVAILABLE = 429, 503
LONGEST_S = 900.0
# A failure is looked at again within a minute, whatever the server asks: else three of them would take an hour to confirm,
# and "Retry-After: 3600" is what a maintenance page sends for as long as it stands.
LONGEST_FAILING_S = 60.0


def read(text: str | None, now_ms: int) -> float | None:
    """Seconds to wait from `now_ms` on (UTC), 0 to 900; None for what is neither a number nor a date."""
    if text is None:
        return None
    if text.isascii() and text.isdecimal():
        return min(LONGEST_S, float(text[:9]))
    try:
        moment = parsedate_to_datetime(text[:60])
    except ValueError:
        return None
    aware = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    return max(0.0, min(LONGEST_S, aware.timestamp() - now_ms / 1000))


def bounded(asked_s: float | None, *, is_failing: bool) -> float:
    """How long to leave a target alone that asked for `asked_s`."""
    return min(asked_s or 0.0, LONGEST_FAILING_S if is_failing else LONGEST_S)

"""Rules by which planned windows repeat: RRULE of RFC 5545, evaluated in local time (see actions/configured_windows.py)."""

from __future__ import annotations

from datetime import datetime

from dateutil.rrule import rrule, rrulestr

from statuspage.errors import InvalidInput

_PARTS = {"FREQ", "INTERVAL", "COUNT", "UNTIL", "BYDAY", "BYMONTHDAY", "BYMONTH", "BYSETPOS", "WKST"}
_FREQUENCIES = {"DAILY", "WEEKLY", "MONTHLY", "YEARLY"}
_ADVICE = 'write an RRULE such as "FREQ=MONTHLY;BYDAY=1TU" (DAILY, WEEKLY, MONTHLY or YEARLY)'
_SOME_DAY = datetime(2026, 1, 1)  # noqa: DTZ001 - rules are evaluated in local time


def check_rule(rule: str) -> None:
    """Raise InvalidInput unless `rule` is one that can be evaluated from a local first date, and does so quickly."""
    parts = dict(part.partition("=")[::2] for part in rule.split(";"))
    if parts.get("FREQ") not in _FREQUENCIES or set(parts) - _PARTS or len(rule) > 200:
        raise InvalidInput(_ADVICE)
    try:
        found = rrulestr(rule, dtstart=_SOME_DAY)
    except (ValueError, KeyError, TypeError, AttributeError, IndexError, OverflowError) as error:  # dateutil raises all of these
        raise InvalidInput(_ADVICE) from error
    if not isinstance(found, rrule):
        raise InvalidInput(_ADVICE)

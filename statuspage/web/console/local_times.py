"""Times as an operator types them: the page's zone, to the minute."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from statuspage.errors import InvalidInput, Words


def parse(text: str, zone: str, field: str) -> datetime | None:
    """The moment that `2026-11-22T13:20` names in `zone`; None for an empty field.

    Raises InvalidInput for another form and for a time that the change to summer time leaves out. A time that occurs twice
    means the first of the two.
    """
    if not text.strip():
        return None
    try:
        local = datetime.fromisoformat(text.strip())
    except ValueError:
        message = Words("write the time as 2026-11-22T13:20, in the zone %(zone)s", zone=zone)
        raise InvalidInput(message, field) from None
    at = local.replace(tzinfo=local.tzinfo or ZoneInfo(zone))
    moment = at.astimezone(UTC)
    if local.tzinfo is None and moment.astimezone(ZoneInfo(zone)).replace(tzinfo=None) != local:
        message = Words("%(time)s does not exist in %(zone)s: the clock jumps over it", time=text, zone=zone)
        raise InvalidInput(message, field)
    return moment


def show(at: datetime | None, zone: str) -> str:
    """The form's spelling of `at`; '' for None."""
    return at.astimezone(ZoneInfo(zone)).strftime("%Y-%m-%dT%H:%M") if at else ""

"""When a person's phone may ring (messaging.md D.4): at night only for what cannot wait, and only for those who want that.

What waits is said in the morning if it is still true then; a newer word about the same notice takes its place meanwhile.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from statuspage.domain import status

# What a reader may choose on the page of their subscription; "" leaves it to the operator's setting.
CHOICES = ("", "urgent", "all", "none")
MORNING = timedelta(hours=2)  # how long after the night what waited is still worth saying
_GRAVE = {"at_risk_act_now", "loss_confirmed"}
_CALM = {"resolved", "recovered", "reminder"}


@dataclass(frozen=True, slots=True)
class Night:
    """From `begins` to `ends` in the reader's local time, none when they are equal. `wakes`: urgent news come through."""

    begins: time = time(22)
    ends: time = time(8)
    wakes: bool = True

    @classmethod
    def read(cls, stored: Mapping[str, Any] | None) -> Night:
        """The meta row `quiet_hours` of wallet.yaml; the default night where it says nothing."""
        data = stored or {}
        hours = {name: time.fromisoformat(data[key]) for name, key in (("begins", "from"), ("ends", "until")) if key in data}
        return cls(**hours, wakes=bool(data.get("wake", True)))


def is_urgent(payload: Mapping[str, Any]) -> bool:
    """Whether a notice's message is worth waking somebody: a security notice, money at risk, or an outage that begins or grows.

    `payload`: the frozen one of the outbox. Degradations, advisories, maintenance, progress and good news wait.
    """
    facts = payload.get("facts") or {}
    if payload.get("event") in _CALM or facts.get("kind") in {"maintenance", "advisory"}:
        return False
    if facts.get("kind") == "security" or facts.get("funds_safety") in _GRAVE:
        return True
    if facts.get("impact") not in {"critical", "major"}:
        return False
    grows = any(_rank(new) > _rank(old) for old, new in (payload.get("changes") or {}).values())
    return payload.get("event") != "updated" or grows


def _rank(word: str) -> int:
    return status.RANK.get(word, 0)


def quiet_until(at: datetime, zone: ZoneInfo, night: Night, choice: str, *, is_urgent: bool) -> datetime | None:
    """When a person in `zone` may be disturbed: None for now, else the end of their night. `choice` is one of CHOICES."""
    wakes = night.wakes if choice == "" else choice == "urgent"
    if choice == "all" or (wakes and is_urgent) or night.begins == night.ends:
        return None
    local = at.astimezone(zone)
    if not _is_dark(local.time(), night):
        return None
    is_before_midnight = night.begins > night.ends and local.time() >= night.begins
    day = local.date() + timedelta(days=1 if is_before_midnight else 0)
    return datetime.combine(day, night.ends, zone).astimezone(UTC)


def _is_dark(clock: time, night: Night) -> bool:
    if night.begins < night.ends:
        return night.begins <= clock < night.ends
    return clock >= night.begins or clock < night.ends


def zone_of(person: str, page: str) -> ZoneInfo:
    """A person's zone; the page's where they named none (stored as UTC), UTC where that is none either."""
    for name in (person if person != "UTC" else "", page):
        try:
            return ZoneInfo(name)
        except (ValueError, ZoneInfoNotFoundError, OSError):
            continue
    return ZoneInfo("UTC")

"""Problem reports: what one may hold, how many are usual, when there are more, and what of it may be shown.

A report is a count with a few coarse words. It can support what monitors suspect; it never is a reason of its own for a notice.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median

from statuspage.clock import to_ms
from statuspage.domain import sealing, secret_shapes
from statuspage.errors import InvalidInput

PLATFORMS = ("ios", "android", "harmonyos", "browser", "desktop", "other")
TEXT, SHORT = 500, 40  # characters of the free text, and of version and region

WINDOW = timedelta(minutes=15)  # a rise is seen within it
FEWEST = 8  # networks within a window below which nothing is a rise: one becoming three is no news
HOUR_MS = 3_600_000
_WEEK = 168  # hours
_WEEKS = 8
HOURS_KEPT = (_WEEKS * _WEEK) + 48

SHOWN = 24  # whole hours of the public trend
UNSEEN = 5  # k-anonymity: a smaller number is never shown

_VERSION = re.compile(r"[\w.+()\- ]*")
# The digits of a dotted version are no telephone number.
_DOTTED = re.compile(r"[vV]?[0-9]{1,4}(?:\.[0-9]{1,8}){1,4}(?:[ +-]{0,2}\(?[\w.+-]{1,16}\)?)?")


class HoldsSecret(InvalidInput):
    """What was written has the shape of a secret. `kinds`: of domain.secret_shapes. The text is in no part of this error."""

    def __init__(self, kinds: tuple[str, ...], field: str) -> None:
        super().__init__("this looks like a secret", field)
        self.kinds = kinds


@dataclass(frozen=True, slots=True)
class Report:
    """One reader's report, cleaned: safe to store. `component_id`: a function or a network, '' for none."""

    symptom: str
    component_id: str = ""
    version: str = ""
    platform: str = ""
    region: str = ""
    text: str = ""


def read(said: Mapping[str, str], symptoms: Collection[str], component_ids: Collection[str]) -> Report:
    """A form's fields as a report. Raises HoldsSecret where any of them has the shape of a secret, else InvalidInput.

    Telephone numbers, addresses and links are masked. A function that is not one, and a platform, count as not given.
    """
    for field in ("text", "version", "region"):
        if kinds := secret_shapes.secrets_in(said.get(field, "")[: TEXT * 4]):
            raise HoldsSecret(kinds, field)
    if said.get("symptom", "") not in symptoms:
        message = "choose what you see"
        raise InvalidInput(message, "symptom")
    if len(said.get("text", "")) > TEXT:
        message = "that is too long: 500 characters are enough here"
        raise InvalidInput(message, "text")
    component_id, platform = said.get("component", ""), said.get("platform", "")
    return Report(
        symptom=said["symptom"], component_id=component_id if component_id in component_ids else "",
        version=_version(said.get("version", "")[:SHORT].strip()), platform=platform if platform in PLATFORMS else "",
        region=_letters(secret_shapes.masked(said.get("region", "")[:SHORT])), text=secret_shapes.masked(said.get("text", "")),
    )  # fmt: skip


def _version(text: str) -> str:
    text = text if _DOTTED.fullmatch(text) else secret_shapes.masked(text)
    return text if _VERSION.fullmatch(text) else ""


def _letters(text: str) -> str:
    """A region has no digits: what has them is a house, a post code or a number of somebody."""
    return "" if any(unicodedata.category(one) in {"Nd", "Nl", "No"} for one in text) else text


def who(key: bytes, ip_prefix: str, now: datetime) -> str:
    """What a network is called within one day (UTC): enough to count it once, useless the day after and without the key."""
    return sealing.keyed_hash(key, f"report {now:%Y-%m-%d} {ip_prefix}")[:32]


def hour_of(at: datetime) -> int:
    """Hours since the epoch."""
    return to_ms(at) // HOUR_MS


def usual(counts: Mapping[int, int], hour: int, first_hour: int) -> int:
    """How many reports of a symptom one window of `hour` usually holds, from its counts by hour, rounded up.

    The median of the same hour of the week and its neighbours, eight weeks back: one outage in them moves no median. Before there
    is a week of history, the median of all hours before. `first_hour`: since when anything was counted at all.
    """
    same = [hour - week * _WEEK + beside for week in range(1, _WEEKS + 1) for beside in (-1, 0, 1)]
    past = [one for one in same if one >= first_hour] or list(range(max(first_hour, hour - _WEEK), hour))
    if not past:
        return 0
    windows = timedelta(hours=1) / WINDOW
    return -int(-median(counts.get(one, 0) for one in past) // windows)


def enough(usually: int) -> int:
    """How many networks within a window make a rise: twice as many as usual and four more, at least FEWEST."""
    return max(FEWEST, 2 * usually + 4)


def is_over(count: int, usually: int) -> bool:
    """Whether a rise is over: fewer than half of what made one, so that it does not come and go with every report."""
    return count * 2 < enough(usually)


@dataclass(frozen=True, slots=True)
class Trend:
    """Reports of a symptom in the last whole hours, oldest first; 0 for fewer than UNSEEN. `last_hour`: its newest."""

    counts: tuple[int, ...]
    last_hour: int

    @property
    def most(self) -> int:
        """The largest number."""
        return max(self.counts)

    @property
    def most_hour(self) -> int:
        """The hour of the largest number, the newest where several are."""
        back = self.counts[::-1].index(self.most)
        return self.last_hour - back


def trend(counts: Mapping[int, int], now: datetime) -> Trend | None:
    """What the public sees of `counts` by hour; None where no hour has enough of them. The hour under way is not shown."""
    last = hour_of(now) - 1
    shown = tuple(count if (count := counts.get(hour, 0)) >= UNSEEN else 0 for hour in range(last - SHOWN + 1, last + 1))
    return Trend(shown, last) if any(shown) else None

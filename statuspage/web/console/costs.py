"""What SMS to the public will cost and did cost: by the very texts, the readers' countries and wallet.yaml's prices."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from statuspage import i18n
from statuspage.actions import subscribe_limits
from statuspage.channels import registry
from statuspage.channels.message import Message
from statuspage.domain import sms_price
from statuspage.store import pages, spend
from statuspage.store.notices import Notice
from statuspage.web.console.respond import language, words

_TOO_DEAR = (
    "These SMS cost about %(cost)s, and the spend ceilings leave %(left)s now: the rest waits for the next hour or month. "
    "Push, webhooks, page and feeds do not wait."
)
_UNPRICED = (
    "%(n)s of the numbers are in countries without a price in wallet.yaml (channels.sms.prices); %(guess)s a segment is "
    "reckoned for them."
)
_SEGMENTS = "statuspage.channels.texts:segments"


@dataclass(frozen=True, slots=True)
class Cost:
    """`milli`: thousandths of `currency`. `is_free`: printed, because no account is set. `unpriced`: people without a price."""

    people: int
    segments: int
    milli: int
    currency: str
    is_free: bool
    unpriced: int
    left_milli: int

    @property
    def sms_words(self) -> str:
        """'1,204 SMS (2,408 segments, ~US$120.40)'."""
        values = {"n": f"{self.people:,}", "segments": f"{self.segments:,}", "cost": self.cost_words}
        return words("%(n)s SMS (%(segments)s segments, %(cost)s)", **values)

    @property
    def cost_words(self) -> str:
        """'~US$120.40', or that it costs nothing."""
        return words("printed, free of charge") if self.is_free else "~" + money(self.milli, self.currency)

    @property
    def warnings(self) -> list[str]:
        """What an operator should know before pressing the button."""
        out = []
        if not self.is_free and self.milli > self.left_milli:
            out.append(words(_TOO_DEAR, cost=money(self.milli, self.currency), left=money(self.left_milli, self.currency)))
        if not self.is_free and self.unpriced:
            guess = money(sms_price.UNPRICED_MILLI, self.currency)
            out.append(words(_UNPRICED, n=f"{self.unpriced:,}", guess=guess))
        return out


def money(milli: int, currency: str) -> str:
    """An amount in the operator's language."""
    return i18n.money_words(milli, currency, language())


def expected(
    conn: Connection, kind: str, components: Mapping[str, str], segments: Mapping[str, int], now: datetime
) -> Cost:
    """What a notice would cost; `segments` of its text by language."""
    return _reckon(conn, spend.reach(conn, kind, list(components)), segments, now)


def spent(conn: Connection, found: Notice, now: datetime) -> Cost | None:
    """What the SMS accepted about a notice cost, over all its updates; None when there were none."""
    by_row = spend.sent(conn, found.id)
    if not by_row:
        return None
    rows = spend.said(conn, by_row)
    parts = []
    for outbox_id, people in by_row.items():
        segments = {tag: registry.load(_SEGMENTS)(_message(rows[outbox_id], tag)) for tag, _code in people}
        parts.append(_reckon(conn, people, segments, now))
    return replace(
        parts[0], people=sum(part.people for part in parts), segments=sum(part.segments for part in parts),
        milli=sum(part.milli for part in parts), unpriced=sum(part.unpriced for part in parts),
    )  # fmt: skip


def _reckon(conn: Connection, people: Counter[tuple[str, str]], segments: Mapping[str, int], now: datetime) -> Cost:
    settings: dict[str, Any] = (pages.load_meta(conn, "channels", {}) or {}).get("sms") or {}
    purse = subscribe_limits.purse(conn, settings, now)
    counted = {key: number * segments.get(key[0], 1) for key, number in people.items()}
    milli = sum(number * sms_price.segment_milli(settings, code) for (_tag, code), number in counted.items())
    unpriced = sum(number for (_tag, code), number in people.items() if not sms_price.is_priced(settings, code))
    is_free = not settings.get("twilio")
    return Cost(
        people.total(), sum(counted.values()), 0 if is_free else milli, purse.currency, is_free, unpriced, purse.left
    )


def _message(row: Mapping[str, Any], tag: str) -> Message:
    """The message as it was handed over: its words are in the frozen payload."""
    return Message(
        key="cost", kind=row["kind"], channel="sms", audience="public", language=tag, payload=row["payload"],
        urgency=row["urgency"], created_at=row["created_at"], expires_at=row["expires_at"],
    )  # fmt: skip

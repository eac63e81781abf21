"""What keeps the subscribe form from being used against others, and against the operator's purse (reliability.md 1.8, D.6).

All counts live in the database, so that every process shares them. Whoever asks is limited openly; what is sent to an address is
limited without telling. When counting fails, nothing is sent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, select, update

from statuspage.actions.context import Context
from statuspage.actions.limits import Limit, TooOften, take
from statuspage.domain import address, sms_price
from statuspage.store import pages, upserts
from statuspage.store import subscribers as stored
from statuspage.store.schema.runtime import rate_buckets

ASKER = Limit("subscribe-ip", 10, 4 * 3600)
CONFIRMER = Limit("confirm-ip", 20, 3600)
# Per address, per group of neighbouring addresses, over all. Each channel's first bucket is the tightest.
# Two at once and one more a day: never more than three in any 24 hours.
_NUMBER = (Limit("sms-number", 1, 600), Limit("sms-number-day", 2, 172_800))
_NUMBERS_NEAR = Limit("sms-prefix", 5, 3600)
_URL = (Limit("webhook-url", 1, 900), Limit("webhook-url-day", 2, 172_800))
_HOST = Limit("webhook-host", 10, 3600)
_ALL = Limit("subscribe-all", 600, 3600)

# The breaker: fewer than one in five of the last fifty requests confirmed is a machine asking, not people.
BREAKER_LAST = 50
BREAKER_SHARE = 5
_CONFIRM_TIME = timedelta(minutes=10)
_BREAKER_WINDOW = timedelta(hours=24)

_SPEND = "sms-spend-"


def asker(conn: Connection, key: bytes, ip_prefix: str, now: datetime) -> None:
    """Count one request of a network, whatever the channel. Raises TooOften."""
    take(conn, key, ASKER, ip_prefix, now)


def confirmer(conn: Connection, key: bytes, ip_prefix: str, now: datetime) -> None:
    """Count one typed code of a network. Raises TooOften."""
    take(conn, key, CONFIRMER, ip_prefix, now)


def target(conn: Connection, key: bytes, channel: str, identity: str, now: datetime) -> None:
    """Count one message to an address that did not ask us before. Raises TooOften; the caller tells nobody."""
    if channel == "sms":
        wanted = [*((limit, identity) for limit in _NUMBER), (_NUMBERS_NEAR, address.phone_prefix(identity))]
    else:
        wanted = [*((limit, identity) for limit in _URL), (_HOST, address.host_of(identity))]
    for limit, who in [*wanted, (_ALL, "all")]:
        take(conn, key, limit, who, now)


def sms_open(conn: Connection, settings: Mapping[str, Any], now: datetime) -> None:
    """Raise TooOften while the breaker is open or the purse is empty: then nobody is sent a code."""
    if is_breaker_open(conn, now):
        raise TooOften(int(_CONFIRM_TIME.total_seconds()))
    for name, ceiling_milli in _ceilings(settings, now):
        if _spent(conn, name) >= ceiling_milli:
            raise TooOften(600)


def is_breaker_open(conn: Connection, now: datetime) -> bool:
    """For the console: SMS sign-up has stopped because codes are not typed back."""
    asked, confirmed = stored.confirmation_ratio(conn, "sms", now - _BREAKER_WINDOW, now - _CONFIRM_TIME, BREAKER_LAST)
    return asked >= BREAKER_LAST and confirmed * BREAKER_SHARE < asked


def reserve(ctx: Context, costs_milli: Sequence[int]) -> int:
    """Count SMS to the public against the hourly and monthly ceilings before they are sent; how many of them, in order, may go.

    `costs_milli`: thousandths of the currency, as domain.sms_price reckons. Committed before sending: a crash in between counts
    too much, never too little, and two workers cannot both have the last.
    """
    now = ctx.now()
    allowed = 0
    with ctx.db.write() as conn:
        ceilings = _ceilings((pages.load_meta(conn, "channels", {}) or {}).get("sms") or {}, now)
        for cost_milli in costs_milli:
            if not _spend(conn, ceilings, cost_milli, now):
                break
            allowed += 1
    return allowed


def cost_milli(settings: Mapping[str, Any], label: str, segments: int) -> int:
    """What one SMS of that many segments to the owner of `label` is reckoned at; `settings` are those of channels.sms."""
    return segments * sms_price.segment_milli(settings, sms_price.calling_code(label))


@dataclass(frozen=True, slots=True)
class Purse:
    """What SMS to the public have cost and may cost, in thousandths of `currency`."""

    currency: str
    hour_spent: int
    hour_ceiling: int
    month_spent: int
    month_ceiling: int

    @property
    def left(self) -> int:
        """What may still be spent now."""
        return max(0, min(self.hour_ceiling - self.hour_spent, self.month_ceiling - self.month_spent))


def purse(conn: Connection, settings: Mapping[str, Any], now: datetime) -> Purse:
    """For the console: the ceilings of `channels.sms` and what they have let through."""
    (hour, hour_ceiling), (month, month_ceiling) = _ceilings(settings, now)
    currency = str(sms_price.spend_settings(settings)["currency"])
    return Purse(currency, _spent(conn, hour), hour_ceiling, _spent(conn, month), month_ceiling)


def _ceilings(settings: Mapping[str, Any], now: datetime) -> list[tuple[str, int]]:
    spend = sms_price.spend_settings(settings)
    hour, month = f"{_SPEND}{now:%Y-%m-%dT%H}", f"{_SPEND}{now:%Y-%m}"
    return [(hour, int(spend["per_hour"]) * 1000), (month, int(spend["per_month"]) * 1000)]


def _spent(conn: Connection, name: str) -> int:
    return int(conn.scalar(select(rate_buckets.c.tokens_milli).where(rate_buckets.c.name == name)) or 0)


def _spend(conn: Connection, ceilings: list[tuple[str, int]], cost_milli: int, now: datetime) -> bool:
    for name, _ceiling in ceilings:
        fresh = upserts.insert(conn, rate_buckets).values(name=name, tokens_milli=0, at=now)
        conn.execute(fresh.on_conflict_do_nothing())
    rows = conn.execute(
        select(rate_buckets.c.name, rate_buckets.c.tokens_milli).where(rate_buckets.c.name.in_([name for name, _ in ceilings]))
        .order_by(rate_buckets.c.name).with_for_update()
    )  # fmt: skip
    spent = {name: int(milli) for name, milli in rows}
    if any(spent[name] + cost_milli > ceiling for name, ceiling in ceilings):
        return False
    where = rate_buckets.c.name.in_(list(spent))
    conn.execute(update(rate_buckets).where(where).values(tokens_milli=rate_buckets.c.tokens_milli + cost_milli, at=now))
    return True

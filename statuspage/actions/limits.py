"""Token buckets in the database: the same limit for every process, and a restart does not refill it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Connection, and_, delete, insert, not_, or_, select, update

from statuspage.domain import sealing
from statuspage.errors import NotAllowed, Words
from statuspage.store import upserts
from statuspage.store.schema.runtime import rate_buckets

_WHOLE = 1000  # tokens are kept in thousandths
# How long a row is kept by the beginning of its name; "" for all others: longer than the longest window (two days).
LIVES = {
    "": timedelta(days=3),
    "sms-spend-": timedelta(days=62),  # a month's sum, written until its last day
    "sign_in_known:": timedelta(days=180),
}


class TooOften(NotAllowed):
    """The bucket is empty. `wait_s` says when the next try has a chance."""

    def __init__(self, wait_s: int) -> None:
        super().__init__(Words("too many tries: wait %(seconds)s s", seconds=wait_s))
        self.wait_s = wait_s


@dataclass(frozen=True, slots=True)
class Limit:
    """`count` tries per `window_s` seconds; a full bucket allows all of them at once."""

    name: str
    count: int
    window_s: int


def take(connection: Connection, key: bytes, limit: Limit, who: str, now: datetime) -> None:
    """Count one try of `who` against `limit`. Raises TooOften when none is left.

    `who` (an address prefix, an account) is stored only as a keyed hash. Raising rolls the caller's transaction back: a
    refused try costs nothing, and the counted ones must be committed before the costly work starts.
    """
    name = bucket_name(key, limit.name, who)
    fresh = upserts.insert(connection, rate_buckets).values(name=name, tokens_milli=limit.count * _WHOLE, at=now)
    connection.execute(fresh.on_conflict_do_nothing())
    row = connection.execute(select(rate_buckets).where(rate_buckets.c.name == name).with_for_update()).one()
    # A clock that stepped back must not empty the bucket.
    passed_ms = max(0, int((now - row.at) / timedelta(milliseconds=1)))
    tokens = min(limit.count * _WHOLE, row.tokens_milli + passed_ms * limit.count // limit.window_s)
    if tokens < _WHOLE:
        raise TooOften((_WHOLE - tokens) * limit.window_s // (limit.count * _WHOLE) + 1)
    values = {"tokens_milli": tokens - _WHOLE, "at": now}
    connection.execute(update(rate_buckets).where(rate_buckets.c.name == name).values(values))


def remember(connection: Connection, key: bytes, what: str, who: str, now: datetime) -> None:
    """Note that `who` did `what` now: a marker without tokens."""
    name = bucket_name(key, what, who)
    connection.execute(delete(rate_buckets).where(rate_buckets.c.name == name))
    connection.execute(insert(rate_buckets).values(name=name, tokens_milli=0, at=now))


def is_remembered(connection: Connection, key: bytes, what: str, who: str) -> bool:
    """Whether `remember` was called for this."""
    name = bucket_name(key, what, who)
    return connection.scalar(select(rate_buckets.c.name).where(rate_buckets.c.name == name)) is not None


def forget(connection: Connection, now: datetime, limit: int = 5000) -> int:
    """Delete at most `limit` rows that say nothing any more; how many. A bucket untouched for longer than any window is full."""
    stale = [
        and_(_of(prefix), rate_buckets.c.at < now - life) if prefix
        else and_(not_(or_(*(_of(other) for other in LIVES if other))), rate_buckets.c.at < now - life)
        for prefix, life in LIVES.items()
    ]  # fmt: skip
    names = list(connection.execute(select(rate_buckets.c.name).where(or_(*stale)).limit(limit)).scalars())
    connection.execute(delete(rate_buckets).where(rate_buckets.c.name.in_(names)))
    return len(names)


def _of(prefix: str) -> ColumnElement[bool]:
    return rate_buckets.c.name.startswith(prefix, autoescape=True)


def bucket_name(key: bytes, what: str, who: str) -> str:
    """The row's name: what is limited in clear, who only as a keyed hash."""
    return f"{what}:{sealing.keyed_hash(key, who)[:32]}"

"""Subscriptions: who asked to be told, by which channel, about what."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, RowMapping, Text, cast, func, select, text, true

from statuspage.store.schema.delivery import subscriptions, suppressions


@dataclass(frozen=True, slots=True)
class Subscription:
    """One row of `subscriptions`. The address is sealed; `label` is its masked form."""

    id: int
    public_id: str
    subscriber_id: int
    channel: str
    audience: str
    address_sealed: bytes
    address_hash: str
    label: str
    components: list[str]
    kinds: list[str]
    notice_id: int | None
    language: str
    state: str
    token_hash: str | None
    token_expires_at: datetime | None
    attempts: int
    created_at: datetime
    confirmed_at: datetime | None
    off_at: datetime | None
    meta: dict[str, Any]


def _read(row: RowMapping | None) -> Subscription | None:
    return None if row is None else Subscription(**{name: row[name] for name in Subscription.__dataclass_fields__})


def _one(conn: Connection, where: ColumnElement[bool], *, for_update: bool) -> Subscription | None:
    statement = select(subscriptions).where(where)
    return _read(conn.execute(statement.with_for_update() if for_update else statement).mappings().first())


def by_id(conn: Connection, subscription_id: int, *, for_update: bool = False) -> Subscription | None:
    """The subscription with this row id."""
    return _one(conn, subscriptions.c.id == subscription_id, for_update=for_update)


def by_public_id(conn: Connection, public_id: str, *, for_update: bool = False) -> Subscription | None:
    """The subscription with this public id."""
    return _one(conn, subscriptions.c.public_id == public_id, for_update=for_update)


def by_address(conn: Connection, channel: str, address_hash: str) -> list[Subscription]:
    """Every subscription of one address, those of single notices included."""
    where = (subscriptions.c.channel == channel) & (subscriptions.c.address_hash == address_hash)
    rows = conn.execute(select(subscriptions).where(where).order_by(subscriptions.c.id).with_for_update()).mappings()
    return [found for row in rows if (found := _read(row))]


def of_audiences(conn: Connection, audiences: Iterable[str]) -> list[Subscription]:
    """The operators' and the on-call's subscriptions, ended ones included."""
    where = subscriptions.c.audience.in_(list(audiences))
    rows = conn.execute(select(subscriptions).where(where).order_by(subscriptions.c.id)).mappings()
    return [found for row in rows if (found := _read(row))]


def is_suppressed(conn: Connection, channel: str, address_hash: str) -> bool:
    """Whether this address said STOP or was found dead: nothing may be sent there."""
    where = (suppressions.c.channel == channel) & (suppressions.c.address_hash == address_hash)
    return conn.execute(select(suppressions.c.channel).where(where)).first() is not None


def lock_address(conn: Connection, address_hash: str) -> None:
    """Make two requests for one address wait for each other until the transaction ends. SQLite has one writer anyway."""
    if conn.dialect.name == "postgresql":
        conn.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": int(address_hash[:15], 16)})


def confirmation_ratio(conn: Connection, channel: str, since: datetime, until: datetime, last: int) -> tuple[int, int]:
    """(asked, confirmed) among the newest `last` public requests between two times: how an abuse of the form shows."""
    window = (
        select(subscriptions.c.confirmed_at)
        .where(subscriptions.c.channel == channel, subscriptions.c.audience == "public")
        .where(subscriptions.c.created_at >= since, subscriptions.c.created_at < until)
        .order_by(subscriptions.c.id.desc()).limit(last).subquery()
    )  # fmt: skip
    row = conn.execute(select(func.count(), func.count(window.c.confirmed_at)).select_from(window)).one()
    return int(row[0]), int(row[1])


def count_reached(conn: Connection, components: Iterable[str], kind: str) -> dict[str, int]:
    """How many active public subscriptions per channel a notice of `kind` about `components` would reach."""
    statement = (
        select(subscriptions.c.channel, func.count())
        .where(subscriptions.c.state == "active", subscriptions.c.audience == "public", subscriptions.c.notice_id.is_(None))
        .where(concerns(components, kind)).group_by(subscriptions.c.channel)
    )  # fmt: skip
    return {channel: int(count) for channel, count in conn.execute(statement)}


def concerns(components: Iterable[str], kind: str) -> ColumnElement[bool]:
    """Whether a subscription's filters let through a notice of `kind` about `components`. [] = everything.

    A notice about no component in particular (an advisory, a security notice) concerns everybody. The lists are JSON texts of
    quoted ids, so that containing the quoted id is membership, on both databases alike.
    """
    listed = cast(subscriptions.c.components, Text)
    kinds = cast(subscriptions.c.kinds, Text)
    wanted = [listed.contains(f'"{component}"', autoescape=True) for component in components]
    about: ColumnElement[bool] = listed == "[]" if wanted else true()
    for one in wanted:
        about = about | one
    return about & ((kinds == "[]") | kinds.contains(f'"{kind}"', autoescape=True))


def counts(conn: Connection) -> list[tuple[str, str, str, int]]:
    """(channel, audience, state, number) of all subscriptions."""
    keys = (subscriptions.c.channel, subscriptions.c.audience, subscriptions.c.state)
    statement = select(*keys, func.count()).group_by(*keys).order_by(*keys)
    return [(row[0], row[1], row[2], int(row[3])) for row in conn.execute(statement)]

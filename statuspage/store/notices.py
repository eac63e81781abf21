"""Notices, their updates and the log: queries and the row writers that actions use."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, Text, and_, func, insert, or_, select, text, type_coerce, update

from statuspage.domain.lifecycle import FINAL
from statuspage.domain.notice import Facts
from statuspage.store.folding import read_loosely, words_of
from statuspage.store.schema.notices import (
    OPEN,
    changes,
    log,
    log_bodies,
    notice_components,
    notice_monitors,
    notice_updates,
    notices,
)

_FINAL = sorted(set().union(*FINAL.values()))
_is_open = text(f"notices.{OPEN}")
_is_public = notices.c.visibility + "" == "public"  # an expression: the index of those that are open is the shorter one
CHANGES = "statuspage_changes"  # PostgreSQL channel


@dataclass(frozen=True, slots=True)
class Notice:
    """One row of `notices` with its facts read."""

    id: int
    public_id: str
    number: str
    kind: str
    status: str
    visibility: str
    source: str
    facts: Facts
    impact: str
    touched: bool
    demo: bool
    backfilled: bool
    created_by: str
    version: int
    created_at: datetime
    updated_at: datetime
    detected_at: datetime | None
    started_at: datetime | None
    confirmed_at: datetime | None
    published_at: datetime | None
    resolved_at: datetime | None
    recovered_at: datetime | None
    scheduled_for: datetime | None
    scheduled_until: datetime | None
    next_update_by: datetime | None
    overrun_asked_at: datetime | None
    publish_at: datetime | None
    remind_before_s: tuple[int, ...]
    reminded: tuple[int, ...]

    @property
    def is_open(self) -> bool:
        """Something more is expected of it."""
        return self.status not in FINAL[self.kind]

    @property
    def is_suspected(self) -> bool:
        """A machine opened it and no person has confirmed it."""
        return self.source == "monitor" and self.confirmed_at is None


@dataclass(frozen=True, slots=True)
class Update:
    """One row of `notice_updates` with its snapshot read."""

    id: int
    public_id: str
    notice_id: int
    sequence: int
    status: str
    bodies: dict[str, str]
    facts: Facts
    changes: dict[str, list[str]]
    display_at: datetime
    created_at: datetime
    author: str
    by_machine: bool
    notify: bool
    corrects_id: int | None


_WHOLE = select(*(notices.c[name] for name in Notice.__dataclass_fields__))  # what is kept for searching is not part of it


def _notice(row: RowMapping) -> Notice:
    values = {name: row[name] for name in Notice.__dataclass_fields__}
    facts = Facts.from_json(values["facts"])
    return Notice(
        **{
            **values,
            "facts": facts,
            "remind_before_s": tuple(row["remind_before_s"]),
            "reminded": tuple(row["reminded"]),
        }
    )


def _update(row: RowMapping) -> Update:
    values = {name: row[name] for name in Update.__dataclass_fields__}
    return Update(**{**values, "facts": Facts.from_json(values["facts"])})


def _all(conn: Connection, statement: Any) -> list[Notice]:  # noqa: ANN401 - a select of `notices`
    return [_notice(row) for row in conn.execute(statement).mappings()]


def by_id(conn: Connection, notice_id: int) -> Notice:
    """The notice with this row id; it must exist."""
    return _notice(conn.execute(_WHOLE.where(notices.c.id == notice_id)).mappings().one())


def by_public_id(conn: Connection, public_id: str) -> Notice | None:
    """The notice with this public id, drafts included."""
    row = conn.execute(_WHOLE.where(notices.c.public_id == public_id)).mappings().first()
    return _notice(row) if row else None


def by_number(conn: Connection, number: str) -> Notice | None:
    """The notice with this number (N-4K7Q), drafts included."""
    row = conn.execute(_WHOLE.where(notices.c.number == number.upper())).mappings().first()
    return _notice(row) if row else None


def open_notices(conn: Connection, *, public_only: bool = False) -> list[Notice]:
    """Notices of which something more is expected, oldest first."""
    statement = _WHOLE.where(_is_open).order_by(notices.c.id)
    return _all(conn, statement.where(_is_public) if public_only else statement)


def latest(conn: Connection, limit: int, *, before_id: int | None = None) -> list[Notice]:
    """The newest `limit` notices for operators, drafts included."""
    statement = _WHOLE.order_by(notices.c.id.desc()).limit(limit)
    return _all(conn, statement.where(notices.c.id < before_id) if before_id else statement)


def updates_of(conn: Connection, notice_ids: Sequence[int]) -> dict[int, list[Update]]:
    """Updates per notice id, oldest first."""
    out: dict[int, list[Update]] = {notice_id: [] for notice_id in notice_ids}
    statement = select(notice_updates).where(notice_updates.c.notice_id.in_(notice_ids)).order_by(notice_updates.c.id)
    for row in conn.execute(statement).mappings():
        out[row["notice_id"]].append(_update(row))
    return out


def updates_by_id(conn: Connection, ids: Sequence[int]) -> dict[int, Update]:
    """Updates of these ids. Raises ValueError, TypeError or AttributeError for a row that is damaged."""
    statement = select(notice_updates).where(notice_updates.c.id.in_(ids))
    return {row["id"]: _update(row) for row in conn.execute(statement).mappings()}


def last_update(conn: Connection, notice_id: int) -> Update:
    """The newest update of a notice; it must exist."""
    statement = (
        select(notice_updates).where(notice_updates.c.notice_id == notice_id).order_by(notice_updates.c.sequence.desc())
    )
    return _update(conn.execute(statement.limit(1)).mappings().one())


def is_taken(conn: Connection, *, public_id: str = "", number: str = "") -> bool:
    """True when a notice already has this id or number."""
    wanted = notices.c.public_id == public_id if public_id else notices.c.number == number
    return conn.execute(select(notices.c.id).where(wanted)).first() is not None


def insert_notice(conn: Connection, values: dict[str, Any]) -> int:
    """Write a notice row; its id."""
    values = {**values, "words": words_of(values["number"], values["facts"], ())}
    return int(conn.execute(insert(notices).values(values).returning(notices.c.id)).scalar_one())


def change_notice(conn: Connection, notice_id: int, values: dict[str, Any]) -> None:
    """Write the projection of a notice's latest update, or its bookkeeping columns. Its words come with `insert_update`."""
    conn.execute(update(notices).where(notices.c.id == notice_id).values(values))


def insert_update(conn: Connection, values: dict[str, Any]) -> int:
    """Write an update row, and with it what a search finds its notice by; its id."""
    update_id = int(conn.execute(insert(notice_updates).values(values).returning(notice_updates.c.id)).scalar_one())
    notice_id = values["notice_id"]
    number = conn.execute(select(notices.c.number).where(notices.c.id == notice_id)).scalar_one()
    # As text: a damaged row of before costs its own words, never the update.
    said = select(type_coerce(notice_updates.c.bodies, Text), type_coerce(notice_updates.c.facts, Text))
    said = said.where(notice_updates.c.notice_id == notice_id).order_by(notice_updates.c.sequence)
    before = [(read_loosely(bodies), read_loosely(facts)) for bodies, facts in conn.execute(said)]
    words = words_of(number, values["facts"], before)
    conn.execute(update(notices).where(notices.c.id == notice_id).values(words=words))
    return update_id


def set_components(conn: Connection, notice_id: int, claims: dict[str, str]) -> None:
    """Replace what a notice claims of components."""
    conn.execute(notice_components.delete().where(notice_components.c.notice_id == notice_id))
    if claims:
        rows = [{"notice_id": notice_id, "component_id": key, "status": value} for key, value in claims.items()]
        conn.execute(insert(notice_components), rows)


def claims_on(conn: Connection, component_ids: Iterable[str]) -> list[tuple[str, str, Notice]]:
    """(component id, claimed status, notice) of every open public notice that names one of `component_ids`.

    A backfilled notice tells the past, also in the moment between its first entry and its last: it claims nothing now.
    """
    statement = (
        _WHOLE.add_columns(notice_components.c.component_id, notice_components.c.status.label("claimed"))
        .join(notice_components, notice_components.c.notice_id == notices.c.id)
        # An expression again: open notices are few, those that ever named a component are many.
        .where((notice_components.c.component_id + "").in_(list(component_ids)), _is_public, _is_open,
               notices.c.backfilled == False)  # noqa: E712 - SQL
    )  # fmt: skip
    return [(row["component_id"], row["claimed"], _notice(row)) for row in conn.execute(statement).mappings()]


def link_monitor(conn: Connection, notice_id: int, monitor_id: str, at: datetime) -> None:
    """Say that `monitor_id` is failing within this notice."""
    key = and_(notice_monitors.c.notice_id == notice_id, notice_monitors.c.monitor_id == monitor_id)
    if conn.execute(update(notice_monitors).where(key).values(up_at=None)).rowcount == 0:
        conn.execute(insert(notice_monitors).values(notice_id=notice_id, monitor_id=monitor_id, down_at=at))


def release_monitors(conn: Connection, monitor_ids: Iterable[str], at: datetime) -> list[int]:
    """Say that these monitors work again; ids of the open notices they were failing in, oldest first.

    Asks once however many they are: what fails is little, what works may be everything.
    """
    working = set(monitor_ids)
    statement = (
        select(notice_monitors.c.notice_id, notice_monitors.c.monitor_id, notices.c.status)
        .join(notices, notices.c.id == notice_monitors.c.notice_id)
        .where(notice_monitors.c.up_at.is_(None))
    )
    rows = [row for row in conn.execute(statement) if row.monitor_id in working]
    for monitor_id in sorted({row.monitor_id for row in rows}):
        failing = (notice_monitors.c.monitor_id == monitor_id) & notice_monitors.c.up_at.is_(None)
        conn.execute(update(notice_monitors).where(failing).values(up_at=at))
    return sorted({int(row.notice_id) for row in rows if row.status not in _FINAL})


def failing_monitors(conn: Connection, notice_id: int) -> list[str]:
    """Monitors still failing within a notice."""
    statement = select(notice_monitors.c.monitor_id).where(
        notice_monitors.c.notice_id == notice_id, notice_monitors.c.up_at.is_(None)
    )
    return [row[0] for row in conn.execute(statement)]


def monitors_of(conn: Connection, notice_id: int) -> list[str]:
    """Every monitor that failed within a notice."""
    statement = select(notice_monitors.c.monitor_id).where(notice_monitors.c.notice_id == notice_id)
    return [row[0] for row in conn.execute(statement)]


def add_change(conn: Connection, what: dict[str, Any], at: datetime) -> None:
    """Tell the publisher what altered: {"notices": [public ids], "components": [ids], "page": bool}."""
    conn.execute(insert(changes).values(what=what, at=at))
    if conn.dialect.name == "postgresql":
        conn.exec_driver_sql(f"NOTIFY {CHANGES}")  # wakes the publishers of other processes, at commit


def log_head(conn: Connection) -> RowMapping | None:
    """The newest row of the log."""
    return conn.execute(select(log).order_by(log.c.n.desc()).limit(1)).mappings().first()


def append_log(conn: Connection, row: dict[str, Any], bodies: dict[str, str]) -> None:
    """Write one log row and the bodies it names by hash."""
    for digest, body in bodies.items():
        if conn.execute(select(log_bodies.c.hash).where(log_bodies.c.hash == digest)).first() is None:
            conn.execute(insert(log_bodies).values(hash=digest, body=body))
    conn.execute(insert(log).values(row))


def log_rows(conn: Connection, first: int = 1, limit: int = 1000) -> list[RowMapping]:
    """Log rows from number `first` on, in order."""
    return list(conn.execute(select(log).where(log.c.n >= first).order_by(log.c.n).limit(limit)).mappings())


def first_break(conn: Connection) -> int | None:
    """The first log row that does not name the hash of the row before it, or has none before it. One pass over two indexes."""
    before = log.alias("before")
    statement = (
        select(log.c.n).outerjoin(before, before.c.n == log.c.n - 1)
        .where(log.c.n > 1, or_(before.c.hash.is_(None), before.c.hash != log.c.prev_hash)).order_by(log.c.n).limit(1)
    )  # fmt: skip
    return conn.execute(statement).scalar_one_or_none()


def log_payloads(conn: Connection, first: int, limit: int) -> list[RowMapping]:
    """Number, hash and payload of log rows from `first` on, in order."""
    columns = (log.c.n, log.c.hash, log.c.payload)
    return list(conn.execute(select(*columns).where(log.c.n >= first).order_by(log.c.n).limit(limit)).mappings())


def bodies_of(conn: Connection, hashes: Iterable[str]) -> dict[str, str | None]:
    """Body per hash; None for one that was withdrawn."""
    statement = select(log_bodies).where(log_bodies.c.hash.in_(list(hashes)))
    return {row.hash: None if row.withdrawn_at else row.body for row in conn.execute(statement)}


def last_change(conn: Connection) -> int:
    """Sequence of the newest public change, 0 when there is none."""
    return int(conn.execute(select(func.coalesce(func.max(changes.c.seq), 0))).scalar_one())


def changes_since(conn: Connection, seq: int) -> tuple[int, bool]:
    """(newest sequence, whether the configuration changed) of the changes after `seq`."""
    rows = conn.execute(select(changes.c.seq, changes.c.what).where(changes.c.seq > seq).order_by(changes.c.seq)).all()
    return (int(rows[-1][0]) if rows else seq), any(row[1].get("page") for row in rows)

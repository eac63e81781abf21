"""Signals of heartbeats: reading, and the rows that actions write."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, delete, func, insert, select

from statuspage.store.schema.catalogue import monitors
from statuspage.store.schema.pings import pings

KIND = "heartbeat"
KEPT = 200  # signals of one monitor that judgement may need
KEPT_LOGS = 50
EVERYBODY = ""  # monitor_id of what concerns all of them
MARKS = ("set", "away")


def listed(conn: Connection) -> list[RowMapping]:
    """Every heartbeat that is not archived: id, names, options, paused. The paused ones are listened to as well."""
    columns = (monitors.c.id, monitors.c.names, monitors.c.options, monitors.c.target, monitors.c.paused)
    statement = select(*columns).where(monitors.c.kind == KIND, monitors.c.archived_at.is_(None)).order_by(monitors.c.no)
    return list(conn.execute(statement).mappings())


def newest_id(conn: Connection) -> int:
    """Id of the newest row, 0 for none."""
    return int(conn.execute(select(func.max(pings.c.id))).scalar() or 0)


def monitors_since(conn: Connection, seen: int) -> set[str]:
    """Monitors that rows newer than `seen` are about."""
    return set(conn.execute(select(pings.c.monitor_id).where(pings.c.id > seen).distinct()).scalars())


def of_monitor(conn: Connection, monitor_id: str) -> list[RowMapping]:
    """What judgement reads, oldest first: the newest signals, with our marks among them."""
    rows = list(conn.execute(
        select(pings).where(pings.c.monitor_id == monitor_id, pings.c.kind.not_in(("log", *MARKS)))
        .order_by(pings.c.id.desc()).limit(KEPT)
    ).mappings())  # fmt: skip
    rows += conn.execute(
        select(pings).where(pings.c.monitor_id.in_((monitor_id, EVERYBODY)), pings.c.kind.in_(MARKS))
        .order_by(pings.c.id.desc()).limit(KEPT)
    ).mappings()  # fmt: skip
    return sorted(rows, key=lambda row: row["id"])


def newest_mark(conn: Connection, monitor_id: str) -> str | None:
    """The options the monitor was last said to be watched by, None when never."""
    statement = select(pings.c.body).where(pings.c.monitor_id == monitor_id, pings.c.kind == "set")
    return conn.execute(statement.order_by(pings.c.id.desc()).limit(1)).scalar()


def recent(conn: Connection, monitor_id: str, limit: int = 20) -> list[RowMapping]:
    """The newest signals for operators, newest first."""
    statement = select(pings).where(pings.c.monitor_id == monitor_id, pings.c.kind.not_in(MARKS))
    return list(conn.execute(statement.order_by(pings.c.id.desc()).limit(limit)).mappings())


def add(conn: Connection, values: dict[str, Any], at: datetime) -> int:
    """Write a row; its id."""
    row = {"rid": "", "code": None, "since_at": None, "body": "", **values, "at": at}
    return int(conn.execute(insert(pings).values(row).returning(pings.c.id)).scalar_one())


def prune(conn: Connection, monitor_id: str) -> None:
    """Delete what nothing reads any more."""
    kinds = ((pings.c.kind.in_(("start", "success", "fail")), KEPT), (pings.c.kind == "log", KEPT_LOGS),
             (pings.c.kind.in_(MARKS), KEPT_LOGS))  # fmt: skip
    for of_kind, kept in kinds:
        mine = (pings.c.monitor_id == monitor_id) & of_kind
        last = select(pings.c.id).where(mine).order_by(pings.c.id.desc()).offset(kept).limit(1).scalar_subquery()
        conn.execute(delete(pings).where(mine, pings.c.id <= last))

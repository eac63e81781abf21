"""Problem reports: rows of `reports`, counts by hour, signals, and what they support."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, RowMapping, delete, func, select, update

from statuspage.domain.reports import Report, hour_of
from statuspage.store import upserts
from statuspage.store.schema.reports import notice_reports, report_hours, report_signals, reports

DETAILS = ("component_id", "version", "platform", "region", "text")


@dataclass(frozen=True, slots=True)
class Signal:
    """A symptom that more readers report than usual: `count` networks in the newest window, `peak` in the fullest."""

    symptom: str
    since_at: datetime
    count: int
    usual: int
    peak: int


@dataclass(frozen=True, slots=True)
class Support:
    """What readers said while a suspicion was open."""

    symptom: str
    since_at: datetime
    last_at: datetime
    peak: int
    usual: int


def add(conn: Connection, report: Report, who: str, at: datetime) -> bool:
    """Write one report and count it; False when that network was counted for this symptom and hour already."""
    hour = hour_of(at)
    values = {name: getattr(report, name) for name in Report.__dataclass_fields__}
    row = upserts.insert(conn, reports).values(hour=hour, who=who, at=at, **values)
    if conn.execute(row.on_conflict_do_nothing().returning(reports.c.hour)).first() is None:
        return False
    count = upserts.insert(conn, report_hours).values(symptom=report.symptom, hour=hour, count=1)
    conn.execute(count.on_conflict_do_update(
        index_elements=[report_hours.c.symptom, report_hours.c.hour], set_={"count": report_hours.c["count"] + 1},
    ))  # fmt: skip
    return True


def complete(conn: Connection, report: Report, who: str, at: datetime) -> None:
    """Give the details of `report` to the one of that network, symptom and hour, if it has none."""
    values = {name: getattr(report, name) for name in DETAILS}
    empty = (reports.c[name] == "" for name in DETAILS)
    key = (reports.c.hour == hour_of(at), reports.c.symptom == report.symptom, reports.c.who == who)
    conn.execute(update(reports).where(*key, *empty).values(values))


def recent(conn: Connection, since: datetime) -> dict[str, int]:
    """Symptom -> networks that have reported it since then, one that crossed the hour counted once."""
    networks = func.count(reports.c.who.distinct())
    return {row[0]: row[1] for row in conn.execute(
        select(reports.c.symptom, networks).where(reports.c.at >= since).group_by(reports.c.symptom)
    )}  # fmt: skip


def hours(conn: Connection, since_hour: int, symptom: str | None = None) -> dict[str, dict[int, int]]:
    """Symptom -> hour -> reports, from `since_hour` on; of one symptom or of all."""
    columns = (report_hours.c.symptom, report_hours.c.hour, report_hours.c["count"])
    statement = select(*columns).where(report_hours.c.hour >= since_hour)
    if symptom is not None:
        statement = statement.where(report_hours.c.symptom == symptom)
    found: dict[str, dict[int, int]] = {}
    for name, hour, number in conn.execute(statement):
        found.setdefault(name, {})[hour] = number
    return found


def first_hour(conn: Connection) -> int | None:
    """Since when anything was counted; None before the first report."""
    found = conn.scalar(select(func.min(report_hours.c.hour)))
    return None if found is None else int(found)


def signals(conn: Connection) -> dict[str, Signal]:
    """What rises now, by symptom, the strongest first."""
    found = [Signal(**row) for row in conn.execute(select(report_signals)).mappings()]
    return {one.symptom: one for one in sorted(found, key=lambda one: (-one.count, one.symptom))}


def put_signal(conn: Connection, signal: Signal) -> None:
    """Write a signal, new or changed."""
    values = {name: getattr(signal, name) for name in Signal.__dataclass_fields__}
    row = upserts.insert(conn, report_signals).values(values)
    conn.execute(row.on_conflict_do_update(index_elements=[report_signals.c.symptom], set_=values))


def end_signals(conn: Connection, symptoms: Iterable[str]) -> None:
    """Take away what rises no more."""
    conn.execute(delete(report_signals).where(report_signals.c.symptom.in_(list(symptoms))))


def support(conn: Connection, notice_id: int, signal: Signal, now: datetime) -> None:
    """Note that readers report what a notice suspects."""
    row = upserts.insert(conn, notice_reports).values(
        notice_id=notice_id, symptom=signal.symptom, since_at=signal.since_at, last_at=now, peak=signal.peak, usual=signal.usual,
    )  # fmt: skip
    conn.execute(row.on_conflict_do_update(
        index_elements=[notice_reports.c.notice_id, notice_reports.c.symptom], set_={"last_at": now, "peak": signal.peak},
    ))  # fmt: skip


def supports(conn: Connection, notice_ids: Collection[int]) -> dict[int, list[Support]]:
    """Notice id -> what readers said beside it, the most first."""
    if not notice_ids:
        return {}
    statement = select(notice_reports).where(notice_reports.c.notice_id.in_(list(notice_ids)))
    found: dict[int, list[Support]] = {}
    for row in conn.execute(statement.order_by(notice_reports.c.peak.desc(), notice_reports.c.symptom)).mappings():
        values = {name: row[name] for name in Support.__dataclass_fields__}
        found.setdefault(row["notice_id"], []).append(Support(**values))
    return found


def written(conn: Connection, since: datetime, limit: int = 100, symptom: str = "") -> list[RowMapping]:
    """The newest reports in which a reader wrote something, newest first, without who."""
    columns = [column for column in reports.c if column.name != "who"]
    statement = (
        select(*columns).where(reports.c.at >= since, reports.c.text != "")
        .order_by(reports.c.at.desc(), reports.c.symptom, reports.c.who)
    )  # fmt: skip
    if symptom:
        statement = statement.where(reports.c.symptom == symptom)
    return list(conn.execute(statement.limit(limit)).mappings())


def makeup(conn: Connection, since: datetime, part: str) -> dict[str, list[tuple[str, int]]]:
    """Symptom -> (word, reports) of one column (version, platform, region), the most first; what was not given is left out."""
    column = reports.c[part]
    statement = (
        select(reports.c.symptom, column, func.count()).where(reports.c.at >= since, column != "")
        .group_by(reports.c.symptom, column).order_by(func.count().desc(), column)
    )  # fmt: skip
    found: dict[str, list[tuple[str, int]]] = {}
    for symptom, word, number in conn.execute(statement):
        found.setdefault(symptom, []).append((word, number))
    return found


def forget(conn: Connection, before: datetime, before_hour: int) -> int:
    """Delete single reports older than `before` and counts older than `before_hour`; how many rows."""
    single = conn.execute(delete(reports).where(reports.c.hour < hour_of(before)))
    counts = conn.execute(delete(report_hours).where(report_hours.c.hour < before_hour))
    return single.rowcount + counts.rowcount

"""Rows as the public may see them, read with tolerance: a damaged row costs that row's details and nothing else.

Columns are read raw (text and integers) and decoded one by one, because a JSON column that does not parse would otherwise
abort the whole result, and with it the page.
"""

from __future__ import annotations

import json
import logging
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from datetime import date, datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    RowMapping,
    Select,
    Table,
    Text,
    and_,
    func,
    literal_column,
    select,
    type_coerce,
)

from statuspage.clock import from_ms
from statuspage.domain import lifecycle, status
from statuspage.domain.notice import Facts
from statuspage.domain.uptime import Seconds
from statuspage.store.public_views import ComponentView, GroupView, NoticeView, SignatureView, UpdateView
from statuspage.store.schema.catalogue import component_groups, components, monitors
from statuspage.store.schema.checks import NOT_WHOLE, daily_uptime
from statuspage.store.schema.notices import log, notice_updates, notices
from statuspage.store.types import Big, Json, UtcTime

LOG = logging.getLogger(__name__)
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
_CHUNK = 500  # bound parameters of one IN; SQLite's limit is 32,766
_EPOCH = from_ms(0)
_WHOLE_DAY = Seconds(up=86_400)
_DAYS = select(daily_uptime.c.component_id, daily_uptime.c.day, *(daily_uptime.c[f"{each.name}_s"] for each in fields(Seconds)))
Raw = Mapping[str, Any] | RowMapping


def raw(table: Table, names: Iterable[str]) -> Select[Any]:
    """A select of `names` from `table` without decoding times and JSON."""
    return select(*(_raw_column(table, name) for name in names))


def _raw_column(table: Table, name: str) -> Any:  # noqa: ANN401 - a labelled column
    column = table.c[name]
    if isinstance(column.type, Json):
        return type_coerce(column, Text).label(name)
    return type_coerce(column, Big).label(name) if isinstance(column.type, UtcTime) else column


def _loads(text: str) -> Any:  # noqa: ANN401 - any JSON value
    """JSON whose texts can be sent: half of a surrogate pair parses and fails only where a page is encoded."""
    value = json.loads(text)
    if _SURROGATE.search(text):
        value = json.loads(json.dumps(value, ensure_ascii=False).encode("utf-8", "replace"))
    return value


def read_json(text: Any, kind: type, where: str) -> Any:  # noqa: ANN401 - the decoded value, of type `kind`
    """What a raw JSON column holds; an empty `kind`, and an alarm in the log, when it does not parse or is something else."""
    try:
        value = _loads(text)
    except (TypeError, ValueError, RecursionError):
        value = None
    if isinstance(value, kind):
        return value
    _alarm(f"is no {kind.__name__}; shown without it", where)
    return kind()


@lru_cache(maxsize=1000)
def _alarm(message: str, where: str) -> None:
    """Once per row and process: it is read again at every publication."""
    LOG.error("damaged row: %s %s", where, message)


def _texts(text: Any, where: str) -> dict[str, str]:  # noqa: ANN401 - what the column holds
    found = read_json(text, dict, where)
    return {str(language): words for language, words in found.items() if isinstance(words, str)}


def _time(ms: Any) -> datetime | None:  # noqa: ANN401 - what the column holds
    try:
        return None if ms is None else from_ms(ms)
    except (TypeError, ValueError, OverflowError, OSError):
        return None


def _facts(row: Raw, where: str) -> Facts | None:
    try:
        facts = Facts.from_json(_loads(row["facts"]))
        # The fields templates walk through; a wrong shape here would fail half way through a page.
        shapes = (facts.titles, facts.components, facts.funds_text, facts.funds_basis, facts.not_affected, facts.scope,
                  facts.advice_do, facts.advice_dont, facts.remedy)  # fmt: skip
        if all(isinstance(shape, dict) for shape in shapes):
            return facts
    except (TypeError, ValueError, AttributeError, OverflowError, RecursionError):
        LOG.debug("facts of %s", where, exc_info=True)
    _alarm("has facts that cannot be read; shown by number and status only", where)
    return None


_COMPONENT = ("id", "public_id", "group_id", "names", "descriptions", "position", "status", "status_at", "start_date",
              "created_at", "updated_at", "symptoms", "chain")  # fmt: skip
_GROUP = ("id", "public_id", "names", "notes", "position", "created_at", "updated_at")
_NOTICE = ("id", "public_id", "number", "kind", "status", "source", "facts", "impact", "demo", "backfilled", "touched",
           "created_at", "published_at", "updated_at", "started_at", "resolved_at", "recovered_at", "scheduled_for")  # fmt: skip
_UPDATE = ("id", "public_id", "notice_id", "sequence", "status", "bodies", "facts", "changes", "display_at", "created_at",
           "by_machine", "notify", "corrects_id")  # fmt: skip


def load_components(conn: Connection, since_day: str) -> tuple[ComponentView, ...]:
    """Components that are not archived, in order, each with its daily rows from `since_day` on."""
    days = load_days(conn, since_day)
    statement = raw(components, _COMPONENT).where(components.c.archived_at.is_(None))
    statement = statement.order_by(components.c.position, components.c.id)
    in_use = monitors.c.archived_at.is_(None), monitors.c.paused == False  # noqa: E712 - SQL
    watched = set(conn.scalars(select(monitors.c.component_id).distinct().where(*in_use)))
    return tuple(
        _component(row, days.get(row["id"], {}), is_watched=row["id"] in watched) for row in conn.execute(statement).mappings()
    )


def _component(row: Raw, days: Mapping[date, Seconds], *, is_watched: bool) -> ComponentView:
    where = f"component {row['id']}"
    return ComponentView(
        id=row["id"], public_id=row["public_id"], group_id=row["group_id"],
        names=_texts(row["names"], where) or {"en": row["id"]}, descriptions=_texts(row["descriptions"], where),
        position=row["position"], status=row["status"] if row["status"] in status.RANK else status.UNKNOWN,
        status_at=_time(row["status_at"]) or _EPOCH, start_date=row["start_date"], created_at=_time(row["created_at"]) or _EPOCH,
        updated_at=_time(row["updated_at"]) or _EPOCH, days=days, chain=row["chain"], is_watched=is_watched,
        symptoms=tuple(one for one in read_json(row["symptoms"], list, where) if isinstance(one, str)),
    )  # fmt: skip


def load_days(conn: Connection, since_day: str) -> dict[str, dict[date, Seconds]]:
    """Seconds per component and day since `since_day`.

    Nearly every day is whole, 86,400 s of up: those are counted in an index, the others fetched, and only a component with
    days missing in between is read row by row. What it costs grows with the days asked for, not with those there are.
    """
    day = daily_uptime.c
    mine = and_(day.component_id == components.c.id, day.day >= since_day)
    spans = select(
        components.c.id,
        *(select(each).where(mine).correlate(components).scalar_subquery()
          for each in (func.count(), func.min(day.day), func.max(day.day))),
    )  # fmt: skip
    dates = _Dates()
    out: dict[str, dict[date, Seconds]] = defaultdict(dict)
    gaps: list[str] = []
    # Rows are taken all at once: one by one, SQLAlchemy's way to each costs more than SQLite's.
    for component_id, count, first, last in conn.execute(spans).all():
        if not count:
            continue
        run = dates.between(first, last)
        if len(run) == count:
            out[component_id] = run.copy()
        else:
            gaps.append(component_id)
    others = _DAYS.where(day.day >= since_day)
    rows = conn.execute(others.where(day.component_id.in_(gaps)).order_by(day.day)).all() if gaps else []
    for component_id, at, *values in (*rows, *conn.execute(others.where(literal_column(NOT_WHOLE))).all()):
        out[component_id][dates[at]] = _seconds(*values)
    return out


# The same days are read once a minute, and making a frozen object costs more than finding one.
_seconds = lru_cache(maxsize=8192)(Seconds)


class _Dates(dict[str, date]):
    """Ninety different dates for five hundred components: each is read once, and so is each run of whole days."""

    def __init__(self) -> None:
        super().__init__()
        self._runs: dict[tuple[str, str], dict[date, Seconds]] = {}

    def __missing__(self, day: str) -> date:
        found = self[day] = date.fromisoformat(day)
        return found

    def between(self, first: str, last: str) -> dict[date, Seconds]:
        """The days from `first` to `last`, each whole; to be copied."""
        run = self._runs.get((first, last))
        if run is None:
            begin, end = self[first].toordinal(), self[last].toordinal()
            days = [date.fromordinal(each) for each in range(begin, end + 1)]
            run = self._runs[first, last] = dict.fromkeys(days, _WHOLE_DAY)
        return run


def load_groups(conn: Connection, all_components: Sequence[ComponentView]) -> tuple[GroupView, ...]:
    """Groups that have components, in order."""
    statement = raw(component_groups, _GROUP).where(component_groups.c.archived_at.is_(None))
    found = []
    for row in conn.execute(statement.order_by(component_groups.c.position, component_groups.c.id)).mappings():
        where = f"group {row['id']}"
        members = tuple(component for component in all_components if component.group_id == row["id"])
        group = GroupView(
            id=row["id"], public_id=row["public_id"], names=_texts(row["names"], where) or {"en": row["id"]},
            notes=_texts(row["notes"], where), position=row["position"], created_at=_time(row["created_at"]) or _EPOCH,
            updated_at=_time(row["updated_at"]) or _EPOCH, components=members,
        )  # fmt: skip
        if members:
            found.append(group)
    return tuple(found)


def is_published() -> ColumnElement[bool]:
    """The one place that says what published means."""
    # Nearly every notice is public: an index on that would be a walk through all of them. Joined to '', it is never chosen.
    return and_(notices.c.visibility + "" == "public", notices.c.published_at.is_not(None))


def occurred_within(since: datetime | None, until: datetime | None = None) -> ColumnElement[bool]:
    """Of notices that began, or are planned to begin, at `since` or later and before `until`. Costs what it finds: every notice
    of ours has a beginning, by which they are indexed; the others are few.
    """
    started = notices.c.started_at
    planned = func.coalesce(notices.c.scheduled_for, notices.c.published_at)
    begun = select(notices.c.id).where(*_bounds(started, since, until))
    others = select(notices.c.id).where(started.is_(None), *_bounds(planned, since, until))
    return notices.c.id.in_(begun.union(others))


def _bounds(at: ColumnElement[Any], since: datetime | None, until: datetime | None) -> list[ColumnElement[bool]]:
    return [*([at >= since] if since else []), *([at < until] if until else [])]


def last_occurred(conn: Connection, before: datetime | None = None) -> datetime | None:
    """When the last published notice (before `before`) began, or will begin; None when there is none."""
    return _outermost(conn, None, before, is_last=True)


def first_occurred(conn: Connection, since: datetime | None = None) -> datetime | None:
    """When the first published notice (since `since`) began, or will begin; None when there is none."""
    return _outermost(conn, since, None, is_last=False)


def _outermost(conn: Connection, since: datetime | None, until: datetime | None, *, is_last: bool) -> datetime | None:
    started, planned = notices.c.started_at, func.coalesce(notices.c.scheduled_for, notices.c.published_at)
    begun = select(started).where(is_published(), started.is_not(None), *_bounds(started, since, until))
    first = conn.execute(begun.order_by(started.desc() if is_last else started).limit(1)).scalar_one_or_none()
    outer = func.max(planned) if is_last else func.min(planned)
    other = select(outer).where(is_published(), started.is_(None), *_bounds(planned, since, until))
    found = [at for at in (first, conn.execute(other).scalar_one()) if at is not None]
    return (max if is_last else min)(found, default=None)


def load_newest(conn: Connection, wanted: ColumnElement[bool], limit: int) -> tuple[NoticeView, ...]:
    """The newest published notices of which `wanted` is true, newest first. Ids first: only what is shown is read whole."""
    order = notices.c.published_at.desc(), notices.c.id.desc()
    ids = conn.execute(select(notices.c.id).where(is_published(), wanted).order_by(*order).limit(limit)).scalars().all()
    return load_notices(conn, published().where(notices.c.id.in_(ids)).order_by(*order))


def published() -> Select[Any]:
    """A select of published notices, raw."""
    return raw(notices, _NOTICE).where(is_published())


def load_notices(conn: Connection, statement: Select[Any]) -> tuple[NoticeView, ...]:
    """The notices of a `published()` statement, with their updates and log entries."""
    rows = [dict(row) for row in conn.execute(statement).mappings() if row["kind"] in lifecycle.KINDS]
    updates = _updates(conn, [row["id"] for row in rows])
    return tuple(_notice(row, tuple(updates.get(row["id"], ()))) for row in rows)


def _notice(row: Raw, updates: tuple[UpdateView, ...]) -> NoticeView:
    facts = _facts(row, f"notice {row['number']}")
    known = row["status"] in lifecycle.STATUSES[row["kind"]]
    state = row["status"] if known else lifecycle.first_status(row["kind"])
    created_at = _time(row["created_at"]) or _EPOCH
    published_at = _time(row["published_at"]) or created_at
    return NoticeView(
        id=row["id"], public_id=row["public_id"], number=row["number"], kind=row["kind"], status=state, source=row["source"],
        facts=facts or Facts(kind=row["kind"], status=state, titles={"en": row["number"]}, confirmed_at=published_at),
        impact=row["impact"] if row["impact"] in status.IMPACTS else "none",
        demo=bool(row["demo"]), backfilled=bool(row["backfilled"]), touched=bool(row["touched"]), created_at=created_at,
        published_at=published_at, updated_at=_time(row["updated_at"]) or published_at,
        started_at=_time(row["started_at"]) or _time(row["scheduled_for"]) or published_at, resolved_at=_time(row["resolved_at"]),
        recovered_at=_time(row["recovered_at"]), updates=updates, is_damaged=facts is None,
    )  # fmt: skip


def _updates(conn: Connection, notice_ids: Sequence[int]) -> dict[int, list[UpdateView]]:
    out: dict[int, list[UpdateView]] = defaultdict(list)
    # Through the update's id: the log has no index by notice, and grows for ever.
    signed = select(log.c.update_id, log.c.n, log.c.hash, log.c.key_id, log.c.signature).join(
        notice_updates, notice_updates.c.id == log.c.update_id
    )
    for start in range(0, len(notice_ids), _CHUNK):
        part = notice_ids[start : start + _CHUNK]
        signatures = {
            row.update_id: SignatureView(row.n, row.hash, row.key_id, row.signature)
            for row in conn.execute(signed.where(notice_updates.c.notice_id.in_(part)))
        }
        statement = raw(notice_updates, _UPDATE).where(notice_updates.c.notice_id.in_(part))
        for row in conn.execute(
            statement.order_by(notice_updates.c.notice_id, notice_updates.c.sequence.desc())
        ).mappings():
            out[row["notice_id"]].append(_update(dict(row), signatures.get(row["id"])))
    return out


def _update(row: Raw, signature: SignatureView | None) -> UpdateView:
    where = f"update {row['public_id']}"
    display_at = _time(row["display_at"]) or _time(row["created_at"]) or _EPOCH
    changes = read_json(row["changes"], dict, where)
    return UpdateView(
        id=row["id"], public_id=row["public_id"], sequence=row["sequence"], status=row["status"],
        bodies=_texts(row["bodies"], where),
        facts=_facts(row, where) or Facts(kind="incident", status=row["status"], titles={}, confirmed_at=display_at),
        changes={key: pair for key, pair in changes.items() if isinstance(pair, list) and len(pair) == 2},
        display_at=display_at, created_at=_time(row["created_at"]) or display_at, by_machine=bool(row["by_machine"]),
        notify=bool(row["notify"]), corrects_id=row["corrects_id"], signature=signature,
    )  # fmt: skip

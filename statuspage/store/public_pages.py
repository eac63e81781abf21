"""What single public pages need beside the view: networks, response times, search, a year for the statistics. Read only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, Connection, func, select, type_coerce

from statuspage.clock import to_ms
from statuspage.domain import lifecycle, rollup
from statuspage.domain.rollup import HOUR_MS
from statuspage.domain.statistics import Fault
from statuspage.store import checks
from statuspage.store.folding import holds
from statuspage.store.pages import load_meta
from statuspage.store.public_rows import (
    first_occurred,
    is_published,
    last_occurred,
    load_notices,
    occurred_within,
    published,
)
from statuspage.store.public_views import NoticeView
from statuspage.store.schema.catalogue import monitors
from statuspage.store.schema.checks import check_results, hour_blocks, judgements, monitor_states
from statuspage.store.schema.networks import chain_heads
from statuspage.store.schema.notices import notice_components, notices
from statuspage.store.types import Big

FOUND = 50  # notices on one page of search results
MOST_IN_A_YEAR = 500  # read for the statistics; more would hold up the publisher
_SPARK_HOURS = 24
_SAME_POLL = timedelta(seconds=1)  # a result's time is dated anew where clocks were set
_occurred = func.coalesce(notices.c.started_at, notices.c.scheduled_for, notices.c.published_at)


def load_capabilities(conn: Connection) -> dict[str, tuple[str, ...]]:
    """What works on which network by design: chain id -> capabilities, as wallet.yaml says; chains without any are left out."""
    found = load_meta(conn, "chains", {})
    chains = found.items() if isinstance(found, dict) else ()
    known = {name: each.get("capabilities") for name, each in chains if isinstance(each, dict)}
    return {name: tuple(map(str, some)) for name, some in known.items() if isinstance(some, list) and some}


@dataclass(frozen=True, slots=True)
class Watcher:
    """A monitor as the public may know it: its number, name and kind, never its target."""

    id: str
    no: int
    names: dict[str, str]
    kind: str


def watchers(conn: Connection) -> dict[str, list[Watcher]]:
    """Monitors in use by the component they watch, oldest first."""
    columns = (monitors.c.component_id, monitors.c.id, monitors.c.no, monitors.c.names, monitors.c.kind)
    in_use = monitors.c.archived_at.is_(None), monitors.c.paused == False  # noqa: E712 - SQL
    out: dict[str, list[Watcher]] = {}
    for component_id, *rest in conn.execute(select(*columns).where(*in_use).order_by(monitors.c.no)):
        out.setdefault(component_id, []).append(Watcher(*rest))
    return out


def load_sparks(conn: Connection, now: datetime) -> dict[str, tuple[int | None, ...]]:
    """Median response time in ms of each of the last 24 whole hours, oldest first, by component: that of its first monitor
    that measures one. Two queries however many there are.
    """
    end = to_ms(now) // HOUR_MS
    block = hour_blocks.c
    in_use = select(monitors.c.no, monitors.c.component_id).where(monitors.c.archived_at.is_(None))
    watched = {row.no: row.component_id for row in conn.execute(in_use)}
    # By number: joined, SQLite would walk through all hours there are, since that is the order asked for.
    rows = conn.execute(
        select(block.monitor_no, block.hour, block.histogram, block.latency_min_ms, block.latency_max_ms)
        .where(block.monitor_no.in_(watched), block.hour >= end - _SPARK_HOURS, block.hour < end)
        .order_by(block.monitor_no, block.hour, block.region_no)
    )
    chosen: dict[str, int] = {}
    out: dict[str, list[int | None]] = {}
    for no, hour, histogram, low, high in rows:
        component_id = watched[no]
        if not histogram or chosen.setdefault(component_id, no) != no:
            continue
        buckets = [0] * rollup.BUCKETS
        for index, count in rollup.unpack_histogram(histogram):
            buckets[index] += count
        half = rollup.percentile(buckets, 0.5, low, high)
        # Where several regions measured, the last one stands for the hour; the component's page adds them up.
        out.setdefault(component_id, [None] * _SPARK_HOURS)[hour - end + _SPARK_HOURS] = None if half is None else round(half)
    return {component_id: tuple(values) for component_id, values in out.items()}


def has_results(conn: Connection, monitor_no: int, since_at: datetime) -> bool:
    """Whether a monitor measured anything since then."""
    raw = select(check_results.c.at_ms).where(check_results.c.monitor_no == monitor_no).limit(1)
    rolled = select(hour_blocks.c.hour).where(
        hour_blocks.c.monitor_no == monitor_no, hour_blocks.c.hour >= to_ms(since_at) // HOUR_MS
    )
    return conn.execute(raw).first() is not None or conn.execute(rolled.limit(1)).first() is not None


def response_times(
    conn: Connection, monitor_no: int, since_at: datetime, until_at: datetime, step_hours: int
) -> list[checks.Point]:
    """Points of a chart, oldest first."""
    return checks.series(conn, monitor_no, since_at, until_at, step_hours=step_hours)


@dataclass(frozen=True, slots=True)
class NetworkState:
    """What one monitor of a network last knew. `evidence` is that of the newest unusual result, {} when there is none."""

    cause: str
    state: str
    since_at: datetime
    checked_at: datetime
    evidence: Mapping[str, Any]


def network_states(conn: Connection, component_id: str) -> list[NetworkState]:
    """The state of every monitor of a network, the worst first, with its newest evidence.

    That of the last poll which saw a head, also when all is well; that of the last failure where it saw none since.
    """
    statement = (
        select(judgements.c.cause, judgements.c.state, judgements.c.since_at, monitor_states.c.last_at, monitor_states.c.evidence,
               chain_heads.c.at.label("polled_at"), chain_heads.c.evidence.label("polled"))
        .select_from(monitor_states.join(monitors, monitors.c.id == monitor_states.c.monitor_id)
                     .outerjoin(judgements, judgements.c.monitor_id == monitors.c.id)
                     .outerjoin(chain_heads, chain_heads.c.monitor_id == monitors.c.id))
        .where(monitors.c.component_id == component_id, monitors.c.archived_at.is_(None))
        .order_by(monitors.c.no, monitor_states.c.region)
    )  # fmt: skip
    order = {"down": 0, "degraded": 1, "unknown": 2, "up": 3}
    found = []
    for row in conn.execute(statement):
        is_polled = row.polled_at is not None and row.polled_at >= row.last_at - _SAME_POLL
        at, evidence = (row.polled_at, row.polled) if is_polled else (row.last_at, row.evidence)
        found.append(NetworkState(row.cause or "", row.state or "unknown", row.since_at or row.last_at, at, evidence or {}))
    return sorted(found, key=lambda one: order.get(one.state, 2))


@dataclass(frozen=True, slots=True)
class Question:
    """What a reader looks for in the archive; '' and None leave a part open. `month` is YYYY-MM in the page's zone."""

    words: str = ""
    component: str = ""
    kind: str = ""
    month: str = ""

    @property
    def is_empty(self) -> bool:
        """Nothing was asked."""
        return not (self.words or self.component or self.kind or self.month)


@dataclass(frozen=True, slots=True)
class Found:
    """One page of results, newest first; `before` continues after it (None at the end)."""

    notices: tuple[NoticeView, ...]
    before: datetime | None


def search(conn: Connection, asked: Question, zone: str, before: datetime | None = None) -> Found:
    """Published notices that hold every word, in any language, in number, titles or updates.

    Raises ValueError for a month of another form.
    """
    wanted = [is_published(), notices.c.kind.in_(lifecycle.KINDS), *holds(conn, notices.c.words, asked.words)]
    if asked.component:
        named = select(notice_components.c.notice_id).where(notice_components.c.component_id == asked.component)
        wanted.append(notices.c.id.in_(named))
    if asked.kind:
        wanted.append(notices.c.kind == asked.kind)
    if asked.month:
        wanted.append(occurred_within(*_month(asked.month, zone)))
    # Ids first: only what is shown is read whole. One more than that says whether there are others.
    ids = _newest(conn, wanted, before, FOUND + 1)
    shown = published().where(notices.c.id.in_(ids[:FOUND])).order_by(_occurred.desc(), notices.c.id.desc())
    found = load_notices(conn, shown)
    return Found(found, found[-1].started_at if len(ids) > FOUND else None)


def _newest(conn: Connection, wanted: Sequence[ColumnElement[bool]], before: datetime | None, limit: int) -> list[int]:
    """Ids of those that began last. Nearly every notice has a beginning, and an index of these: a word that many hold is found in
    the first rows of it, a word that none holds costs one look into each.
    """
    started, planned = notices.c.started_at, func.coalesce(notices.c.scheduled_for, notices.c.published_at)
    rows: list[Any] = []
    for at, has_one in ((started, started.is_not(None)), (planned, started.is_(None))):
        bounds = [] if before is None else [at < before]
        statement = select(type_coerce(at, Big).label("at_ms"), notices.c.id).where(has_one, *bounds, *wanted)
        rows += conn.execute(statement.order_by(at.desc(), notices.c.id.desc()).limit(limit)).all()
    return [row.id for row in sorted(rows, reverse=True)[:limit]]


def _month(month: str, zone: str) -> tuple[datetime, datetime]:
    first = date.fromisoformat(f"{month}-01")
    if len(month) != 7:
        raise ValueError(month)
    after = (first + timedelta(days=32)).replace(day=1)
    start, end = (datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(zone)).astimezone(UTC) for day in (first, after))
    return start, end


def months(conn: Connection, zone: str) -> list[str]:
    """Every month (YYYY-MM) from the first published notice to the last, newest first; at most 120."""
    first, last = first_occurred(conn), last_occurred(conn)
    if first is None or last is None:
        return []
    low, high = (at.astimezone(ZoneInfo(zone)) for at in (first, last))
    count = (high.year - low.year) * 12 + high.month - low.month + 1
    numbers = (high.year * 12 + high.month - 1 - back for back in range(min(count, 120)))
    return [f"{number // 12:04d}-{number % 12 + 1:02d}" for number in numbers]


Known = Mapping[int, tuple[int, Fault | None]]  # notice id -> the version that was read, and the fault it tells of


def load_faults(conn: Connection, since_at: datetime, known: Known) -> dict[int, tuple[int, Fault | None]]:
    """Published incidents and security notices that began since then, oldest first: the newest 500 of them.

    Only those are read whole that `known`, the answer to an earlier call, does not hold as they are now. None: cannot be read.
    """
    row = notices.c
    newest = (
        select(row.id, row.version, row.detected_at)
        .where(is_published(), row.kind.in_(("incident", "security")), occurred_within(since_at))
        .order_by(_occurred.desc(), row.id.desc()).limit(MOST_IN_A_YEAR)
    )  # fmt: skip
    wanted = {each.id: each for each in reversed(conn.execute(newest).all())}
    changed = [key for key, each in wanted.items() if key not in known or known[key][0] != each.version]
    views = {one.id: one for one in load_notices(conn, published().where(row.id.in_(changed)))} if changed else {}
    return {
        key: (each.version, _fault(views[key], each.detected_at)) if key in views else known[key]
        for key, each in wanted.items() if key in views or key in known
    }  # fmt: skip


def _fault(one: NoticeView, detected_at: datetime | None) -> Fault | None:
    if one.is_damaged:
        return None
    return Fault(
        one.facts.cause, one.component_ids, one.started_at, detected_at, one.published_at, one.resolved_at,
        one.source == "monitor", tuple(update.facts.eta_at for update in reversed(one.updates) if update.facts.eta_at),
    )  # fmt: skip

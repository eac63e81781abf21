"""What the operators' console shows of monitors, messages and approvals: reading."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Column, ColumnElement, Connection, RowMapping, Text, func, or_, select, type_coerce

from statuspage.store import notices
from statuspage.store.deliveries import NIGHT
from statuspage.store.folding import holds
from statuspage.store.schema.catalogue import components, monitors
from statuspage.store.schema.checks import check_results, judgements, monitor_states, transitions
from statuspage.store.schema.delivery import deliveries, outbox, subscriptions
from statuspage.store.schema.notices import notice_monitors
from statuspage.store.schema.notices import notices as notices_table
from statuspage.store.schema.people import approvals
from statuspage.store.schema.runtime import idempotency_keys, run_requests

_BAD = ("down", "degraded")
_OUTCOMES = ("up", "degraded", "down", "unknown")


@dataclass(frozen=True, slots=True)
class Watch:
    """A monitor with what it sees in one region; `state` is unknown where nothing was recorded yet.

    `together`: what all of its regions say; `flapping_at`: since when that changes too often to be believed.
    """

    id: str
    no: int
    names: dict[str, str]
    kind: str
    target: str
    component_id: str
    component_names: dict[str, str]
    template: str
    publish: str
    source: str
    paused: bool
    interval_ms: int
    failures: int
    region: str
    state: str
    since_at: datetime | None
    streak: int
    last_at: datetime | None
    last_ms: int
    error_class: str
    message: str
    evidence: dict[str, Any]
    together: str
    flapping_at: datetime | None

    @property
    def title(self) -> dict[str, str]:
        """Its name by language; without one, its id."""
        return self.names or {"en": self.id}

    @property
    def is_bad(self) -> bool:
        """It fails or is slow, confirmed."""
        return self.state in _BAD


def watches(
    conn: Connection, *, only_bad: bool = False, monitor_id: str | None = None, search: str = ""
) -> list[Watch]:
    """Active monitors, the worst first, one entry per region."""
    states = monitor_states.c
    statement = (
        select(monitors, components.c.names.label("component_names"), components.c.template, states.region, states.state,
               states.since_at, states.streak, states.last_at, states.last_ms, states.error_class, states.message,
               states.evidence, judgements.c.state.label("together"), judgements.c.flapping_at)
        .join(components, components.c.id == monitors.c.component_id)
        .outerjoin(monitor_states, states.monitor_id == monitors.c.id)
        .outerjoin(judgements, judgements.c.monitor_id == monitors.c.id)
        .where(monitors.c.archived_at.is_(None))
        .order_by(monitors.c.no, states.region)
    )  # fmt: skip
    if only_bad:
        statement = statement.where(states.state.in_(_BAD), monitors.c.paused == False)  # noqa: E712 - SQL
    if monitor_id is not None:
        statement = statement.where(monitors.c.id == monitor_id)
    if search:
        columns = (monitors.c.id, monitors.c.names, monitors.c.target, monitors.c.component_id)
        statement = statement.where(_has(columns, search))
    found = [_watch(row) for row in conn.execute(statement).mappings()]
    order = {"down": 0, "degraded": 1, "unknown": 2, "up": 3}
    return sorted(found, key=lambda one: (order.get(one.state, 2), one.no))


def notice_ids_of(conn: Connection, monitor_ids: Iterable[str]) -> dict[str, str]:
    """Monitor id -> public id of the open notice it is failing in."""
    statement = (
        select(notice_monitors.c.monitor_id, notices_table.c.public_id)
        .join(notices_table, notices_table.c.id == notice_monitors.c.notice_id)
        .where(notice_monitors.c.monitor_id.in_(list(monitor_ids)), notice_monitors.c.up_at.is_(None),
               notices_table.c.resolved_at.is_(None))
    )  # fmt: skip
    return {row[0]: row[1] for row in conn.execute(statement)}


def recent_results(conn: Connection, monitor_no: int, limit: int = 30) -> list[dict[str, Any]]:
    """The newest raw results of one monitor, newest first: at_ms, outcome, latency_ms."""
    statement = (
        select(check_results).where(check_results.c.monitor_no == monitor_no)
        .order_by(check_results.c.at_ms.desc()).limit(limit)
    )  # fmt: skip
    return [
        {"at_ms": row.at_ms, "outcome": _OUTCOMES[row.outcome], "latency_ms": row.latency_ms}
        for row in conn.execute(statement)
    ]


def recent_transitions(conn: Connection, monitor_id: str, limit: int = 12) -> list[RowMapping]:
    """The newest changes of state of one monitor, newest first."""
    statement = select(transitions).where(transitions.c.monitor_id == monitor_id).order_by(transitions.c.id.desc())
    return list(conn.execute(statement.limit(limit)).mappings())


def run_requests_of(conn: Connection, monitor_id: str, limit: int = 3) -> list[RowMapping]:
    """The newest 'run now' requests of one monitor, newest first."""
    statement = select(run_requests).where(run_requests.c.monitor_id == monitor_id).order_by(run_requests.c.id.desc())
    return list(conn.execute(statement.limit(limit)).mappings())


def waiting_approvals(conn: Connection) -> dict[int, str]:
    """Notice id -> who asked, for security notices that wait for a second person."""
    statement = select(approvals.c.notice_id, approvals.c.asked_by).where(approvals.c.decided_at.is_(None))
    return {row[0]: row[1] for row in conn.execute(statement)}


def approvals_of(conn: Connection, notice_id: int) -> list[RowMapping]:
    """Every approval asked for one notice, oldest first."""
    return list(
        conn.execute(select(approvals).where(approvals.c.notice_id == notice_id).order_by(approvals.c.id)).mappings()
    )


def delivery_counts(conn: Connection, notice_id: int) -> dict[str, dict[str, int]]:
    """Channel -> state -> number of messages about one notice, over all its updates."""
    statement = (
        select(deliveries.c.channel, deliveries.c.state, func.count())
        .where(deliveries.c.notice_id == notice_id)
        .group_by(deliveries.c.channel, deliveries.c.state)
    )
    out: dict[str, dict[str, int]] = {}
    for channel, state, number in conn.execute(statement):
        out.setdefault(channel, {})[state] = number
    return out


def pending_outbox(conn: Connection, notice_id: int | None = None) -> int:
    """Outbox rows that the deliverer has not expanded yet."""
    statement = select(func.count()).select_from(outbox).where(outbox.c.expanded_at.is_(None))
    if notice_id is not None:
        statement = statement.where(outbox.c.notice_id == notice_id)
    return conn.scalar(statement) or 0


def delivery_states(conn: Connection, since: datetime) -> dict[str, int]:
    """State -> number of messages made since then."""
    statement = (
        select(deliveries.c.state, func.count()).where(deliveries.c.created_at >= since).group_by(deliveries.c.state)
    )
    return {row[0]: row[1] for row in conn.execute(statement)}


def late_deliveries(conn: Connection, before: datetime) -> int:
    """Messages that should have left before then and have not. What waits for a reader's morning is not late."""
    statement = (
        select(func.count()).select_from(deliveries)
        .where(deliveries.c.state.in_(("queued", "sending")), deliveries.c.created_at < before,
               deliveries.c.error_class != NIGHT)
    )  # fmt: skip
    return conn.scalar(statement) or 0


def list_deliveries(
    conn: Connection,
    *,
    states: Collection[str] = (),
    notice_id: int | None = None,
    before_id: int | None = None,
    limit: int = 50,
) -> list[RowMapping]:
    """Messages, newest first, with the masked label of who they are for and the number of the notice."""
    statement = (
        select(deliveries, subscriptions.c.label, subscriptions.c.audience, notices_table.c.number, notices_table.c.public_id)
        .join(subscriptions, subscriptions.c.id == deliveries.c.subscription_id)
        .outerjoin(notices_table, notices_table.c.id == deliveries.c.notice_id)
        .order_by(deliveries.c.id.desc()).limit(limit)
    )  # fmt: skip
    if states:
        statement = statement.where(deliveries.c.state.in_(list(states)))
    if notice_id is not None:
        statement = statement.where(deliveries.c.notice_id == notice_id)
    if before_id is not None:
        statement = statement.where(deliveries.c.id < before_id)
    return list(conn.execute(statement).mappings())


def subscription_counts(conn: Connection) -> list[RowMapping]:
    """channel, audience, state and number; never an address."""
    columns = (subscriptions.c.channel, subscriptions.c.audience, subscriptions.c.state)
    statement = select(*columns, func.count().label("number")).group_by(*columns).order_by(*columns)
    return list(conn.execute(statement).mappings())


def operator_webhooks(conn: Connection) -> list[RowMapping]:
    """The webhooks that operators added: their label, state and filters."""
    statement = (
        select(subscriptions.c.public_id, subscriptions.c.label, subscriptions.c.state, subscriptions.c.created_at)
        .where(subscriptions.c.channel == "webhook", subscriptions.c.audience == "operator",
               subscriptions.c.state != "off")
        .order_by(subscriptions.c.id)
    )  # fmt: skip
    return list(conn.execute(statement).mappings())


def reach(
    conn: Connection, kind: str, component_ids: Collection[str], audiences: Collection[str]
) -> Counter[tuple[str, str]]:
    """(channel, language) -> how many active subscriptions a notice of `kind` on these components would be sent to.

    Filters are few and repeat, so they are counted by group: 100,000 subscribers cost one grouped scan, not 100,000 rows.
    """
    columns = (subscriptions.c.channel, subscriptions.c.language, subscriptions.c.components, subscriptions.c.kinds)
    statement = (
        select(*columns, func.count())
        .where(subscriptions.c.state == "active", subscriptions.c.audience.in_(list(audiences)),
               subscriptions.c.notice_id.is_(None))
        .group_by(*columns)
    )  # fmt: skip
    out: Counter[tuple[str, str]] = Counter()
    wanted = set(component_ids)
    for channel, language, chosen, kinds, number in conn.execute(statement):
        if (not chosen or not wanted or wanted & set(chosen)) and (not kinds or kind in kinds):
            out[channel, language] += number
    return out


def answered(conn: Connection, key: str) -> dict[str, Any] | None:
    """The answer that a form with this idempotency key was given; None for a key never used."""
    row = conn.execute(select(idempotency_keys.c.answer).where(idempotency_keys.c.key == key)).first()
    return None if row is None else dict(row[0])


def search_notices(conn: Connection, *, words: str, kind: str, limit: int = 60) -> list[notices.Notice]:
    """Notices for the list, drafts included, newest first: those that readers find by these `words`; `kind` '' for every kind."""
    statement = select(notices_table.c.id).order_by(notices_table.c.id.desc()).limit(limit)
    statement = statement.where(*holds(conn, notices_table.c.words, words))
    if kind:
        statement = statement.where(notices_table.c.kind == kind)
    return [notices.by_id(conn, row[0]) for row in conn.execute(statement)]


def count_fires(conn: Connection) -> int:
    """Open incidents and security notices, and bad monitors that are in none of them."""
    unfinished = [one for one in notices.open_notices(conn) if one.kind in {"incident", "security"}]
    bad = {one.id for one in watches(conn, only_bad=True)}
    return len(unfinished) + len(bad - set(notice_ids_of(conn, bad)))


def _watch(row: RowMapping) -> Watch:
    values = {name: row[name] for name in Watch.__dataclass_fields__}
    blanks = {
        "region": "local",
        "state": "unknown",
        "streak": 0,
        "last_ms": 0,
        "error_class": "",
        "message": "",
        "evidence": {},
        "together": "unknown",
    }
    return Watch(**{**values, **{name: blank for name, blank in blanks.items() if values[name] is None}})


def _has(columns: Iterable[Column[Any]], words: str) -> ColumnElement[bool]:
    """Whether one of the columns contains the words. JSON columns are looked through as the text that they are."""
    return or_(*(type_coerce(column, Text()).icontains(words, autoescape=True) for column in columns))

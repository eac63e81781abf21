"""What machines may say: opening, growing and closing suspected notices as monitors fail and recover.

A storm is one notice: whatever fails joins the notice that already names it, or the one machines opened or grew within the last
minute. Once a person has touched a notice, machines only suggest: they note what fails and what has recovered.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, RowMapping

from statuspage import i18n, scenarios
from statuspage.actions import notices, outbox
from statuspage.actions.context import MONITORS, Context
from statuspage.actions.notices import Step
from statuspage.actions.outbox import EVERYONE, MACHINES, ON_CALL, Said
from statuspage.domain import status
from statuspage.domain.notice import Draft, Facts, Text
from statuspage.domain.notice_checks import impact_for
from statuspage.store import components as component_store
from statuspage.store import monitors as monitor_store
from statuspage.store import notices as store
from statuspage.store import pages
from statuspage.store.monitors import Monitor
from statuspage.store.notices import Notice

STORM_WINDOW = timedelta(seconds=60)
BREATH = timedelta(seconds=5)
NEXT_UPDATE = timedelta(minutes=30)
_NAMED = 2  # components named in a title before it counts the rest


@dataclass(frozen=True, slots=True)
class Failing:
    """A monitor that has just been confirmed bad. `state` is down or degraded; `began_at` its first failing result."""

    monitor: Monitor
    state: str
    began_at: datetime
    error_class: str
    message: str

    @property
    def claim(self) -> str:
        """What this means for the component."""
        return self.monitor.when_down if self.state == "down" else status.DEGRADED

    def to_json(self) -> dict[str, Any]:
        """For the on-call's page: no targets, they may carry internal names."""
        return {
            "monitor": self.monitor.id,
            "state": self.state,
            "error": self.error_class,
            "message": self.message[:200],
        }


def raise_for(conn: Connection, ctx: Context, failing: Sequence[Failing], now: datetime) -> list[int]:
    """Open or grow notices for monitors that have just failed; ids of the notices concerned."""
    quiet = _in_maintenance(conn, {item.monitor.component_id for item in failing})
    loud = [item for item in failing if item.monitor.component_id not in quiet]
    ids: list[int] = []
    for policy in ("auto", "suspect", "draft"):
        group = [item for item in loud if item.monitor.publish == policy]
        if group:
            ids += _place(conn, ctx, group, policy, now)
    return ids


def _place(conn: Connection, ctx: Context, group: list[Failing], policy: str, now: datetime) -> list[int]:
    """Each failing monitor goes to the notice that names its component, else to the storm under way, else to a new notice."""
    opened = [item for item in store.open_notices(conn) if item.kind in {"incident", "security"}]
    homes: dict[int, list[Failing]] = {}
    homeless: list[Failing] = []
    for item in group:
        home = next(
            (n for n in opened if item.monitor.component_id in n.facts.components and n.visibility != "scheduled"), None
        )
        if home is None:
            homeless.append(item)
        else:
            homes.setdefault(home.id, []).append(item)
    storm = next((n for n in reversed(opened) if _is_storm(n, policy, now)), None)
    if homeless and storm:
        homes.setdefault(storm.id, []).extend(homeless)
        homeless = []
    for home in opened:
        if home.id in homes:
            _join(conn, ctx, home, homes[home.id], now)
    ids = list(homes)
    if homeless:
        ids.append(_open(conn, ctx, homeless, policy, now))
    return ids


def _is_storm(found: Notice, policy: str, now: datetime) -> bool:
    wanted = "draft" if policy == "draft" else "public"
    return (
        found.source == "monitor"
        and not found.touched
        and found.visibility == wanted
        and now - found.updated_at <= STORM_WINDOW
    )


def _open(conn: Connection, ctx: Context, group: list[Failing], policy: str, now: datetime) -> int:
    began = min(item.began_at for item in group)
    claims = _claims(group)
    next_by = now + NEXT_UPDATE
    facts = Facts(
        "incident", "investigating", _text(conn, "suspected", "title", claims, began, next_by, group), components=claims,
        started_at=began, confirmed_at=now if policy == "auto" else None, next_update_by=next_by,
        symptoms=tuple(sorted({symptom for item in group for symptom in item.monitor.symptoms})),
        template=group[0].monitor.template,
    )  # fmt: skip
    draft = Draft(facts, _text(conn, "suspected", "body", claims, began, next_by, group), source="monitor",
                  visibility="draft" if policy == "draft" else "public")  # fmt: skip
    said = Said("declared") if policy == "auto" else Said("suspected", EVERYONE, MACHINES)
    ref = notices.open_notice(
        conn, ctx, MONITORS, draft, now, said=said, monitors=tuple(item.to_json() for item in group)
    )
    found = store.by_public_id(conn, ref.public_id)
    assert found  # noqa: S101 - written two lines up in this transaction
    for item in group:
        store.link_monitor(conn, found.id, item.monitor.id, now)
    page_on_call(conn, found, "suspected" if policy == "suspect" else policy, now, [item.to_json() for item in group])
    return found.id


def _join(conn: Connection, ctx: Context, found: Notice, group: list[Failing], now: datetime) -> None:
    for item in group:
        store.link_monitor(conn, found.id, item.monitor.id, now)
    if found.recovered_at:
        store.change_notice(conn, found.id, {"recovered_at": None})
        store.add_change(conn, {"notices": [found.public_id]}, now)
    settle(conn, ctx, store.by_id(conn, found.id), now)


def settle_all(ctx: Context) -> int:
    """Bring the public facts of machine notices up to what their monitors say; the number changed."""
    now = ctx.now()
    with ctx.db.read() as conn:
        stale = [found.id for found in store.open_notices(conn) if _is_ours(found) and now - found.updated_at >= BREATH]
        stale = [
            notice_id
            for notice_id in stale
            if _claims_of(conn, notice_id) != store.by_id(conn, notice_id).facts.components
        ]
    for notice_id in stale:
        with ctx.db.write() as conn:
            settle(conn, ctx, store.by_id(conn, notice_id), now)
    return len(stale)


def settle(conn: Connection, ctx: Context, found: Notice, now: datetime) -> None:
    """One update for all that failed or recovered since the last, at most every few seconds: a storm of thirteen monitors is
    two updates, not thirteen. The end is said at once.
    """
    if not _is_ours(found) or not found.is_open:
        return
    claims = _claims_of(conn, found.id)
    if claims == found.facts.components or (claims and now - found.updated_at < BREATH):
        return
    grown, gone = sorted(set(claims) - set(found.facts.components)), sorted(set(found.facts.components) - set(claims))
    if claims:
        titles = _text(conn, "suspected", "title", claims, now, now, ())
        facts = replace(found.facts, components=claims, titles=titles, symptoms=_symptoms(conn, claims))
        facts = replace(facts, impact=impact_for(facts))
        said = Said("suspected", EVERYONE, MACHINES) if grown else None
    else:
        facts = replace(found.facts, status="resolved", components={}, next_update_by=None)
        said = Said("resolved", EVERYONE, () if found.confirmed_at else MACHINES)
    next_by = found.next_update_by or now + NEXT_UPDATE
    parts = [_text(conn, "grown", "body", grown or claims, now, next_by, ())] if claims and (grown or not gone) else []
    parts += [_text(conn, "recovered", "body", gone, now, now, ())] if gone else []
    bodies = {tag: "\n\n".join(part[tag] for part in parts) for tag in parts[0]}
    notices.append(
        conn, ctx, found, Draft(facts, bodies, source="monitor"), Step(MONITORS.name, by_machine=True, said=said), now
    )
    if not claims:
        page_on_call(conn, found, "resolved", now, [])


def _is_ours(found: Notice) -> bool:
    return found.source == "monitor" and not found.touched


def _claims_of(conn: Connection, notice_id: int) -> dict[str, str]:
    """What the monitors that are failing within a notice mean for their components."""
    failing = set(store.failing_monitors(conn, notice_id))
    if not failing:
        return {}
    active = monitor_store.active(conn)
    claims: dict[str, str] = {}
    for row in monitor_store.state_rows(conn):
        monitor = active.get(row["monitor_id"])
        if monitor is None or row["monitor_id"] not in failing:
            continue
        # A monitor that we cannot see just now is still what it was when it failed.
        claim = status.DEGRADED if row["state"] == "degraded" else monitor.when_down
        claims[monitor.component_id] = status.worst([claim, claims.get(monitor.component_id, claim)])
    return claims


def _symptoms(conn: Connection, component_ids: Iterable[str]) -> tuple[str, ...]:
    wanted = set(component_ids)
    rows = (item for item in monitor_store.active(conn).values() if item.component_id in wanted)
    return tuple(sorted({symptom for item in rows for symptom in item.symptoms}))


def clear_for(conn: Connection, ctx: Context, monitor_ids: Iterable[str], now: datetime) -> None:
    """Note that monitors work again. An untouched notice shrinks and ends by itself; a touched one waits for its person."""
    for notice_id in store.release_monitors(conn, monitor_ids, now):
        found = store.by_id(conn, notice_id)
        if _is_ours(found):
            settle(conn, ctx, found, now)
        else:
            _suggest_recovery(conn, found, now)


def _suggest_recovery(conn: Connection, found: Notice, now: datetime) -> None:
    if store.failing_monitors(conn, found.id) or found.recovered_at:
        return
    store.change_notice(conn, found.id, {"recovered_at": now})
    store.add_change(conn, {"notices": [found.public_id]}, now)
    page_on_call(conn, found, "recovered", now, [])


def page_on_call(conn: Connection, found: Notice, event: str, now: datetime, monitors: list[dict[str, Any]]) -> None:
    """Write the row that wakes the on-call."""
    current = store.by_id(conn, found.id)
    outbox.enqueue(
        conn,
        current,
        store.last_update(conn, found.id),
        Said(event, ON_CALL, kind="page_oncall"),
        now,
        monitors=monitors,
    )


def unexplained(conn: Connection) -> list[Failing]:
    """Monitors that are bad although no open notice and no maintenance window says so."""
    rows = [row for row in monitor_store.state_rows(conn) if row["state"] in {"down", "degraded"}]
    active = monitor_store.active(conn) if rows else {}
    bad = [row for row in rows if row["monitor_id"] in active and row["streak_outcome"] == row["state"]]
    ids = {active[row["monitor_id"]].component_id for row in bad}
    said = {component_id for found in store.open_notices(conn) for component_id in found.facts.components}
    hidden = _in_maintenance(conn, ids) | said
    return [
        Failing(active[row["monitor_id"]], row["state"], row["since_at"], row["error_class"], row["message"])
        for row in bad
        if active[row["monitor_id"]].component_id not in hidden and not _parent_is_down(active[row["monitor_id"]], rows)
    ]


def _parent_is_down(monitor: Monitor, rows: Sequence[RowMapping]) -> bool:
    return any(row["monitor_id"] == monitor.depends_on and row["state"] == "down" for row in rows)


def _claims(group: Sequence[Failing]) -> dict[str, str]:
    claims: dict[str, str] = {}
    for item in group:
        component_id = item.monitor.component_id
        claims[component_id] = status.worst([item.claim, claims.get(component_id, item.claim)])
    return claims


def _in_maintenance(conn: Connection, component_ids: set[str]) -> set[str]:
    rows = store.claims_on(conn, component_ids)
    return {
        key
        for key, _claim, found in rows
        if found.kind == "maintenance" and found.status in {"in_progress", "verifying"}
    }


def _text(conn: Connection, name: str, part: str, component_ids: Iterable[str], start: datetime, next_by: datetime,
          group: Sequence[Failing]) -> Text:  # fmt: skip
    """A machine text in every language of the catalogue."""
    page = pages.load_page(conn)
    rows = component_store.load(conn, list(component_ids))
    variables = {}
    for language in i18n.LOCALES:
        names = [i18n.pick(row.names, language) for row in rows.values()]
        times = (("start", start), ("end", start), ("next", next_by))
        clocks = {key: i18n.moment_words(at, page.time_zone, language) for key, at in times}
        variables[language] = {**clocks, "component": joined(names, language), "evidence": _evidence(group, language)}
    return scenarios.catalogue().machine(name, part, variables)


def joined(names: Sequence[str], language: str) -> str:
    """`Transfers`, `Transfers and Balances`, `Transfers, Balances and 5 more`, and the same in Chinese."""
    if len(names) <= _NAMED:
        return ("和" if language == "zh-Hans" else " and ").join(names)
    shown, rest = names[:_NAMED], len(names) - _NAMED
    if language == "zh-Hans":
        return f"{'、'.join(shown)}等{len(names)}项功能"
    return f"{', '.join(shown)} and {rest} more"


def _evidence(group: Sequence[Failing], language: str) -> str:
    count = max((item.monitor.failures for item in group), default=1)
    return f"连续 {count} 次检测" if language == "zh-Hans" else f"{count} checks in a row"

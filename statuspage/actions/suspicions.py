"""What machines may say: opening, growing and closing suspected notices as monitors fail and recover.

A storm is one notice: whatever fails joins the notice that already names it, or the one machines opened or grew within the last
minute. Once a person has touched a notice, machines only suggest: they note what fails and what has recovered.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from statuspage.actions import components, homes, machine_words, notices, outbox
from statuspage.actions.book import grace
from statuspage.actions.context import MONITORS, Context
from statuspage.actions.homes import Kin
from statuspage.actions.machine_words import paragraphs
from statuspage.actions.notices import Step
from statuspage.actions.outbox import EVERYONE, MACHINES, ON_CALL, Said
from statuspage.domain import findings, status
from statuspage.domain.findings import Finding
from statuspage.domain.judgement import BAD, Judgement, is_explained
from statuspage.domain.notice import Draft, Facts
from statuspage.domain.notice_checks import impact_for
from statuspage.store import judgements as judgement_store
from statuspage.store import monitors as monitor_store
from statuspage.store import notices as store
from statuspage.store.monitors import Monitor
from statuspage.store.notices import Notice

BREATH = timedelta(seconds=5)
NEXT_UPDATE = timedelta(minutes=30)


@dataclass(frozen=True, slots=True)
class Failing:
    """A monitor that has just been judged bad. `began_at`: the first result that led to it."""

    monitor: Monitor
    judgement: Judgement
    began_at: datetime
    error_class: str
    message: str

    @property
    def claim(self) -> str:
        """What this means for the component."""
        return components.meaning(self.judgement, self.monitor.when_down)

    def to_json(self, shares: Sequence[str] = ()) -> dict[str, Any]:
        """For the on-call's page: no targets, they may carry internal names. `shares`: what others fail with as well."""
        return {
            "monitor": self.monitor.id,
            "state": self.judgement.shown,
            "error": self.error_class,
            "message": self.message[:200],
            **({"cause": self.judgement.cause} if self.judgement.cause else {}),
            **({"flapping": True} if self.judgement.flapping_at else {}),
            **({"shares": list(shares)} if shares else {}),
        }


@dataclass(frozen=True, slots=True)
class _Outlook:
    """What a notice's failing monitors mean at the moment: claims by component, what a chain's verdict adds, who flaps."""

    claims: dict[str, str]
    finding: Finding
    flapping: frozenset[str]

    def is_said(self, found: Notice) -> bool:
        """Whether the public facts say it already. A flapping component is said when its claim is."""
        facts = found.facts
        return self.claims == facts.components and (not self.claims or self.finding.cause == facts.cause)


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
    """Each failing monitor goes to the notice that tells of its cause already, else to a new one with the others."""
    opened = [item for item in store.open_notices(conn) if item.kind in {"incident", "security"}]
    placed, homeless = homes.place(conn, [item.monitor for item in group], opened, policy, now)
    by_id = {item.monitor.id: item for item in group}
    for home in opened:
        if home.id in placed:
            _join(conn, ctx, home, [by_id[monitor.id] for monitor in placed[home.id]], now)
    ids = list(placed)
    if homeless:
        ids.append(_open(conn, ctx, [by_id[monitor.id] for monitor in homeless], policy, now))
    return ids


def _open(conn: Connection, ctx: Context, group: list[Failing], policy: str, now: datetime) -> int:
    began = min(item.began_at for item in group)
    outlook = _outlook_of([(item.monitor, item.judgement) for item in group])
    claims, finding = outlook.claims, outlook.finding
    next_by = now + NEXT_UPDATE
    shares = Kin(conn).shared([item.monitor.id for item in group])
    count = max(item.monitor.failures for item in group)
    facts = Facts(
        "incident", "investigating", machine_words.text(conn, finding.words, "title", claims, began, next_by),
        components=claims, started_at=began, confirmed_at=now if policy == "auto" else None, next_update_by=next_by,
        cause=finding.cause, attribution=finding.attribution,
        symptoms=tuple(sorted({symptom for item in group for symptom in item.monitor.symptoms})),
        template=group[0].monitor.template,
    )  # fmt: skip
    body = paragraphs([
        machine_words.text(conn, finding.words, "body", claims, began, next_by, checks=count),
        machine_words.shared(shares),
        machine_words.text(conn, "unstable", "body", sorted(outlook.flapping), began, next_by) if outlook.flapping else {},
    ])  # fmt: skip
    draft = Draft(facts, body, source="monitor", visibility="draft" if policy == "draft" else "public")
    said = Said("declared") if policy == "auto" else Said("suspected", EVERYONE, MACHINES)
    ref = notices.open_notice(
        conn, ctx, MONITORS, draft, now, said=said, monitors=tuple(item.to_json() for item in group)
    )
    found = store.by_public_id(conn, ref.public_id)
    assert found  # noqa: S101 - written two lines up in this transaction
    for item in group:
        store.link_monitor(conn, found.id, item.monitor.id, now)
    told = [item.to_json(shares) for item in group]  # what we inferred of hosts and networks is for the on-call alone
    page_on_call(conn, found, "suspected" if policy == "suspect" else policy, now, told)
    return found.id


def _join(conn: Connection, ctx: Context, found: Notice, group: list[Failing], now: datetime) -> None:
    for item in group:
        store.link_monitor(conn, found.id, item.monitor.id, now)
    if found.recovered_at:
        store.change_notice(conn, found.id, {"recovered_at": None})
        store.add_change(conn, {"notices": [found.public_id]}, now)
    begins_to_flap = any(item.judgement.flapping_at == now for item in group)
    settle(conn, ctx, store.by_id(conn, found.id), now, at_once=begins_to_flap)


def settle_all(ctx: Context) -> int:
    """Bring the public facts of machine notices up to what their monitors say; the number changed."""
    now = ctx.now()
    with ctx.db.read() as conn:
        stale = [
            found.id
            for found in store.open_notices(conn)
            if _is_ours(found) and not _is_breathing(found, now) and not _outlook(conn, found.id).is_said(found)
        ]
    for notice_id in stale:
        with ctx.db.write() as conn:
            settle(conn, ctx, store.by_id(conn, notice_id), now)
    return len(stale)


def _is_breathing(found: Notice, now: datetime) -> bool:
    """Whether it spoke a moment ago. One that spoke in what is now the future did so before the clock was set back."""
    return timedelta(0) <= now - found.updated_at < BREATH


def settle(conn: Connection, ctx: Context, found: Notice, now: datetime, *, at_once: bool = False) -> None:
    """One update for all that failed or recovered since the last, at most every few seconds: a storm of thirteen monitors is
    two updates, not thirteen. The end is said at once, and so is that something has begun to flap.
    """
    if not _is_ours(found) or not found.is_open:
        return
    outlook = _outlook(conn, found.id)
    claims = outlook.claims
    if claims and not at_once and (outlook.is_said(found) or _is_breathing(found, now)):
        return
    if claims:
        draft, said = _goes_on(conn, found, outlook, now, says_flapping=at_once)
    else:
        body = machine_words.text(conn, "recovered", "body", sorted(found.facts.components), now, now)
        facts = replace(found.facts, status="resolved", components={}, next_update_by=None)
        draft, said = (
            Draft(facts, body, source="monitor"),
            Said("resolved", EVERYONE, () if found.confirmed_at else MACHINES),
        )
    notices.append(conn, ctx, found, draft, Step(MONITORS.name, by_machine=True, said=said), now)
    if not claims:
        page_on_call(conn, found, "resolved", now, [])


def _goes_on(conn: Connection, found: Notice, outlook: _Outlook, now: datetime, *, says_flapping: bool
             ) -> tuple[Draft, Said | None]:  # fmt: skip
    """The next update of a notice that stays open, and who hears it: machines, when something got worse or is of another kind."""
    old, claims, finding = found.facts.components, outlook.claims, outlook.finding
    grown, gone = sorted(claims.keys() - old.keys()), sorted(old.keys() - claims.keys())
    changed = sorted(key for key in claims.keys() & old.keys() if claims[key] != old[key])
    flapping = sorted(outlook.flapping) if says_flapping else []
    is_other = finding.cause != found.facts.cause
    next_by = found.next_update_by or now + NEXT_UPDATE

    def words(name: str, component_ids: Collection[str]) -> dict[str, str]:
        return machine_words.text(conn, name, "body", component_ids, now, next_by) if component_ids else {}

    shares = Kin(conn).shared(store.failing_monitors(conn, found.id)) if grown else []
    body = paragraphs([
        words(finding.words, sorted(claims)) if is_other and finding.words != "suspected" else words("grown", grown),
        machine_words.shared(shares),
        words("unstable", flapping),
        words("changed", sorted(set(changed) - set(flapping))) if not is_other else {},
        words("recovered", gone),
    ])  # fmt: skip
    facts = replace(
        found.facts, components=claims, titles=machine_words.text(conn, finding.words, "title", claims, now, next_by),
        symptoms=_symptoms(conn, claims), cause=finding.cause, attribution=finding.attribution,
    )  # fmt: skip
    facts = replace(facts, impact=impact_for(facts))
    worse = any(status.RANK[claims[key]] > status.RANK[old[key]] for key in changed)
    said = Said("suspected", EVERYONE, MACHINES) if grown or flapping or is_other or worse else None
    return Draft(facts, body or words("changed", sorted(claims)), source="monitor"), said


def _is_ours(found: Notice) -> bool:
    return found.source == "monitor" and not found.touched


def _outlook(conn: Connection, notice_id: int) -> _Outlook:
    failing = store.failing_monitors(conn, notice_id)
    if not failing:
        return _outlook_of([])
    active = monitor_store.active(conn, failing)
    known = judgement_store.load(conn, failing)
    return _outlook_of([(monitor, known[name]) for name, monitor in active.items() if name in known])


def _outlook_of(failing: Iterable[tuple[Monitor, Judgement]]) -> _Outlook:
    claims: dict[str, str] = {}
    causes: list[str] = []
    flapping: set[str] = set()
    for monitor, found in failing:
        # A monitor that we cannot see just now is still what it was when it failed.
        then = replace(found, state=found.failing_as)
        claim = components.meaning(then, monitor.when_down)
        claim = claim if then.state in BAD else monitor.when_down
        claims[monitor.component_id] = status.worst([claim, claims.get(monitor.component_id, claim)])
        causes.append(found.cause)
        if found.flapping_at:
            flapping.add(monitor.component_id)
    return _Outlook(claims, findings.of(causes), frozenset(flapping))


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


def unexplained(conn: Connection, now: datetime) -> list[Failing]:
    """Monitors that are bad although no open notice, no maintenance window and no monitor above says so."""
    bad = failing_of(conn, None)
    ids = {item.monitor.component_id for item in bad}
    said = {component_id for found in store.open_notices(conn) for component_id in found.facts.components}
    hidden = _in_maintenance(conn, ids) | said
    bad = [item for item in bad if item.monitor.component_id not in hidden]
    if not bad:
        return []
    parents = {item.id: item.depends_on for item in monitor_store.active(conn).values()}
    known = judgement_store.load(conn)
    return [item for item in bad if not is_explained(item.monitor.id, parents, known, now, grace(item.monitor))]


def failing_of(conn: Connection, monitor_ids: Collection[str] | None) -> list[Failing]:
    """Monitors (of these, or all) that are bad and not just recovering, with the words of the newest failing result."""
    known = {name: found for name, found in judgement_store.load(conn, monitor_ids).items() if found.shown in BAD}
    if not known:
        return []
    active = monitor_store.active(conn, known)
    words = {
        row["monitor_id"]: (row["error_class"], row["message"])
        for row in sorted(monitor_store.state_rows(conn), key=lambda row: row["last_at"])
        if row["monitor_id"] in known and row["streak_outcome"] in BAD
    }
    return [
        Failing(monitor, known[name], known[name].since_at, *words[name])
        for name, monitor in active.items()
        if name in words
    ]


def _in_maintenance(conn: Connection, component_ids: set[str]) -> set[str]:
    rows = store.claims_on(conn, component_ids)
    return {
        key
        for key, _claim, found in rows
        if found.kind == "maintenance" and found.status in {"in_progress", "verifying"}
    }

"""Maintenance windows: announced, reminded, started and ended by themselves; one that overruns asks its person.

What is due is a query over the windows themselves, run by a tick: a missed, doubled or late tick changes nothing.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy import Connection

from statuspage import i18n, scenarios
from statuspage.actions import block_windows, components, notices, outbox, suspicions
from statuspage.actions.context import SCHEDULER, Actor, Context
from statuspage.actions.notices import NoticeRef, Step
from statuspage.actions.outbox import EVERYONE, ON_CALL, Said
from statuspage.domain import status
from statuspage.domain.notice import Draft
from statuspage.errors import InvalidInput
from statuspage.store import components as component_store
from statuspage.store import notices as store
from statuspage.store import pages
from statuspage.store.notices import Notice

LATE = timedelta(minutes=2)


def schedule(ctx: Context, actor: Actor, draft: Draft, remind_before_s: tuple[int, ...] = (86_400, 3_600)) -> NoticeRef:
    """Announce a window. The reminders are seconds before its start; one that lies in the past already is dropped.

    Raises InvalidInput for a window that is over or has no components.
    """
    facts = replace(draft.facts, kind="maintenance", status="scheduled", impact="maintenance")
    facts = replace(facts, components=dict.fromkeys(facts.components, status.MAINTENANCE))
    now = ctx.now()
    if not facts.components:
        message = "say which components pause"
        raise InvalidInput(message, "components")
    if facts.scheduled_until and facts.scheduled_until <= now:
        message = "the window is over already"
        raise InvalidInput(message, "scheduled_until")
    ahead = (facts.scheduled_for - now).total_seconds() if facts.scheduled_for else 0
    kept = tuple(seconds for seconds in remind_before_s if 0 < seconds < ahead)
    return notices.declare(ctx, actor, replace(draft, facts=facts), remind_before_s=kept)


def overlapping(conn: Connection, starts_at: datetime, ends_at: datetime, component_ids: set[str]) -> list[Notice]:
    """Other windows at the same time that share a component: the console warns, the operator decides."""
    return [
        found for found in store.open_notices(conn)
        if found.kind == "maintenance" and found.scheduled_for and found.scheduled_until
        and found.scheduled_for < ends_at and starts_at < found.scheduled_until and component_ids & set(found.facts.components)
    ]  # fmt: skip


def tick(ctx: Context) -> int:
    """Do everything that is due now; the number of things done. Each window is its own transaction."""
    now = ctx.now()
    block_windows.correct(ctx)
    with ctx.db.read() as conn:
        came = block_windows.arrivals(conn, now)
        due = [found.id for found in store.open_notices(conn) if _is_due(found, now, came=came.get(found.id))]
    for notice_id in due:
        with ctx.db.write() as conn:
            _turn(conn, ctx, store.by_id(conn, notice_id), now, came=came.get(notice_id))
    return len(due)


def _is_due(found: Notice, now: datetime, *, came: bool | None) -> bool:
    """`came`: whether the block that it waits for has come, None where the clock decides."""
    if (
        found.kind != "maintenance"
        or found.visibility != "public"
        or not (found.scheduled_for and found.scheduled_until)
    ):
        return False
    if found.status == "scheduled":
        return _begins(found, now, came=came) or bool(_due_reminders(found, now))
    return now >= found.scheduled_until and (found.overrun_asked_at is None or found.status == "in_progress")


def _begins(found: Notice, now: datetime, *, came: bool | None) -> bool:
    assert found.scheduled_for  # noqa: S101 - checked by the caller
    return now >= found.scheduled_for if came is None else came


def _due_reminders(found: Notice, now: datetime) -> list[int]:
    start = found.scheduled_for
    assert start  # noqa: S101 - checked by the caller
    return [
        seconds
        for seconds in found.remind_before_s
        if seconds not in found.reminded and now >= start - timedelta(seconds=seconds)
    ]


def _turn(conn: Connection, ctx: Context, found: Notice, now: datetime, *, came: bool | None) -> None:
    if not _is_due(found, now, came=came) or not found.is_open:
        return
    assert found.scheduled_for  # noqa: S101 - part of being due
    if found.status == "scheduled" and _begins(found, now, came=came):
        _start(conn, ctx, found, now, at_block=came is not None)
    elif found.status == "scheduled":
        _remind(conn, found, now)
    else:
        _end_or_ask(conn, ctx, found, now)


def _start(conn: Connection, ctx: Context, found: Notice, now: datetime, *, at_block: bool) -> None:
    assert found.scheduled_for  # noqa: S101 - part of being due
    assert found.scheduled_until  # noqa: S101 - as above
    is_late = now - found.scheduled_for > LATE and not at_block
    name = "maintenance_started_late" if is_late else "maintenance_started"
    until = now + (found.scheduled_until - found.scheduled_for) if at_block else found.scheduled_until
    page = pages.load_page(conn)
    variables = {tag: {"start": i18n.moment_words(found.scheduled_for, page.time_zone, tag)} for tag in i18n.LOCALES}
    bodies = scenarios.catalogue().machine(name, "body", variables)
    facts = replace(found.facts, status="in_progress", started_at=now, scheduled_until=until)
    step = Step(SCHEDULER.name, by_machine=True, said=Said("updated", EVERYONE))
    notices.append(conn, ctx, found, Draft(facts, bodies), step, now)


def _remind(conn: Connection, found: Notice, now: datetime) -> None:
    """One reminder, however many fell due while we were away: the latest says all."""
    due = _due_reminders(found, now)
    store.change_notice(conn, found.id, {"reminded": [*found.reminded, *due]})
    outbox.enqueue(conn, found, store.last_update(conn, found.id), Said("reminder", EVERYONE), now)


def _end_or_ask(conn: Connection, ctx: Context, found: Notice, now: datetime) -> None:
    """End the window when the monitors agree that it works; else ask the on-call, once."""
    if found.status == "in_progress" and _is_working(conn, found):
        facts = replace(found.facts, status="completed", components={})
        step = Step(SCHEDULER.name, by_machine=True, said=Said("resolved", EVERYONE))
        notices.append(
            conn,
            ctx,
            found,
            Draft(facts, scenarios.catalogue().machine("maintenance_completed", "body", {})),
            step,
            now,
        )
    elif found.overrun_asked_at is None:
        store.change_notice(conn, found.id, {"overrun_asked_at": now})
        store.add_change(conn, {"notices": [found.public_id]}, now)
        outbox.enqueue(
            conn, found, store.last_update(conn, found.id), Said("overrun", ON_CALL, kind="page_oncall"), now
        )


def _is_working(conn: Connection, found: Notice) -> bool:
    """No monitor of the window's components is down, degraded or unseen. Components without monitors do not hold it up."""
    return all(row.state == "up" for row in component_store.seen(conn, found.facts.components))


def sweep(ctx: Context) -> int:
    """What fell between the chairs: monitors that are bad, outside maintenance, and in no open notice (a window ended on a
    component that is still down, a notice was resolved too early). The number found.
    """
    now = ctx.now()
    with ctx.db.read() as conn:
        lost = suspicions.unexplained(conn, now)
    if not lost:
        return 0
    with ctx.db.write() as conn:
        suspicions.raise_for(conn, ctx, suspicions.unexplained(conn, now), now)
    return len(lost)


def nag(ctx: Context) -> int:
    """Ask the on-call about notices whose promised next update is overdue, once per promise."""
    now = ctx.now()
    with ctx.db.read() as conn:
        promised = [(n, n.next_update_by) for n in store.open_notices(conn, public_only=True) if n.next_update_by]
        late = [n for n, by in promised if by <= now and not outbox.was_said(conn, n.id, "overdue", by)]
    for found in late:
        with ctx.db.write() as conn:
            suspicions.page_on_call(conn, found, "overdue", now, [])
    return len(late)


def refresh_all(ctx: Context) -> None:
    """Recompute every component's effective status: after `config apply` and at start."""
    now = ctx.now()
    with ctx.db.write() as conn:
        every = component_store.load(conn)
        changed = components.refresh(conn, every, now, source="system", reason="configuration", actor=SCHEDULER.name)
        if changed:
            store.add_change(conn, {"components": sorted(changed)}, now)

"""Maintenance windows: announcing one, and moving it along."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from flask import Blueprint, Response, request
from sqlalchemy import Connection
from werkzeug.wrappers import Response as BaseResponse

from statuspage import i18n, scenarios
from statuspage.actions import maintenance as maintenance_actions
from statuspage.actions import notices as notice_actions
from statuspage.domain import status
from statuspage.domain.notice import Draft
from statuspage.errors import Conflict, InvalidInput
from statuspage.store import components, console
from statuspage.store.notices import Notice
from statuspage.web.console import notice_form, prefill, preview
from statuspage.web.console.declare import reach_words
from statuspage.web.console.notice_form import Form
from statuspage.web.console.respond import actor, error_words, go, language, new_key, page, render, services
from statuspage.web.console.updates import load

routes = Blueprint("maintenance", __name__)

REMINDERS = ("604800", "86400", "3600", "900")
EXTENSIONS = ("30", "60", "120")
# What the announcement says by itself when an operator moves a window along without words of their own.
_SENTENCES = {
    "in_progress": "The maintenance has begun.",
    "verifying": "The work is done; we are checking that everything works.",
    "completed": "The maintenance is finished and everything works again.",
    "cancelled": "The maintenance does not take place.",
    "extend": "The maintenance takes longer than planned, until %(end)s.",
}


@routes.get("/maintenance/new")
def form() -> BaseResponse:
    """The form of a new window."""
    ctx = services().ctx
    blank = prefill.window(prefill.blank("maintenance", page()), page(), ctx.now())
    with ctx.db.read() as connection:
        return _show(connection, blank)


@routes.post("/maintenance/new")
def schedule() -> BaseResponse:
    """Announce it. Windows that overlap on a component are shown once; sending again with the box ticked schedules it."""
    ctx = services().ctx
    sent = notice_form.read(request.form, page().languages)
    paused = dict.fromkeys(sent.components, status.MAINTENANCE)
    sent = replace(sent, kind="maintenance", status="scheduled", components=paused)
    do = request.form.get("do", "publish")
    with ctx.db.read() as connection:
        if do == "fill" and sent.template in scenarios.catalogue().scenarios:
            filled = prefill.from_scenario(sent, sent.template, page(), components.load(connection))
            return _show(connection, replace(filled, kind="maintenance", status="scheduled"))
        try:
            draft = notice_form.draft(sent, None, page(), ctx.now())
            if do == "preview":
                return _show(connection, sent, made=preview.make(connection, draft, page(), ctx.now()))
            overlaps = _overlaps(connection, draft)
        except InvalidInput as error:
            return _show(connection, sent, error=error)
        if overlaps and "overlap" not in request.form:
            return _show(connection, sent, overlaps=overlaps)
    return _schedule(sent, draft)


@routes.post("/notices/<public_id>/window")
def move(public_id: str) -> BaseResponse:
    """`do`: in_progress, verifying, completed, cancelled, or extend by `minutes`. Every step is an update that is published."""
    ctx = services().ctx
    do = request.form.get("do", "")
    version = request.form.get("version", type=int)
    with ctx.db.read() as connection:
        found = load(connection, public_id)
    if do not in _SENTENCES or found.kind != "maintenance" or version is None:
        message = "choose one of the steps offered"
        raise InvalidInput(message, "do")
    facts = found.facts
    if do == "extend":
        facts = replace(facts, scheduled_until=_later(found))
    else:
        facts = replace(facts, status=do, components={} if do in {"completed", "cancelled"} else facts.components)
    end = facts.scheduled_until or ctx.now()
    bodies = {
        tag: i18n.gettext(tag, _SENTENCES[do], end=i18n.moment_words(end, page().time_zone, tag))
        for tag in page().languages
    }
    notify = "notify" in request.form
    notice_actions.update(ctx, actor(), public_id, Draft(facts, bodies, notify=notify), expected_version=version)
    return go(f"/notices/{public_id}?said=updated")


def _schedule(sent: Form, draft: Draft) -> BaseResponse:
    ctx = services().ctx
    reminders = tuple(int(seconds) for seconds in sent.reminders if seconds in REMINDERS)
    try:
        ref = maintenance_actions.schedule(ctx, actor(), draft, reminders)
    except InvalidInput as error:
        with ctx.db.read() as connection:
            return _show(connection, sent, error=error)
    except Conflict:
        # A window names its own times, so a form sent twice is the same request; only another one under its key comes here.
        with ctx.db.read() as connection:
            first = console.answered(connection, sent.key) if sent.key else None
        if first is None:
            raise
        return go(f"/notices/{first['public_id']}?said=scheduled")
    return go(f"/notices/{ref.public_id}?said=scheduled")


def _later(found: Notice) -> datetime:
    minutes = request.form.get("minutes", "")
    if minutes not in EXTENSIONS or found.facts.scheduled_until is None:
        message = "choose by how much the window is extended"
        raise InvalidInput(message, "minutes")
    return max(found.facts.scheduled_until, services().ctx.now()) + timedelta(minutes=int(minutes))


def _overlaps(connection: Connection, draft: Draft) -> list[Notice]:
    facts = draft.facts
    if not (facts.scheduled_for and facts.scheduled_until):
        return []
    return maintenance_actions.overlapping(
        connection, facts.scheduled_for, facts.scheduled_until, set(facts.components)
    )


def _show(
    connection: Connection, sent: Form, *, error: InvalidInput | None = None, made: preview.Preview | None = None,
    overlaps: list[Notice] | None = None,
) -> Response:  # fmt: skip
    found = scenarios.catalogue().scenarios.values()
    return render(
        "maintenance.html", 400 if error else 409 if overlaps else 200, form=sent if sent.key else replace(sent, key=new_key()),
        components=components.load(connection), made=made, error=error, problem=error_words(error) if error else "",
        reach=reach_words(made) if made else "", overlaps=overlaps or [], reminders=REMINDERS, choices=notice_form, found=None,
        templates=[(one.id, one.titles.get(language(), one.id)) for one in found if one.kind == "maintenance"],
        tags=preview.languages_named(page()), watch=None, kinds=(), statuses=(),
    )  # fmt: skip

"""Declaring in 30 seconds: from nothing, or from a failing monitor; incident, advisory or security notice."""

from __future__ import annotations

from dataclasses import replace

from flask import Blueprint, Response, jsonify, request
from sqlalchemy import Connection
from werkzeug.wrappers import Response as BaseResponse

from statuspage import scenarios
from statuspage.actions import notices as notice_actions
from statuspage.domain import lifecycle, notice_checks
from statuspage.domain.notice import Draft
from statuspage.errors import Conflict, InvalidInput, NotFound, Words
from statuspage.store import components, console, notices
from statuspage.web.console import notice_form, prefill, preview
from statuspage.web.console.notice_form import Form
from statuspage.web.console.respond import actor, error_words, go, language, new_key, page, render, services, words

routes = Blueprint("declare", __name__)

KINDS = ("incident", "advisory", "security")


@routes.get("/declare")
def form() -> BaseResponse:
    """The form, filled from what is known: ?monitor=, ?template=, ?kind=."""
    kind = request.args.get("kind", "incident")
    if kind not in KINDS:
        kind = "incident"
    with services().ctx.db.read() as connection:
        filled = _prefilled(connection, prefill.blank(kind, page()))
        return show(connection, filled)


@routes.post("/declare")
def publish() -> BaseResponse:
    """`do`: fill (take a template's words), preview, draft, publish. Published means committed: 303 to the notice."""
    sent = notice_form.read(request.form, page().languages)
    do = request.form.get("do", "publish")
    ctx = services().ctx
    if do == "fill":
        return _fill(sent)
    try:
        draft = notice_form.draft(sent, None, page(), ctx.now())
        if do == "preview":
            with ctx.db.read() as connection:
                return show(connection, sent, made=preview.make(connection, draft, page(), ctx.now()))
        draft = replace(draft, visibility="draft" if do == "draft" else "public")
        public_id = declare_once(draft, sent)
    except InvalidInput as error:
        with ctx.db.read() as connection:
            return show(connection, sent, error=error)
    return go(f"/notices/{public_id}?said={'saved' if do == 'draft' else 'published'}")


@routes.post("/preview")
def preview_json() -> Response:
    """What people would get, as JSON, for the script that keeps the preview fresh while somebody types."""
    ctx = services().ctx
    sent = notice_form.read(request.form, page().languages)
    try:
        with ctx.db.read() as connection:
            found = notices.by_public_id(connection, sent.notice) if sent.notice else None
            draft = notice_form.draft(sent, found.facts if found else None, page(), ctx.now())
            made = preview.make(connection, draft, page(), ctx.now(), found)
    except InvalidInput as error:
        return jsonify({"error": error_words(error), "field": error.field})
    return jsonify({
        **made.to_json(), "reach": reach_words(made),
        "findings": [*({"quote": "", "text": text} for text in warnings(made)),
                     *({"quote": one.quote, "text": words(one.message, **one.values)} for one in made.findings)],
    })  # fmt: skip


preview_json.__name__ = "preview"


def declare_once(draft: Draft, sent: Form) -> str:
    """Declare; the public id. The same form sent twice (an impatient thumb, a lost answer) is one notice.

    The times a form promises count from its arrival, so two arrivals differ in them; its words say whether it is the same.
    """
    ctx = services().ctx
    try:
        return notice_actions.declare(ctx, actor(), draft).public_id
    except Conflict:
        with ctx.db.read() as connection:
            first = console.answered(connection, sent.key) if sent.key else None
            if first is None:
                raise
            found = notices.by_public_id(connection, first["public_id"])
            said = notices.updates_of(connection, [found.id])[found.id][0] if found else None
        checked = notice_checks.checked(draft, page().languages, draft.facts.components)
        if found and said and said.bodies == checked.bodies and said.facts.titles == checked.facts.titles:
            return found.public_id
        message = Words(
            "this form was published already as %(number)s: post what you changed as an update there", number=first["number"]
        )
        raise Conflict(message) from None


def show(
    connection: Connection, sent: Form, *, error: InvalidInput | None = None, made: preview.Preview | None = None
) -> Response:
    """The form with everything that belongs beside it."""
    known = components.load(connection)
    watch = next(iter(console.watches(connection, monitor_id=sent.monitor)), None) if sent.monitor else None
    sent = sent if sent.key else replace(sent, key=new_key())
    return render(
        "declare.html", 400 if error else 200, form=sent, components=known, watch=watch, made=made, error=error,
        problem=error_words(error) if error else "", reach=reach_words(made) if made else "", choices=notice_form,
        templates=_templates(sent.kind), kinds=KINDS, tags=preview.languages_named(page()), found=None,
        statuses=lifecycle.STATUSES[sent.kind] if sent.kind in KINDS else (),
    )  # fmt: skip


def reach_words(made: preview.Preview) -> str:
    """Who is told, in one line: '1,204 SMS (2,408 segments, ~US$120.40) · 3,410 push · 12 webhooks · page and feeds'."""
    names = {"webpush": "%(n)s push", "webhook": "%(n)s webhooks", "console": "%(n)s printed"}
    parts = [
        made.cost.sms_words if channel == "sms" else words(names.get(channel, "%(n)s " + channel), n=f"{number:,}")
        for channel, number in sorted(made.reach.items())
    ]
    return " · ".join([*parts, words("page and feeds")])


def warnings(made: preview.Preview) -> list[str]:
    """What the cost of the SMS gives reason to say; nothing where none go out."""
    return made.cost.warnings if made.reach.get("sms") else []


def _fill(sent: Form) -> Response:
    with services().ctx.db.read() as connection:
        try:
            filled = (
                prefill.from_scenario(sent, sent.template, page(), components.load(connection))
                if sent.template
                else sent
            )
        except NotFound:
            filled = sent
        return show(connection, filled)


def _prefilled(connection: Connection, blank: Form) -> Form:
    known = components.load(connection)
    monitor_id, template = request.args.get("monitor", ""), request.args.get("template", "")
    component = request.args.get("component", "")
    filled = replace(blank, components={component: blank.severity}) if component in known else blank
    if monitor_id:
        watch = next(iter(console.watches(connection, monitor_id=monitor_id)), None)
        if watch is None:
            message = Words("there is no monitor %(id)s", id=monitor_id)
            raise NotFound(message)
        filled = prefill.from_watch(filled, watch, page())
    template = template or prefill.template_for(list(filled.components), known)
    if template:
        return prefill.from_scenario(filled, template, page(), known)
    names = {one: known[one].names for one in filled.components if one in known}
    return prefill.plain_words(filled, names)


def _templates(kind: str) -> list[tuple[str, str]]:
    found = scenarios.catalogue().scenarios.values()
    return [(one.id, one.titles.get(language(), one.id)) for one in found if one.kind == kind]

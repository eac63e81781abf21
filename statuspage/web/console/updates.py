"""Updating a notice: confirming what machines opened, the next word, the all-clear."""

from __future__ import annotations

from dataclasses import replace

from flask import Blueprint, Response, request
from sqlalchemy import Connection
from werkzeug.wrappers import Response as BaseResponse

from statuspage import i18n, scenarios
from statuspage.actions import notices as notice_actions
from statuspage.domain import lifecycle, status
from statuspage.domain.notice import Draft
from statuspage.errors import Conflict, InvalidInput, NotFound, Words
from statuspage.store import components, console, notices
from statuspage.store.notices import Notice, Update
from statuspage.web.console import notice_form, prefill, preview
from statuspage.web.console.declare import reach_words
from statuspage.web.console.notice_form import Form
from statuspage.web.console.respond import actor, error_words, go, language, new_key, page, render, services

routes = Blueprint("updates", __name__)

_FALSE_ALARM = "A person has looked: this was a false alarm of our checks. Everything works."


@routes.get("/notices/<public_id>/update")
def form(public_id: str) -> BaseResponse:
    """The form with the facts as they stand; ?to=resolved chooses the last status, ?template= the words."""
    with services().ctx.db.read() as connection:
        found = load(connection, public_id)
        return _show(connection, found, _filled(connection, found))


@routes.post("/notices/<public_id>/update")
def publish(public_id: str) -> BaseResponse:
    """Append the update. A form whose notice has moved on meanwhile is shown again beside the other's words."""
    sent = replace(notice_form.read(request.form, page().languages), notice=public_id)
    do = request.form.get("do", "publish")
    ctx = services().ctx
    with ctx.db.read() as connection:
        found = load(connection, public_id)
        if do == "fill":
            known = components.load(connection)
            filled = prefill.from_scenario(sent, sent.template, page(), known) if sent.template else sent
            return _show(
                connection, found, replace(filled, kind=found.kind, components=sent.components or filled.components)
            )
    try:
        draft = _draft(sent, found)
        if do == "preview":
            with ctx.db.read() as connection:
                return _show(connection, found, sent, made=preview.make(connection, draft, page(), ctx.now(), found))
        notice_actions.update(ctx, actor(), public_id, draft, expected_version=int(sent.version or 0))
    except InvalidInput as error:
        with ctx.db.read() as connection:
            return _show(connection, found, sent, error=error)
    except Conflict as error:
        return _conflict(public_id, sent, error)
    return go(f"/notices/{public_id}?said=updated")


def load(connection: Connection, public_id: str) -> Notice:
    """The notice, drafts included. Raises NotFound."""
    found = notices.by_public_id(connection, public_id)
    if found is None:
        message = Words("there is no notice %(id)s", id=public_id)
        raise NotFound(message)
    return found


def _draft(sent: Form, found: Notice) -> Draft:
    if not (sent.version or "0").isascii() or not (sent.version or "0").isdigit():
        message = "the form's version is damaged: open the form again"
        raise InvalidInput(message, "version")
    draft = notice_form.draft(sent, found.facts, page(), services().ctx.now())
    if lifecycle.is_final(found.kind, draft.facts.status):
        draft = draft.with_facts(components={}, next_update_by=None, eta_at=None, eta_confidence="none")
    impact = "maintenance" if found.kind == "maintenance" else status.impact_of(draft.facts.components.values())
    return draft.with_facts(impact=impact)


def _conflict(public_id: str, sent: Form, error: Conflict) -> BaseResponse:
    """Somebody was faster, or it was us: a form sent twice ends at the notice; else both texts are shown."""
    ctx = services().ctx
    with ctx.db.read() as connection:
        if sent.key and console.answered(connection, sent.key):
            return go(f"/notices/{public_id}?said=updated")
        found = load(connection, public_id)
        newest = notices.last_update(connection, found.id) if found.version else None
        # With the new version in the form, sending it once more says: I have read the other's words.
        again = replace(sent, version=str(found.version), key=new_key())
        return _show(connection, found, again, conflict=error, newest=newest)


def _filled(connection: Connection, found: Notice) -> Form:
    """Promises start afresh; the words of this update are empty, or a scenario's when no person has spoken yet."""
    current = notice_form.from_facts(found.facts, {}, page().time_zone)
    current = replace(
        current, notice=found.public_id, next="none" if found.kind in {"maintenance", "advisory"} else "30"
    )
    to = request.args.get("to", "")
    if found.is_suspected and to in lifecycle.FINAL[found.kind]:
        words_by_language = {tag: i18n.gettext(tag, _FALSE_ALARM) for tag in page().languages}
        return replace(current, status=to, texts={**current.texts, "bodies": words_by_language})
    if found.is_suspected:
        return _confirmation(connection, found, current)
    if to in lifecycle.STATUSES[found.kind]:
        current = replace(current, status=to)
    return _step_words(current, found) if to else current


def _confirmation(connection: Connection, found: Notice, current: Form) -> Form:
    known = components.load(connection)
    template = request.args.get("template", "") or prefill.template_for(list(found.facts.components), known)
    blank = prefill.from_suspected(
        replace(prefill.blank(found.kind, page()), notice=found.public_id), found.facts, page()
    )
    if template in scenarios.catalogue().scenarios:
        return replace(prefill.from_scenario(blank, template, page(), known), kind=found.kind, status=current.status)
    names = {one: known[one].names for one in blank.components if one in known}
    return prefill.plain_words(replace(blank, status=current.status), names)


def _step_words(current: Form, found: Notice) -> Form:
    """The words that the notice's scenario has for this status, where it has some."""
    scenario = scenarios.catalogue().scenarios.get(found.facts.template)
    step = next((one for one in scenario.steps if one.status == current.status), None) if scenario else None
    if step is None:
        return current
    bodies = scenarios.fill_all(step.bodies, prefill.brand_values(page()))
    return replace(current, texts={**current.texts, "bodies": bodies})


def _show(
    connection: Connection, found: Notice, sent: Form, *, error: InvalidInput | None = None, made: preview.Preview | None = None,
    conflict: Conflict | None = None, newest: Update | None = None,
) -> Response:  # fmt: skip
    known = components.load(connection)
    sent = replace(sent, key=sent.key or new_key(), version=sent.version or str(found.version), kind=found.kind)
    failing = [one for one in console.watches(connection, only_bad=True) if one.component_id in sent.components]
    titles = scenarios.catalogue().scenarios.values()
    refusal = error or conflict
    problem = error_words(refusal) if refusal else ""
    return render(
        "update.html", 400 if error else 409 if conflict else 200, form=sent, components=known, made=made,
        watch=failing[0] if failing else None, error=error,
        problem=problem, reach=reach_words(made) if made else "", choices=notice_form, found=found,
        newest=newest, templates=[(one.id, one.titles.get(language(), one.id)) for one in titles if one.kind == found.kind],
        statuses=lifecycle.STATUSES[found.kind], tags=preview.languages_named(page()), kinds=(),
    )  # fmt: skip

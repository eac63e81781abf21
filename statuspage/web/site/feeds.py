"""Feeds and calendars over HTTP: of everything, a component, a network, a kind of notice; in the language of the path."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from flask import Flask, Response, abort, g

from statuspage.publish import calendars, feeds, topics
from statuspage.publish.entries import Wanted
from statuspage.publish.snapshot import Snapshot
from statuspage.publish.topics import Topic
from statuspage.store import public
from statuspage.web.site.context import snapshot
from statuspage.web.site.services import Services


def register(app: Flask, services: Services) -> None:
    """Add every feed and calendar to `app`, with and without a language in front."""

    def add(rule: str, name: str, view: Callable[..., Response]) -> None:
        name = name.replace(".", "_")  # Flask keeps dots for blueprints
        app.add_url_rule(rule, name, view)
        app.add_url_rule(f"/<lang:language>{rule}", f"{name}_in", view)

    for sort in ("", *topics.SORTS):
        prefix = f"/{sort}/<one>" if sort else ""
        for file in (*feeds.FILES, *(calendars.FILES if sort != "kinds" else ())):
            view = feed if file in feeds.FILES else events
            add(f"{prefix}/{file}", f"{sort}_{file}", partial(view, services, sort, file))
    add("/incidents/<public_id>/calendar.ics", "notice_calendar", lambda public_id: one_event(services, public_id))


def _topic(held: Snapshot, sort: str, one: str) -> Topic:
    found = topics.SORTS[sort](held, one) if sort else topics.EVERYTHING
    if found is None:
        abort(404)
    return found


def _language(held: Snapshot) -> str:
    """Without a language in the path, the page's default one, whatever the reader's program asks for."""
    return g.language or held.view.page.default_language


def feed(services: Services, sort: str, file: str, one: str = "") -> Response:
    """One of feeds.FILES."""
    with snapshot(services) as held:
        topic, hub = _topic(held, sort, one), services.settings.websub_hub
        wanted = Wanted(topic, _language(held), file, per_notice=feeds.FILES[file])
        body = feeds.feed(held.view, wanted, topics.notices(held, topic), hub=hub)
        response = Response(body, content_type=feeds.TYPES[feeds.form_of(file)])
        if hub:
            response.headers["Link"] = feeds.links(held.view.page.url, wanted.path, hub)
        return response


def events(services: Services, sort: str, file: str, one: str = "") -> Response:
    """One of calendars.FILES."""
    with snapshot(services) as held:
        topic = _topic(held, sort, one)
        body = calendars.calendar(held.view, topic, _language(held), file, topics.notices(held, topic))
        return Response(body, content_type=calendars.TYPE)


def one_event(services: Services, public_id: str) -> Response:
    """/incidents/<id>/calendar.ics: one notice, to be added by hand."""
    with snapshot(services) as held:
        found = held.remember(("notice", public_id), lambda: public.load_notice(held.conn, public_id))
        if found is None:
            abort(404)
        return Response(calendars.of_notice(held.view, found, _language(held)), content_type=calendars.TYPE)

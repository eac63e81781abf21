"""What stands on other sites and in the wallet's own app: badges, the banner as a script and as a frame, in-app notices."""

from __future__ import annotations

import json
from datetime import date
from zoneinfo import ZoneInfo

from flask import Flask, Response, abort, g, request

from statuspage.publish import badges, inapp, topics
from statuspage.publish.badges import Badge
from statuspage.publish.snapshot import Snapshot
from statuspage.store import response
from statuspage.store.public_views import ComponentView
from statuspage.templating_root import root
from statuspage.web.site import bars, words
from statuspage.web.site.context import html, of_view, reader_language, snapshot
from statuspage.web.site.services import Services


def register(app: Flask, services: Services) -> None:
    """Add them all to `app`."""
    for prefix, name in (("", ""), ("/<lang:language>", "_in")):
        app.add_url_rule(f"{prefix}/badge/<one>/<file>", f"badge{name}", lambda one, file: badge(services, one, file))
        app.add_url_rule(f"{prefix}/embed", f"embed{name}", lambda: frame(services))
    app.add_url_rule("/embed.js", "embed_script", script)
    app.add_url_rule(inapp.ANSWER, "app_notices", lambda: app_notices(services))
    app.add_url_rule(inapp.WHOLE, "app_notices_all", lambda: app_notices(services, is_whole=True))


def badge(services: Services, one: str, file: str) -> Response:
    """One of badges.FILES of a component; of the page as a whole, status.svg and shields.json."""
    with snapshot(services) as held:
        component = held.view.by_id.get(one)
        if file not in badges.FILES or (component is None and (one != badges.PAGE or file not in {"status.svg", "shields.json"})):
            abort(404)
        found = _badge(held, component, file, g.language or held.view.page.default_language)
        if file == "shields.json":
            return Response(json.dumps(found.shields(), ensure_ascii=False), content_type="application/json; charset=utf-8")
        return Response(found.svg(), content_type="image/svg+xml")


def _badge(held: Snapshot, one: ComponentView | None, file: str, language: str) -> Badge:
    if file == "uptime.svg" and one:
        percent = bars.strip(dict(one.days), _today(held)).percent
        return badges.of_uptime(held.view, one, percent, language)
    if file == "response.svg" and one:
        typical_ms = held.remember(("response", one.id), lambda: response.typical_ms(held.conn, one.id, held.view.now))
        return badges.of_response(held.view, one, typical_ms, language)
    return badges.of_status(held.view, one, language)


def _today(held: Snapshot) -> date:
    return held.view.now.astimezone(ZoneInfo(held.view.page.time_zone)).date()


def frame(services: Services) -> Response:
    """The banner for an iframe: the verdict in one line, and the open notices."""
    with snapshot(services) as held:
        view, language = held.view, reader_language(held.view.page)
        return html(language, "embed.html", of_view(
            held, language, "/embed", headline=words.headline(view, language), tone=words.css_of_verdict(view), live=False,
        ))  # fmt: skip


def script() -> Response:
    """The banner as a script. Its name is what other pages have written down, so it does not change with its content."""
    return Response((root() / "site" / "embed.js").read_bytes(), content_type="text/javascript; charset=utf-8")


def app_notices(services: Services, *, is_whole: bool = False) -> Response:
    """What concerns the asker (see publish.inapp), or everything in every language."""
    with snapshot(services) as held:
        found = held.remember(("in app", held.view.is_blind), lambda: inapp.whole(held.view, topics.networks(held)))
        if is_whole:
            body = json.dumps(found, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
        else:
            body = inapp.answer(found, inapp.Question.read(request.args))
        return Response(body, content_type="application/json; charset=utf-8")

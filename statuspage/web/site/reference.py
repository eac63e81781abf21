"""The API reference: an OpenAPI document, and a page for people made of the same rows."""

from __future__ import annotations

from flask import Flask, Response

from statuspage import i18n
from statuspage.publish import openapi
from statuspage.publish.openapi_fields import OBJECTS
from statuspage.web.site.context import html, of_view, reader_language, snapshot
from statuspage.web.site.data import answer
from statuspage.web.site.services import Services


def register(app: Flask, services: Services) -> None:
    """Add both to `app`; /api, where Statuspage has its reference, leads there."""
    app.add_url_rule("/api/openapi.json", "openapi", lambda: document(services))
    for prefix, name in (("", ""), ("/<lang:language>", "_in")):
        app.add_url_rule(f"{prefix}/docs/api", f"reference{name}", lambda: page(services))
    app.add_url_rule("/api", "api", lambda: Response("", 302, {"Location": "/docs/api"}))


def document(services: Services) -> Response:
    """/api/openapi.json."""
    with snapshot(services) as held:
        found = held.view.page
        return answer(openapi.document(i18n.pick(found.name, found.default_language), found.url))


def page(services: Services) -> Response:
    """/docs/api."""
    with snapshot(services) as held:
        language = reader_language(held.view.page)
        return html(language, "api.html", of_view(
            held, language, "/docs/api", live=False, operations=openapi.OPERATIONS, objects_of=openapi.objects_of,
            objects={name: openapi.fields(name) for name in OBJECTS},
        ))  # fmt: skip

"""The public site as a Flask application: rendered into files by publish/, and asked directly for what is not a file yet."""

from __future__ import annotations

import hashlib
from typing import Any, cast
from urllib.parse import urlsplit, urlunsplit

from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException, NotFound
from werkzeug.routing import BaseConverter

from statuspage.errors import InvalidInput, StatuspageError, Unavailable
from statuspage.errors import NotFound as NothingThere
from statuspage.i18n import LOCALES
from statuspage.publish.urls import is_published
from statuspage.store.pages import NOTHING_APPLIED
from statuspage.web.site import data, embeds, feeds, pages, reference, verify
from statuspage.web.site.context import base, html
from statuspage.web.site.headers import CACHE_NEVER, PREFLIGHT, cache_control, is_data, security
from statuspage.web.site.services import Services


class _Language(BaseConverter):
    """A public language tag, so that /en/x is a page in English and /enx is none."""

    regex = "|".join(LOCALES)


def create_site(services: Services) -> Flask:
    """The site's application. Forms that visitors send are registered on it by the composition root as blueprints."""
    app = Flask("statuspage.site", static_folder=None, template_folder=None)
    app.config.update(
        MAX_CONTENT_LENGTH=256 * 1024, MAX_FORM_MEMORY_SIZE=64 * 1024, MAX_FORM_PARTS=50, PROPAGATE_EXCEPTIONS=False,
    )  # fmt: skip
    app.url_map.converters["lang"] = _Language
    app.url_map.merge_slashes = False  # //evil.example/ is a 404, not a redirect
    pages.register(app, services)
    data.register(app, services)
    feeds.register(app, services)
    embeds.register(app, services)
    reference.register(app, services)
    verify.register(app, services)
    app.register_error_handler(HTTPException, lambda error: _refuse(services, error.code or 500, error))
    app.register_error_handler(NothingThere, lambda _: _refuse(services, 404, NotFound()))
    app.register_error_handler(Unavailable, lambda _: _refuse(services, 503, None))
    app.register_error_handler(InvalidInput, lambda error: data.answer({"error": str(error), "field": error.field}, 422))
    app.after_request(lambda response: _finish(services, response))
    return app


def _refuse(services: Services, code: int, error: HTTPException | None) -> Response:
    """One shape of error for machines, one page for people."""
    if error is not None and code in {301, 302, 303, 307, 308}:
        # Werkzeug builds the address from the Host header; only its path is ours.
        target = urlsplit(getattr(error, "new_url", "/"))
        return Response(status=code, headers={"Location": urlunsplit(("", "", target.path, target.query, ""))})
    if is_data(request.path):
        return data.answer({"error": _MESSAGES.get(code, "request refused"), "status": code}, code)
    template = _PAGES.get(code, "busy.html")
    try:
        return pages.problem(services, template, code)
    except StatuspageError:
        language = NOTHING_APPLIED.default_language
        return html(language, template, base(NOTHING_APPLIED, language, None), code)


_PAGES = {404: "404.html", 410: "gone.html", 500: "broken.html"}
_MESSAGES = {
    404: "not found", 405: "method not allowed", 410: "withdrawn", 413: "too large", 500: "this could not be answered",
    503: "the database does not answer, try again",
}  # fmt: skip


def _finish(services: Services, response: Response) -> Response:
    """Headers of every answer, and conditional requests for those that may be kept."""
    for name, value in security(
        request.path, hsts=services.settings.hsts, may_ask=services.settings.browser_test_url
    ):
        response.headers.setdefault(name, value)
    if request.method == "OPTIONS" and is_published(request.path):
        response.headers.extend(PREFLIGHT)
    public = request.method in {"GET", "HEAD"} and response.status_code == 200 and is_published(request.path)
    known = response.headers.get("Cache-Control")
    response.headers["Cache-Control"] = known or (cache_control(request.path) if public else CACHE_NEVER)
    if response.content_type.startswith("text/html"):
        response.vary.update(("Accept-Language", "Accept-Encoding"))
    if public and not response.is_streamed:
        response.set_etag(etag(response.get_data()))
        return cast("Response", response.make_conditional(_environ()))
    return response


def etag(body: bytes) -> str:
    """A strong tag of these very bytes."""
    return hashlib.sha256(body).hexdigest()[:20]


def _environ() -> dict[str, Any]:
    return dict(request.environ)

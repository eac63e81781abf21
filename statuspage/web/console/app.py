"""The console as a Flask application: limits, routes, and one place where errors become pages."""

from __future__ import annotations

import logging
from typing import Any

from flask import Flask, Response, request, send_from_directory
from werkzeug.exceptions import HTTPException
from werkzeug.middleware.proxy_fix import ProxyFix

from statuspage.actions.limits import TooOften
from statuspage.errors import Conflict, InvalidInput, NotAllowed, NotFound, StatuspageError, Unavailable
from statuspage.web.console import (
    account,
    declare,
    deliveries,
    guard,
    maintenance,
    metrics,
    monitors,
    notices,
    now,
    people,
    reports,
    sign_in,
    updates,
)
from statuspage.web.console.respond import error_words, render, static_folder, words
from statuspage.web.console.services import Services

_log = logging.getLogger(__name__)
_STATUS = {InvalidInput: 400, NotAllowed: 403, NotFound: 404, Conflict: 409, TooOften: 429, Unavailable: 503}
# Our own words: Werkzeug's repeat the Host header or the address that was sent.
_HTTP_WORDS = {
    404: "There is no such page.",
    405: "This address takes another kind of request.",
    413: "That is more text than a notice can hold.",
}
_BLUEPRINTS = (sign_in, account, now, notices, declare, updates, maintenance, monitors, deliveries, reports, people, metrics)
# Fields of a form that are ours, not the operator's words. Sent again as they came: the key makes a second try one notice.
_OWN_FIELDS = ("csrf", "key", "do")


def create_console(services: Services) -> Flask:
    """The WSGI application. Raises SettingsError when the console's address is plain http beyond loopback."""
    address = services.address
    app = Flask("statuspage.console", static_folder=None)
    app.config.update(
        TRUSTED_HOSTS=address.hosts, MAX_CONTENT_LENGTH=256 * 1024, MAX_FORM_MEMORY_SIZE=128 * 1024, MAX_FORM_PARTS=300,
        SEND_FILE_MAX_AGE_DEFAULT=86400,
    )  # fmt: skip
    app.extensions["console"] = services
    guard.install(app)
    for module in _BLUEPRINTS:
        app.register_blueprint(module.routes)
    app.add_url_rule("/healthz", "health", _health)
    app.add_url_rule("/static/<name>", "static", _static)
    app.register_error_handler(StatuspageError, _refuse)
    app.register_error_handler(HTTPException, _http_error)
    app.register_error_handler(Exception, _crash)
    if services.settings.trusted_hops:
        # Only the client's address is taken from the proxy; scheme and host come from settings.
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=services.settings.trusted_hops, x_proto=0)  # type: ignore[method-assign]
    return app


def _static(name: str) -> Response:
    return send_from_directory(static_folder(name), name)


def _health() -> Response:
    return Response("ok\n", mimetype="text/plain")


def _refuse(error: StatuspageError) -> Response:
    """An error we raised on purpose, with what was typed kept in the page: nothing an operator wrote is ever lost."""
    status = next((code for kind, code in _STATUS.items() if type(error) is kind), None)
    if status is None:
        status = next((code for kind, code in _STATUS.items() if isinstance(error, kind)), 400)
    if isinstance(error, Unavailable):
        _log.warning("console: %s %s refused: %s", request.method, request.endpoint, error)
    field = getattr(error, "field", "")
    response = render("refused.html", status, error=error_words(error), code=status, field=field, **_kept())
    if isinstance(error, TooOften):
        response.headers["Retry-After"] = str(error.wait_s)
    return response


def _kept() -> dict[str, Any]:
    """The posted fields, to be sent again. Not of a form with a password, nor of another site's: it would be ours if sent on."""
    if request.method != "POST" or "password" in request.form or not guard.is_own_page():
        return _nothing_kept()
    kept = [(name, value) for name, value in request.form.items(multi=True) if name not in _OWN_FIELDS]
    own = {f"kept_{name}": request.form.get(name, "") for name in _OWN_FIELDS}
    return {"kept": kept, **own}


def _nothing_kept() -> dict[str, Any]:
    return {"kept": [], **{f"kept_{name}": "" for name in _OWN_FIELDS}}


def _http_error(error: HTTPException) -> Response | HTTPException:
    if error.code is None or error.code < 400:
        return error  # a redirect of the router
    message = _HTTP_WORDS.get(error.code, "This request cannot be read.")
    return render("refused.html", error.code, error=words(message), code=error.code, field="", **_nothing_kept())


def _crash(error: Exception) -> Response:
    _log.exception("console: %s %s failed", request.method, request.endpoint, exc_info=error)
    message = words("Something went wrong on our side; it is in the log. Nothing was published by this request.")
    return render("refused.html", 500, error=message, code=500, field="", **_kept())

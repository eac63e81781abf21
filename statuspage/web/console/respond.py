"""Answers: pages in the operator's language, redirects, and what every template is told."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path
from typing import Any

from flask import Response, current_app, g, make_response, redirect, request
from werkzeug.wrappers import Response as BaseResponse

from statuspage import i18n, scenarios, templating, templating_root
from statuspage.actions.context import ROLES, Actor
from statuspage.domain import sealing
from statuspage.domain.notice import ATTRIBUTIONS, CAUSES
from statuspage.errors import StatuspageError, Unavailable
from statuspage.store import console, pages
from statuspage.store.operators import Session
from statuspage.store.pages import Page
from statuspage.web.console.services import Services

LANGUAGE_COOKIE = "console-language"


def services() -> Services:
    """What the composition root handed in."""
    found: Services = current_app.extensions["console"]
    return found


def session() -> Session | None:
    """The session of this request."""
    found: Session | None = g.get("session")
    return found


def signed_in() -> Session:
    """The session of a request whose route needs one."""
    found = session()
    if found is None:
        message = "a route that needs a session was reached without one"
        raise RuntimeError(message)
    return found


def actor() -> Actor:
    """Who acts in this request."""
    owner = signed_in().operator
    return Actor(owner.name, owner.role)


def language() -> str:
    """The operator's language; before sign-in the one chosen by cookie, else the browser's."""
    found = session()
    if found:
        return found.operator.language
    chosen = request.cookies.get(LANGUAGE_COOKIE, "")
    if chosen in i18n.LOCALES:
        return chosen
    return i18n.negotiate(request.headers.get("Accept-Language", ""), i18n.DEFAULT_LANGUAGES)


def words(source: str, **values: Any) -> str:  # noqa: ANN401 - shown as text
    """`source` in the language of this request."""
    return i18n.gettext(language(), source, **values)


def error_words(error: StatuspageError) -> str:
    """What an error says, in the language of this request: the one place where the console's errors are translated."""
    return i18n.said(language(), error.args[0] if error.args else "")


def page() -> Page:
    """The status page's own facts; defaults while the database does not answer."""
    if "page" not in g:
        try:
            with services().ctx.db.read() as connection:
                g.page = pages.load_page(connection)
        except Unavailable:
            g.page = pages.NOTHING_APPLIED
    found: Page = g.page
    return found


def render(template: str, status: int = 200, **values: Any) -> Response:  # noqa: ANN401 - what templates are given
    """A console page."""
    found = session()
    inside = _is_inside()
    given = {
        "page": page(), "session": found, "csrf": found.csrf if found else "", "can": _can, "asset": _asset,
        "now": services().ctx.now(), "path": request.path, "said": request.args.get("said", ""), "label": _label,
        "status_label": _status_label, "fires": _fires() if inside else 0, "is_inside": inside,
        "own_region": services().settings.region,
        "is_demo": services().is_demo, "languages": i18n.LOCALES, "causes": CAUSES, "attributions": ATTRIBUTIONS, **values,
    }  # fmt: skip
    html = templating.environment(language()).get_template(f"console/{template}").render(given)
    return make_response(html, status)


def go(path: str) -> BaseResponse:
    """303: the next page is fetched with GET, a reload sends nothing again."""
    return redirect(path, 303)


def new_key() -> str:
    """An idempotency key for a form."""
    return sealing.new_token()


def network_prefix(address: str) -> str:
    """The /24 or /48 that a client belongs to: enough to limit by, less than an address."""
    head, colon, _ = address.partition(":")
    if colon:
        return ":".join(address.split(":")[:3]) + "::/48"
    return ".".join(head.split(".")[:3]) + ".0/24"


def is_complete(found: Session) -> bool:
    """Whether this session may do what the role allows: the second factor was given, or the demo's link is enough."""
    return found.two_factor or (found.via == "link" and services().is_link_enough and not found.operator.has_two_factor)


def _is_inside() -> bool:
    found = session()
    return found is not None and is_complete(found)


def _can(role: str) -> bool:
    found = session()
    return found is not None and ROLES.index(found.operator.role) >= ROLES.index(role)


def _label(vocabulary: str, word: str) -> str:
    return scenarios.catalogue().label(vocabulary, word, language())


def _status_label(kind: str, word: str) -> str:
    return scenarios.catalogue().status_label(kind, word, language())


def _fires() -> int:
    """How many open notices and failing monitors the navigation shows; 0 while the database does not answer."""
    if "fires" not in g:
        try:
            with services().ctx.db.read() as connection:
                g.fires = console.count_fires(connection)
        except Unavailable:
            g.fires = 0
    return int(g.fires)


def static_folder(name: str) -> Path:
    """Where a static file lives: the tokens are the public page's, everything else is the console's own."""
    return templating_root.root() / ("site" if name == "tokens.css" else "console") / "static"


@cache
def _asset(name: str) -> str:
    """The address of a static file with a mark of its content: an update reaches every browser at once."""
    content = (static_folder(name) / name).read_bytes()
    return f"/static/{name}?v={hashlib.sha256(content).hexdigest()[:10]}"

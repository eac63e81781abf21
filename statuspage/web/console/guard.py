"""The door: who asks, from which page, with which right. Runs before every handler."""

from __future__ import annotations

import time
from contextlib import suppress

from flask import Flask, Response, abort, g, request
from werkzeug.wrappers import Response as BaseResponse

from statuspage.actions import sessions
from statuspage.actions.context import ROLES
from statuspage.domain import sealing
from statuspage.errors import NotAllowed, Unavailable, Words
from statuspage.store import operators
from statuspage.web.console import access
from statuspage.web.console.respond import go, is_complete, network_prefix, services

_SAFE = {"GET", "HEAD", "OPTIONS"}
_TOUCH_PAUSE_S = 30.0
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; script-src 'self'; connect-src 'self'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'; object-src 'none'; require-trusted-types-for 'script'"
)
HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    # Not `no-referrer`: under that browsers send `Origin: null` with a form, which we refuse.
    "Referrer-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=(), payment=(), usb=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


def install(app: Flask) -> None:
    """Put the door in front of every route and the headers on every answer."""
    app.before_request(check)
    app.after_request(add_headers)


def check() -> BaseResponse | None:
    """Refuse what may not pass. Returns a redirect to sign-in for those without a session."""
    needed = access.ACCESS.get(request.endpoint or "")
    if request.endpoint is None:
        with suppress(Unavailable):
            g.session = _session()
        return None  # the 404 or 405 of the router, in the operator's language
    if needed is None:
        abort(404)
    if request.method not in _SAFE and not is_own_page():
        message = "this form was not sent from the console's own page"
        raise NotAllowed(message)
    if needed == access.ANYONE and request.endpoint in {"static", "health"}:
        return None
    g.session = _session()
    if needed == access.ANYONE:
        return None
    if g.session is None:
        return _ask_to_sign_in()
    return _check_session(g.session, needed)


def _check_session(found: operators.Session, needed: str) -> BaseResponse | None:
    """The form's token, the second factor and the role."""
    if request.method not in _SAFE and not sealing.is_same(request.form.get("csrf", ""), found.csrf):
        message = "this form is from an earlier session: reload the page and send it again"
        raise NotAllowed(message)
    if needed == access.SIGNED_IN:
        return None
    if not is_complete(found):
        return go("/sign-in/code" if found.operator.has_two_factor else "/account/two-factor")
    if ROLES.index(found.operator.role) < ROLES.index(needed):
        message = Words("this needs the role %(role)s", role=Words(needed))
        raise NotAllowed(message)
    _touch(found)
    return None


def _ask_to_sign_in() -> BaseResponse:
    """To sign-in; what was typed into a form whose session is over is shown again there, to be sent after signing in."""
    if request.method in _SAFE:
        return go("/sign-in")
    message = "your session is over: sign in in another tab, then send this again"
    raise NotAllowed(message)


def is_own_page() -> bool:
    """Whether a changing request comes from a page of this console (Origin, else Sec-Fetch-Site; `null` is refused)."""
    origin = request.headers.get("Origin")
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None and site != "same-origin":
        return False
    if origin is not None:
        return origin in services().address.origins
    return site == "same-origin"


def add_headers(response: Response) -> Response:
    """Security headers on every answer; nothing but static files may be kept by a browser or proxy."""
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    if services().settings.hsts and services().address.is_https:
        response.headers["Strict-Transport-Security"] = "max-age=63072000; includeSubDomains"
    if request.endpoint != "static":
        response.headers["Cache-Control"] = "no-store"
    return response


def client() -> sessions.Client:
    """Who asks, cut down to what may be kept."""
    agent = request.user_agent.string
    browser = next((name for name in ("Firefox", "Edg", "Chrome", "Safari", "curl") if name in agent), "")
    system = next((name for name in ("Android", "iPhone", "iPad", "Windows", "Mac OS", "Linux") if name in agent), "")
    words = " · ".join(word for word in (browser.replace("Edg", "Edge"), system) if word)
    return sessions.Client(network_prefix(request.remote_addr or ""), words)


def set_session(response: BaseResponse, token: str) -> BaseResponse:
    """Hand the browser its reference. SameSite=Lax: a link from a page or pager message still finds the operator signed in."""
    address = services().address
    response.set_cookie(address.cookie, token, secure=address.is_https, httponly=True, samesite="Lax", path="/")
    return response


def clear_session(response: BaseResponse) -> BaseResponse:
    """Take the reference away, and whatever the browser kept of the console."""
    address = services().address
    response.delete_cookie(address.cookie, secure=address.is_https, httponly=True, samesite="Lax", path="/")
    response.headers["Clear-Site-Data"] = '"cache", "cookies", "storage"' if address.is_https else '"cache"'
    return response


def _session() -> operators.Session | None:
    token = request.cookies.get(services().address.cookie, "")
    if not token:
        return None
    ctx = services().ctx
    with ctx.db.read() as connection:
        return operators.session(connection, sealing.token_hash(token), ctx.now())


class _Pause:
    """After a failed touch none is tried for a while: a locked database must not cost every page two seconds."""

    until = 0.0


def _touch(found: operators.Session) -> None:
    if time.monotonic() < _Pause.until:
        return
    try:
        sessions.touch(services().ctx, found)
    except Unavailable:
        _Pause.until = time.monotonic() + _TOUCH_PAUSE_S

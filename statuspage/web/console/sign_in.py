"""Signing in: password or one-time link, then the second factor."""

from __future__ import annotations

from flask import Blueprint, Response, request
from werkzeug.wrappers import Response as BaseResponse

from statuspage import i18n
from statuspage.actions import operators as operator_actions
from statuspage.actions import sessions
from statuspage.actions.limits import TooOften
from statuspage.domain import sealing
from statuspage.errors import NotAllowed
from statuspage.store import operators
from statuspage.web.console.guard import clear_session, client, set_session
from statuspage.web.console.respond import LANGUAGE_COOKIE, actor, error_words, go, render, services, session, signed_in

routes = Blueprint("sign_in", __name__)


@routes.get("/sign-in")
def form() -> BaseResponse:
    """Name and password."""
    return go("/") if session() else render("sign_in.html", error="", name="")


@routes.post("/sign-in")
def with_password() -> BaseResponse:
    """Check them; the second factor comes next."""
    name = request.form.get("name", "")
    try:
        token = sessions.sign_in_with_password(services().ctx, name, request.form.get("password", ""), client())
    except NotAllowed as error:
        return _refused("sign_in.html", error, name=name)
    return set_session(go("/"), token)


@routes.get("/sign-in/link")
def link() -> BaseResponse:
    """Show whose link this is. Looking does not use it up: mail scanners and previews look at everything."""
    token = request.args.get("token", "")
    ctx = services().ctx
    with ctx.db.read() as connection:
        owner = operators.link_owner(connection, sealing.token_hash(token), ctx.now())
    return render("link.html", 200 if owner else 410, owner=owner, token=token)


@routes.post("/sign-in/link")
def with_link() -> BaseResponse:
    """Trade the link for a session."""
    try:
        token = sessions.sign_in_with_link(services().ctx, request.form.get("token", ""), client())
    except NotAllowed as error:
        return _refused("sign_in.html", error, name="")
    return set_session(go("/"), token)


@routes.get("/sign-in/code")
def code() -> BaseResponse:
    """Ask for the code of the authenticator app."""
    return go("/") if signed_in().two_factor else render("code.html", error="")


@routes.post("/sign-in/code")
def give_code() -> BaseResponse:
    """Check it; the session gets a new id."""
    try:
        token = sessions.give_code(services().ctx, signed_in(), request.form.get("code", ""), client())
    except NotAllowed as error:
        return _refused("code.html", error)
    return set_session(go("/"), token)


@routes.post("/sign-out")
def sign_out() -> BaseResponse:
    """End the session here and on the server."""
    sessions.sign_out(services().ctx, signed_in())
    return clear_session(go("/sign-in"))


@routes.post("/language")
def language() -> BaseResponse:
    """Change the console's language; goes with the operator, or with the browser before sign-in."""
    chosen = i18n.tag(request.form.get("language", "")) or i18n.DEFAULT_LANGUAGES[0]
    back = request.form.get("back", "/")
    response = go(back if back.startswith("/") and not back.startswith(("//", "/\\")) else "/")
    if session():
        operator_actions.set_language(services().ctx, actor(), chosen)
    is_https = services().address.is_https
    response.set_cookie(LANGUAGE_COOKIE, chosen, max_age=31_536_000, secure=is_https, httponly=True, samesite="Lax")
    return response


def _refused(template: str, error: NotAllowed, **values: str) -> Response:
    response = render(template, 429 if isinstance(error, TooOften) else 403, error=error_words(error), **values)
    if isinstance(error, TooOften):
        response.headers["Retry-After"] = str(error.wait_s)
    return response

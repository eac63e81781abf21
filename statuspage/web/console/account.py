"""An operator's own affairs: authenticator, password, open sessions."""

from __future__ import annotations

import io

import segno
from flask import Blueprint, Response, request
from werkzeug.wrappers import Response as BaseResponse

from statuspage import i18n
from statuspage.actions import operators as operator_actions
from statuspage.actions import sessions
from statuspage.domain import sealing
from statuspage.errors import InvalidInput, NotAllowed, NotFound
from statuspage.store import operators
from statuspage.web.console.guard import client, set_session
from statuspage.web.console.respond import actor, error_words, go, page, render, services, signed_in

routes = Blueprint("account", __name__)


@routes.get("/account")
def show() -> BaseResponse:
    """Language, password, second factor and sessions."""
    return _show("")


@routes.post("/account/password")
def set_password() -> BaseResponse:
    """Set a new password; every other session ends."""
    try:
        operator_actions.set_password(
            services().ctx, actor(), request.form.get("password", ""), keep_session=signed_in().token_hash
        )
    except InvalidInput as error:
        return _show(error_words(error), 400)
    return go("/account?said=password")


@routes.post("/account/sessions")
def revoke_others() -> BaseResponse:
    """End one session, named by `session`, or every other."""
    handle = request.form.get("session", "")
    if handle:
        sessions.revoke(services().ctx, actor(), actor().name, handle)
    else:
        sessions.revoke_others(services().ctx, actor(), signed_in().token_hash)
    return go("/account?said=revoked")


@routes.get("/account/two-factor")
def enrol() -> BaseResponse:
    """Show the secret for the authenticator app."""
    return go("/account") if signed_in().operator.has_two_factor else _enrol("")


@routes.get("/account/two-factor/qr.svg")
def qr() -> BaseResponse:
    """The secret as a picture for the phone's camera, as long as it is not confirmed."""
    if signed_in().operator.has_two_factor:
        message = "an authenticator is set up already"
        raise NotFound(message)
    drawn = io.BytesIO()
    code = segno.make_qr(_begin().uri, error="m")
    # Black on white in dark mode too: many phones do not read the inverse.
    code.save(drawn, kind="svg", scale=6, border=4, dark="#000", light="#fff", xmldecl=False, svgclass=None, lineclass=None)
    return Response(drawn.getvalue(), mimetype="image/svg+xml")


@routes.post("/account/two-factor")
def confirm_enrolment() -> BaseResponse:
    """Check the first code; then the recovery codes are shown, once, and the session gets a new id."""
    ctx = services().ctx
    try:
        codes = operator_actions.confirm_two_factor(ctx, actor(), request.form.get("code", ""))
    except NotAllowed as error:
        return _enrol(error_words(error), 403)
    token = sessions.renew_after_enrolment(ctx, signed_in(), client())
    return set_session(render("recovery_codes.html", codes=codes), token)


def _enrol(error: str, status: int = 200) -> BaseResponse:
    return render("enrol.html", status, enrolment=_begin(), error=error)


def _begin() -> operator_actions.Enrolment:
    return operator_actions.begin_two_factor(services().ctx, actor(), i18n.pick(page().name, "en"))


def _show(error: str, status: int = 200) -> BaseResponse:
    ctx = services().ctx
    owner = signed_in().operator
    with ctx.db.read() as connection:
        open_sessions = operators.sessions_of(connection, owner.id, ctx.now())
        codes_left = operators.recovery_codes_left(connection, owner.id)
    mine = sealing.token_hash(request.cookies.get(services().address.cookie, ""))
    return render("account.html", status, sessions=open_sessions, mine=mine, codes_left=codes_left, error=error)

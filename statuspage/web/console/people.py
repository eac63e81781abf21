"""Operators and the audit log: for admins."""

from __future__ import annotations

from flask import Blueprint, request
from werkzeug.wrappers import Response as BaseResponse

from statuspage.actions import audit as audit_actions
from statuspage.actions import operators as operator_actions
from statuspage.actions import sessions
from statuspage.actions.context import ROLES
from statuspage.errors import InvalidInput, Words
from statuspage.store import operators
from statuspage.web.console.respond import actor, go, language, render, services, signed_in

routes = Blueprint("people", __name__)

PIECE = 2000  # rows of the audit log that one look at its page may cost


@routes.get("/audit")
def audit() -> BaseResponse:
    """Who did what, newest first, and how far the chain has been followed: each view goes on where the last one ended."""
    return _audit(_Followed.so_far, PIECE)


@routes.post("/audit")
def verify() -> BaseResponse:
    """Follow the chain from its first row to its last."""
    _Followed.so_far = None
    return _audit(None, None)


class _Followed:
    """How far this process has followed the chain. A later change to an earlier row is found by asking for the whole."""

    so_far: audit_actions.Verified | None = None


def _audit(since: audit_actions.Verified | None, limit: int | None) -> BaseResponse:
    search = request.args.get("q", "")[:100]
    before = request.args.get("before", type=int)
    with services().ctx.db.read() as connection:
        rows = operators.audit(connection, search=search, before_id=before)
        followed = audit_actions.verify(connection, since, limit)
        newest = operators.newest_audit_id(connection)
    _Followed.so_far = followed
    return render("audit.html", rows=rows, search=search, followed=followed, is_whole=followed.last_id == newest)


@routes.get("/operators")
def index() -> BaseResponse:
    """Everyone who may use the console."""
    return _index()


@routes.post("/operators")
def create() -> BaseResponse:
    """Make an operator; the page shows their one-time link, once."""
    name = request.form.get("name", "").strip().lower()
    token = operator_actions.create(
        services().ctx, actor(), name=name, display_name=request.form.get("display_name", ""),
        role=request.form.get("role", ""), language=request.form.get("language", language()),
    )  # fmt: skip
    return _index(link_for=name, token=token)


@routes.post("/operators/<name>")
def change(name: str) -> BaseResponse:
    """Role, new link, reset of the second factor, disable, enable: named by `do`."""
    ctx, who, do = services().ctx, actor(), request.form.get("do", "")
    with_link = {
        "link": operator_actions.new_sign_in_link,
        "reset": operator_actions.reset_two_factor,
        "enable": operator_actions.enable,
    }
    if do in with_link:
        return _index(link_for=name, token=with_link[do](ctx, who, name))
    if do == "role":
        operator_actions.set_role(ctx, who, name, request.form.get("role", ""))
    elif do == "session":
        sessions.revoke(ctx, who, name, request.form.get("session", ""))
    elif do == "disable":
        operator_actions.disable(ctx, who, name)
    else:
        message = Words("no such step: %(step)s", step=repr(do))
        raise InvalidInput(message, "do")
    return go("/operators?said=changed")


def _index(*, link_for: str = "", token: str = "") -> BaseResponse:
    with services().ctx.db.read() as connection:
        everyone = operators.all_operators(connection)
        opened = operators.all_sessions(connection, services().ctx.now())
    address = services().address
    port = f":{address.port}" if address.port else ""
    link = f"{address.scheme}://{address.host}{port}/sign-in/link?token={token}" if token else ""
    return render("operators.html", everyone=everyone, roles=ROLES, link_for=link_for, link=link, sessions=opened,
                  mine=signed_in().token_hash)  # fmt: skip

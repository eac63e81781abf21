"""What agents ask and bring: /agents/v1/. Machines only, so every answer is JSON; every request is signed by one agent.

Unsigned requests cost one look at their headers, falsely signed ones one row read and one check of a signature.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from flask import Blueprint, Response, request
from werkzeug.exceptions import RequestEntityTooLarge

from statuspage.actions import agents
from statuspage.actions.agents import Board, Revoked
from statuspage.actions.context import Context
from statuspage.actions.limits import TooOften
from statuspage.clock import to_ms
from statuspage.domain import agents as domain
from statuspage.domain.agents import ClockTooFar, NotSigned
from statuspage.errors import InvalidInput, Unavailable
from statuspage.store import agents as store
from statuspage.store.agents import Agent

MAX_BODY = 200 * 1024
# Status, name and words ('' for the error's own) of every refusal; a subclass stands before its base.
_REFUSALS: dict[type[Exception], tuple[int, str, str]] = {
    ClockTooFar: (401, "clock", ""),
    NotSigned: (401, "signature", ""),
    Revoked: (403, "revoked", "this agent was revoked or never added: statuspage agents add"),
    TooOften: (429, "too_often", ""),
    RequestEntityTooLarge: (413, "too_large", f"at most {MAX_BODY} bytes: send fewer batches at once"),
    InvalidInput: (422, "invalid", ""),
    Unavailable: (503, "unavailable", ""),
}


def agents_blueprint(ctx: Context) -> Blueprint:
    """GET /agents/v1/assignments, POST /agents/v1/batches."""
    found = Blueprint("agents", __name__)
    board = Board(ctx)
    for path, view, method in (
        ("/agents/v1/assignments", lambda agent, _body: _assignments(ctx, board, agent), "GET"),
        ("/agents/v1/batches", lambda agent, body: _batches(ctx, agent, body), "POST"),
    ):
        found.add_url_rule(path, path.rpartition("/")[2], _signed(ctx, view), methods=[method])
    return found


def _signed(ctx: Context, view: Callable[[Agent, bytes], Response]) -> Callable[[], Response]:
    """`view` for requests that an agent signed, its refusals as JSON."""

    def answer() -> Response:
        try:
            body = _body()
            return view(_agent(ctx, body), body)
        except tuple(_REFUSALS) as error:
            return _refuse(ctx, error)

    return answer


def _body() -> bytes:
    if (request.content_length or 0) > MAX_BODY:
        raise RequestEntityTooLarge
    body = request.get_data(cache=False)
    if len(body) > MAX_BODY:
        raise RequestEntityTooLarge
    return body


def _agent(ctx: Context, body: bytes) -> Agent:
    """Who signed this request. Raises NotSigned, ClockTooFar, Revoked."""
    signed = domain.read_signature(request.method, request.path, dict(request.headers), body)
    with ctx.db.read() as conn:
        agent = store.by_id(conn, signed.agent)
    if agent is None:
        raise Revoked(signed.agent)
    domain.verify(signed, agent.public_key, to_ms(ctx.now()) / 1000)
    if agent.revoked_at is not None:
        raise Revoked(signed.agent)
    return agent


def _assignments(ctx: Context, board: Board, agent: Agent) -> Response:
    agents.seen(ctx, agent)
    found = board.of(agent.region)
    response = Response(status=304) if found.tag in request.if_none_match else _json(found.body, 200)
    response.set_etag(found.tag)
    return response


def _batches(ctx: Context, agent: Agent, body: bytes) -> Response:
    try:
        data = json.loads(body)
    except (ValueError, RecursionError):
        message = "send JSON as docs/agents.md says"
        raise InvalidInput(message, "body") from None
    received = agents.receive(ctx, agent.id, domain.read_delivery(data))
    return _answer(ctx, 200, {"accepted": received.accepted, "duplicates": received.duplicates})


def _refuse(ctx: Context, error: Exception) -> Response:
    code, name, words = next(found for kind, found in _REFUSALS.items() if isinstance(error, kind))
    field = f"{error.field}: " if isinstance(error, InvalidInput) and error.field else ""
    response = _answer(ctx, code, {"error": name, "message": f"{field}{words or error}"})
    if code in {429, 503}:
        response.headers["Retry-After"] = str(error.wait_s if isinstance(error, TooOften) else 5)
    return response


def _answer(ctx: Context, code: int, data: Mapping[str, Any]) -> Response:
    """Every answer tells our time: an agent whose clock is far off signs with it."""
    return _json(json.dumps({**data, "server_ms": to_ms(ctx.now())}).encode(), code)


def _json(body: bytes, code: int) -> Response:
    return Response(body, code, {"Cache-Control": "no-store"}, content_type="application/json; charset=utf-8")

"""Where jobs report: GET, HEAD or POST /ping/<token>, /start, /fail, /log, /<exit code>, with ?rid= for one of several runs.

The convention is that of healthchecks.io, so that its clients and the lines people have in their crontabs work.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from flask import Blueprint, Response, request

from statuspage.actions import pings
from statuspage.actions.context import Context
from statuspage.errors import InvalidInput, Unavailable

_LOOK_AGAIN_S = 1.0  # a token nobody knows may be of a monitor that was just made
_OLD_S = 10.0
_BURST, _PER_S = 30.0, 0.5  # of one heartbeat: far more than any job needs, far less than a loop gone wild sends
_METHODS = ["GET", "POST"]  # HEAD comes with GET


def pings_blueprint(ctx: Context) -> Blueprint:
    """The routes."""
    found = Blueprint("pings", __name__)
    door = _Door(ctx)
    found.add_url_rule("/ping/<token>", "ping", lambda token: door.take(token, "success"), methods=_METHODS)
    for kind in ("start", "fail", "log"):
        found.add_url_rule(f"/ping/<token>/{kind}", kind, _view(door, kind), methods=_METHODS)
    found.add_url_rule(
        "/ping/<token>/<int(max=255):code>", "code", lambda token, code: door.take(token, "success", code), methods=_METHODS
    )
    return found


def _view(door: _Door, kind: str) -> Callable[[str], Response]:
    return lambda token: door.take(token, kind)


class _Door:
    """Knows the tokens, and how often each was used lately. One per process."""

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx
        self._lock = threading.Lock()
        self._tokens: dict[str, str] = {}
        self._looked = float("-inf")
        self._buckets: dict[str, tuple[float, float]] = {}

    def take(self, token: str, kind: str, code: int | None = None) -> Response:
        """Keep the signal. An unknown token is answered like every other unknown token."""
        try:
            monitor_id = self._monitor(token)
            if monitor_id is None:
                return _plain("not found", 404)
            if not self._allows(monitor_id):
                return _plain("too many signals, this one was not kept", 429, {"Retry-After": "10"})
            body = request.stream.read(pings.BODY_BYTES) if request.method == "POST" else b""
            pings.receive(self._ctx, monitor_id, kind, rid=request.args.get("rid", ""), code=code, body=body)
        except InvalidInput as error:
            return _plain(str(error), 400)
        except Unavailable:
            return _plain("not kept, try again", 503, {"Retry-After": "5"})
        return _plain("OK", 200)

    def _monitor(self, token: str) -> str | None:
        now = time.monotonic()
        with self._lock:
            known = self._tokens.get(token)
            due = now - self._looked > (_LOOK_AGAIN_S if known is None else _OLD_S)
            if due:
                self._looked = now
        if not due:
            return known
        try:
            found = pings.tokens(self._ctx)
        except Unavailable:
            self._looked = float("-inf")
            raise
        self._tokens = found
        return found.get(token)

    def _allows(self, monitor_id: str) -> bool:
        now = time.monotonic()
        with self._lock:
            left, at = self._buckets.get(monitor_id, (_BURST, now))
            left = min(_BURST, left + (now - at) * _PER_S)
            allowed = left >= 1
            self._buckets[monitor_id] = (left - 1 if allowed else left, now)
        return allowed


def _plain(text: str, code: int, headers: dict[str, str] | None = None) -> Response:
    kept = {"Cache-Control": "no-store", **(headers or {})}
    return Response(text + "\n", code, content_type="text/plain; charset=utf-8", headers=kept)

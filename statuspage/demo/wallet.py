"""What the demo wallet does for its customers, and a health address per function that uses the function in earnest.

Amounts in JSON are decimal strings of the currency, as a customer reads them.
"""

from __future__ import annotations

import hashlib
import json
import re
import secrets
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from statuspage.demo import chain
from statuspage.demo.ledger import DEMO_SECRET, PROBE, Ledger, Refused, StorageFault

VERSION = "2.7.1"
_AMOUNT = re.compile(r"([0-9]{1,9})(?:\.([0-9]{1,2}))?")
_SESSION_S = 3600
_CODE_S = 300
_MOST = 10_000  # sessions and codes held at once
_ANSWER = "Thank you. A colleague answers within five minutes. We never ask for a code or a recovery phrase."


@dataclass(frozen=True, slots=True)
class Reply:
    """One HTTP answer."""

    status: int
    body: bytes
    content_type: str = "application/json"


class BadRequest(Exception):
    """The caller's request cannot be understood; `status` is the HTTP status to answer."""

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


def _json(value: object, status: int = 200) -> Reply:
    return Reply(status, json.dumps(value, ensure_ascii=False).encode())


def _money(cents: int) -> str:
    return f"{cents // 100}.{cents % 100:02d}"


@dataclass(frozen=True, slots=True)
class Request:
    """What a handler sees: headers with lower-case names, the parsed JSON body ({} without one)."""

    headers: Mapping[str, str]
    body: bytes

    def json(self) -> dict[str, Any]:
        """The body as a JSON object. Raises BadRequest."""
        try:
            found = json.loads(self.body or b"{}")
        except ValueError as error:
            message = "the body is not JSON"
            raise BadRequest(message) from error
        if not isinstance(found, dict):
            message = "the body must be a JSON object"
            raise BadRequest(message)
        return found


class Wallet:
    """The application behind the demo's ports. `nodes`: path -> chain; `statements` is the folder of ready-made history files."""

    def __init__(self, ledger: Ledger, nodes: Mapping[str, chain.Chain], statements: Path) -> None:
        self.ledger = ledger
        self._statements = statements
        self._sessions: dict[str, tuple[str, float]] = {}
        self._codes: dict[str, tuple[bytes, float]] = {}
        self._lock = threading.Lock()
        self._routes: dict[tuple[str, str], Callable[[Request], Reply]] = {
            ("GET", "/"): self._index,
            ("POST", "/session"): self._sign_in,
            ("GET", "/balance"): self._balance,
            ("POST", "/transfers"): self._transfer,
            ("POST", "/payments"): self._pay,
            ("POST", "/cards/topup"): self._top_up,
            ("GET", "/history"): lambda request: self._statement(self._customer(request)),
            ("POST", "/otp"): self._send_code,
            ("POST", "/otp/verify"): self._check_code,
            ("POST", "/support/messages"): self._chat,
            ("GET", "/account"): self._account,
            ("GET", "/login/health"): self._login_health,
            ("GET", "/balances/health"): self._balances_health,
            ("GET", "/transfers/health"): self._transfers_health,
            ("GET", "/payments/health"): self._payments_health,
            ("GET", "/cards/health"): self._cards_health,
            ("GET", "/history/health"): lambda _request: self._statement(PROBE),
            ("GET", "/otp/health"): self._otp_health,
            ("GET", "/support/health"): self._support_health,
            ("GET", "/account/health"): self._account_health,
            **{("POST", path): partial(_rpc, node) for path, node in nodes.items()},
        }

    def answer(self, method: str, path: str, request: Request) -> Reply:
        """Answer one request. A storage fault is 503; a Refused order 409; what nobody expected is left to the listener (500)."""
        handler = self._routes.get((method, path))
        if handler is None:
            known = any(path == route for _, route in self._routes)
            return _json({"error": "method not allowed" if known else "not found"}, 405 if known else 404)
        try:
            return handler(request)
        except BadRequest as error:
            return _json({"error": str(error)}, error.status)
        except Refused as error:
            return _json({"error": str(error)}, 409)
        except StorageFault:
            return _json({"error": "storage does not accept the order; nothing was moved", "version": VERSION}, 503)

    # Sessions and codes

    def _remember(self, store: dict[str, tuple[Any, float]], key: str, value: object, seconds: float) -> None:
        now = time.monotonic()
        with self._lock:
            if len(store) >= _MOST:
                for old in [name for name, (_, ends) in store.items() if ends < now] or list(store)[: _MOST // 10]:
                    del store[old]
            store[key] = (value, now + seconds)

    def _recall(self, store: dict[str, tuple[Any, float]], key: str) -> Any:  # noqa: ANN401 - what was remembered
        with self._lock:
            value, ends = store.get(key, (None, 0.0))
        return value if ends > time.monotonic() else None

    def _open_session(self, user: str, secret: str) -> str:
        if self.ledger.level(user, secret) is None:
            message = "wrong name or secret"
            raise BadRequest(message, 401)
        token = secrets.token_urlsafe(24)
        self._remember(self._sessions, token, user, _SESSION_S)
        return token

    def _customer(self, request: Request) -> str:
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        user = self._recall(self._sessions, token)
        if user is None:
            message = "sign in first: POST /session, then Authorization: Bearer <token>"
            raise BadRequest(message, 401)
        return str(user)

    # What customers do

    def _index(self, _request: Request) -> Reply:
        return _json({"name": "Demo Wallet", "version": VERSION, "paths": [f"{method} {path}" for method, path in self._routes]})

    def _sign_in(self, request: Request) -> Reply:
        body = request.json()
        token = self._open_session(str(body.get("user", "")), str(body.get("secret", "")))
        return _json({"token": token, "expires_s": _SESSION_S})

    def _balance(self, request: Request) -> Reply:
        cents, lag_s = self.ledger.displayed(self._customer(request))
        return _json({"amount": _money(cents), "currency": "USD", "lag_s": round(lag_s, 3)})

    def _transfer(self, request: Request) -> Reply:
        customer, body = self._customer(request), request.json()
        dry = body.get("dry_run") is True
        target, cents = str(body.get("to", "alice" if dry else "")), _cents(body.get("amount", "0.01" if dry else None))
        order = self.ledger.transfer(customer, target, cents, str(body.get("order", ""))[:40], dry_run=dry)
        return _json({"order": order, "status": "checked" if dry else "done"}, 200 if dry else 201)

    def _pay(self, request: Request) -> Reply:
        customer, body = self._customer(request), request.json()
        dry = body.get("dry_run") is True
        order = self.ledger.pay(customer, str(body.get("merchant", "shop"))[:60], _cents(body.get("amount")), dry_run=dry)
        return _json({"order": order, "status": "checked" if dry else "paid"}, 200 if dry else 201)

    def _top_up(self, request: Request) -> Reply:
        customer, body = self._customer(request), request.json()
        order = self.ledger.credit(customer, _cents(body.get("amount")), dry_run=body.get("dry_run") is True)
        return _json({"order": order}, 201)

    def _statement(self, account: str) -> Reply:
        """The ready-made file as it is on disk, like a statement from an object store."""
        try:
            return Reply(200, (self._statements / f"{account}.json").read_bytes())
        except FileNotFoundError:
            return _json({"error": "no statement yet"}, 503)

    def _send_code(self, request: Request) -> Reply:
        """Make a one-time code. A real wallet sends it; the demo hands it out, so that it can be tried without a phone."""
        return _json({"code": self._new_code(self._customer(request)), "expires_s": _CODE_S})

    def _new_code(self, user: str) -> str:
        code = f"{secrets.randbelow(10**6):06d}"
        self._remember(self._codes, user, hashlib.sha256(code.encode()).digest(), _CODE_S)
        return code

    def _check_code(self, request: Request) -> Reply:
        good = self._use_code(self._customer(request), str(request.json().get("code", "")))
        return _json({"valid": good}, 200 if good else 403)

    def _use_code(self, user: str, code: str) -> bool:
        """True once for the latest code of `user`; any attempt uses the code up."""
        digest = self._recall(self._codes, user)
        with self._lock:
            self._codes.pop(user, None)
        return bool(digest) and secrets.compare_digest(digest, hashlib.sha256(code.encode()).digest())

    def _chat(self, request: Request) -> Reply:
        customer = self._customer(request)
        self._ask(customer, str(request.json().get("text", ""))[:500])
        return _json({"messages": self.ledger.talk(customer)}, 201)

    def _ask(self, room: str, text: str) -> None:
        self.ledger.say(room, "customer", text)
        self.ledger.say(room, "support", _ANSWER)

    def _account(self, request: Request) -> Reply:
        customer = self._customer(request)
        return _json({"name": customer, "currency": "USD", "status": "active"})

    # Health: each one uses its function as the customer `probe` does

    def _login_health(self, _request: Request) -> Reply:
        token = self._open_session(PROBE, DEMO_SECRET)
        with self._lock:
            self._sessions.pop(token, None)
        return _json({"status": "ok", "version": VERSION})

    def _balances_health(self, _request: Request) -> Reply:
        cents, lag_s = self.ledger.displayed(PROBE)
        shown, booked = _money(cents), _money(self.ledger.balance(PROBE))
        return _json({"status": "ok", "displayed": shown, "ledger": booked, "lag_s": round(lag_s, 3)})

    def _transfers_health(self, _request: Request) -> Reply:
        self.ledger.transfer(PROBE, "alice", 1, dry_run=True)
        return _json({"status": "ok", "queue_depth": self.ledger.queue_depth, "version": VERSION})

    def _payments_health(self, _request: Request) -> Reply:
        self.ledger.pay(PROBE, "test shop", 1, dry_run=True)
        return _json({"status": "ok", "version": VERSION})

    def _cards_health(self, _request: Request) -> Reply:
        self.ledger.credit(PROBE, 1, dry_run=True)
        return _json({"status": "ok", "bank": "Demo Bank"})

    def _otp_health(self, _request: Request) -> Reply:
        code = self._new_code("probe of one-time codes")
        if not self._use_code("probe of one-time codes", code):
            return _json({"error": "a fresh code was not accepted"}, 503)
        return _json({"status": "ok"})

    def _support_health(self, _request: Request) -> Reply:
        self._ask(PROBE, "Are you there?")
        last = self.ledger.talk(PROBE, 1)
        return _json({"status": "ok", "answered": last[-1]["author"] == "support"})

    def _account_health(self, _request: Request) -> Reply:
        return _json({"status": "ok", "name": PROBE, "accounts": len(self.ledger.accounts())})


def _rpc(node: chain.Chain, request: Request) -> Reply:
    return Reply(200, chain.answer(node, request.body))


def _cents(raw: object) -> int:
    """Cents of a decimal amount such as "12.50" or 12. Raises BadRequest."""
    match = _AMOUNT.fullmatch(str(raw))
    if match is None:
        message = "amount must be a decimal number with at most two places, such as 12.50"
        raise BadRequest(message)
    return int(match[1]) * 100 + int((match[2] or "").ljust(2, "0"))

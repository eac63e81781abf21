"""Web push: RFC 8030 delivery, RFC 8291 encryption, RFC 8292 VAPID. Loaded on first use.

The endpoint was chosen by a visitor's browser, so it is a way to make us call any address: it must be at a known push service
when it is stored, again here, and the guard judges the address that is dialled.
"""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from typing import Any
from urllib.parse import urlsplit

from py_vapid import Vapid02
from pywebpush import WebPusher, WebPushException

from probes import guard
from statuspage.channels import safehttp, texts
from statuspage.channels.message import Message, Services
from statuspage.domain.address import is_push_host
from statuspage.errors import DeliveryError, Permanent, Throttled

_TOKEN_LIFE_S = 12 * 3600  # RFC 8292 allows 24 h
_TOKEN_REUSE_S = 6 * 3600
_WAIT_S = 300.0
_DAY_S = 24 * 3600
_UPDATE_TTL_S = 1800
_tokens: dict[tuple[bytes, str, str], tuple[float, str]] = {}
_tokens_lock = threading.Lock()


def send(message: Message, address: str, services: Services) -> str:
    """Encrypt and hand `message` to the push service of the browser subscription `address` (JSON)."""
    subscription = json.loads(address)
    parts = urlsplit(subscription["endpoint"])
    settings = services.settings_of("webpush")
    if not is_push_host(parts.scheme, parts.netloc, settings.get("hosts") or ()):
        refusal = "this push service is not known here"
        raise Permanent(refusal)
    origin = f"{parts.scheme}://{parts.netloc}"
    policy = guard.operator_policy(services.allow_networks) if settings.get("hosts") else guard.VISITOR
    headers = {
        "Authorization": _token(services, origin, str(settings.get("contact", ""))),
        "Urgency": "high" if message.urgency <= 2 and message.event != "resolved" else "normal",
        "Topic": topic(message),
    }
    try:
        response = WebPusher(subscription, requests_session=services.sessions.get(policy)).send(
            _payload(message), headers, ttl=ttl_s(message, services)
        )
    except (WebPushException, ValueError):  # keys that were stored by hand and are no point of the curve
        broken = "the browser's keys cannot be used"
        raise Permanent(broken) from None
    _check(response, services)
    return str(response.headers.get("Location", ""))[-100:] or message.key


def ttl_s(message: Message, services: Services) -> int:
    """Seconds the push service keeps the message for a browser that is off (messaging.md D.8)."""
    left_s = max(60, int((message.expires_at - services.now()).total_seconds()))
    wanted_s = {"resolved": _DAY_S, "reminder": left_s, "updated": max(_UPDATE_TTL_S, _next_update_s(message, services))}
    return min(left_s, wanted_s.get(message.event, left_s))


def _next_update_s(message: Message, services: Services) -> int:
    at_ms = (message.payload.get("facts") or {}).get("next_update_by")
    return int(at_ms / 1000 - services.now().timestamp()) if at_ms else 0


def topic(message: Message) -> str:
    """32 characters, the same for one notice: a phone that was off gets only its last state. The service learns no id."""
    about = str(message.payload.get("public_id") or message.key)
    return base64.urlsafe_b64encode(hashlib.sha256(about.encode()).digest())[:32].decode()


def _payload(message: Message) -> bytes:
    shown = texts.push(message).to_json(message.language)
    raw = json.dumps(shown, ensure_ascii=False, separators=(",", ":")).encode()
    while len(raw) > texts.PUSH_BYTES and shown["body"]:
        shown["body"] = shown["body"][: len(shown["body"]) // 2]
        raw = json.dumps(shown, ensure_ascii=False, separators=(",", ":")).encode()
    return raw


def _token(services: Services, origin: str, contact: str) -> str:
    """The VAPID header for one push service, made anew every six hours."""
    now_s = services.now().timestamp()
    name = (services.vapid, origin, contact)
    with _tokens_lock:
        made_s, header = _tokens.get(name, (float("-inf"), ""))
        if not 0 <= now_s - made_s < _TOKEN_REUSE_S:
            claims = {"aud": origin, "exp": int(now_s) + _TOKEN_LIFE_S, "sub": contact or "mailto:nobody@invalid"}
            key = Vapid02.from_raw(base64.urlsafe_b64encode(services.vapid).rstrip(b"="))
            made_s, header = now_s, str(key.sign(claims)["Authorization"])
            _tokens[name] = (made_s, header)
    return header


def _check(response: Any, services: Services) -> None:  # noqa: ANN401 - a requests.Response, as pywebpush hands it on
    status = response.status_code
    message = f"the push service answered {status}"
    if status in {404, 410}:
        raise Permanent(message)
    if status == 413:
        raise DeliveryError(message)
    if status in {400, 401, 403}:
        # Our VAPID key or settings, not this browser: nobody is suppressed for it.
        message += ": check channels.webpush and the VAPID key"
        raise Throttled(message, _WAIT_S)
    safehttp.check_status(response, "the push service", services.now().timestamp())

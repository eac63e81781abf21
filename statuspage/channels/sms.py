"""SMS through Twilio. Loaded on first use: the SDK is large, and a page without an account never needs it.

Twilio has no idempotency key: after a request without an answer the message is looked up by number and text before it is sent
again. The SDK's own HTTP client is not used: it knows no total deadline and logs numbers at DEBUG.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from twilio.base.exceptions import TwilioException, TwilioRestException
from twilio.http.response import Response
from twilio.request_validator import RequestValidator
from twilio.rest import Client

from probes import guard
from statuspage.channels import safehttp, texts
from statuspage.channels.message import Message, Services
from statuspage.errors import DeliveryError, Permanent, Throttled, Transient, Unknown

VALIDITY_S = (10, 36_000)  # what Twilio takes
_BAD_ADDRESS = {21211, 21214, 21217, 21614, 21610}  # no number, not mobile, or its owner said STOP
_BUSY = {20429, 21611, 30001}
_REFUSED_ACCOUNT = {20003, 20005, 20006, 20008}
_BAD_TEXT = {21602, 21617, 21619}
_ACCOUNT_WAIT_S = 300.0
_CLOCK_SLACK = timedelta(minutes=5)
_LOOKED_AT = 50
_NOT_SENT = {"failed", "canceled"}


class _Transport:
    """The SDK's HTTP client, by our session. Remembers the last answer's headers: the SDK's errors do not carry them."""

    def __init__(self, services: Services) -> None:
        self._local = services.twilio_url
        policy = guard.operator_policy(services.allow_networks) if self._local else guard.OPERATOR
        self._session = services.sessions.get(policy)
        self.headers: dict[str, str] = {}

    def request(
        self, method: str, url: str, params: Any = None, data: Any = None, headers: Any = None, auth: Any = None,  # noqa: ANN401
        timeout: float | None = None, allow_redirects: bool = False,  # noqa: ARG002, FBT001, FBT002 - the SDK's signature
    ) -> Response:  # fmt: skip
        """One request. Raises DeliveryError for what never became an answer."""
        if self._local:
            parts = urlsplit(url)
            url = f"{self._local}{parts.path}" + (f"?{parts.query}" if parts.query else "")
        answered = self._session.request(method, url, params=params, data=data, headers=headers, auth=auth)
        self.headers = dict(answered.headers)
        return Response(answered.status_code, answered.content.decode("utf-8", "replace"), answered.headers)


def _client(services: Services) -> tuple[Client, _Transport, dict[str, Any]]:
    """A client per message: it costs microseconds, and the SDK does not promise thread safety."""
    account = services.settings_of("sms")["twilio"]
    transport = _Transport(services)
    client = Client(services.reveal(account["account_sid"]), services.reveal(account["auth_token"]), http_client=transport)
    return client, transport, account


def send(message: Message, address: str, services: Services) -> str:
    """Hand the SMS form of `message` to Twilio for the number `address`; the message's SID."""
    client, transport, account = _client(services)
    left_s = int((message.expires_at - services.now()).total_seconds())
    options: dict[str, Any] = {"validity_period": min(max(left_s, VALIDITY_S[0]), VALIDITY_S[1])}
    if account.get("messaging_service_sid"):
        options["messaging_service_sid"] = services.reveal(account["messaging_service_sid"])
    else:
        options["from_"] = services.reveal(account["number"])
    page_url = message.payload["page"]["url"]
    if page_url.startswith("https://"):
        options["status_callback"] = f"{page_url}/callbacks/twilio"
    try:
        sent = client.messages.create(to=address, body=texts.short(message), **options)
    except TwilioRestException as error:
        raise _meaning(error, transport, services) from None
    except (TwilioException, ValueError, KeyError, TypeError):
        unreadable = "Twilio's answer could not be read"
        raise Unknown(unreadable) from None
    if not sent.sid:
        empty = "Twilio's answer named no message"
        raise Unknown(empty)
    return str(sent.sid)


def find(message: Message, address: str, services: Services) -> str | None:
    """The SID of this very text to this number since the message was written, None when Twilio has none."""
    client, transport, _account = _client(services)
    text = texts.short(message).strip()
    since = message.created_at - _CLOCK_SLACK
    try:
        for sent in client.messages.list(to=address, limit=_LOOKED_AT, page_size=_LOOKED_AT):
            is_ours = (sent.body or "").strip() == text and sent.status not in _NOT_SENT
            if is_ours and (sent.date_created is None or sent.date_created >= since):
                return str(sent.sid)
    except TwilioRestException as error:
        raise _meaning(error, transport, services) from None
    except (Unknown, TwilioException, ValueError, KeyError, TypeError):
        # A look-up changes nothing: without its answer we know no more than before and ask again later.
        unknown = "Twilio could not be asked whether it has the message"
        raise Unknown(unknown) from None
    return None


def _meaning(error: TwilioRestException, transport: _Transport, services: Services) -> DeliveryError:
    """Our error for Twilio's. Its own text is not kept: it repeats the number."""
    code, status = error.code or 0, error.status
    message = f"Twilio refused the message: error {code}" if code else f"Twilio answered {status}"
    if code in _BAD_ADDRESS:
        return Permanent(message)
    if code in _BUSY or status == 429:
        return Throttled(message, safehttp.retry_after_s(transport.headers, services.now().timestamp()))
    if code in _REFUSED_ACCOUNT or status in {401, 403}:
        return Throttled(f"{message}: check account_sid and auth_token", _ACCOUNT_WAIT_S)
    if code in _BAD_TEXT:
        return DeliveryError(message)
    if status in {500, 502, 504}:
        return Unknown(message)
    return Transient(message)


def is_signed(url: str, parameters: Any, signature: str, token: str) -> bool:  # noqa: ANN401 - the SDK takes a dict or a MultiDict
    """Whether Twilio signed this callback. `url` is the configured public one: behind a proxy the request's own differs.

    False without a token: the SDK would accept a signature made with an empty key.
    """
    return bool(token) and bool(RequestValidator(token).validate(url, parameters, signature))

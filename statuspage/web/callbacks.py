"""What suppliers tell us: Twilio's status callbacks and the texts people answer with.

Twilio signs the address and the parameters, with no time and no nonce: what it says may be replayed, so every handler is
idempotent, and messages that are not ours are refused. The address is the configured public one, never the request's.
"""

from __future__ import annotations

from collections.abc import Callable
from xml.sax.saxutils import escape

from flask import Blueprint, Response, request

from statuspage import i18n
from statuspage.actions import deliveries, suppressions
from statuspage.actions.context import Context
from statuspage.channels import registry
from statuspage.domain import address, delivery
from statuspage.errors import InvalidInput
from statuspage.store import pages

_PATH = "/callbacks/twilio"


def callbacks_blueprint(ctx: Context, resolve: Callable[[str], str]) -> Blueprint:
    """POST /callbacks/twilio. `resolve` turns the ${env:NAME} of the account's token into its value (ValueError when unset)."""
    found = Blueprint("callbacks", __name__)

    def twilio() -> Response:
        with ctx.db.read() as conn:
            page = pages.load_page(conn)
            account = ((pages.load_meta(conn, "channels", {}) or {}).get("sms") or {}).get("twilio") or {}
        token = _token(account.get("auth_token", ""), resolve)
        if not token:
            return _plain("callbacks are not configured", 404)
        signature = request.headers.get("X-Twilio-Signature", "")
        is_signed = registry.load("statuspage.channels.sms:is_signed")
        is_form = request.mimetype == "application/x-www-form-urlencoded"
        if not is_form or not is_signed(f"{page.url}{_PATH}", request.form, signature, token):
            return _plain("the signature does not hold for the configured address of this page", 403)
        if account["account_sid"] and request.form.get("AccountSid") not in {None, _token(account["account_sid"], resolve)}:
            return _plain("another account", 403)
        return _status(ctx) if request.form.get("MessageStatus") else _inbound(ctx, page)

    found.add_url_rule(_PATH, "twilio", twilio, methods=["POST"])
    return found


def _token(written: str, resolve: Callable[[str], str]) -> str:
    try:
        return resolve(written) if written else ""
    except ValueError:
        return ""


def _status(ctx: Context) -> Response:
    form = request.form
    known = deliveries.receipt(
        ctx, form.get("MessageSid", "")[:64], form.get("MessageStatus", "")[:20], form.get("ErrorCode", "")[:10]
    )
    return _plain("", 204) if known else _plain("no such message", 404)


def _inbound(ctx: Context, page: pages.Page) -> Response:
    """STOP and START act at once; HELP is answered. Twilio itself answers STOP and START, so we stay silent there."""
    word = delivery.keyword(request.form.get("Body", "")[:1600]) or ""
    try:
        number = address.phone(request.form.get("From", "")[:40], None).text
    except InvalidInput:
        return _twiml("")
    suppressions.answered(ctx, number, word)
    if word != "help":
        return _twiml("")
    language = "zh-Hans" if any(character >= "\u4e00" for character in request.form.get("Body", "")) else "en"
    text = i18n.gettext(
        language, "%(brand)s: status messages you subscribed to. %(url)s. Reply STOP to end.",
        brand=i18n.pick(page.name, language), url=page.url.partition("://")[2],
    )  # fmt: skip
    return _twiml(f"<Message>{escape(text)}</Message>")


def _twiml(inner: str) -> Response:
    return Response(f'<?xml version="1.0" encoding="UTF-8"?><Response>{inner}</Response>', content_type="text/xml; charset=utf-8")


def _plain(text: str, code: int) -> Response:
    return Response(text, code, content_type="text/plain; charset=utf-8")

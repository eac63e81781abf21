"""Messages with their reasons, who is subscribed (counts only), and the operators' webhooks."""

from __future__ import annotations

from datetime import timedelta

from flask import Blueprint, request
from werkzeug.wrappers import Response as BaseResponse

from statuspage.actions import configured_subscribers, subscribe_limits
from statuspage.errors import InvalidInput
from statuspage.store import console, notices, pages
from statuspage.web.console import costs
from statuspage.web.console.respond import actor, error_words, go, render, services

routes = Blueprint("deliveries", __name__)

STATES = ("queued", "sending", "sent", "dead", "cancelled", "expired")
_PAGE = 50


@routes.get("/deliveries")
def index() -> BaseResponse:
    """Newest first; ?state= keeps one state, ?before= pages on."""
    state = request.args.get("state", "")
    before = request.args.get("before", type=int)
    ctx = services().ctx
    with ctx.db.read() as connection:
        about = notices.by_public_id(connection, request.args.get("notice", ""))
        counts = console.delivery_states(connection, ctx.now() - timedelta(days=1))
        rows = console.list_deliveries(connection, states=[state] if state in STATES else [],
                                       notice_id=about.id if about else None, before_id=before, limit=_PAGE)  # fmt: skip
        pending = console.pending_outbox(connection)
        late = console.late_deliveries(connection, ctx.now() - timedelta(minutes=2))
        sms = (pages.load_meta(connection, "channels", {}) or {}).get("sms") or {}
        purse = subscribe_limits.purse(connection, sms, ctx.now()) if sms.get("twilio") else None
        is_stopped = bool(sms) and subscribe_limits.is_breaker_open(connection, ctx.now())
    return render("deliveries.html", rows=rows, counts=counts, states=STATES, state=state, pending=pending, late=late,
                  has_more=len(rows) == _PAGE, purse=purse, money=costs.money, is_stopped=is_stopped)  # fmt: skip


@routes.get("/subscriptions")
def subscriptions() -> BaseResponse:
    """How many per channel, never who; and the webhooks that operators added."""
    return _subscriptions()


@routes.post("/subscriptions/webhooks")
def add_webhook() -> BaseResponse:
    """Add a webhook of the operators' own; the page shows its signing key, once."""
    url = request.form.get("url", "").strip()[:2000]
    try:
        _public_id, secret = configured_subscribers.add_operator_webhook(services().ctx, actor(), url)
    except InvalidInput as error:
        return _subscriptions(error=error_words(error), status=400, url=url)
    return _subscriptions(secret=secret)


@routes.post("/subscriptions/<public_id>")
def change_webhook(public_id: str) -> BaseResponse:
    """`do`: test or remove."""
    steps = {"test": configured_subscribers.send_test, "remove": configured_subscribers.remove_operator_webhook}
    do = request.form.get("do", "")
    if do not in steps:
        message = "choose one of the steps offered"
        raise InvalidInput(message, "do")
    steps[do](services().ctx, actor(), public_id)
    return go(f"/subscriptions?said={'test' if do == 'test' else 'removed'}")


def _subscriptions(*, error: str = "", status: int = 200, url: str = "", secret: str = "") -> BaseResponse:
    with services().ctx.db.read() as connection:
        counts = console.subscription_counts(connection)
        hooks = console.operator_webhooks(connection)
    return render("subscriptions.html", status, counts=counts, hooks=hooks, error=error, url=url, secret=secret)

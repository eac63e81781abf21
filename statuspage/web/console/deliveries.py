"""Messages with their reasons, who is subscribed (counts only), and the operators' webhooks."""

from __future__ import annotations

from datetime import timedelta

from flask import Blueprint, request
from werkzeug.wrappers import Response as BaseResponse

from statuspage.store import console, notices
from statuspage.web.console.respond import render, services

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
    return render("deliveries.html", rows=rows, counts=counts, states=STATES, state=state, pending=pending, late=late,
                  has_more=len(rows) == _PAGE)  # fmt: skip


@routes.get("/subscriptions")
def subscriptions() -> BaseResponse:
    """How many per channel, never who; and the webhooks that operators added."""
    return _subscriptions()


def _subscriptions(*, error: str = "", status: int = 200, url: str = "") -> BaseResponse:
    with services().ctx.db.read() as connection:
        counts = console.subscription_counts(connection)
        hooks = console.operator_webhooks(connection)
    return render("subscriptions.html", status, counts=counts, hooks=hooks, error=error, url=url, secret="")

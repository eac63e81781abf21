"""Notices: the list, one notice with its deliveries, drafts and approvals."""

from __future__ import annotations

from flask import Blueprint, request
from werkzeug.wrappers import Response as BaseResponse

from statuspage.actions import drafts
from statuspage.domain import lifecycle
from statuspage.store import components, console, notices, reports
from statuspage.web.console import costs
from statuspage.web.console.respond import actor, go, render, services
from statuspage.web.console.updates import load

routes = Blueprint("notices", __name__)


@routes.get("/notices")
def index() -> BaseResponse:
    """Open ones first, then the newest; search by number or words, filter by kind."""
    words, kind = request.args.get("q", "")[:100], request.args.get("kind", "")
    with services().ctx.db.read() as connection:
        found = console.search_notices(connection, words=words, kind=kind if kind in lifecycle.KINDS else "")
    found.sort(key=lambda one: not one.is_open)
    return render("notices.html", notices=found, search=words, kind=kind, kinds=lifecycle.KINDS)


@routes.get("/notices/<public_id>")
def show(public_id: str) -> BaseResponse:
    """The facts as they stand, every update, what became of the messages."""
    with services().ctx.db.read() as connection:
        found = load(connection, public_id)
        updates = notices.updates_of(connection, [found.id])[found.id]
        counts = console.delivery_counts(connection, found.id)
        cost = costs.spent(connection, found, services().ctx.now()) if counts.get("sms") else None
        pending = console.pending_outbox(connection, found.id)
        asked = console.approvals_of(connection, found.id)
        named = components.load(connection, [*found.facts.components, *(key for one in updates for key in one.changes)])
        failing = [
            one for one in console.watches(connection, only_bad=True) if one.component_id in found.facts.components
        ]
        beside = reports.supports(connection, [found.id]).get(found.id, [])
    waiting = next((row for row in asked if row["decided_at"] is None), None)
    final = next(iter(sorted(lifecycle.FINAL[found.kind] - {"cancelled"})))
    return render("notice.html", found=found, updates=updates[::-1], counts=counts, pending=pending, asked=asked, waiting=waiting,
                  components=named, failing=failing, final=final, cost=cost, beside=beside)  # fmt: skip


@routes.post("/notices/<public_id>/publish")
def publish_draft(public_id: str) -> BaseResponse:
    """Make a draft public."""
    drafts.publish(services().ctx, actor(), public_id)
    return go(f"/notices/{public_id}?said=published")


@routes.post("/notices/<public_id>/approve")
def approve(public_id: str) -> BaseResponse:
    """Approve a security notice, or break the glass with a reason."""
    reason = request.form.get("reason", "")[:500]
    found = drafts.approve(services().ctx, actor(), public_id, break_glass=reason)
    return go(f"/notices/{found.public_id}?said=published")


@routes.post("/notices/<public_id>/discard")
def discard(public_id: str) -> BaseResponse:
    """Throw a draft away."""
    drafts.discard(services().ctx, actor(), public_id)
    return go("/notices?said=discarded")

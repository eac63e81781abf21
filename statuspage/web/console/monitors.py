"""Monitors with their evidence, and "run now"."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

from flask import Blueprint, request
from sqlalchemy import Connection
from werkzeug.wrappers import Response as BaseResponse

from statuspage.actions import pings, runs
from statuspage.actions.context import ROLES
from statuspage.clock import from_ms
from statuspage.errors import NotFound, Words
from statuspage.settings import LOCAL, shown_region
from statuspage.store import console
from statuspage.store import pings as signals
from statuspage.web.console.respond import actor, go, page, render, services

routes = Blueprint("monitors", __name__)


@routes.get("/monitors")
def index() -> BaseResponse:
    """All of them, the worst first."""
    search = request.args.get("q", "")[:100]
    with services().ctx.db.read() as connection:
        found = console.watches(connection, search=search)
    return render("monitors.html", watches=found, search=search)


@routes.get("/monitors/<monitor_id>")
def show(monitor_id: str) -> BaseResponse:
    """One monitor: state per region, evidence of the last failure, recent results, what "run now" brought."""
    with services().ctx.db.read() as connection:
        found = console.watches(connection, monitor_id=monitor_id)
        if not found:
            message = Words("there is no monitor %(id)s", id=monitor_id)
            raise NotFound(message)
        results = console.recent_results(connection, found[0].no)
        runs_asked = console.run_requests_of(connection, monitor_id)
        transitions = console.recent_transitions(connection, monitor_id)
        notice_id = console.notice_ids_of(connection, [monitor_id]).get(monitor_id)
        heard = _heard(connection, monitor_id) if found[0].kind == signals.KIND else None
    for result in results:
        result["at"] = from_ms(result["at_ms"])
        result["clock"] = result["at"].astimezone(ZoneInfo(page().time_zone)).strftime("%H:%M:%S")
    own = services().settings.region
    asked = [{**run, "result": _shown(run["result"], own)} for run in runs_asked]
    # Seconds until the page looks again by itself: only while an answer is awaited.
    refresh = 2 if any(run["done_at"] is None for run in runs_asked) else None
    return render("monitor.html", watches=found, results=results, runs=asked, transitions=transitions,
                  notice_id=notice_id, refresh=refresh, heard=heard)  # fmt: skip


def _shown(result: dict[str, Any] | None, own_region: str) -> dict[str, Any] | None:
    """A run's result as it is shown whole: with the region's name that people know."""
    return result and {**result, "region": shown_region(str(result.get("region", LOCAL)), own_region)}


def _heard(connection: Connection, monitor_id: str) -> dict[str, Any]:
    """A heartbeat's last signals, and its secret address for those who may act: whoever has it can say that all is well."""
    options: dict[str, Any] = next((row["options"] for row in signals.listed(connection) if row["id"] == monitor_id), {})
    may_see = ROLES.index(actor().role) >= ROLES.index("responder")
    address = pings.address_of(services().ctx, page().url, monitor_id, options) if may_see else None
    return {"address": address, "signals": signals.recent(connection, monitor_id)}


@routes.post("/monitors/<monitor_id>/run")
def run(monitor_id: str) -> BaseResponse:
    """Ask the worker for one run: the web never dials out itself."""
    runs.ask(services().ctx, actor(), monitor_id)
    return go(f"/monitors/{monitor_id}#runs")

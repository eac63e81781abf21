"""Monitors with their evidence, and "run now"."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from flask import Blueprint, request
from werkzeug.wrappers import Response as BaseResponse

from statuspage.actions import runs
from statuspage.clock import from_ms
from statuspage.errors import NotFound
from statuspage.store import console
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
            message = f"there is no monitor {monitor_id}"
            raise NotFound(message)
        results = console.recent_results(connection, found[0].no)
        runs_asked = console.run_requests_of(connection, monitor_id)
        transitions = console.recent_transitions(connection, monitor_id)
        notice_id = console.notice_ids_of(connection, [monitor_id]).get(monitor_id)
    for result in results:
        result["at"] = from_ms(result["at_ms"])
        result["clock"] = result["at"].astimezone(ZoneInfo(page().time_zone)).strftime("%H:%M:%S")
    # Seconds until the page looks again by itself: only while an answer is awaited.
    refresh = 2 if any(run["done_at"] is None for run in runs_asked) else None
    return render("monitor.html", watches=found, results=results, runs=runs_asked, transitions=transitions,
                  notice_id=notice_id, refresh=refresh)  # fmt: skip


@routes.post("/monitors/<monitor_id>/run")
def run(monitor_id: str) -> BaseResponse:
    """Ask the worker for one run: the web never dials out itself."""
    runs.ask(services().ctx, actor(), monitor_id)
    return go(f"/monitors/{monitor_id}#runs")

"""The first screen: what is on fire, what waits for a person, and peace when there is peace."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from flask import Blueprint
from sqlalchemy import Connection
from werkzeug.wrappers import Response as BaseResponse

from statuspage.store import agents, components, console, notices, reports
from statuspage.store import monitors as monitor_store
from statuspage.store.agents import Agent
from statuspage.store.console import Watch
from statuspage.store.notices import Notice
from statuspage.store.reports import Signal, Support
from statuspage.web.console.respond import render, services

routes = Blueprint("now", __name__)

SOON = timedelta(hours=1)
LATE_DELIVERY = timedelta(minutes=2)
SILENT = timedelta(seconds=90)  # the loops beat every few seconds; the public page turns blind at the same age
AGENT_SILENT = timedelta(minutes=3)  # they report every second and ask every 15; a break on the way is no news yet


@dataclass(frozen=True, slots=True)
class Board:
    """Everything the first screen says, each notice under the most urgent heading it deserves."""

    approvals: list[Notice]
    suspected: list[Notice]
    recovered: list[Notice]
    overdue: list[Notice]
    overrun: list[Notice]
    soon: list[Notice]
    later: list[Notice]
    drafts: list[Notice]
    others: list[Notice]
    failing: list[Watch]
    in_notice: dict[str, str]
    rising: list[Signal]
    beside: dict[int, list[Support]]
    reported: int
    deliveries: dict[str, int]
    late: int
    silent: list[str]
    away: list[Agent]
    watched: int
    components: int
    last_at: datetime | None

    @property
    def is_peace(self) -> bool:
        """Nothing waits for anybody."""
        notices_waiting = (
            self.approvals,
            self.suspected,
            self.recovered,
            self.overdue,
            self.overrun,
            self.others,
            self.failing,
            self.rising,
        )
        unheard = bool(self.silent or self.away)
        return not any(notices_waiting) and not unheard and not self.late and not self.deliveries.get("dead")


@routes.get("/")
def show() -> BaseResponse:
    """What is on fire."""
    ctx = services().ctx
    with ctx.db.read() as connection:
        board = read_board(connection, ctx.now())
    return render("now.html", board=board)


def read_board(connection: Connection, now: datetime) -> Board:
    """Read it in one snapshot."""
    waiting = console.waiting_approvals(connection)
    heads: dict[str, list[Notice]] = {
        name: []
        for name in ("approvals", "drafts", "overrun", "recovered", "suspected", "overdue", "soon", "others", "later")
    }
    for found in notices.open_notices(connection):
        heads[_heading(found, now, is_waiting=found.id in waiting)].append(found)
    everything = console.watches(connection)
    failing = [one for one in everything if one.is_bad and not one.paused]
    beats = monitor_store.beats(connection)
    return Board(
        **heads, failing=failing, in_notice=console.notice_ids_of(connection, [one.id for one in failing]),
        rising=list(reports.signals(connection).values()),
        beside=reports.supports(connection, [found.id for found in heads["suspected"]]),
        reported=sum(reports.recent(connection, now - timedelta(days=1)).values()),
        deliveries=console.delivery_states(connection, now - timedelta(days=1)),
        late=console.late_deliveries(connection, now - LATE_DELIVERY),
        silent=sorted(name for name, at in beats.items() if now - at > SILENT),
        away=agents.silent(connection, now - AGENT_SILENT),
        watched=len({one.id for one in everything}), components=len(components.load(connection)),
        last_at=max((one.last_at for one in everything if one.last_at), default=None),
    )  # fmt: skip


def _heading(found: Notice, now: datetime, *, is_waiting: bool) -> str:
    if is_waiting:
        return "approvals"
    if found.visibility != "public":
        return "drafts"
    if found.kind == "maintenance":
        return _window_heading(found, now)
    if found.recovered_at:
        return "recovered"
    if found.is_suspected:
        return "suspected"
    return "overdue" if found.next_update_by and found.next_update_by <= now else "others"


def _window_heading(found: Notice, now: datetime) -> str:
    if found.status != "scheduled":
        return "overrun" if found.scheduled_until and found.scheduled_until <= now else "soon"
    return "soon" if found.scheduled_for and found.scheduled_for - now <= SOON else "later"

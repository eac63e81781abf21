"""The demo wallet's past: a dozen notices and 90 days of checks, made up from the scenarios and marked as such.

The notices go through the same code as real ones, as a backfill: signed in order of time, told to nobody. The figures agree with
them, because both follow one list of troubles.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, select

from statuspage.actions import audit, demo_history, notices
from statuspage.actions.context import Actor, Context
from statuspage.actions.demo_history import DAYS, Past, Trouble
from statuspage.clock import from_ms, to_ms
from statuspage.domain import lifecycle
from statuspage.domain.notice import Draft
from statuspage.errors import InvalidInput
from statuspage.scenarios import Scenario, catalogue
from statuspage.store import checks as check_store
from statuspage.store import components as component_store
from statuspage.store import notices as notice_store
from statuspage.store import pages
from statuspage.store.pages import Page
from statuspage.store.schema.notices import notices as notice_table

AUTHOR = Actor("demo data", "responder")
# How many days ago, and at what local time, each one began (a maintenance: its window).
STORY = (
    ("core-upgrade", 84, "02:00"), ("balance-display-stale", 77, "10:12"), ("sms-phishing", 69, "16:40"),
    ("transfers-failing", 61, "19:05"), ("rpc-provider-zero-balances", 54, "15:31"), ("bank-maintenance", 46, "01:00"),
    ("otp-delayed", 38, "08:47"), ("polygon-finality-delay", 31, "21:20"), ("chain-hardfork", 28, "10:30"),
    ("login-after-release", 17, "11:03"), ("risk-control-false-freeze", 10, "09:26"), ("duplicate-charge", 4, "20:14"),
)  # fmt: skip
# Marks of this work, kept where the roll-ups keep theirs: a killed start goes on instead of telling the story twice.
_BEGUN, _TOLD, _DONE = "demo.begun", "demo.told", "demo.done"
_TOGETHER = 5  # updates per transaction, about 50 ms: others want to write when a process starts


@dataclass(frozen=True, slots=True)
class _Entry:
    """One update of one scenario at its time in the past."""

    at: datetime
    scenario: Scenario
    index: int


def seed(ctx: Context, now: datetime) -> bool:
    """Make up the past of a demo page up to `now`; False when it was there already. About 2 s of work, in short transactions.

    Raises InvalidInput before a configuration with components was applied, and on a page with notices of its own: made-up
    history must never stand beside true history.
    """
    with ctx.db.write() as conn:
        if check_store.mark(conn, _DONE) is not None:
            return False
        page = pages.load_page(conn)
        zone = ZoneInfo(page.time_zone)
        begun = check_store.mark(conn, _BEGUN)
        now = now if begun is None else from_ms(begun)
        shown = set(component_store.load(conn))
        past = Past(now, zone, troubles(now, zone, shown))
        if begun is None:
            _refuse_true_history(conn, shown)
            demo_history.write_days(conn, past, sorted(shown))
            check_store.set_mark(conn, _BEGUN, to_ms(now))
            audit.write(conn, now, AUTHOR.name, "demo.seed", "history", {"notices": len(STORY), "days": DAYS})
    _tell(ctx, page, shown, now)
    demo_history.write_blocks(ctx, past)
    with ctx.db.write() as conn:
        check_store.set_mark(conn, _DONE, to_ms(now))
        notice_store.add_change(conn, {"components": sorted(shown), "page": True}, now)
    return True


def _refuse_true_history(conn: Connection, known: Iterable[str]) -> None:
    if not list(known):
        message = "apply a configuration with components before seeding demo data"
        raise InvalidInput(message)
    # A window that the file plans is no history yet.
    if conn.execute(select(notice_table.c.id).where(notice_table.c.status != "scheduled").limit(1)).first():
        message = "this page has notices of its own: demo data belongs on an empty one"
        raise InvalidInput(message)


def troubles(now: datetime, zone: ZoneInfo, known: Iterable[str]) -> list[Trouble]:
    """Who suffered when in the story, as far as the page shows them."""
    shown, out = set(known), []
    for scenario, began_at in _story(now, zone):
        facts = scenario.draft(began_at, {}, _first_at(scenario)).facts
        first = next(step for step in scenario.steps if step.status != "scheduled")
        last = scenario.steps[-1]
        lo, hi = began_at + timedelta(minutes=first.at_min), began_at + timedelta(minutes=last.at_min)
        announced = facts.scheduled_for is not None
        claims = {component: claim for component, claim in facts.components.items() if component in shown}
        out += [Trouble(component, lo, hi, claim, announced) for component, claim in claims.items()]
    return out


def _first_at(scenario: Scenario) -> int:
    return next(index for index, step in enumerate(scenario.steps) if step.status != "scheduled")


def _story(now: datetime, zone: ZoneInfo) -> list[tuple[Scenario, datetime]]:
    today = now.astimezone(zone)
    out = []
    for scenario_id, days_ago, clock in STORY:
        hour, minute = map(int, clock.split(":"))
        local = (today - timedelta(days=days_ago)).replace(hour=hour, minute=minute, second=0, microsecond=0)
        out.append((catalogue().scenario(scenario_id), local.astimezone(now.tzinfo)))
    return out


def _tell(ctx: Context, page: Page, shown: set[str], now: datetime) -> None:
    """Write every update of every notice in order of time, as it would have been written then."""
    entries = [
        _Entry(began_at + timedelta(minutes=step.at_min), scenario, index)
        for scenario, began_at in _story(now, ZoneInfo(page.time_zone))
        for index, step in enumerate(scenario.steps)
    ]
    entries.sort(key=lambda entry: entry.at)
    with ctx.db.read() as conn:
        told = check_store.mark(conn, _TOLD) or 0
        ids = {item.facts.template: item.id for item in notice_store.latest(conn, len(STORY)) if item.demo}
    for first in range(told, len(entries), _TOGETHER):
        some = entries[first : first + _TOGETHER]
        with ctx.db.write() as conn:
            for entry in some:
                _write(conn, ctx, ids, _draft(entry, page, shown), now)
            check_store.set_mark(conn, _TOLD, first + len(some))


def _write(conn: Connection, ctx: Context, ids: dict[str, int], draft: Draft, now: datetime) -> None:
    known = ids.get(draft.facts.template)
    if known is None:
        notices.open_notice(conn, ctx, AUTHOR, draft, now, demo=True)
        ids[draft.facts.template] = notice_store.latest(conn, 1)[0].id
    else:
        step = notices.Step(AUTHOR.name, by_machine=False, said=None)
        notices.append(conn, ctx, notice_store.by_id(conn, known), draft, step, now)


def _draft(entry: _Entry, page: Page, shown: set[str]) -> Draft:
    clocks = entry.scenario.clock_values(entry.at, page.time_zone, entry.index)
    own = {language: {"brand": name, "host": urlsplit(page.url).netloc} for language, name in page.name.items()}
    variables = {
        language: {**samples, **own.get(language, {}), **clocks[language]}
        for language, samples in catalogue().sample_vars.items()
    }
    draft = entry.scenario.draft(entry.at, variables, entry.index)
    claims = {component: claim for component, claim in draft.facts.components.items() if component in shown}
    final = lifecycle.is_final(draft.facts.kind, draft.facts.status)
    # `import`: a backfilled security notice needs no second person, and nobody mistakes it for an operator's.
    draft = replace(draft, notify=False, source="import", occurred_at=entry.at)
    return draft.with_facts(components={} if final else claims)

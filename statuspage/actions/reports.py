"""Taking problem reports, and noticing when there are more of them than usual.

Reports alone open no notice and change no status: anybody can send them. A rise is shown to operators, pages the on-call once
where no notice tells of it, and stands as a rise on the page of its symptom; beside a suspicion that monitors raised it is
evidence for the person who decides.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy import Connection, select

from statuspage.actions import outbox
from statuspage.actions.context import Context
from statuspage.actions.limits import Limit, take
from statuspage.domain import reports
from statuspage.domain.reports import Report
from statuspage.scenarios import catalogue
from statuspage.store import notices, pages
from statuspage.store import reports as store
from statuspage.store.notices import Notice
from statuspage.store.reports import Signal
from statuspage.store.schema.catalogue import components
from statuspage.symptoms import tree

# Per network, and over all: once so many have reported within an hour, more tell nothing new and only fill the disk.
REPORTER = Limit("report-ip", 5, 3600)
QUIET = timedelta(hours=2)  # after a page about a symptom: what comes and goes, or is sent on purpose, wakes nobody again
ECHO = 2 * reports.WINDOW  # readers still report for a while what is over
EVERYBODY = Limit("report-all", 1200, 3600)
_LATEST = 50  # notices among which one that has just ended is looked for


def take_report(ctx: Context, report: Report, ip_prefix: str) -> bool:
    """Count a report; False when its network was counted for this symptom and hour already: pressing twice is no second report.

    What it says more is added to a first one that said nothing but the symptom. Raises TooOften when its network, or everybody
    together, has sent too many; nothing is stored then.
    """
    now = ctx.now()
    who = reports.who(ctx.keys.seal, ip_prefix, now)
    with ctx.db.write() as conn:
        if not store.add(conn, report, who, now):
            store.complete(conn, report, who, now)
            return False
        # Behind the row: who presses twice spends nothing, and a refusal takes the row back.
        take(conn, ctx.keys.seal, REPORTER, ip_prefix, now)
        take(conn, ctx.keys.seal, EVERYBODY, "all", now)
    return True


def watch(ctx: Context) -> dict[str, Signal]:
    """Compare the newest reports with what is usual; the signals that stand now. Two small reads while nobody reports."""
    now = ctx.now()
    with ctx.db.read() as conn:
        counts = store.recent(conn, now - reports.WINDOW)
        known = store.signals(conn)
        if not known and max(counts.values(), default=0) < reports.FEWEST:
            return {}
        found = {symptom: one for symptom in {*counts, *known} if (one := _signal(conn, symptom, counts, known, ctx))}
        supported = [(notice_id, one) for one in found.values() for notice_id in _suspicions_about(conn, one.symptom)]
    with ctx.db.write() as conn:
        store.end_signals(conn, known.keys() - found.keys())
        for one in found.values():
            if known.get(one.symptom) != one:
                store.put_signal(conn, one)
        for notice_id, one in supported:
            store.support(conn, notice_id, one, now)
        for one in found.values():
            if _is_news(conn, one, now):
                outbox.page_of_reports(conn, one, _names(conn, one.symptom), now)
    return found


def _is_news(conn: Connection, signal: Signal, now: datetime) -> bool:
    """Whether the on-call must hear of a rise: once, not soon after another of the same symptom, and not of what they know."""
    return not (
        outbox.was_paged(conn, signal.symptom, min(signal.since_at, now - QUIET)) or _is_told(conn, signal.symptom, now)
    )


def _is_told(conn: Connection, symptom: str, now: datetime) -> bool:
    """Whether a notice tells of the symptom, or did until a moment ago: who wrote it, or was paged with it, knows."""
    going_on = [found for found in notices.open_notices(conn) if found.status != "scheduled"]
    just_over = [found for found in notices.latest(conn, _LATEST) if found.resolved_at and found.resolved_at >= now - ECHO]
    said = notices.updates_of(conn, [found.id for found in just_over])  # the last one has let go of its components
    once = [replace(found, facts=one.facts) for found in just_over for one in said[found.id]]
    return bool(_about(conn, symptom, [found for found in (*going_on, *once) if found.kind != "advisory"]))


def _names(conn: Connection, symptom: str) -> dict[str, str]:
    """Our own word for a symptom in the page's languages."""
    return {language: catalogue().label("symptoms", symptom, language) for language in pages.load_page(conn).languages}


def _signal(conn: Connection, symptom: str, counts: dict[str, int], known: dict[str, Signal], ctx: Context) -> Signal | None:
    """What is to be said of a symptom now. While a rise lasts it is measured by what was usual when it began."""
    now, count, before = ctx.now(), counts.get(symptom, 0), known.get(symptom)
    if before is not None:
        if reports.is_over(count, before.usual):
            return None
        return Signal(symptom, before.since_at, count, before.usual, max(count, before.peak))
    if count < reports.FEWEST:
        return None
    usual = usually(conn, symptom, now)
    return Signal(symptom, now, count, usual, count) if count >= reports.enough(usual) else None


def usually(conn: Connection, symptom: str, now: datetime) -> int:
    """How many networks usually report a symptom within one window at this hour of the week."""
    hour, first = reports.hour_of(now), store.first_hour(conn)
    past = store.hours(conn, hour - reports.HOURS_KEPT, symptom).get(symptom, {})
    return reports.usual(past, hour, hour if first is None else first)


def _suspicions_about(conn: Connection, symptom: str) -> list[int]:
    """Ids of the open notices that machines opened, no person has confirmed, and this symptom may belong to."""
    return [found.id for found in _about(conn, symptom, [one for one in notices.open_notices(conn) if one.is_suspected])]


def _about(conn: Connection, symptom: str, among: Sequence[Notice]) -> list[Notice]:
    """Those notices that this symptom may belong to."""
    if not among:
        return []
    named = conn.execute(select(components.c.id, components.c.symptoms, components.c.chain))
    one = tree().symptoms.get(symptom)
    ids = {row.id for row in named if one and one.concerns(row.id, row.symptoms, is_chain=row.chain is not None)}
    return [found for found in among if symptom in found.facts.symptoms or not ids.isdisjoint(found.facts.components)]


def forget(ctx: Context, report_days: int) -> int:
    """Delete single reports after `report_days`, and counts by hour once no baseline needs them; how many rows."""
    now = ctx.now()
    with ctx.db.write() as conn:
        return store.forget(conn, now - timedelta(days=report_days), reports.hour_of(now) - reports.HOURS_KEPT)

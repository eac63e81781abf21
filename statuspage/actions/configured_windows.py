"""Maintenance windows that wallet.yaml plans: announced ahead of time, once per occurrence, recurring by RRULE.

An occurrence is local time plus an IANA zone; a start that a clock change skips moves forward, one that happens twice is
its first.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from dateutil.rrule import rrulestr

from statuspage import i18n
from statuspage.actions import block_windows, maintenance
from statuspage.actions.context import SCHEDULER, Context
from statuspage.domain.notice import Draft, Facts
from statuspage.errors import Conflict
from statuspage.store import pages

AHEAD = timedelta(days=7)
REMIND_BEFORE_S = (86_400, 3_600)


def plan_ahead(ctx: Context) -> int:
    """Announce every configured occurrence of the next seven days that is not announced yet; the number looked at."""
    now = ctx.now()
    with ctx.db.read() as conn:
        page = pages.load_page(conn)
        windows = pages.load_meta(conn, "maintenance", [])
    count = 0
    for window in windows:
        if window.get("at_block"):
            count += block_windows.announce(ctx, window, AHEAD)
            continue
        for starts_at in occurrences(window, now, now + AHEAD, page.time_zone):
            # A Conflict means that it was announced in other words: what was said stays, its person may update it.
            with suppress(Conflict):
                remind = tuple(window.get("remind_before_s") or REMIND_BEFORE_S)
                maintenance.schedule(ctx, SCHEDULER, _draft(window, starts_at, page), remind)
            count += 1
    return count


def occurrences(window: dict[str, Any], after: datetime, before: datetime, zone: str) -> Iterator[datetime]:
    """UTC starts of a configured window within (after, before]: `starts` is local time, `repeats` an RRULE or absent."""
    local = ZoneInfo(window.get("time_zone") or zone)
    first = datetime.fromisoformat(window["starts"])
    if not window.get("repeats"):
        starts = [first]
    else:
        low, high = (
            at.astimezone(local).replace(tzinfo=None) for at in (after - timedelta(days=1), before + timedelta(days=1))
        )
        starts = rrulestr(window["repeats"], dtstart=first).between(low, high, inc=True)
    for start in starts:
        # Through UTC and back, so that a local time which a clock change skips becomes the moment after the gap.
        at = start.replace(tzinfo=local, fold=0).astimezone(UTC)
        if after < at <= before:
            yield at


def _draft(window: dict[str, Any], starts_at: datetime, page: pages.Page) -> Draft:
    ends_at = starts_at + timedelta(seconds=window["lasts_s"])
    titles = {tag: i18n.pick(window["name"], tag) for tag in page.languages}
    words = {"en": "{name}: from {start} to {end}.", "zh-Hans": "{name}：{start} 至 {end}。"}  # noqa: RUF001 - Chinese punctuation
    bodies = {
        tag: words[tag].replace("{name}", titles[tag]).replace("{start}", i18n.moment_words(starts_at, page.time_zone, tag))
        .replace("{end}", i18n.moment_words(ends_at, page.time_zone, tag))
        for tag in page.languages
    }  # fmt: skip
    facts = Facts(
        "maintenance", "scheduled", titles, components=dict.fromkeys(window["components"], "under_maintenance"),
        scheduled_for=starts_at, scheduled_until=ends_at, cause="planned_upgrade", funds_safety="unaffected_verified",
    )  # fmt: skip
    key = hashlib.sha256(f"{window.get('id') or titles}|{starts_at.isoformat()}".encode()).hexdigest()[:32]
    return Draft(facts, bodies, idempotency_key=f"window:{key}")

"""Maintenance that begins at a block: a hard fork has a height, and a time only as an estimate that corrects itself.

It is announced once the estimate is within a week, says "about" with the height, is corrected when the estimate has moved
noticeably (on the page and in the feeds; nobody's phone rings for it), and starts when the chain is there, whatever the clock
says. Only when no head has been seen for an hour the announced time decides: we are blind then, and the work begins anyway.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from statuspage import i18n
from statuspage.actions import notices
from statuspage.actions.context import SCHEDULER, Context
from statuspage.actions.notices import Step
from statuspage.domain import pace, status
from statuspage.domain.notice import Draft, Facts
from statuspage.domain.pace import Head
from statuspage.store import networks, pages
from statuspage.store import notices as store
from statuspage.store.networks import Awaited
from statuspage.store.notices import Notice

BLIND_AFTER = timedelta(hours=1)
_ROUND_S = 300
_WORDS = {
    "en": "{name}: begins at block {height} of {chain}, expected about {start}, and ends about {end}. "
    "The time is an estimate; the block decides.",
    "zh-Hans": "{name}：将于 {chain} 区块高度 {height} 时开始，预计约为 {start}，约 {end} 结束。时间为估算，以区块高度为准。",  # noqa: RUF001 - Chinese punctuation
}


def announce(ctx: Context, window: dict[str, Any], within: timedelta) -> bool:
    """Announce a configured window once its block is expected within that time. Whether it is announced, now or before."""
    now = ctx.now()
    block = window["at_block"]
    with ctx.db.write() as conn:
        if any(each.window_id == window["id"] for each in networks.awaited(conn).values()):
            return True
        head = networks.heads(conn).get(block["chain"])
        if head is None or head.height >= block["height"]:
            return False
        expected = pace.expected_at(head, block["height"])
        if expected > now + within:
            return False
        page = pages.load_page(conn)
        titles = {tag: i18n.pick(window["name"], tag) for tag in page.languages}
        starts_at = _rounded(max(expected, now))
        ends_at = starts_at + timedelta(seconds=window["lasts_s"])
        facts = Facts(
            "maintenance", "scheduled", titles, impact="maintenance",
            components=dict.fromkeys(window["components"], status.MAINTENANCE), scheduled_for=starts_at,
            scheduled_until=ends_at, at_block=block["height"], at_network=block["chain"], cause="planned_upgrade",
            funds_safety="unaffected_verified",
        )  # fmt: skip
        bodies = _bodies(facts, block["chain"], block["height"], page)
        ahead = tuple(each for each in window.get("remind_before_s", ()) if each < (starts_at - now).total_seconds())
        ref = notices.open_notice(conn, ctx, SCHEDULER, Draft(facts, bodies), now, remind_before_s=ahead)
        found = store.by_public_id(conn, ref.public_id)
        assert found is not None  # noqa: S101 - it was just opened
        networks.await_block(conn, Awaited(found.id, window["id"], block["chain"], block["height"]))
    return True


def arrivals(conn: Connection, now: datetime) -> dict[int, bool]:
    """Whether the block of each notice that waits for one has come. One whose chain we cannot see is left out."""
    waiting = networks.awaited(conn)
    heads = networks.heads(conn) if waiting else {}
    found = {notice_id: (each, heads.get(each.chain)) for notice_id, each in waiting.items()}
    return {
        notice_id: head.height >= each.height
        for notice_id, (each, head) in found.items()
        if head is not None and (head.height >= each.height or now - head.at < BLIND_AFTER)
    }


def correct(ctx: Context) -> int:
    """Move the announced times of windows whose block is expected noticeably sooner or later; how many."""
    now = ctx.now()
    with ctx.db.read() as conn:
        wrong = [found.id for found, _, _ in _misplaced(conn, now)]
    for notice_id in wrong:
        with ctx.db.write() as conn:
            for found, each, expected in _misplaced(conn, now):
                if found.id == notice_id:
                    _move(conn, ctx, found, each, expected, now)
    return len(wrong)


def _misplaced(conn: Connection, now: datetime) -> list[tuple[Notice, Awaited, datetime]]:
    waiting = networks.awaited(conn)
    if not waiting:
        return []
    heads = networks.heads(conn)
    found = []
    for notice in store.open_notices(conn):
        each = waiting.get(notice.id)
        head: Head | None = heads.get(each.chain) if each else None
        if not each or not head or notice.status != "scheduled" or not notice.scheduled_for:
            continue
        expected = max(now, pace.expected_at(head, each.height))
        if (
            now - head.at < BLIND_AFTER
            and head.height < each.height
            and pace.has_moved(notice.scheduled_for, expected, now)
        ):
            found.append((notice, each, expected))
    return found


def _move(conn: Connection, ctx: Context, found: Notice, each: Awaited, expected: datetime, now: datetime) -> None:
    assert found.scheduled_for  # noqa: S101 - checked by the caller
    assert found.scheduled_until  # noqa: S101 - as above
    starts_at = _rounded(expected)
    lasts = found.scheduled_until - found.scheduled_for
    facts = replace(found.facts, scheduled_for=starts_at, scheduled_until=starts_at + lasts)
    bodies = _bodies(facts, each.chain, each.height, pages.load_page(conn))
    notices.append(conn, ctx, found, Draft(facts, bodies), Step(SCHEDULER.name, by_machine=True, said=None), now)


def _bodies(facts: Facts, chain: str, height: int, page: pages.Page) -> dict[str, str]:
    assert facts.scheduled_for  # noqa: S101 - every window has both
    assert facts.scheduled_until  # noqa: S101 - as above
    words = {}
    for tag in page.languages:
        start, end = (i18n.moment_words(at, page.time_zone, tag) for at in (facts.scheduled_for, facts.scheduled_until))
        values = {"name": facts.titles[tag], "height": f"{height:,}", "chain": chain, "start": start, "end": end}
        words[tag] = _WORDS[tag].format(**values)
    return words


def _rounded(at: datetime) -> datetime:
    """Up to the next five minutes: an estimate that names seconds would claim to know them."""
    return datetime.fromtimestamp(-(-int(at.timestamp()) // _ROUND_S) * _ROUND_S, at.tzinfo)

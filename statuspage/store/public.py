"""The one public projection: every page, feed and JSON document is made from what these functions return.

Drafts and notices scheduled for later never come through here, nor do authors, evidence and operators' names.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, RowMapping, and_, func, or_, select

from statuspage.domain import lifecycle
from statuspage.domain import verdict as verdicts
from statuspage.store import notices as notice_rows
from statuspage.store.pages import Page, load_meta, load_page
from statuspage.store.public_pages import load_capabilities
from statuspage.store.public_rows import (
    first_occurred,
    is_published,
    last_occurred,
    load_components,
    load_groups,
    load_newest,
    load_notices,
    occurred_within,
    published,
    raw,
    read_json,
)
from statuspage.store.public_views import ComponentView, NoticeView, PublicView
from statuspage.store.schema.catalogue import monitors
from statuspage.store.schema.notices import changes, log, notice_components, notice_updates, notices
from statuspage.store.schema.runtime import heartbeats, keys

DAYS = 90
PAST_DAYS = 14
NEWEST = 50  # as many as Statuspage's incidents.json and scheduled-maintenances.json hold
MOST_PAST = 60  # more than a reader reads; the archive has them all
_FINAL = sorted(set().union(*lifecycle.FINAL.values()))
_occurred = func.coalesce(notices.c.started_at, notices.c.scheduled_for, notices.c.published_at)


def load(conn: Connection, now: datetime) -> PublicView:
    """Everything shown of the present. Its cost grows with components and open notices, not with the length of history."""
    page = load_page(conn)
    today = now.astimezone(ZoneInfo(page.time_zone)).date()
    everything = load_components(conn, (today - timedelta(days=DAYS - 1)).isoformat())
    groups = load_groups(conn, everything)
    grouped = {component.id for group in groups for component in group.components}
    shown, past = _shown(conn, now - timedelta(days=PAST_DAYS))
    return PublicView(
        page=page, now=now, seq=notice_rows.last_change(conn), updated_at=_updated_at(conn, everything),
        checked_at=checked_at(conn), groups=groups, notices=shown, past=past,
        loose=tuple(component for component in everything if component.id not in grouped),
        verdict=_verdict(everything, shown), authority=load_meta(conn, "feed_authority") or authority_of(page),
        capabilities=load_capabilities(conn),
    )  # fmt: skip


def authority_of(page: Page) -> str:
    """The host that names this page's feed entries, unless `feed_authority` was fixed in the database earlier."""
    return urlsplit(page.url).hostname or "localhost"


def _shown(conn: Connection, since: datetime) -> tuple[tuple[NoticeView, ...], tuple[NoticeView, ...]]:
    """(the newest and the open, those over since `since`), each newest first. Ids first: only what is shown is read whole."""
    ids = select(notices.c.id).where(is_published())
    planned, over = notices.c.kind == "maintenance", notices.c.status.in_(_FINAL)
    newest = ids.order_by(notices.c.published_at.desc(), notices.c.id.desc()).limit(NEWEST)
    # What is over has an end; asking for that first, what is open is found without looking at what is not.
    opened = ids.where(notices.c.visibility == "public", notices.c.resolved_at.is_(None), ~over)
    current = {row for statement in (newest.where(~planned), newest.where(planned), opened)
               for row in conn.execute(statement).scalars()}  # fmt: skip
    ended = select(notices.c.id).where(notices.c.visibility == "public", notices.c.resolved_at >= since)
    recent = ids.where(over, or_(notices.c.id.in_(ended), occurred_within(since)))
    past = list(conn.execute(recent.order_by(_occurred.desc(), notices.c.id.desc()).limit(MOST_PAST)).scalars())
    found = {notice.id: notice for notice in load_notices(conn, published().where(notices.c.id.in_(current.union(past))))}
    in_order = sorted((found[key] for key in current if key in found), key=lambda one: (one.published_at, one.id), reverse=True)
    return tuple(in_order), tuple(found[key] for key in past if key in found)


def checked_at(conn: Connection) -> datetime | None:
    """When the checker last finished a round; None before the first.

    A page that no monitor watches lives by people's words alone: there the publisher's own sign of life is what keeps it fresh.
    """
    watched = select(monitors.c.id).where(monitors.c.archived_at.is_(None), monitors.c.paused == False).limit(1)  # noqa: E712 - SQL
    names = ["checker"] if conn.execute(watched).first() else ["checker", "publisher"]
    return conn.execute(select(func.max(heartbeats.c.at)).where(heartbeats.c.name.in_(names))).scalar_one_or_none()


def _updated_at(conn: Connection, everything: tuple[ComponentView, ...]) -> datetime:
    """When anything public last altered: the newest change, else the newest row."""
    newest = conn.execute(select(changes.c.at).order_by(changes.c.seq.desc()).limit(1)).scalar_one_or_none()
    return newest or max((component.updated_at for component in everything), default=datetime.fromtimestamp(0, UTC))


def _verdict(everything: tuple[ComponentView, ...], shown: tuple[NoticeView, ...]) -> verdicts.Verdict:
    standings = [verdicts.Standing(component.id, component.status, component.status_at) for component in everything]
    claims = [
        verdicts.Claim(
            component_ids=frozenset(notice.facts.components), impact=notice.impact, is_suspected=notice.is_suspected,
            is_trouble=notice.kind in ("incident", "security"), since_at=notice.started_at,
        )
        for notice in shown
        if notice.is_open
    ]  # fmt: skip
    return verdicts.verdict(standings, claims)


def load_notice(conn: Connection, public_id: str) -> NoticeView | None:
    """The published notice of that id with all its updates; None for a draft, a withdrawn or an unknown id."""
    found = load_notices(conn, published().where(notices.c.public_id == public_id))
    return found[0] if found else None


def was_published(conn: Connection, public_id: str) -> bool:
    """Whether a notice of that id was published once: the log knows, whatever became of it."""
    known = (
        select(log.c.n).join(notice_updates, notice_updates.c.id == log.c.update_id)
        .join(notices, notices.c.id == notice_updates.c.notice_id).where(notices.c.public_id == public_id)
    )  # fmt: skip
    return conn.execute(known.limit(1)).first() is not None


def public_id_of(conn: Connection, number: str) -> str | None:
    """The id of the published notice with that number, however it was typed (n-4k7q)."""
    wanted = and_(notices.c.number == number.strip().upper(), notices.c.visibility == "public")
    return conn.execute(select(notices.c.public_id).where(wanted)).scalar_one_or_none()


@dataclass(frozen=True, slots=True)
class History:
    """One month of published notices, newest first, and the nearest months (YYYY-MM) before and after that have any."""

    month: str
    notices: tuple[NoticeView, ...]
    older: str | None
    newer: str | None


def load_history(conn: Connection, month: str, zone: str) -> History:
    """The notices that began (or are planned to begin) in `month`, YYYY-MM in `zone`. Raises ValueError for another form."""
    first = date.fromisoformat(f"{month}-01")
    if len(month) != 7:
        raise ValueError(month)
    start = _midnight(first, zone)
    end = _midnight((first + timedelta(days=32)).replace(day=1), zone)
    found = published().where(occurred_within(start, end)).order_by(_occurred.desc(), notices.c.id.desc())
    older, newer = last_occurred(conn, before=start), first_occurred(conn, since=end)
    return History(month, load_notices(conn, found), _month(older, zone), _month(newer, zone))


def _midnight(day: date, zone: str) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(zone)).astimezone(UTC)


def _month(at: datetime | None, zone: str) -> str | None:
    return month_of(at, zone) if at else None


def load_component(conn: Connection, component_id: str, limit: int = NEWEST) -> tuple[NoticeView, ...]:
    """The newest published notices that name a component, newest first (also those of long ago: its page shows its past)."""
    named = select(notice_components.c.notice_id).where(notice_components.c.component_id == component_id)
    return load_newest(conn, notices.c.id.in_(named), limit)


def signing_keys(conn: Connection) -> list[RowMapping]:
    """Public halves of the keys that sign the log, oldest first."""
    statement = select(keys).where(keys.c.purpose == "log").order_by(keys.c.valid_from, keys.c.id)
    return list(conn.execute(statement).mappings())


def load_heartbeats(conn: Connection) -> dict[str, datetime]:
    """When each loop last reported."""
    return {row.name: row.at for row in conn.execute(select(heartbeats))}


@dataclass(frozen=True, slots=True)
class Change:
    """What altered in public since some sequence: ids of notices and components, or the page as a whole."""

    seq: int
    notices: tuple[str, ...] = ()
    components: tuple[str, ...] = ()
    page: bool = False


def changes_since(conn: Connection, seq: int) -> Change:
    """Everything that altered after the change `seq`, added up. A row that cannot be read counts as "the whole page"."""
    found, components, page, last = dict[str, None](), dict[str, None](), False, seq
    for row in conn.execute(raw(changes, ("seq", "what")).where(changes.c.seq > seq).order_by(changes.c.seq)).mappings():
        last = row["seq"]
        what = read_json(row["what"], dict, f"change {last}")
        page = page or bool(what.get("page")) or not what
        found.update(dict.fromkeys(what.get("notices") or ()))
        components.update(dict.fromkeys(what.get("components") or ()))
    return Change(last, tuple(found), tuple(components), page)


def month_of(now: datetime, zone: str) -> str:
    """The month (YYYY-MM) of `now` in `zone`."""
    return now.astimezone(ZoneInfo(zone)).strftime("%Y-%m")

"""iCalendar (RFC 5545) of maintenance and of other notices.

An event's UID never changes; every update raises SEQUENCE, and what is called off stays in the calendar as CANCELLED: a reader's
program deletes nothing that merely vanishes. The same facts give the same bytes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta

from icalendar import Calendar, Event
from icalendar.prop import vDuration

from statuspage import i18n
from statuspage.publish import entries
from statuspage.publish.topics import Topic
from statuspage.scenarios import catalogue
from statuspage.store.public_views import NoticeView, PublicView

TYPE = "text/calendar; charset=utf-8"
FILES = ("calendar.ics", "notices.ics")  # maintenance; every other kind
_AGAIN = timedelta(hours=1)  # how often a subscriber's program should look
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f]")


def calendar(view: PublicView, topic: Topic, language: str, file: str, notices: Sequence[NoticeView]) -> bytes:
    """One of FILES in `language`, made of those of `notices` that belong in it."""
    is_planned = file == "calendar.ics"
    found = [notice for notice in notices if (notice.kind == "maintenance") == is_planned]
    words = "%(name)s: maintenance" if is_planned else "%(name)s: notices"
    name = _clean(i18n.gettext(language, words, name=topic.name(view, language)))
    return _written(view, language, name, sorted(found, key=lambda one: (one.started_at, one.id)))


def of_notice(view: PublicView, notice: NoticeView, language: str) -> bytes:
    """One notice, to be added to a calendar by hand."""
    return _written(view, language, _clean(topic_name(view, language)), [notice])


def topic_name(view: PublicView, language: str) -> str:
    """The wallet's name."""
    return i18n.pick(view.page.name, language)


def _written(view: PublicView, language: str, name: str, notices: Iterable[NoticeView]) -> bytes:
    found = Calendar()
    found.add("prodid", f"-//{view.authority}//wallet-statuspage//{language}")
    found.add("version", "2.0")
    found.add("calscale", "GREGORIAN")
    found.add("method", "PUBLISH")
    found.add("name", name)
    found.add("x-wr-calname", name)
    found.add("x-wr-timezone", view.page.time_zone)
    found.add("refresh-interval", vDuration(_AGAIN), parameters={"VALUE": "DURATION"})
    found.add("x-published-ttl", vDuration(_AGAIN))
    for notice in notices:
        found.add_component(_event(view, notice, language))
    text: bytes = found.to_ical()
    return text


def _event(view: PublicView, notice: NoticeView, language: str) -> Event:
    start, end = _span(notice)
    event = Event()
    event.add("uid", f"{notice.public_id}@{view.authority}")
    event.add("dtstamp", _second(notice.updated_at))  # not "now": no two renderings would be equal
    event.add("created", _second(notice.created_at))
    event.add("last-modified", _second(notice.updated_at))
    event.add("sequence", max(0, len(notice.updates) - 1))
    event.add("dtstart", _second(start))
    if end is not None:
        event.add("dtend", _second(end))
    event.add("summary", _clean(_summary(notice, language)))
    event.add("description", _clean(_description(view, notice, language)))
    event.add("url", f"{view.page.url}/{language}/incidents/{notice.public_id}")
    event.add("status", _status(notice))
    event.add("transp", "TRANSPARENT")  # nobody is busy because we are
    event.add("categories", [notice.kind])
    return event


def _span(notice: NoticeView) -> tuple[datetime, datetime | None]:
    """A window as planned, an incident from its beginning to its end; while it is open it has none."""
    said = notice.facts
    if notice.kind == "maintenance" and said.scheduled_for:
        return said.scheduled_for, _after(said.scheduled_for, said.scheduled_until)
    return notice.started_at, _after(notice.started_at, notice.resolved_at)


def _after(start: datetime, end: datetime | None) -> datetime | None:
    """RFC 5545: an end must be later than the start."""
    return end if end is not None and _second(end) > _second(start) else None


def _second(at: datetime) -> datetime:
    return at.astimezone(UTC).replace(microsecond=0)


def _status(notice: NoticeView) -> str:
    if notice.status == "cancelled":
        return "CANCELLED"
    is_estimate = notice.facts.at_block is not None and notice.status == "scheduled"
    return "TENTATIVE" if notice.is_suspected or is_estimate else "CONFIRMED"


def _summary(notice: NoticeView, language: str) -> str:
    return entries.title(notice, notice.updates[0], language) if notice.updates else i18n.pick(notice.facts.titles, language)


def _description(view: PublicView, notice: NoticeView, language: str) -> str:
    named = [view.by_id[key] for key in notice.facts.components if key in view.by_id]
    lines = [catalogue().label("kind", notice.kind, language), "、".join(i18n.pick(one.names, language) for one in named)]
    if notice.updates:
        update = notice.updates[0]
        lines += [i18n.pick(update.bodies, language)]
        lines += [f"{name}: {value}" for name, value in entries.facts(view, language, notice, update)]
    return "\n".join(line for line in lines if line)


def _clean(text: str) -> str:
    """Without what a content line cannot carry (RFC 5545, 3.1): control characters but the line end, and bidi overrides."""
    return _CONTROL.sub("", entries.clean(text.replace("\r\n", "\n").replace("\t", " ")))

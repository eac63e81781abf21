"""What a feed says, in whatever form: one entry per update, or one per notice that changes as the notice does.

An entry's id is a tag: URI and never changes: not with a title, a language, a host or https. Rules: messaging.md D.9.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from html import escape

from statuspage import i18n
from statuspage.publish.topics import Topic
from statuspage.scenarios import catalogue
from statuspage.store.public_views import NoticeView, PublicView, UpdateView
from statuspage.templating import markdown

LOG = logging.getLogger(__name__)
ENTRIES = 50
_YEAR = 2026  # of RFC 4151: a date on which the authority's name was ours; part of every id, never changed
# What XML 1.0 cannot carry: one of these in one title would otherwise silence the whole feed.
_UNFIT = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
# Bidirectional overrides would let a title rewrite what stands around it in somebody's reader.
_TURNING = re.compile(r"[\u202a-\u202e\u2066-\u2069]")


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which feed: its topic, its language, per update or per notice, and its address below the page's."""

    topic: Topic
    language: str
    file: str
    per_notice: bool = False

    @property
    def path(self) -> str:
        """Address of the feed itself."""
        return f"/{self.language}{self.topic.prefix}/{self.file}"


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry, ready in its language. `at`: when it last changed."""

    id: str
    link: str
    title: str
    html: str
    published_at: datetime
    at: datetime
    notice: NoticeView
    update: UpdateView


def clean(text: str) -> str:
    """`text` without what XML cannot carry and what would turn the direction of its surroundings."""
    return _TURNING.sub("", _UNFIT.sub("", text))


def feed_id(view: PublicView, wanted: Wanted) -> str:
    """The feed's own id."""
    form = "notices" if wanted.per_notice else "feed"
    return f"tag:{view.authority},{_YEAR}:{form}{wanted.topic.prefix}/{wanted.language}"


def born(view: PublicView) -> datetime:
    """When a feed without entries last changed: a time that stands still."""
    return min((component.created_at for component in view.components), default=view.updated_at)


def entries(view: PublicView, wanted: Wanted, notices: Iterable[NoticeView]) -> list[Entry]:
    """The newest entries, newest first; the order is total. One that cannot be written is left out, with an alarm in the log."""
    found = list(_per_notice(notices) if wanted.per_notice else _per_update(notices))
    newest = sorted(found, key=lambda one: (one[2], one[1].id), reverse=True)[:ENTRIES]
    return list(_written(view, wanted, newest))


_Raw = tuple[NoticeView, UpdateView, datetime]


def _per_update(notices: Iterable[NoticeView]) -> Iterator[_Raw]:
    for notice in notices:
        for update in notice.updates:
            yield notice, update, max(update.created_at, notice.published_at)


def _per_notice(notices: Iterable[NoticeView]) -> Iterator[_Raw]:
    return ((notice, notice.updates[0], max(notice.updated_at, notice.published_at)) for notice in notices if notice.updates)


def _written(view: PublicView, wanted: Wanted, found: list[_Raw]) -> Iterator[Entry]:
    for notice, update, at in found:
        try:
            yield _entry(view, wanted, notice, update, at)
        except Exception:
            LOG.exception("update %s of %s cannot be put into a feed; left out", update.public_id, notice.number)


def _entry(view: PublicView, wanted: Wanted, notice: NoticeView, update: UpdateView, at: datetime) -> Entry:
    language = wanted.language
    link = f"{view.page.url}/{language}/incidents/{notice.public_id}"
    key = f"notice/{notice.public_id}" if wanted.per_notice else f"update/{update.public_id}"
    told = notice.updates if wanted.per_notice else (update,)
    said = "".join(_said(view, language, notice, one) for one in told)
    rows = "".join(f"<li>{escape(name)}: {escape(value)}</li>" for name, value in facts(view, language, notice, update))
    return Entry(
        id=f"tag:{view.authority},{_YEAR}:{key}", link=link if wanted.per_notice else f"{link}#u{update.sequence}",
        title=clean(title(notice, update, language)), html=clean(f"{said}<ul>{rows}</ul>"),
        published_at=notice.published_at if wanted.per_notice else at, at=at, notice=notice,
        update=update,
    )  # fmt: skip


def title(notice: NoticeView, update: UpdateView, language: str) -> str:
    """[Identified] Transfers fail: the state first, because many readers show nothing else."""
    state = catalogue().status_label(notice.kind, update.status, language)
    if notice.source == "monitor" and update.facts.confirmed_at is None and update.by_machine:
        state = f"{state} · {i18n.gettext(language, 'not confirmed')}"
    words = i18n.pick(update.facts.titles or notice.facts.titles, language)
    return f"【{state}】{words}" if language == "zh-Hans" else f"[{state}] {words}"


def _said(view: PublicView, language: str, notice: NoticeView, update: UpdateView) -> str:
    state = catalogue().status_label(notice.kind, update.status, language)
    when = _moment(update.display_at, view.page.time_zone, language)
    return f"<p><small>{escape(when)}</small><br><strong>{escape(state)}</strong></p>{_body(i18n.pick(update.bodies, language))}"


@lru_cache(maxsize=4096)
def _body(text: str) -> str:
    """The same body stands in a dozen feeds; rendering it is the dearest part of each."""
    return str(markdown(text))


@lru_cache(maxsize=8192)
def _moment(at: datetime, zone: str, language: str) -> str:
    return i18n.moment_words(at, zone, language)


def facts(view: PublicView, language: str, notice: NoticeView, update: UpdateView) -> Iterator[tuple[str, str]]:
    """The facts a reader looks for, as plain text: feed readers drop everything else."""
    zone, said = view.page.time_zone, update.facts
    if said.titles and notice.kind != "maintenance":
        funds = catalogue().label("funds_safety", said.funds_safety, language)
        yield i18n.gettext(language, "Are my funds safe?"), f"{funds} {i18n.pick(said.funds_text, language)}".strip()
    if said.eta_at:
        yield i18n.gettext(language, "Expected repair"), _moment(said.eta_at, zone, language)
    if said.next_update_by:
        yield i18n.gettext(language, "Next update"), _moment(said.next_update_by, zone, language)
    if said.scheduled_for and said.scheduled_until:
        ends = (_moment(at, zone, language) for at in (said.scheduled_for, said.scheduled_until))
        yield i18n.gettext(language, "Window"), i18n.about_block(" / ".join(ends), said.at_block, language)
    yield i18n.gettext(language, "Notice number"), notice.number

"""RSS and Atom through feedgen, with its traps closed (each was seen): link order, default times, entry order, bad characters.

One entry per update, because many readers never show an edited entry again. An entry's id is a tag: URI of the update and
never changes: not with a title, a language, a host or https. The same view gives the same bytes. Rules: messaging.md D.9.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from html import escape

from feedgen.feed import FeedGenerator

from statuspage import i18n
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
class Entry:
    """One update of one notice and when it was published."""

    notice: NoticeView
    update: UpdateView
    at: datetime


def clean(text: str) -> str:
    """`text` without what XML cannot carry and what would turn the direction of its surroundings."""
    return _TURNING.sub("", _UNFIT.sub("", text))


def entries(view: PublicView, component_id: str | None = None) -> list[Entry]:
    """The newest updates, newest first; of one component's notices where one is named. The order is total."""
    found = [
        Entry(notice, update, max(update.created_at, notice.published_at))
        for notice in view.notices
        if component_id is None or component_id in notice.component_ids
        for update in notice.updates
    ]
    return sorted(found, key=lambda entry: (entry.at, entry.update.id), reverse=True)[:ENTRIES]


def feed(view: PublicView, language: str, form: str, *, component_id: str | None = None, hub: str = "") -> bytes:
    """The feed as `rss` or `atom` in `language`. An entry that cannot be written is left out, with an alarm in the log."""
    prefix = f"/components/{component_id}" if component_id else ""
    found = entries(view, component_id)
    name = i18n.pick(view.page.name, language)
    if component_id:
        name = f"{name} · {i18n.pick(view.by_id[component_id].names, language)}"
    generator = FeedGenerator()
    generator.id(f"tag:{view.authority},{_YEAR}:feed{prefix}/{language}")
    generator.title(clean(i18n.gettext(language, "%(name)s: notices", name=name)))
    generator.description(clean(i18n.gettext(language, "Every update of every notice, as it was published.")))
    generator.language(language)
    generator.link(href=f"{view.page.url}/{language}{prefix}/history.{form}", rel="self")
    if hub:
        generator.link(href=hub, rel="hub")
    # RSS takes the link that was added last for the channel's own.
    generator.link(href=f"{view.page.url}/{language}{prefix or '/'}", rel="alternate")
    # Atom's updated as well; both default to "now", and no two renderings would be equal.
    newest = found[0].at if found else view.updated_at
    generator.lastBuildDate(newest)
    generator.generator("")
    for item in _written(view, language, found):
        generator.add_entry(item, order="append")
    text: bytes = generator.rss_str(pretty=True) if form == "rss" else generator.atom_str(pretty=True)
    return text


def _written(view: PublicView, language: str, found: list[Entry]) -> Iterator[object]:
    for entry in found:
        try:
            yield _entry(view, language, entry)
        except Exception:
            LOG.exception("update %s of %s cannot be put into a feed; left out", entry.update.public_id, entry.notice.number)


def _entry(view: PublicView, language: str, entry: Entry) -> object:
    notice, update = entry.notice, entry.update
    link = f"{view.page.url}/{language}/incidents/{notice.public_id}"
    item = FeedGenerator().add_entry()
    # Sets Atom's id as well.
    item.guid(f"tag:{view.authority},{_YEAR}:update/{update.public_id}", permalink=False)
    item.title(clean(title(notice, update, language)))
    item.link(href=f"{link}#u{update.sequence}", rel="alternate")
    item.published(entry.at)
    item.pubDate(entry.at)
    item.updated(entry.at)
    html = clean(_content(view, language, notice, update))
    item.content(html, type="html")
    item.description(html)
    # Serialised once here: a fault in one entry shows now, where it costs one entry, not later, where it costs the feed.
    item.atom_entry()
    item.rss_entry()
    return item


def title(notice: NoticeView, update: UpdateView, language: str) -> str:
    """[Identified] Transfers fail: the state first, because many readers show nothing else."""
    state = catalogue().status_label(notice.kind, update.status, language)
    if notice.source == "monitor" and update.facts.confirmed_at is None and update.by_machine:
        state = f"{state} · {i18n.gettext(language, 'not confirmed')}"
    words = i18n.pick(update.facts.titles or notice.facts.titles, language)
    return f"【{state}】{words}" if language == "zh-Hans" else f"[{state}] {words}"


def _content(view: PublicView, language: str, notice: NoticeView, update: UpdateView) -> str:
    state = catalogue().status_label(notice.kind, update.status, language)
    when = i18n.moment_words(update.display_at, view.page.time_zone, language)
    head = f"<p><small>{escape(when)}</small><br><strong>{escape(state)}</strong></p>"
    rows = "".join(f"<li>{escape(name)}: {escape(value)}</li>" for name, value in _facts(view, language, notice, update))
    return f"{head}{markdown(i18n.pick(update.bodies, language))}<ul>{rows}</ul>"


def _facts(view: PublicView, language: str, notice: NoticeView, update: UpdateView) -> Iterator[tuple[str, str]]:
    """The facts a reader looks for, as plain text: feed readers drop everything else."""
    zone, said = view.page.time_zone, update.facts
    if said.titles and notice.kind != "maintenance":
        funds = catalogue().label("funds_safety", said.funds_safety, language)
        yield i18n.gettext(language, "Are my funds safe?"), f"{funds} {i18n.pick(said.funds_text, language)}".strip()
    if said.eta_at:
        yield i18n.gettext(language, "Expected repair"), i18n.moment_words(said.eta_at, zone, language)
    if said.next_update_by:
        yield i18n.gettext(language, "Next update"), i18n.moment_words(said.next_update_by, zone, language)
    if said.scheduled_for and said.scheduled_until:
        ends = (i18n.moment_words(at, zone, language) for at in (said.scheduled_for, said.scheduled_until))
        yield i18n.gettext(language, "Window"), " / ".join(ends)
    yield i18n.gettext(language, "Notice number"), notice.number

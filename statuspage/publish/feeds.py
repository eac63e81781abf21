"""RSS, Atom and JSON Feed. The same facts give the same bytes, so that a reader's If-None-Match is answered with 304.

RSS and Atom go through feedgen, with its traps closed (each was seen): link order, default times, entry order, bad characters.
JSON Feed: version 1.1 of jsonfeed.org.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Any

from feedgen.feed import FeedGenerator

from statuspage import i18n
from statuspage.clock import iso
from statuspage.publish import entries
from statuspage.publish.entries import Entry, Wanted, clean
from statuspage.store.public_views import NoticeView, PublicView

LOG = logging.getLogger(__name__)
TYPES = {
    "rss": "application/rss+xml; charset=utf-8", "atom": "application/atom+xml; charset=utf-8",
    "json": "application/feed+json; charset=utf-8",
}  # fmt: skip
# File names below a topic's prefix -> one entry per notice? What stands behind the dot is the form.
FILES = {
    "history.rss": False, "history.atom": False, "feed.json": False,
    "notices.rss": True, "notices.atom": True, "notices.json": True,
}  # fmt: skip


def feed(view: PublicView, wanted: Wanted, notices: Sequence[NoticeView], *, hub: str = "") -> bytes:
    """The feed `wanted`, made of `notices`. `hub`: address of a WebSub hub, '' for none."""
    form = form_of(wanted.file)
    found = entries.entries(view, wanted, notices)
    name = wanted.topic.name(view, wanted.language)
    head = clean(i18n.gettext(wanted.language, "%(name)s: notices", name=name))
    if form == "json":
        return _json(view, wanted, head, found, hub)
    generator = _generator(view, wanted, head, hub)
    # Atom's updated as well; both default to "now", and no two renderings would be equal.
    generator.lastBuildDate(max((entry.at for entry in found), default=entries.born(view)))
    for item in _items(form, found):
        generator.add_entry(item, order="append")
    text: bytes = generator.rss_str(pretty=True) if form == "rss" else generator.atom_str(pretty=True)
    return text


def form_of(file: str) -> str:
    """rss, atom or json."""
    return file.rsplit(".", 1)[1]


def links(url: str, path: str, hub: str) -> str:
    """The Link header of a feed that a hub distributes (WebSub, section 4); '' without a hub."""
    return f'<{hub}>; rel="hub", <{url}{path}>; rel="self"' if hub else ""


def _description(language: str, *, per_notice: bool) -> str:
    if per_notice:
        return clean(i18n.gettext(language, "Every notice; an entry changes as its notice does."))
    return clean(i18n.gettext(language, "Every update of every notice, as it was published."))


def _generator(view: PublicView, wanted: Wanted, head: str, hub: str) -> FeedGenerator:
    generator = FeedGenerator()
    generator.id(entries.feed_id(view, wanted))
    generator.title(head)
    generator.description(_description(wanted.language, per_notice=wanted.per_notice))
    generator.language(wanted.language)
    generator.link(href=f"{view.page.url}{wanted.path}", rel="self")
    if hub:
        generator.link(href=hub, rel="hub")
    # RSS takes the link that was added last for the channel's own.
    generator.link(href=_home(view, wanted), rel="alternate")
    generator.generator("")
    return generator


def _home(view: PublicView, wanted: Wanted) -> str:
    """The page a feed belongs to; kinds have none of their own."""
    prefix = "" if wanted.topic.kind else wanted.topic.prefix
    return f"{view.page.url}/{wanted.language}{prefix or '/'}"


def _items(form: str, found: list[Entry]) -> Iterator[object]:
    for entry in found:
        try:
            yield _item(form, entry)
        except Exception:
            LOG.exception("%s cannot be put into a feed; left out", entry.id)


def _item(form: str, entry: Entry) -> object:
    item = FeedGenerator().add_entry()
    item.guid(entry.id, permalink=False)  # sets Atom's id as well
    item.title(entry.title)
    item.link(href=entry.link, rel="alternate")
    item.published(entry.published_at)
    item.pubDate(entry.at)  # also where the entry is a notice: the time of the last update, never a window to come
    item.updated(entry.at)
    item.content(entry.html, type="html")
    item.description(entry.html)
    # Serialised once here: a fault in one entry shows now, where it costs one entry, not later, where it costs the feed.
    serialise: Callable[[], object] = item.rss_entry if form == "rss" else item.atom_entry
    serialise()
    return item


def _json(view: PublicView, wanted: Wanted, head: str, found: list[Entry], hub: str) -> bytes:
    body = {
        "version": "https://jsonfeed.org/version/1.1", "title": head, "home_page_url": _home(view, wanted),
        "feed_url": f"{view.page.url}{wanted.path}",
        "description": _description(wanted.language, per_notice=wanted.per_notice), "language": wanted.language,
        "authors": [{"name": clean(i18n.pick(view.page.name, wanted.language)), "url": f"{view.page.url}/{wanted.language}/"}],
        **({"hubs": [{"type": "WebSub", "url": hub}]} if hub else {}),
        "items": [_json_item(entry) for entry in found],
    }  # fmt: skip
    # A lone surrogate cannot be written; it was taken out of titles and texts, and ids are ours.
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()


def _json_item(entry: Entry) -> dict[str, Any]:
    notice, said = entry.notice, entry.update.facts
    return {
        "id": entry.id, "url": entry.link, "title": entry.title, "content_html": entry.html,
        "date_published": iso(entry.published_at), "date_modified": iso(entry.at), "tags": [notice.kind, entry.update.status],
        "_wallet": {
            "number": notice.number, "kind": notice.kind, "status": entry.update.status, "impact": said.impact,
            "suspected": notice.source == "monitor" and said.is_suspected, "funds": said.funds_safety,
            "components": list(said.components),
            "eta_at": _time(said.eta_at), "next_update_by": _time(said.next_update_by),
            "scheduled_for": _time(said.scheduled_for), "scheduled_until": _time(said.scheduled_until),
        },
    }  # fmt: skip


def _time(at: datetime | None) -> str | None:
    return iso(at) if at else None

"""/search: the archive by word, component, kind and month. Months are files; a search is answered by the application."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any
from urllib.parse import urlencode

from flask import Response, abort, request

from statuspage import i18n
from statuspage.clock import from_ms, to_ms
from statuspage.domain import lifecycle
from statuspage.publish.snapshot import Snapshot
from statuspage.store import public_pages
from statuspage.store.public_pages import Question
from statuspage.web.site.context import html, of_view, reader_language, snapshot
from statuspage.web.site.services import Services

_MOST = 80  # characters of a search


def register(add: Any, services: Services) -> None:  # noqa: ANN401 - that of pages.register
    """Add the page."""
    add("/search", lambda: search(services), "search")


def choices(held: Snapshot, language: str) -> dict[str, Any]:
    """What the form offers: words for kinds are the template's."""
    zone = held.view.page.time_zone
    known = held.remember("months", lambda: public_pages.months(held.conn, zone))
    return {
        "asked": Question(), "kinds": lifecycle.KINDS,
        "months": [(month, i18n.month_words(date.fromisoformat(f"{month}-01"), language)) for month in known],
    }  # fmt: skip


def search(services: Services) -> Response:
    """Notices that fit what was asked, newest first, 50 a page."""
    with snapshot(services) as held:
        view = held.view
        language = reader_language(view.page)
        given = {name: request.args.get(name, "")[:_MOST].strip() for name in ("q", "component", "kind", "month")}
        asked = Question(given["q"], given["component"], given["kind"], given["month"])
        try:
            before = _moment(request.args.get("before", ""))
            found = public_pages.search(held.conn, asked, view.page.time_zone, before)
        except ValueError:
            abort(404)
        more = urlencode({**given, "before": to_ms(found.before)}) if found.before else ""
        return html(language, "search.html", of_view(
            held, language, "/search", live=False, **{**choices(held, language), "asked": asked}, found=found, more=more,
        ))  # fmt: skip


def _moment(text: str) -> datetime | None:
    """Raises ValueError for what is no whole number of milliseconds since 1970."""
    if not text:
        return None
    if not text.isdecimal() or len(text) > 13:
        raise ValueError(text)
    return from_ms(int(text))

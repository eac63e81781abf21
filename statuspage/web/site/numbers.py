"""/statistics: how fast faults are seen, said and mended, why they happen, and whether promised times held."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from flask import Response
from sqlalchemy import Connection

from statuspage import i18n
from statuspage.domain.statistics import Fault, statistics
from statuspage.store import public_pages
from statuspage.web.site.context import html, of_view, reader_language, snapshot
from statuspage.web.site.services import Services

YEAR = timedelta(days=365)
_SHOWN = 10


def register(add: Any, services: Services) -> None:  # noqa: ANN401 - that of pages.register
    """Add the page."""
    faults = Faults()
    add("/statistics", lambda: figures(services, faults), "statistics")


class Faults:
    """The faults of a year. Kept from one page to the next: a notice is read again when it has another update."""

    def __init__(self) -> None:
        self._known: public_pages.Known = {}

    def since(self, conn: Connection, since_at: datetime) -> list[Fault]:
        """Those that began since then, oldest first."""
        self._known = found = public_pages.load_faults(conn, since_at, self._known)
        return [fault for _version, fault in found.values() if fault]


def figures(services: Services, kept: Faults) -> Response:
    """The last 365 days."""
    with snapshot(services) as held:
        view = held.view
        language = reader_language(view.page)
        faults = held.remember("faults", lambda: kept.since(held.conn, view.now - YEAR))
        found = statistics(faults)
        names = {one.id: i18n.pick(one.names, language) for one in view.components}
        return html(language, "statistics.html", of_view(
            held, language, "/statistics", live=False, found=found, since_day=view.now - YEAR,
            causes=found.causes[:_SHOWN], hit=[row for row in found.components if row[0] in names][:_SHOWN], names=names,
            most=max((row[1] for row in (*found.causes, *found.components)), default=1),
        ))  # fmt: skip

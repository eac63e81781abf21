"""How fast a component answers: what its badge says."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import Connection, select

from statuspage.domain import rollup
from statuspage.store import checks
from statuspage.store.schema.catalogue import monitors

WINDOW = timedelta(hours=24)


def typical_ms(conn: Connection, component_id: str, now: datetime) -> float | None:
    """Median response time in ms of a component's slowest monitor over the last 24 whole hours, of this hour when there is no
    other yet; None when nothing answered. It stands still within an hour.
    """
    active = monitors.c.archived_at.is_(None) & (monitors.c.component_id == component_id)
    this_hour = now.replace(minute=0, second=0, microsecond=0)
    found = []
    for number in conn.execute(select(monitors.c.no).where(active)).scalars():
        measured = checks.totals(conn, number, this_hour - WINDOW, this_hour)
        if not measured.answered:
            measured = checks.totals(conn, number, this_hour, this_hour + timedelta(hours=1))
        found.append(_median(measured))
    return max((one for one in found if one is not None), default=None)


def _median(measured: rollup.Totals) -> float | None:
    return measured.percentile_ms(0.5)

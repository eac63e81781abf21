"""90-day bars of 500 components, and one component's year: how long they take to read, of a little past and of much of it.

Much: ten times the raw results, five years instead of one, and 10,000 notices. CPU of the reading thread, median of several
rounds, the two sizes interleaved: bars come from daily uptime of the days they show, so neither must matter. The year is what a
component's own page may show: 365 days of bars, and its response times.
"""

from __future__ import annotations

import contextlib
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, insert

from bench import _past
from bench.history_size import batches, opened
from statuspage.clock import to_ms
from statuspage.domain import rollup
from statuspage.store import checks, public_rows
from statuspage.store.database import Database
from statuspage.store.schema.catalogue import components
from tests.builders import KEYS

BAR_MS, FLAT = 20.0, 1.25
CHART = "year_chart"  # a year of one component's response times, told beside the bars
COMPONENTS, DAYS, YEAR = 500, 90, 365
_ROUNDS = 9
_TODAY = date(2026, 11, 22)
_END_AT = datetime.fromisoformat("2026-11-22T00:00:00+00:00")


@dataclass(frozen=True)
class Size:
    """How much past there is."""

    results: int
    years: int
    notices: int


SIZES = {"little": Size(100_000, 1, 0), "much": Size(1_000_000, 5, 10_000)}


def fill(folder: str, size: Size) -> Database:
    """Raw results of 20 monitors; years of daily uptime of every component, of hour blocks of one monitor, and of notices."""
    db = opened(folder)
    with db.write() as conn:
        for round_ in batches(20, size.results / 20 / 120):
            checks.insert_results(conn, [(no + 10, at, region, outcome, took) for no, at, region, outcome, took in round_])
    ids = [f"function_{number}" for number in range(COMPONENTS)]
    with db.write() as conn:
        conn.execute(insert(components), [
            {"id": name, "public_id": name, "group_id": None, "names": {"en": name}, "descriptions": {}, "position": place,
             "weight": "normal", "symptoms": [], "template": "", "baseline": "operational", "status": "operational",
             "status_at": _END_AT, "source": "file", "created_at": _END_AT, "updated_at": _END_AT}
            for place, name in enumerate(ids)
        ])  # fmt: skip
        _past.add_days(conn, ids, _TODAY, size.years * YEAR)
        _past.add_notices(conn, KEYS, ids, size.notices, _END_AT, timedelta(days=size.years * YEAR))
        first = to_ms(_END_AT) // rollup.HOUR_MS - size.years * YEAR * 24
        rows = [(minute * 60_000, 0, 60 + minute) for minute in range(60)]
        hours = [(1, first + hour, 0, _moved(rows, first + hour)) for hour in range(size.years * YEAR * 24)]
        for start in range(0, len(hours), 2000):
            checks.put_blocks(conn, hours[start : start + 2000])
        checks.set_mark(conn, checks.HOURS, first + size.years * YEAR * 24)
    return db


def _moved(rows: list[rollup.Row], hour: int) -> rollup.Block:
    return rollup.block(hour, [(hour * rollup.HOUR_MS + at, outcome, took) for at, outcome, took in rows])


def took_ms(db: Database, read: Callable[[Connection], object]) -> float:
    """CPU of one reading on a fresh snapshot, in milliseconds."""
    began = time.thread_time()
    with db.read() as conn:
        read(conn)
    return (time.thread_time() - began) * 1000


READERS: dict[str, Callable[[Connection], object]] = {
    "bars_500": lambda conn: public_rows.load_days(conn, (_TODAY - timedelta(days=DAYS - 1)).isoformat()),
    "year_bars": lambda conn: checks.uptime_days(conn, _TODAY - timedelta(days=YEAR - 1), ["function_7"]),
    CHART: lambda conn: checks.series(conn, 1, _END_AT - timedelta(days=YEAR), _END_AT, step_hours=24),
}


def run() -> dict[str, Any]:
    """Measure."""
    with contextlib.ExitStack() as stack:
        folders = [stack.enter_context(tempfile.TemporaryDirectory(prefix="statuspage-bench-")) for _ in range(2)]
        sizes = {name: fill(folder, size) for folder, (name, size) in zip(folders, SIZES.items(), strict=True)}
        rounds = [
            {f"{name}_{size}": took_ms(db, read) for size, db in sizes.items() for name, read in READERS.items()}
            for _ in range(_ROUNDS)
        ]
        for db in sizes.values():
            db.close()
    details = {key: round(statistics.median(each[key] for each in rounds), 2) for key in rounds[0]}
    flat = {name: statistics.median(each[f"{name}_much"] / each[f"{name}_little"] for each in rounds) for name in READERS}
    return {
        "name": "history_read", "value": details["bars_500_much"], "unit": "ms, 90-day bars of 500 components",
        "peer": "one year of five, no notices, a tenth of the results", "peer_value": details["bars_500_little"],
        "ratio": round(flat["bars_500"], 2),
        "bar": f"bars <= {BAR_MS:g} ms, much past <= {FLAT:g} x little", "details": details,
        "ok": all(value <= BAR_MS for key, value in details.items() if CHART not in key)
        and all(value <= FLAT for value in flat.values()),
    }  # fmt: skip


if __name__ == "__main__":
    print(json.dumps(run()))

"""A wallet of any size for the benchmarks of the public face: rows through the schema, the real site, the real publisher."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sqlalchemy import insert

from bench import _past
from statuspage import settings
from statuspage.clock import to_ms
from statuspage.domain import rollup
from statuspage.publish.publisher import Publisher
from statuspage.store import checks
from statuspage.store.database import Database
from statuspage.store.schema import metadata
from statuspage.store.schema.runtime import meta
from statuspage.web.site import Services, create_site
from tests.builders import KEYS, NOW, ZONE, Wallet
from tests.stage import add_monitor

NETWORKS = 10
YEARS = 5  # of daily uptime, over which old notices are spread evenly


@dataclass
class Built:
    """A wallet whose page is on disk. `folder`: of published files; `asked`: paths rendered since it was last emptied, each
    with this process's CPU seconds when it was asked for.

    `first_s`, `first_files`: what the first publication, which makes everything, took and wrote.
    """

    wallet: Wallet
    publisher: Publisher
    folder: Path
    asked: dict[str, float]
    first_s: float
    first_files: int


@contextmanager
def wallet(components: int, old_notices: int = 0) -> Iterator[Built]:
    """`components` in five groups over five years, `old_notices` spread over them, one open notice; published."""
    with TemporaryDirectory(prefix="statuspage-bench-") as name:
        folder = Path(name)
        db = Database(f"sqlite:///{folder}/bench.db")
        with db.write() as conn:
            metadata.create_all(conn)
        made = _fill(Wallet(db), components, old_notices)
        site, asked = create_site(Services(db, settings.load({}), lambda: NOW)), dict[str, float]()

        def counting(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:  # noqa: ANN401 - WSGI's
            asked.setdefault(environ["PATH_INFO"], time.process_time())
            return site(environ, start_response)

        publisher = Publisher(db, counting, folder / "public", lambda: NOW)
        try:
            began, written = time.monotonic(), 0
            while True:
                counts = publisher.run_once()
                written += counts.written
                if not counts.pending:
                    break
            yield Built(made, publisher, folder / "public", asked, time.monotonic() - began, written)
        finally:
            publisher.close()
            db.close()


def _watch(made: Wallet, components: int) -> None:
    """A monitor with a day of response times for each component, and four capabilities on each network."""
    end = to_ms(NOW) // rollup.HOUR_MS
    hours = range(end - 24, end)
    with made.db.write() as conn:
        for number in range(components):
            add_monitor(conn, f"monitor-{number}", f"function_{number}", number + 1, NOW)
            rows = [(hour, [(hour * rollup.HOUR_MS, 0, 80 + number * 37 % 60 + hour * 53 % 40)]) for hour in hours]
            checks.put_blocks(conn, [(number + 1, hour, 0, rollup.block(hour, results)) for hour, results in rows])
        checks.set_mark(conn, checks.HOURS, end)
        offers = {"capabilities": ["send", "receive", "balances", "fees"]}
        conn.execute(insert(meta).values(name="chains", value={f"chain-{number}": offers for number in range(NETWORKS)}))


def _fill(made: Wallet, components: int, old_notices: int) -> Wallet:
    made.page()
    for number in range(5):
        made.group(f"group{number}", {"en": f"Group {number}", "zh-Hans": f"第 {number} 组"})
    for number in range(components):
        names = {"en": f"Function number {number}", "zh-Hans": f"第 {number} 项功能"}
        chain = f"chain-{number}" if number < NETWORKS else None
        made.component(f"function_{number}", f"group{number % 5}", names=names, chain=chain)
        for step in (1, 2):
            kind = ("major_s", "partial_s", "degraded_s", "maintenance_s")[(number + step) % 4]
            made.bad_day(f"function_{number}", number * 37 * step % 90, **{kind: 100 + number * 397})
    _watch(made, components)
    made.beat(NOW - timedelta(seconds=3))
    with made.db.write() as conn:
        quarter = NOW.astimezone(ZONE).date() - timedelta(days=89)
        _past.add_years(conn, quarter.isoformat(), YEARS)
        names = [f"function_{number}" for number in range(components)]
        _past.add_notices(conn, KEYS, names, old_notices, NOW - timedelta(hours=2), timedelta(days=365 * YEARS))
    claims = {"function_1": "partial_outage"}
    made.scenario("transfers-failing", steps=2, began_at=NOW - timedelta(minutes=24), components_map=claims)
    made.status("function_1", "partial_outage")
    return made

"""A wallet of any size for the benchmarks of the public face: rows through the schema, the real site, the real publisher."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from sqlalchemy import insert

from statuspage import settings
from statuspage.clock import to_ms
from statuspage.domain import rollup
from statuspage.publish.publisher import Publisher
from statuspage.store import checks
from statuspage.store.database import Database
from statuspage.store.schema import metadata
from statuspage.store.schema.runtime import meta
from statuspage.web.site import Services, create_site
from tests.builders import NOW, Wallet, draft
from tests.stage import add_monitor

NETWORKS = 10


@contextmanager
def wallet(components: int, old_notices: int = 0) -> Iterator[tuple[Wallet, Publisher, Path]]:
    """(wallet, publisher, folder of published files): `components` in five groups over 90 days, one open notice."""
    with TemporaryDirectory(prefix="statuspage-bench-") as name:
        folder = Path(name)
        db = Database(f"sqlite:///{folder}/bench.db")
        with db.write() as conn:
            metadata.create_all(conn)
        made = _fill(Wallet(db), components, old_notices)
        publisher = Publisher(db, create_site(Services(db, settings.load({}), lambda: NOW)), folder / "public", lambda: NOW)
        try:
            while publisher.run_once().pending:
                pass
            yield made, publisher, folder / "public"
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
    for number in range(old_notices):
        began_at = NOW - timedelta(days=3 * number + 1)
        key = f"function_{number % components}"
        made.notice(
            draft(f"Old notice {number}", status="resolved", components={key: "operational"}, started_at=began_at,
                  resolved_at=began_at + timedelta(hours=1)),
            at=began_at,
        )  # fmt: skip
    claims = {"function_1": "partial_outage"}
    made.scenario("transfers-failing", steps=2, began_at=NOW - timedelta(minutes=24), components_map=claims)
    made.status("function_1", "partial_outage")
    return made

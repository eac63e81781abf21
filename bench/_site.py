"""A wallet of any size for the benchmarks of the public face: rows through the schema, the real site, the real publisher."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from statuspage import settings
from statuspage.publish.publisher import Publisher
from statuspage.store.database import Database
from statuspage.store.schema import metadata
from statuspage.web.site import Services, create_site
from tests.builders import NOW, Wallet, draft


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


def _fill(made: Wallet, components: int, old_notices: int) -> Wallet:
    made.page()
    for number in range(5):
        made.group(f"group{number}", {"en": f"Group {number}", "zh-Hans": f"第 {number} 组"})
    for number in range(components):
        names = {"en": f"Function number {number}", "zh-Hans": f"第 {number} 项功能"}
        made.component(f"function_{number}", f"group{number % 5}", names=names)
        for step in (1, 2):
            kind = ("major_s", "partial_s", "degraded_s", "maintenance_s")[(number + step) % 4]
            made.bad_day(f"function_{number}", number * 37 * step % 90, **{kind: 100 + number * 397})
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

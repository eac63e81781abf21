"""Bytes per check result in the SQLite file: as raw rows, and as hour blocks once rolled up; 90 days, and a tenth of it.

Results come the way the recorder writes them: many monitors side by side, every 30 s with some jitter, a commit for each
batch. Sizes are pages of the table (dbstat), so half-empty pages count. The same result costs Uptime Kuma about 700 bytes.
"""

from __future__ import annotations

import json
import random
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import func, select, text

from statuspage.actions import rollups
from statuspage.clock import to_ms
from statuspage.store import checks
from statuspage.store.checks import Observed
from statuspage.store.database import Database
from statuspage.store.schema import metadata
from statuspage.store.schema.checks import check_results, hour_blocks

BAR_BLOCKS, BAR_RAW = 6.0, 20.0
DAYS, MONITORS, INTERVAL_MS = 90, 4, 30_000
RAW_MONITORS, RAW_HOURS = 50, 24
MANY = 1000  # monitors whose numbers take a byte more, and whose pages split more often
PEER, PEER_BYTES = "Uptime Kuma", 700
_BEGAN_AT = datetime(2026, 1, 5, tzinfo=UTC)


def batches(monitors: int, hours: float) -> Iterator[list[Observed]]:
    """A round of all monitors after the other: jitter of a busy loop, response times around 80 ms, now and then a failure."""
    chance = random.Random(5)  # noqa: S311 - the same history each time
    for step in range(int(hours * 3_600_000 / INTERVAL_MS)):
        began = to_ms(_BEGAN_AT) + step * INTERVAL_MS
        rows: list[Observed] = []
        for no in range(monitors):
            outcome = "down" if chance.random() < 0.002 else "up"
            took_ms = 10_000.0 if outcome == "down" else 80 * chance.lognormvariate(0, 0.25)
            phase = no * INTERVAL_MS // monitors
            rows.append((no, began + phase + int(chance.expovariate(1 / 3)), "local", outcome, took_ms))
        yield rows


def bytes_of(db: Database, table: str) -> int:
    """Size of all pages of a table."""
    with db.read() as conn:
        return int(conn.execute(text("SELECT sum(pgsize) FROM dbstat WHERE name = :table"), {"table": table}).scalar_one())


def opened(folder: str) -> Database:
    """An empty database."""
    db = Database(f"sqlite:///{Path(folder, 'history.db')}")
    with db.write() as conn:
        metadata.create_all(conn)
    return db


def raw_bytes(monitors: int, hours: float) -> float:
    """Bytes per raw row."""
    with tempfile.TemporaryDirectory(prefix="statuspage-bench-") as folder:
        db = opened(folder)
        for rows in batches(monitors, hours):
            with db.write() as conn:
                checks.insert_results(conn, rows)
        with db.read() as conn:
            count = conn.execute(select(func.count()).select_from(check_results)).scalar_one()
        size = bytes_of(db, "check_results")
        db.close()
    return size / count


def block_bytes(days: int) -> float:
    """Bytes per result once rolled up, through the roll-up itself."""
    with tempfile.TemporaryDirectory(prefix="statuspage-bench-") as folder:
        db = opened(folder)
        day: list[Observed] = []
        for rows in batches(MONITORS, days * 24):
            day += rows
            if len(day) >= 50_000:
                with db.write() as conn:
                    checks.insert_results(conn, day)
                day = []
        with db.write() as conn:
            checks.insert_results(conn, day)
        ended_at = _BEGAN_AT + timedelta(days=days, hours=1)
        rollups.roll_hours(db, ended_at)
        with db.read() as conn:
            column = hour_blocks.c
            total = func.sum(column.up + column.degraded + column.down + column.unknown)
            count = conn.execute(select(total)).scalar_one()
        size = bytes_of(db, "hour_blocks")
        db.close()
    return size / count


def run() -> dict[str, Any]:
    """Measure."""
    raw = {
        "raw": round(raw_bytes(RAW_MONITORS, RAW_HOURS), 2),
        "raw_tenth": round(raw_bytes(RAW_MONITORS, RAW_HOURS / 10), 2),
        "raw_1000_monitors": round(raw_bytes(MANY, RAW_HOURS / 20), 2),
    }
    rolled = {"blocks": round(block_bytes(DAYS), 2), "blocks_tenth": round(block_bytes(DAYS // 10), 2)}
    return {
        "name": "history_size", "value": rolled["blocks"], "unit": "B per result after 90 days", "peer": PEER,
        "peer_value": PEER_BYTES, "ratio": round(rolled["blocks"] / PEER_BYTES, 4),
        "bar": f"blocks <= {BAR_BLOCKS:g}, raw <= {BAR_RAW:g}", "details": {**raw, **rolled},
        "ok": rolled["blocks"] <= BAR_BLOCKS and raw["raw"] <= BAR_RAW,
    }  # fmt: skip


if __name__ == "__main__":
    print(json.dumps(run()))

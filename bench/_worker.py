"""The prober as the worker runs it: engine, checker and an SQLite file with any number of monitors.

`python -m bench._worker MONITORS INTERVAL_S SECONDS PORT [PORT ...]` prints what a run of that length cost, alone in its
process, as JSON.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import func, insert, select

from probes.engine import Engine
from probes.result import CheckResult
from probes.spec import ProbeSpec
from statuspage import clock
from statuspage.actions.context import Context
from statuspage.keys import Keys
from statuspage.loading import settle
from statuspage.store.database import Database
from statuspage.store.schema import metadata
from statuspage.store.schema.catalogue import component_groups, components, monitors
from statuspage.store.schema.checks import check_results
from statuspage.worker.checker import Checker
from statuspage.worker.election import FileElection

COMPONENTS = 100
_KEYS = Keys(seal=b"\1" * 32, signing=b"\2" * 32, vapid=b"\3" * 32)
EXPECT = {"expect": {"status": [200], "json": ["status == 'ok'"], "body_matches": '"version":"\\d+\\.\\d+'}}


def fill(folder: Path, urls: Sequence[str], count: int, interval_s: float, options: dict[str, Any]) -> Context:
    """A database with `count` HTTP monitors on `urls`, spread over 100 components; what actions need to use it."""
    db = Database(f"sqlite:///{folder}/worker.db")
    now = clock.now()
    ids = [f"function_{number}" for number in range(COMPONENTS)]
    with db.write() as conn:
        metadata.create_all(conn)
        conn.execute(insert(component_groups).values(
            id="functions", public_id="functionsgrp", names={"en": "Functions"}, notes={}, position=1, source="file",
            created_at=now, updated_at=now,
        ))  # fmt: skip
        conn.execute(insert(components), [
            {"id": name, "public_id": f"pub{name}", "group_id": "functions", "names": {"en": name}, "descriptions": {},
             "position": place, "weight": "normal", "symptoms": [], "template": "", "baseline": "operational",
             "status": "operational", "status_at": now, "source": "file", "created_at": now, "updated_at": now}
            for place, name in enumerate(ids)
        ])  # fmt: skip
        conn.execute(insert(monitors), [
            {"id": f"m{no}", "no": no, "component_id": ids[no % COMPONENTS], "names": {"en": f"m{no}"}, "kind": "http",
             "target": f"{urls[no % len(urls)]}?wallet={no}", "options": options, "interval_ms": round(interval_s * 1000),
             "timeout_ms": 5000, "retry_ms": 2000, "failures": 3, "successes": 2, "when_down": "partial_outage",
             "publish": "suspect", "supplier": "", "allow_networks": ["127.0.0.0/8"], "paused": False, "source": "file",
             "created_at": now, "updated_at": now}
            for no in range(count)
        ])  # fmt: skip
    return Context(db, _KEYS)


class Fleet:
    """The worker's checker in a thread, and what the results of its engine say about themselves."""

    def __init__(self, ctx: Context, folder: Path) -> None:
        self.engine: Engine | None = None
        self.late_ms: list[float] = []
        self.seen: set[str] = set()
        self.bad: list[CheckResult] = []
        self.done = 0
        self._stop = threading.Event()
        self._checker = Checker(ctx, FileElection(folder / "checker.lock"), self._make)
        self._thread = threading.Thread(target=self._checker.run, args=(self._stop,), name="checker")

    def _make(
        self, specs: list[ProbeSpec], results: Callable[[list[CheckResult]], None], self_test: list[str]
    ) -> Engine:
        def take(batch: list[CheckResult]) -> None:
            self.done += len(batch)
            self.late_ms += [result.late_ms for result in batch]
            self.seen.update([result.monitor_id for result in batch])
            self.bad += [result for result in batch if result.outcome != "up"]
            results(batch)

        self.engine = Engine(specs, take, self_test)
        return self.engine

    def start(self) -> None:
        """Begin, as the worker does at its start."""
        settle()
        self._thread.start()

    def wait_for_round(self, count: int, within_s: float = 60.0) -> float:
        """Seconds until `count` monitors have been seen, at most `within_s`."""
        began = time.monotonic()
        while len(self.seen) < count and time.monotonic() - began < within_s:
            time.sleep(0.02)
        return time.monotonic() - began

    def stop(self) -> None:
        """End; what is known is recorded. Raises RuntimeError when a probe failed."""
        self._stop.set()
        self._thread.join(30)
        if self.bad or not self.done:
            message = f"{len(self.bad)} of {self.done} probes failed: {self.bad[:1]}"
            raise RuntimeError(message)


def cpu_s() -> float:
    """CPU of this process so far, in user and kernel."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def thread_cpu_s() -> dict[str, float]:
    """CPU of each thread so far, by the thread's name."""
    found = {}
    for thread in threading.enumerate():
        fields = Path(f"/proc/self/task/{thread.native_id}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        found[thread.name] = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return found


def rss_mb() -> float:
    """Resident memory now, in megabytes."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.partition("VmRSS:")[2].split()[0]) / 1024


def measure(count: int, interval_s: float, seconds: float, urls: Sequence[str]) -> dict[str, Any]:
    """Watch `count` monitors: the first round, then `seconds` of steady work. Raises RuntimeError when a probe failed."""
    with tempfile.TemporaryDirectory(prefix="statuspage-bench-") as name:
        folder = Path(name)
        ctx = fill(folder, urls, count, interval_s, EXPECT)
        fleet = Fleet(ctx, folder)
        cpu = cpu_s()
        fleet.start()
        first_round_s = fleet.wait_for_round(count)
        first_cpu_s, first_late_ms = cpu_s() - cpu, max(fleet.late_ms, default=0.0)
        fleet.late_ms.clear()
        done, cpu, threads, began = fleet.done, cpu_s(), thread_cpu_s(), time.monotonic()
        megabytes = rss_mb()
        while time.monotonic() - began < seconds:
            time.sleep(1.0)
            megabytes = max(megabytes, rss_mb())
        took_s, used, done = time.monotonic() - began, cpu_s() - cpu, fleet.done - done
        threads = {each: used_s - threads.get(each, 0.0) for each, used_s in thread_cpu_s().items()}
        late_ms = sorted(fleet.late_ms)
        assert fleet.engine is not None  # noqa: S101 - it was started above
        missed = fleet.engine.stats()["missed"]
        fleet.stop()
        with ctx.db.read() as conn:
            recorded = conn.execute(select(func.count()).select_from(check_results)).scalar_one()
        ctx.db.close()
    return {
        "monitors": count, "probes_per_s": round(done / took_s, 1), "skipped": missed, "lost": fleet.done - recorded,
        "late_p99_ms": late_ms[int(len(late_ms) * 0.99)], "late_max_ms": late_ms[-1], "core": round(used / took_s, 3),
        "us_per_probe": round(used / done * 1e6, 1), "rss_mb": round(megabytes, 1), "first_round_s": round(first_round_s, 2),
        "first_late_ms": first_late_ms, "first_round_cpu_s": round(first_cpu_s, 2),
        "engine_us": round(threads["probes"] / done * 1e6, 1), "recorder_us": round(threads["checker"] / done * 1e6, 1),
    }  # fmt: skip


if __name__ == "__main__":
    _, monitors_wanted, interval, length, *ports = sys.argv
    addresses = [f"http://127.0.0.1:{port}/health" for port in ports]
    print(json.dumps(measure(int(monitors_wanted), float(interval), float(length), addresses)))

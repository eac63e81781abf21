"""From commit to new bytes on disk: 100 components, 2 languages; at 100 and at 1,000 old notices.

`python -m bench.publish_latency 500 1000 10000` does the same with 500 components, at 1,000 and at 10,000 old notices.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from pathlib import Path
from typing import Any

from bench._site import wallet
from statuspage.publish.publisher import Publisher
from tests.builders import Wallet, draft

ROUNDS = 20
BAR_S = 1.0


def run(components: int = 100, few: int = 100, many: int = 1000) -> dict[str, Any]:
    """p95 in seconds until live.json, the last file of a publication, is on disk. The loop's wake-up (at once in the same
    process, at most 0.25 s from another) is not part of it.
    """
    times, cpu_s = {}, 0.0
    for old in (few, many):
        with wallet(components, old) as (made, publisher, folder):
            _once(made, publisher, folder, 0)
            began = time.process_time()
            times[old] = sorted(_once(made, publisher, folder, number) for number in range(1, ROUNDS + 1))
            cpu_s = (time.process_time() - began) / ROUNDS
    p95 = times[many][int(ROUNDS * 0.95) - 1]
    medians = {old: round(statistics.median(found), 4) for old, found in times.items()}
    return {
        "name": "publish_latency", "value": round(p95, 3), "unit": f"s p95, {components} components, {many:,} old notices",
        "peer": f"the same with {few:,} old notices (median against median)", "peer_value": medians[few],
        "ratio": medians[many] / medians[few], "bar": f"p95 <= {BAR_S} s, ratio <= 1.5",
        # Of one publication with its background, and of declaring it: what the figure is made of on a busy machine.
        "details": {"median_s": medians, "cpu_s": round(cpu_s, 3)},
        "ok": p95 <= BAR_S and medians[many] / medians[few] <= 1.5,
    }  # fmt: skip


def _once(made: Wallet, publisher: Publisher, folder: Path, number: int) -> float:
    """One confirmed incident with one component, committed and published: seconds until live.json was written, by its own date.
    What follows in the background is drained after.
    """
    made.notice(draft(f"Incident {number}", components={f"function_{number}": "major_outage"}))
    began_ns = time.time_ns()
    counts = publisher.run_once()
    took_s = ((folder / "pages" / "live.json").stat().st_mtime_ns - began_ns) / 1e9
    while counts.pending:
        counts = publisher.run_once()
    return took_s


if __name__ == "__main__":
    print(json.dumps(run(*map(int, sys.argv[1:]))))

"""10,000 monitors every 10 s for a minute: one process of engine, checker and SQLite, against local servers.

Nothing is skipped and nothing comes late: CPU is that of the whole process, recording and judging included. The same with
1,000 monitors shows what a probe costs when there are fewer of them: the cost must not grow with the number.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from bench.probe_http import target

MONITORS, INTERVAL_S, SECONDS = 10_000, 10, 60
HOSTS = 64  # ports stand for hosts, of which such a fleet has many: the engine asks few things at once of one
BARS = {"skipped": 0, "lost": 0, "late_p99_ms": 250, "core": 0.60, "rss_mb": 250, "first_round_s": 12}
PEER, PEER_US = "Uptime Kuma, us of CPU per probe", 4670  # measured once, on another machine: see docs/decisions


def watch(monitors: int, seconds: float, ports: list[int]) -> dict[str, Any]:
    """What bench._worker found, in a process of its own."""
    command = [sys.executable, "-m", "bench._worker", monitors, INTERVAL_S, seconds, *ports]
    root = Path(__file__).resolve().parent.parent
    done = subprocess.run([str(word) for word in command], check=True, stdout=subprocess.PIPE, text=True, cwd=root)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def run() -> dict[str, Any]:
    """Measure."""
    with target(ports=HOSTS) as ports:
        few = watch(MONITORS // 10, SECONDS / 3, ports)
        found = watch(MONITORS, SECONDS, ports)
    return {
        "name": "probe_fleet", "value": found["core"], "unit": "of one core at 1,000 probes/s",
        "peer": PEER, "peer_value": PEER_US, "ratio": round(found["us_per_probe"] / PEER_US, 3),
        "bar": ", ".join(f"{name} <= {bar}" for name, bar in BARS.items()),
        "details": {"monitors_10000": found, "monitors_1000": few},
        "ok": all(found[name] <= bar for name, bar in BARS.items()),
    }  # fmt: skip


if __name__ == "__main__":
    print(json.dumps(run()))

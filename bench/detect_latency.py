"""From the first failing result to a published page, feed and JSON that say so: the demo wallet, broken while `serve` watches it.

The first failing result is the one that the checker recorded: its time is read from the database. The bar leaves two seconds
beyond what the policy itself asks for, (failures - 1) x retry; the peer is the interval, which is what a product that waits
for the next regular check would need for each of them.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any

from bench.start import first_byte, serving

_SLACK_S = 2.0
_FAULTS = ("transfers", "balances", "login", "payments", "history")
_GIVE_UP_S = 60.0
_PATHS = ("/en/", "/zh-Hans/", "/en/history.atom", "/api/v2/incidents/unresolved.json")
_EVERY_S = 0.02


def ask(port: int, path: str) -> str:
    """The text of a path, '' while it cannot be had."""
    with contextlib.suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
        return str(answer.read().decode())
    return ""


def unresolved(port: int) -> set[str]:
    """Ids of the open notices."""
    return {one["id"] for one in json.loads(ask(port, "/api/v2/incidents/unresolved.json") or '{"incidents": []}')["incidents"]}


def wait(condition: Any) -> Any:  # noqa: ANN401 - whatever the condition found
    """The first true answer of `condition()`."""
    until = time.monotonic() + _GIVE_UP_S
    while time.monotonic() < until:
        if found := condition():
            return found
        time.sleep(_EVERY_S)
    message = "did not happen"
    raise RuntimeError(message)


def demo(folder: Path, *words: str) -> None:
    """`statuspage demo WORDS` for the wallet in `folder`."""
    environment = {**os.environ, "STATUSPAGE_DATA": str(folder / "var")}
    command = [sys.executable, "-m", "statuspage", "demo", *words]
    subprocess.run(command, check=True, env=environment, stdout=subprocess.DEVNULL)


def one_round(folder: Path, port: int, fault: str) -> tuple[float, float, float]:
    """Break, watch, heal: (seconds from the first failing result to the last published form, the policy's share, interval)."""
    before, broken_ms = unresolved(port), time.time() * 1000
    demo(folder, "break", fault)
    found = next(iter(wait(lambda: unresolved(port) - before)))
    wait(lambda: all(found in ask(port, path) for path in _PATHS))
    published_ms = time.time() * 1000
    query = """SELECT t.began_at, m.failures, m.retry_ms, m.interval_ms FROM transitions t JOIN monitors m ON m.id = t.monitor_id
               WHERE t.at >= ? AND t.new IN ('down', 'degraded') ORDER BY t.at LIMIT 1"""
    with contextlib.closing(sqlite3.connect(folder / "var" / "statuspage.db")) as database:
        began_ms, failures, retry_ms, interval_ms = database.execute(query, (broken_ms,)).fetchone()
    demo(folder, "heal")
    wait(lambda: found not in unresolved(port))
    return (published_ms - began_ms) / 1000, (failures - 1) * retry_ms / 1000, interval_ms / 1000


def settled(port: int) -> bool:
    """Every component has been seen to work: the round after the start is over."""
    components = json.loads(ask(port, "/api/v2/components.json") or '{"components": []}')["components"]
    return bool(components) and not re.search("unknown|outage", json.dumps([one["status"] for one in components]))


def run() -> dict[str, Any]:
    """Break five functions, one after the other."""
    with tempfile.TemporaryDirectory() as name, serving(Path(name), "--demo") as (_process, ports):
        port = ports["PORT"]
        first_byte(port)
        wait(lambda: settled(port))
        time.sleep(20)  # the demo's past is still being written, and a suspicion of the last minute would be joined
        rounds = [one_round(Path(name), port, fault) for fault in _FAULTS]
    took, policy, interval = (statistics.median(column) for column in zip(*rounds, strict=True))
    return {
        "name": "detect_latency", "value": round(took, 2), "unit": "s from the first failing result",
        "peer": "the interval itself", "peer_value": interval, "ratio": round(took / interval, 2), "bar": policy + _SLACK_S,
        "worst": round(max(one[0] for one in rounds), 2), "ok": all(one[0] <= one[1] + _SLACK_S for one in rounds),
    }  # fmt: skip


if __name__ == "__main__":
    print(json.dumps(run()))

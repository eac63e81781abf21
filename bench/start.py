"""Cold start of `statuspage serve` to the first byte of its page, with a small wallet.yaml; and its memory once idle.

Cold: a new process on a new data folder, so keys, tables and pages are made as well. The floor is a Python process that
imports Flask, SQLAlchemy and pydantic and ends: what no program on these libraries can save.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

BAR_S, BAR_MB = 2.0, 150
_ROUNDS = 5
_GIVE_UP_S = 60.0
_IDLE_S = 15.0
_PORTS = ("PORT", "CONSOLE_PORT", "DEMO_PORT", "DEMO_TLS_PORT")
_WALLET = """
page: {name: {en: Bench, zh-Hans: 测量}, url: "https://status.wallet.example", languages: [zh-Hans, en], time_zone: Asia/Shanghai}
groups: {functions: {name: {en: Functions, zh-Hans: 功能}}}
components:
  transfers: {group: functions, name: {en: Transfers, zh-Hans: 转账}}
  login: {group: functions, name: {en: Sign-in, zh-Hans: 登录}}
monitors:
  transfers-port: {component: transfers, interval: 10s, tcp: "127.0.0.1:9"}
allow_networks: [127.0.0.0/8]
"""


def free_ports(count: int) -> list[int]:
    """Ports that nobody has at the moment."""
    with contextlib.ExitStack() as stack:
        held = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [int(one.getsockname()[1]) for one in held]


@contextlib.contextmanager
def serving(folder: Path, *arguments: str) -> Iterator[tuple[subprocess.Popen[bytes], dict[str, int]]]:
    """A `statuspage serve` in `folder`, and its ports by name. Ended at the end of the block."""
    ports = dict(zip(_PORTS, free_ports(len(_PORTS)), strict=True))
    # Compiled once, as an installed package is: compiling 25,000 lines is not what a start costs.
    environment = {**os.environ, "STATUSPAGE_DATA": str(folder / "var"), **{name: str(port) for name, port in ports.items()}}
    environment["PYTHONPYCACHEPREFIX"] = str(Path(tempfile.gettempdir(), f"statuspage-compiled-{os.getuid()}"))
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    with (folder / "serve.log").open("ab") as log:
        command = [sys.executable, "-m", "statuspage", "serve", *arguments]
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log, start_new_session=True)
    try:
        yield process, ports
    finally:
        process.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(20)
        process.kill()
        process.wait()


def first_byte(port: int) -> None:
    """Return once a request for the page is answered with 200."""
    until = time.monotonic() + _GIVE_UP_S
    while time.monotonic() < until:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 5) as line:
            line.sendall(b"GET /en/ HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
            if line.recv(12) == b"HTTP/1.1 200":
                return
        time.sleep(0.005)
    message = "no page"
    raise RuntimeError(message)


def cold() -> tuple[float, float]:
    """Seconds to the first page byte on a new data folder, and megabytes (RSS) some seconds later."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        wallet = folder / "wallet.yaml"
        wallet.write_text(_WALLET, encoding="utf-8")
        began = time.monotonic()
        with serving(folder, "--config", str(wallet)) as (process, ports):
            first_byte(ports["PORT"])
            took_s = time.monotonic() - began
            time.sleep(_IDLE_S / _ROUNDS)
            status = Path(f"/proc/{process.pid}/status").read_text(encoding="ascii")
    return took_s, int(status.partition("VmRSS:")[2].split()[0]) / 1024


def floor() -> float:
    """Seconds that the libraries alone cost."""
    began = time.monotonic()
    subprocess.run([sys.executable, "-c", "import flask, sqlalchemy, pydantic, waitress"], check=True)
    return time.monotonic() - began


def run() -> dict[str, Any]:
    """Measure, interleaved with the floor."""
    cold()  # compiles, and warms the disk's cache
    rounds = [(cold(), floor()) for _ in range(_ROUNDS)]
    seconds = statistics.median(took for (took, _), _ in rounds)
    megabytes = max(size for (_, size), _ in rounds)
    base = statistics.median(least for _, least in rounds)
    return {
        "name": "start", "value": round(seconds, 2), "unit": "s to the first page byte",
        "peer": "importing Flask, SQLAlchemy, pydantic", "peer_value": round(base, 2), "ratio": round(seconds / base, 2),
        "bar": BAR_S, "rss_mb": round(megabytes), "rss_bar_mb": BAR_MB, "ok": seconds <= BAR_S and megabytes <= BAR_MB,
    }  # fmt: skip


if __name__ == "__main__":
    print(json.dumps(run()))

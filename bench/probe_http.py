"""CPU per HTTP probe: ours through engine, checker and SQLite, against blackbox_exporter in the same run.

Each probe of ours dials afresh, judges status, body and JSON, and is recorded the way the worker records it; each of
blackbox_exporter's dials afresh and judges status and body. Rounds are interleaved and the median ratio counts, so that a
busy machine slows both.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from bench._worker import EXPECT, Fleet, fill

BAR = 0.30
PEER = "blackbox_exporter"
_ROUNDS = 5
_ROUND_S = 2.0
_PORTS = 8
_MONITORS = 400
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_BODY = b'{"status":"ok","queue_depth":3,"version":"1.2.3","note":"the body of a usual health page"}'

_SERVER = """
import asyncio, ssl, sys
BODY = sys.argv[1].encode()
HEAD = "HTTP/1.1 200 OK", "Content-Type: application/json", f"Content-Length: {len(BODY)}", "Connection: close", "", ""
ANSWER = "\\r\\n".join(HEAD).encode() + BODY
class Answer(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport = transport
    def data_received(self, data):
        if b"\\r\\n\\r\\n" in data:
            self.transport.write(ANSWER)
            self.transport.close()
async def main():
    context = None
    if len(sys.argv) > 3:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(sys.argv[3])
    loop = asyncio.get_running_loop()
    servers = [await loop.create_server(Answer, "127.0.0.1", 0, ssl=context, backlog=512) for _ in range(int(sys.argv[2]))]
    print(*(server.sockets[0].getsockname()[1] for server in servers), flush=True)
    await asyncio.Event().wait()
asyncio.run(main())
"""


@contextlib.contextmanager
def target(pem: Path | None = None, ports: int = _PORTS) -> Iterator[list[int]]:
    """A server process that answers on several ports, over TLS when given a key and chain."""
    arguments = [sys.executable, "-c", _SERVER, _BODY.decode(), str(ports), *([str(pem)] if pem else [])]
    process = subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None  # noqa: S101 - it was asked for
        yield [int(text) for text in process.stdout.readline().split()]
    finally:
        process.terminate()
        process.wait()


def ours(urls: Sequence[str], options: dict[str, Any]) -> float:
    """Microseconds of CPU per probe, from due to recorded, in a saturated process of its own threads."""
    with tempfile.TemporaryDirectory(prefix="statuspage-bench-") as name:
        ctx = fill(Path(name), urls, _MONITORS, 0.05, options)
        fleet = Fleet(ctx, Path(name))
        fleet.start()
        fleet.wait_for_round(_MONITORS)
        time.sleep(0.7)
        began, cpu = fleet.done, time.process_time()
        time.sleep(_ROUND_S)
        done, used = fleet.done - began, time.process_time() - cpu
        fleet.stop()
        ctx.db.close()
    return used / done * 1e6


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS_PER_S


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def blackbox(ca_file: Path | None = None) -> Iterator[tuple[int, int] | None]:
    """A running blackbox_exporter as (pid, port), None where it is not installed."""
    program = shutil.which("prometheus-blackbox-exporter") or shutil.which("blackbox_exporter")
    if program is None:
        yield None
        return
    module = {
        "prober": "http",
        "timeout": "5s",
        "http": {
            "preferred_ip_protocol": "ip4",
            "valid_status_codes": [200],
            "fail_if_body_not_matches_regexp": ['"version":"\\d+\\.\\d+', '"status":"ok"'],
            **({"tls_config": {"ca_file": str(ca_file)}} if ca_file else {}),
        },
    }
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder, "blackbox.yml")
        config.write_text(json.dumps({"modules": {"bench": module}}), encoding="utf-8")
        port = _free_port()
        process = subprocess.Popen(
            [program, f"--config.file={config}", f"--web.listen-address=127.0.0.1:{port}", "--log.level=error"],
            stderr=subprocess.DEVNULL,
        )
        try:
            _wait_for(port)
            yield process.pid, port
        finally:
            process.terminate()
            process.wait()


def _wait_for(port: int) -> None:
    for _ in range(100):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.05)


def theirs(peer: tuple[int, int], urls: Sequence[str]) -> float:
    """Microseconds of CPU per probe of the running blackbox_exporter."""
    pid, port = peer
    end = time.monotonic() + _ROUND_S
    counts: list[int] = []

    def drive(number: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        count = 0
        while time.monotonic() < end:
            url = urls[(number + count) % len(urls)]
            connection.request("GET", f"/probe?module=bench&target={url}")
            if b"\nprobe_success 1" not in connection.getresponse().read():
                message = f"{PEER} could not probe {url}"
                raise RuntimeError(message)
            count += 1
        counts.append(count)

    before = _cpu_s(pid)
    threads = [threading.Thread(target=drive, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if len(counts) < len(threads):
        message = f"{PEER} failed"
        raise RuntimeError(message)
    return (_cpu_s(pid) - before) / sum(counts) * 1e6


def compare(
    name: str, bar: float, urls: Sequence[str], options: dict[str, Any], ca: Path | None = None
) -> dict[str, Any]:
    """Interleaved rounds of ours and theirs, as the bench's one line."""
    mine: list[float] = []
    peers: list[float] = []
    with blackbox(ca) as peer:
        for _ in range(_ROUNDS):
            mine.append(ours(urls, options))
            if peer is not None:
                peers.append(theirs(peer, urls))
    ratio = statistics.median(a / b for a, b in zip(mine, peers, strict=True)) if peers else None
    return {
        "name": name,
        "value": round(statistics.median(mine), 1),
        "unit": "us CPU per probe",
        "peer": PEER if peers else None,
        "peer_value": round(statistics.median(peers), 1) if peers else None,
        "ratio": None if ratio is None else round(ratio, 3),
        "bar": bar,
        "ok": None if ratio is None else ratio <= bar,
    }


def run() -> dict[str, Any]:
    """Measure."""
    with target() as ports:
        return compare("probe_http", BAR, [f"http://127.0.0.1:{port}/health" for port in ports], EXPECT)


if __name__ == "__main__":
    print(json.dumps(run()))

"""10,000 readers at once on loopback: how long the slowest hundredth waits for the index, and how many get nothing.

`statuspage serve` (waitress) and `granian ... statuspage.wsgi:page`, as they are installed. First everybody asks once and stays
connected, as after a push message; then the 10,000 of wrk ask again and again for some seconds. The crowd stands on the
same two cores: what it costs to ask is part of every figure, so nginx serving the same file is the floor.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import requests

from bench._load import crowd, is_there, once, raise_file_limit, stop
from bench.page_under_fault import installed
from tests.conftest import _postgres_programs, _start_postgres
from tests.installation import ROOT, Installation, free_ports

CROWD, SECONDS, FILES, PATIENCE_S = 10_000, 4, 16_384, 15
BAR = 4.0
Seen = dict[str, Any]
_NGINX = """
worker_processes 1; daemon off; pid {folder}/nginx.pid; error_log {folder}/nginx.err; user root;
events {{ worker_connections 12000; }}
http {{ access_log off; client_body_temp_path {folder}/b; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f;
  uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s; gzip_static on; types {{ text/html html; }}
  server {{ listen 127.0.0.1:{port} backlog=4096; root {pages}; location / {{ index index.html; }} }} }}
"""


@contextmanager
def running(command: list[str], port: int, **environment: str) -> Iterator[int]:
    """A server in a process group of its own, once it answers; its port."""
    server = subprocess.Popen(command, cwd=ROOT, env={**os.environ, **environment}, stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL, start_new_session=True)  # fmt: skip
    page = f"http://127.0.0.1:{port}"
    try:
        give_up = time.monotonic() + 30
        while time.monotonic() < give_up and server.poll() is None:
            with suppress(requests.RequestException):
                requests.get(f"{page}/en/", timeout=5)
                break
            time.sleep(0.1)
        yield port
    finally:
        stop(server)


@contextmanager
def postgres(folder: Path) -> Iterator[str]:
    """The address of an empty PostgreSQL of its own."""
    (port,) = free_ports(1)
    folder.mkdir()
    folder.parent.chmod(0o755)
    server = _start_postgres(_postgres_programs(), folder, port)
    try:
        yield f"postgresql://postgres@127.0.0.1:{port}/postgres"
    finally:
        server.send_signal(signal.SIGQUIT)
        server.wait(20)


def granian(folder: Path, home: Installation) -> Seen | None:
    """The documented command, on the installation's wallet."""
    program = shutil.which("granian", path=str(Path(sys.executable).parent))
    if program is None:
        return None
    with postgres(folder / "postgres") as url, ExitStack() as stack:
        (port,) = free_ports(1)
        environment = {**home.environment, "STATUSPAGE_DATABASE_URL": url, "STATUSPAGE_DATA": str(folder / "granian")}
        apply = [sys.executable, "-m", "statuspage", "config", "apply", str(folder / "wallet.yaml")]
        subprocess.run(apply, cwd=ROOT, env=environment, check=True, stdout=subprocess.DEVNULL)
        command = [program, "--interface", "wsgi", "--factory", "--blocking-threads", "2", "--backlog", "4096",
                   "--backpressure", "12000", "--port", str(port), "statuspage.wsgi:page"]  # fmt: skip
        return load(stack.enter_context(running(command, port, **environment)))


def nginx(folder: Path, home: Installation) -> Seen | None:
    """The floor: the same file with nothing behind it."""
    if not shutil.which("nginx"):
        return None
    (port,) = free_ports(1)
    text = _NGINX.format(folder=folder, port=port, pages=home.folder / "var/public/pages")
    (folder / "nginx.conf").write_text(text, encoding="utf-8")
    with running(["nginx", "-p", str(folder), "-c", str(folder / "nginx.conf")], port) as page:
        return load(page)


def load(port: int) -> Seen:
    """Both crowds."""
    first = once(port, "/en/", CROWD, PATIENCE_S)
    again = crowd(f"http://127.0.0.1:{port}/en/", CROWD, SECONDS)
    return {
        "served": first.success, "p50_ms": first.within_ms(0.5), "p99_ms": first.within_ms(0.99),
        "wrk_p99_ms": round(again.p99_ms), "wrk_per_s": round(again.per_s), "wrk_refused": again.refused, "wrk_lost": again.lost,
    }  # fmt: skip


def run() -> dict[str, Any]:
    """What each saw; `ok` is None without wrk or without the right to open so many files."""
    files = raise_file_limit(FILES)
    found: dict[str, Seen | None] = {}
    if is_there() and files >= CROWD + 100:
        with tempfile.TemporaryDirectory(prefix="statuspage-bench-") as name:
            folder = Path(name)
            with installed(folder) as home:
                found["waitress"] = load(home.ports["PORT"])
                found["nginx"] = nginx(folder, home)
            found["granian"] = granian(folder, home)
    seen = {name: one for name, one in found.items() if one}
    ours, floor = seen.get("waitress", {}).get("p99_ms"), seen.get("nginx", {}).get("p99_ms")
    well = [one["served"] == 1 and (not floor or one["p99_ms"] <= BAR * floor) for name, one in seen.items() if name != "nginx"]
    return {
        "name": "page_spike", "value": ours or 0, "unit": f"ms p99, {CROWD:,} readers at once, waitress", "peer": "nginx static",
        "peer_value": floor, "ratio": round(ours / floor, 2) if ours and floor else None,
        "bar": f"all served, p99 <= {BAR:g} x nginx", "details": {**seen, "files": files}, "ok": all(well) if well else None,
    }  # fmt: skip


if __name__ == "__main__":
    print(json.dumps(run()))

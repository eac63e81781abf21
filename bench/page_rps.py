"""The index (100 components, gzip, keep-alive) from the fast path under waitress and granian, beside nginx serving the
same file with the same headers.

Each server has CPU 0 to itself in its turn, wrk has CPU 1; rounds are interleaved and ratios taken within a round.
`python -m bench.page_rps 500 10000` does the same with 500 components and 10,000 old notices over five years.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench._load import stop
from bench._site import wallet
from statuspage.web.site.headers import cache_control, security

ROUNDS, SECONDS = 5, 2
BARS = {"waitress": 0.12, "granian": 0.7}
_NGINX = """
worker_processes 1; daemon off; pid {folder}/nginx.pid; error_log {folder}/nginx.err; user root;
events {{ worker_connections 512; }}
http {{ access_log off; client_body_temp_path {folder}/b; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f;
  uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s; keepalive_requests 1000000; gzip_static on; etag on;
  types {{ text/html html; }} {headers}
  server {{ listen 127.0.0.1:{port}; root {folder}/pages; location / {{ index index.html; }} }} }}
"""
_WAITRESS = """
import sys
from pathlib import Path
from waitress import serve
from statuspage.web.fastpath import FastPath
serve(FastPath(lambda *_: 1 / 0, Path(sys.argv[1]), threads=8), host="127.0.0.1", port=int(sys.argv[2]), threads=8, ident=None)
"""
_GRANIAN = """
import sys
from pathlib import Path
from granian import Granian
from granian.constants import Interfaces
from statuspage.web.fastpath import FastPath
def load(_target): return FastPath(lambda *_: 1 / 0, Path(sys.argv[1]), threads=8)
if __name__ == "__main__":
    Granian("x:y", address="127.0.0.1", port=int(sys.argv[2]), interface=Interfaces.WSGI, workers=1, blocking_threads=2,
            log_enabled=False).serve(target_loader=load)
"""


def run(components: int = 100, old_notices: int = 0) -> dict[str, Any]:
    """Median ratio of requests per second to nginx in the same round; `ok` is None without nginx and wrk."""
    with wallet(components, old_notices) as built:
        folder = built.folder
        starts: dict[str, Callable[[int], list[str]]] = {"waitress": _python(folder, "waitress", _WAITRESS)}
        if _has("granian"):
            starts["granian"] = _python(folder, "granian", _GRANIAN)
        if shutil.which("nginx"):
            starts["nginx"] = _nginx(folder)
        rounds = [{name: _measure(start) for name, start in starts.items()} for _ in range(ROUNDS)] if shutil.which("wrk") else []
    medians = {name: statistics.median(found[name] for found in rounds) for name in starts} if rounds else {}
    ratios = {name: statistics.median(found[name] / found["nginx"] for found in rounds) for name in starts
              if name != "nginx"} if medians.get("nginx") else {}  # fmt: skip
    return {
        "name": "page_rps", "value": round(medians.get("waitress", 0)), "unit": "requests/s, waitress", "peer": "nginx static",
        "peer_value": round(medians["nginx"]) if ratios else None, "ratio": ratios.get("waitress"),
        "bar": ", ".join(f"{name} >= {bar} x" for name, bar in BARS.items()),
        "details": {"requests_per_s": medians, "ratios": ratios, "components": components, "old_notices": old_notices},
        "ok": all(ratios[name] >= bar for name, bar in BARS.items() if name in ratios) if ratios else None,
    }  # fmt: skip


def _has(module: str) -> bool:
    return subprocess.run([sys.executable, "-c", f"import {module}"], capture_output=True, check=False).returncode == 0


def _python(folder: Path, name: str, program: str) -> Callable[[int], list[str]]:
    path = folder / f"{name}_server.py"
    path.write_text(program, encoding="utf-8")
    return lambda port: [sys.executable, str(path), str(folder), str(port)]


def _nginx(folder: Path) -> Callable[[int], list[str]]:
    # The same answer from both: a page without its security headers is another page.
    rest = [("Cache-Control", cache_control("/en/")), ("Vary", "Accept-Encoding, Accept-Language"), *security("/en/", hsts=False)]
    headers = " ".join(f'add_header {name} "{value}";' for name, value in rest)

    def start(port: int) -> list[str]:
        (folder / "nginx.conf").write_text(_NGINX.format(folder=folder, port=port, headers=headers), encoding="utf-8")
        return ["nginx", "-p", str(folder), "-c", str(folder / "nginx.conf")]

    return start


def _measure(start: Callable[[int], list[str]]) -> float:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    root = Path(__file__).resolve().parent.parent
    # A group of its own: granian and nginx serve from children.
    server = subprocess.Popen(["taskset", "-c", "0", *start(port)], cwd=root, env={**os.environ, "PYTHONPATH": str(root)},
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)  # fmt: skip
    try:
        _wait(port)
        _wrk(port, 1)
        return _wrk(port, SECONDS)
    finally:
        stop(server)


def _wait(port: int) -> None:
    give_up = time.monotonic() + 15
    while time.monotonic() < give_up:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    message = f"no server on port {port}"
    raise TimeoutError(message)


def _wrk(port: int, seconds: int) -> float:
    done = subprocess.run(
        ["taskset", "-c", "1", "wrk", "-t1", "-c32", f"-d{seconds}s", "-H", "Accept-Encoding: gzip", f"http://127.0.0.1:{port}/en/"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    if "Non-2xx" in done.stdout:
        raise RuntimeError(done.stdout)
    found = re.search(r"Requests/sec:\s+([\d.]+)", done.stdout)
    if not found:
        raise RuntimeError(done.stdout)
    return float(found.group(1))


if __name__ == "__main__":
    print(json.dumps(run(*map(int, sys.argv[1:]))))

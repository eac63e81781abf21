"""A real installation for tests from outside: `statuspage serve` as a process, on free ports, with its own data folder."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import requests

ROOT = Path(__file__).resolve().parent.parent
PROGRAM = [sys.executable, "-m", "statuspage"]
PORTS = ("PORT", "CONSOLE_PORT", "DEMO_PORT", "DEMO_TLS_PORT")


def free_ports(count):
    """Ports that nobody has at the moment, all different."""
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    found = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return found


class Installation:
    """Start, ask, command, kill. Output goes to `log`."""

    def __init__(self, folder, *, demo=False, config=None, **settings):
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.log = self.folder / "serve.log"
        self.arguments = ["serve", *(["--demo"] if demo else []), *(["--config", str(config)] if config else [])]
        self.ports = dict(zip(PORTS, free_ports(len(PORTS)), strict=True))
        self.environment = {
            **os.environ, "STATUSPAGE_DATA": str(self.folder / "var"), **{name: str(port) for name, port in self.ports.items()},
            **settings,
        }  # fmt: skip
        self.process = None

    @property
    def page(self):
        return f"http://127.0.0.1:{self.ports['PORT']}"

    @property
    def console(self):
        return f"http://127.0.0.1:{self.ports['CONSOLE_PORT']}"

    def start(self, *, wait_s=30, prefix=()):
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*prefix, *PROGRAM, *self.arguments],
                cwd=ROOT,
                env=self.environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        until = time.monotonic() + wait_s
        while time.monotonic() < until:
            if self.process.poll() is not None:
                break
            try:
                if requests.get(f"{self.page}/live.json", timeout=2).ok:
                    return self
            except requests.RequestException:
                time.sleep(0.05)
        raise AssertionError(f"no page at {self.page} within {wait_s} s:\n{self.log.read_text()[-4000:]}")

    def stop(self, *, timeout_s=25):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(timeout_s)
        return self.process.returncode if self.process else None

    def kill(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
        if self.process:
            self.process.wait(10)

    def cli(self, *arguments, check=True, json_wanted=True, **options):
        command = [*PROGRAM, *arguments, *(["--json"] if json_wanted else [])]
        done = subprocess.run(
            command, cwd=ROOT, env=self.environment, capture_output=True, text=True, timeout=60, check=False, **options
        )
        if check and done.returncode:
            raise AssertionError(f"{' '.join(arguments)} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}")
        if not json_wanted or not done.stdout.strip():
            return done
        return json.loads(done.stdout)

    def sign_in_link(self):
        """The one-time link that was printed at the last start."""
        lines = [line for line in self.log.read_text().splitlines() if "sign-in/link?token=" in line]
        return lines[-1].split(": ", 1)[1].strip()

    def get(self, path, **options):
        return requests.get(self.page + path, timeout=5, **options)

    def wait_for(self, condition, *, within_s=20, every_s=0.1):
        """The first true answer of `condition()`."""
        until = time.monotonic() + within_s
        while time.monotonic() < until:
            try:
                found = condition()
            except requests.RequestException:
                found = None
            if found:
                return found
            time.sleep(every_s)
        raise AssertionError(f"did not happen within {within_s} s; log:\n{self.log.read_text()[-3000:]}")


class Receiver:
    """A webhook receiver on loopback that keeps what it got."""

    def __init__(self, port=0):
        self.got = []
        kept = self.got

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                kept.append((dict(self.headers.items()), body))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                """Quiet."""

        self.server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def bodies(self):
        return [json.loads(body) for _headers, body in self.got]

    def close(self):
        self.server.shutdown()
        self.server.server_close()

"""A real installation for tests from outside: `statuspage serve` as a process, on free ports, with its own data folder."""

from __future__ import annotations

import atexit
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from html.parser import HTMLParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pyotp
import requests

ROOT = Path(__file__).resolve().parent.parent
PROGRAM = [sys.executable, "-m", "statuspage"]
PORTS = ("PORT", "CONSOLE_PORT", "DEMO_PORT", "DEMO_TLS_PORT")
# Started a hundred times, a program should be compiled once, and leave no trace in the source tree.
COMPILED = Path(tempfile.gettempdir()) / f"statuspage-compiled-{os.getuid()}"


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
            "PYTHONPYCACHEPREFIX": str(COMPILED), **settings,
        }  # fmt: skip
        self.environment.pop("PYTHONDONTWRITEBYTECODE", None)
        self.process = None
        atexit.register(self.kill)  # a test that fails half-way leaves nothing running

    @property
    def page(self):
        return f"http://127.0.0.1:{self.ports['PORT']}"

    @property
    def console(self):
        return f"http://127.0.0.1:{self.ports['CONSOLE_PORT']}"

    def launch(self, *, prefix=()):
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*prefix, *PROGRAM, *self.arguments],
                cwd=ROOT,
                env=self.environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        return self

    def start(self, *, wait_s=30, prefix=()):
        self.launch(prefix=prefix)
        until = time.monotonic() + wait_s
        while time.monotonic() < until:
            if self.process.poll() is not None:
                break
            try:
                if requests.get(f"{self.page}/live.json", timeout=2).ok and requests.get(f"{self.console}/healthz", timeout=2).ok:
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
            self.process.wait(60)

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

        def printed():
            return [line for line in self.log.read_text().splitlines(keepends=True) if "sign-in/link?token=" in line]

        return self.wait_for(printed)[-1].split(": ", 1)[1].strip()

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


class _Inputs(HTMLParser):
    """Hidden fields, and whatever one page shows once: text of elements by class."""

    def __init__(self, page):
        super().__init__()
        self.hidden, self.secret, self._inside = {}, "", False
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        if tag == "input" and found.get("type") == "hidden":
            self.hidden.setdefault(found["name"], found.get("value") or "")
        self._inside = self._inside or (tag == "p" and found.get("class") == "secret")

    def handle_endtag(self, tag):
        self._inside = self._inside and tag != "p"

    def handle_data(self, data):
        if self._inside:
            self.secret += data.strip()


class Console:
    """An operator at the console of an Installation, through its own forms."""

    def __init__(self, home):
        self.home = home
        self.session = requests.Session()
        self.session.trust_env = False

    def sign_in(self):
        """With the link printed at start, then by enrolling an authenticator."""
        token = self.home.sign_in_link().partition("token=")[2]
        answer = self.post("/sign-in/link", {"token": token})
        assert answer.status_code == 303, answer.text[:500]
        if self.get("/declare").headers.get("Location", "").endswith("/account/two-factor"):
            page = _Inputs(self.get("/account/two-factor").text)
            answer = self.post("/account/two-factor", {**page.hidden, "code": pyotp.TOTP(page.secret).now()})
            assert answer.status_code == 200, answer.text[:500]
        assert self.get("/declare").status_code == 200
        return self

    def get(self, path, timeout=10):
        return self.session.get(self.home.console + path, timeout=timeout, allow_redirects=False)

    def form(self, path):
        """The hidden fields of a page's form, with the token that lets it be sent."""
        return _Inputs(self.get(path).text).hidden

    def post(self, path, data, timeout=10):
        return self.session.post(
            self.home.console + path, data=data, headers={"Origin": self.home.console}, timeout=timeout, allow_redirects=False
        )

    def declare(self, title, **fields):
        """Send the form of /declare filled in; the answer."""
        return self.post("/declare", {**self.form("/declare"), **declaration(title), **fields})


def declaration(title):
    """The fields of a complete incident on `transfers`."""
    return {
        "do": "publish", "component": "transfers", "severity": "major_outage", "titles.en": title, "titles.zh-Hans": title,
        "bodies.en": f"About {title}.", "bodies.zh-Hans": f"关于 {title}。", "funds": "unknown_checking", "notify": "1",
    }  # fmt: skip


class Receiver:
    """A webhook receiver on loopback that keeps what it got."""

    def __init__(self, port=0):
        self.got = []
        kept = self.got
        suppressed = suppress(ConnectionError)  # whoever sends may be killed while it waits for the answer

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                length = int(self.headers.get("Content-Length", 0))
                body = self.rfile.read(length)
                if len(body) < length:
                    return  # whoever sent it died half-way
                kept.append((dict(self.headers.items()), body))
                with suppressed:
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

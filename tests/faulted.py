"""A watched wallet in a real `statuspage serve`, readers who never stop asking, and what a fault must not change.

During any fault of the database: every request for page, feed and JSON gets 200; what is served says how old it is, and after
90 s without checks it is the blind twin; a declare in the console is refused visibly within 5 s, with what was typed kept in the
page, and is not half-written. Afterwards everything recovers without a person.
"""

from __future__ import annotations

import statistics
import threading
import time
from contextlib import contextmanager
from datetime import timedelta

import requests
from installation import Console, Installation, Receiver, declaration

from statuspage import clock
from statuspage.web.fastpath import BLIND_S, FastPath

CONFIG = """
page:
  name: {en: Fault Wallet, zh-Hans: 故障钱包}
  url: https://status.wallet.example
  languages: [zh-Hans, en]
  time_zone: Asia/Shanghai
groups:
  functions: {name: {en: Functions, zh-Hans: 功能}}
components:
  transfers: {group: functions, name: {en: Transfers, zh-Hans: 转账}}
monitors:
  transfers-port: {component: transfers, interval: 1s, timeout: 1s, tcp: "127.0.0.1:%(port)d"}
allow_networks: [127.0.0.0/8]
webhooks:
  - {url: "%(hook)s"}
"""
READ = ("/en/", "/zh-Hans/", "/en/history.atom", "/api/v2/summary.json", "/live.json")
VISIBLE_S = 5


class Readers:
    """Asks for page, feed and JSON in turn until told to stop."""

    def __init__(self, page):
        self.bad, self.took_s, self._page, self._stop = [], [], page, threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def _run(self):
        session = requests.Session()
        session.trust_env = False
        while not self._stop.wait(0.02):
            for path in READ:
                began = time.monotonic()
                try:
                    answer = session.get(self._page + path, timeout=10)
                    if answer.status_code != 200:
                        self.bad.append((path, answer.status_code))
                except requests.RequestException as error:
                    self.bad.append((path, repr(error)))
                self.took_s.append(time.monotonic() - began)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join(30)

    def __str__(self):
        p99 = statistics.quantiles(self.took_s, n=100)[-1] if len(self.took_s) > 1 else 0
        return f"{len(self.took_s)} requests, {len(self.bad)} not 200, p99 {1000 * p99:.0f} ms"


class Wallet:
    """The installation, its operator and its subscriber."""

    def __init__(self, folder, **options):
        self.receiver = Receiver()
        folder.mkdir(parents=True, exist_ok=True)
        config = folder / "wallet.yaml"
        port = self.receiver.server.server_port
        config.write_text(CONFIG % {"port": port, "hook": self.receiver.url}, encoding="utf-8")
        prefix = options.pop("prefix", ())
        self.home = Installation(folder / "home", config=config, **options).start(prefix=prefix)
        self.console = Console(self.home).sign_in()
        self.home.wait_for(lambda: self.home.get("/live.json").json()["checked_at"])
        assert self.console.declare("Before the fault").status_code == 303
        self.wait_until_told("Before the fault")

    @property
    def var(self):
        """The data folder as seen from inside the process, whatever it has mounted there."""
        return self.home.folder / "var"

    def told(self):
        return [body["incident"]["name"] for body in self.receiver.bodies() if body.get("incident")]

    def wait_until_told(self, title):
        self.home.wait_for(lambda: title in self.told(), within_s=60)
        self.home.wait_for(lambda: all(title in self.home.get(path).text for path in ("/en/", "/en/history.atom")))

    def checked_at(self):
        return self.home.get("/live.json").json()["checked_at"]

    def endure(self, name, fault, *, pages=None, hold_s=13):
        """The whole story of one fault: `fault` is a context manager that holds it."""
        form = {**self.console.form("/declare"), **declaration(f"During {name}")}
        with Readers(self.home.page) as readers, fault:
            began = time.monotonic()
            refused = self.console.post("/declare", form, timeout=30)
            took_s = time.monotonic() - began
            self._assert_refused(name, refused)
            time.sleep(max(0.0, hold_s - 3 - took_s))  # the last check before the fault may reach live.json seconds later
            seen = self.checked_at()
            time.sleep(3)
            assert self.checked_at() == seen, "live.json says that checks go on"
            self._assert_it_will_go_blind(pages or self.var / "public")
        began = time.monotonic()
        self._assert_recovered(name, form, seen)
        line = f"{name}: {readers}; declare refused in {took_s:.1f} s; well again in {time.monotonic() - began:.1f} s"
        print(line)
        assert not readers.bad, readers.bad[:5]
        assert len(readers.took_s) >= 50, line
        assert took_s <= VISIBLE_S, line

    @staticmethod
    def _assert_refused(name, refused):
        assert refused.status_code == 503, f"{refused.status_code}: {refused.text[:3000]}"
        assert f"During {name}" in refused.text
        assert f"About During {name}." in refused.text

    @staticmethod
    def _assert_it_will_go_blind(folder):
        """What these very files become when nothing moves for 90 s: the clock of the fast path is the only thing made up."""
        later = FastPath(no_site, folder, now=lambda: clock.now() + timedelta(seconds=BLIND_S + 1))
        answers = []
        environ = {"REQUEST_METHOD": "GET", "PATH_INFO": "/en/"}
        blind = b"".join(later(environ, lambda status, _headers: answers.append(status)))
        assert answers == ["200 OK"]
        assert blind == (folder / "pages/en/index.blind.html").read_bytes()

    def _assert_recovered(self, name, form, seen):
        """The page the operator was left with is sent again; nothing of the first try is there, and all goes its way."""
        self.home.wait_for(lambda: self.console.post("/declare", form).status_code == 303, within_s=30, every_s=0.5)
        self.wait_until_told(f"During {name}")
        self.home.wait_for(lambda: self.checked_at() != seen, within_s=30)
        page = self.home.get("/en/").text
        listed = self.home.get("/api/v2/incidents.json").json()["incidents"]
        assert [one["name"] for one in listed].count(f"During {name}") == 1
        assert f"During {name}" in page
        assert self.told().count(f"During {name}") <= 2
        assert self.home.process.poll() is None

    def close(self):
        self.home.stop()
        self.home.kill()
        self.receiver.close()


def no_site(_environ, _start):
    raise AssertionError("the page is a file: nobody asks Flask")


@contextmanager
def moved_aside(path, content=None):
    """`path` is gone, or something else lies there; then it is put back."""
    aside = path.with_suffix(".aside")
    path.rename(aside)
    if content is not None:
        path.write_bytes(content)
    try:
        yield
    finally:
        aside.replace(path)

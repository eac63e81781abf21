"""The kill sweep: a real `statuspage serve` is killed at successive system calls between a declare in the console and its last
consequence, started again, and asked what it knows.

The invariant, held after every restart: what was acknowledged (303 from the console) is in the database, on the page, in the
feed and in the JSON, and the webhook receiver gets it once or, where the kill fell between the receiver's answer and our note
of it, twice. What was not acknowledged is nowhere, or treated as if it had been. The signed log is whole, and the compressed
forms of every published file say what the plain one says.
"""

from __future__ import annotations

import gzip
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import brotli
import requests
from installation import Console, Receiver, declaration
from warm import WarmInstallation

from statuspage import keys, settings
from statuspage.actions import verification
from statuspage.actions.context import COMMAND_LINE, Context
from statuspage.actions.notices import resolve
from statuspage.store import notices
from statuspage.store.database import Database

CONFIG = """
page:
  name: {en: Kill Sweep Wallet, zh-Hans: 演练钱包}
  url: https://status.wallet.example
  languages: [zh-Hans, en]
  time_zone: Asia/Shanghai
groups:
  functions: {name: {en: Functions, zh-Hans: 功能}}
components:
  transfers: {group: functions, name: {en: Transfers, zh-Hans: 转账}}
allow_networks: [127.0.0.0/8]
webhooks:
  - {url: "%s"}
"""
QUIET_S = 90
STEPS = ("before the answer", "answered, not told", "told, not on the page", "told and published")
_TIDY_EVERY = 8  # notices that stay open, so that the page keeps its size


@dataclass
class Tally:
    """What a sweep did and found, printed at its end."""

    kills: int = 0
    survived: int = 0
    most_copies: int = 0
    lost: list[str] = field(default_factory=list)
    at: Counter = field(default_factory=Counter)
    took_s: float = 0.0

    def __str__(self) -> str:
        where = ", ".join(f"{step} {self.at[step]}" for step in STEPS)
        each = f"{1000 * self.took_s / max(1, self.kills):.0f} ms/point"
        return f"{self.kills} points ({where}), lost {len(self.lost)}, most copies {self.most_copies}, {each}"


class Sweep:
    """One installation that is killed again and again."""

    def __init__(self) -> None:
        # In memory where there is such a place: what a killed process has written is kept all the same, and nobody waits.
        memory = Path("/dev/shm")
        folder = Path(tempfile.mkdtemp(prefix="statuspage-sweep-", dir=memory if memory.is_dir() else None))
        self._folder = folder
        self.receiver = Receiver()
        config = folder / "wallet.yaml"
        config.write_text(CONFIG % self.receiver.url, encoding="utf-8")
        self.home = WarmInstallation(folder / "home", config=config).start()
        self.console = Console(self.home).sign_in()
        self.tally = Tally()
        self._acknowledged: list[str] = []
        self._open: list[str] = []
        found = settings.load({"STATUSPAGE_DATA": self.home.environment["STATUSPAGE_DATA"]})
        self._ctx = Context(Database(found.url), keys.load(found))

    def all_points(self, call: str, most: int = 10) -> int:
        """Kill at the 1st, 2nd, 3rd … `call` of a thread until a declare reaches its end unharmed; how many kills struck."""
        began, before = time.monotonic(), self.tally.kills
        for nth in range(1, most + 1):
            if not self.strike(call, nth):
                self.tally.survived += 1
                break
        self.tally.took_s += time.monotonic() - began
        return self.tally.kills - before

    def strike(self, call: str, nth: int) -> bool:
        """Declare while every thread is rigged to be killed at its nth `call`; True when one was."""
        title = f"Outage {call} {nth}"
        form = self.console.form("/declare")
        rig = subprocess.Popen(
            ["strace", "-f", "-p", str(self.home.process.pid), "-e", f"trace={call}",
             "-e", f"inject={call}:signal=SIGKILL:when={nth}", "-o", os.devnull],
            stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        rig.stderr.readline()  # "Process N attached with M threads"
        if self._declare(title, form):
            self._acknowledged.append(title)
        self._wait_for_end(title)
        has_survived = not self._is_dead()
        rig.send_signal(signal.SIGTERM if has_survived else signal.SIGKILL)
        rig.communicate(timeout=60)
        if has_survived:
            self.check(title)
            return False
        self.home.process.wait(60)
        self.tally.kills += 1
        self.tally.at[self._step(title)] += 1
        self.home.start()
        self.check(title)
        return True

    def _declare(self, title: str, form: dict[str, str]) -> bool:
        """Send the console's own form; True when it was acknowledged."""
        try:
            answer = self.console.post("/declare", {**form, **declaration(title)})
        except requests.RequestException:
            return False
        assert answer.status_code == 303, f"{answer.status_code}: {answer.text[:2000]}"
        return True

    def _wait_for_end(self, title: str) -> None:
        """Until the process is dead, or everything that follows from the declare has happened."""
        until = time.monotonic() + QUIET_S
        while time.monotonic() < until and not self._is_dead():
            if title in self._on_disk("en/history.atom") and self._has_recorded(title):
                return
            time.sleep(0.02)

    def _is_dead(self) -> bool:
        """Also where the tracer has not noticed, and keeps the news from us: strace 6.1 overlooks a thread now and then."""
        if self.home.process.poll() is not None:
            return True
        with suppress(OSError):
            return ") Z " in Path(f"/proc/{self.home.process.pid}/stat").read_text(encoding="ascii")
        return True

    def _step(self, title: str) -> str:
        """How far things had come when the process died."""
        if title not in self._acknowledged:
            return STEPS[0]
        if not self._copies()[title]:
            return STEPS[1]
        return STEPS[3] if title in self._on_disk("en/index.html") else STEPS[2]

    def _on_disk(self, name: str) -> str:
        with suppress(OSError):
            return (self.home.folder / "var/public/pages" / name).read_text(encoding="utf-8")
        return ""

    def _has_recorded(self, title: str) -> bool:
        with self._ctx.db.read() as conn:
            ids = [notice.id for notice in notices.latest(conn, 1000) if notice.facts.titles["en"] == title]
            sent = "SELECT count(*) FROM deliveries WHERE state = 'sent' AND notice_id = ?"
            return bool(ids) and bool(conn.exec_driver_sql(sent, (ids[0],)).scalar())

    def _copies(self) -> Counter:
        return Counter(body["incident"]["name"] for body in self.receiver.bodies() if body.get("incident"))

    def _known(self) -> set[str]:
        with self._ctx.db.read() as conn:
            return {notice.facts.titles["en"] for notice in notices.latest(conn, 1000)}

    def check(self, title: str) -> None:
        """The invariant, once everything is quiet after `title` was sent."""
        known = self._known()
        lost = [said for said in self._acknowledged if said not in known]
        self.tally.lost += lost
        assert not lost, f"acknowledged and lost: {lost}"
        if title in known:
            self.home.wait_for(lambda: self._copies()[title], within_s=QUIET_S)
            self.home.wait_for(lambda: self._is_published(title), within_s=QUIET_S)
            self._open.append(title)
        else:
            assert title not in self.home.get("/en/").text, f"{title} was not committed but is on the page"
        self.tally.most_copies = max(self.tally.most_copies, *self._copies().values(), 0)
        assert self.tally.most_copies <= 2, f"copies: {self._copies().most_common(3)}"
        report = verification.verify(self._ctx)
        assert report.is_whole, f"row {report.broken_at}: {report.reason}"
        assert report.rows == len(known) + self._resolved()
        self.home.wait_for(lambda: not torn(self.home.folder / "var/public/pages"), within_s=QUIET_S)
        if len(self._open) >= _TIDY_EVERY:
            self._tidy()

    def _resolved(self) -> int:
        with self._ctx.db.read() as conn:
            return int(conn.exec_driver_sql("SELECT count(*) FROM notices WHERE status = 'resolved'").scalar() or 0)

    def _is_published(self, title: str) -> bool:
        # A kill may strike in the moment between the look at the process and strace's detaching: that is one more restart.
        if self.home.process.poll() is not None:
            self.home.start()
        answers = [self.home.get(path) for path in ("/en/", "/en/history.atom", "/api/v2/incidents/unresolved.json")]
        live = self.home.get("/live.json").json()
        return all(answer.ok and title in answer.text for answer in answers) and live["verdict"] != "operational"

    def _tidy(self) -> None:
        with self._ctx.db.read() as conn:
            still_open = notices.open_notices(conn)
        for notice in still_open:
            words = {"en": "Fixed.", "zh-Hans": "已恢复。"}
            resolve(self._ctx, COMMAND_LINE, notice.public_id, words, notice.version, notify=False)
        self._open.clear()

    def close(self) -> None:
        """End the processes."""
        self._ctx.db.close()
        self.home.kill()
        self.receiver.close()
        shutil.rmtree(self._folder, ignore_errors=True)


def torn(pages: Path) -> list[str]:
    """Published files whose compressed forms say something else than the plain one, or cannot be read."""
    found = []
    for path in pages.rglob("*"):
        opener = {".gz": gzip.decompress, ".br": brotli.decompress}.get(path.suffix)
        if opener is None:
            continue
        try:
            if opener(path.read_bytes()) != path.with_suffix("").read_bytes():
                found.append(path.name)
        except (OSError, EOFError, brotli.error):
            found.append(path.name)
    return found

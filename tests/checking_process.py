"""The loops that probe, judge, schedule and deliver, as a process of their own that tests can stop, wake and give a wrong clock.

As `statuspage worker`, without what only costs time here: no configuration file, no pages. `CHECKING_GAP` shortens the gap of
our own after which nothing is known, in seconds. A calendar job of one second leaves its sign among the heartbeats.
"""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from stage import START, add_monitor

from statuspage import settings
from statuspage.actions import checks, heartbeats
from statuspage.actions.context import Context
from statuspage.keys import Keys
from statuspage.store.database import Database
from statuspage.store.schema import catalogue, metadata
from statuspage.worker import scheduler
from statuspage.worker.loops import Supervisor
from statuspage.worker.main import loops

ROOT = Path(__file__).resolve().parent.parent
INTERVAL_MS, TIMEOUT_MS = 200, 1500


class Target:
    """What is watched: it notes when it was asked, by a clock that nobody sets, and answers `status` after `delay_s`."""

    def __init__(self):
        self.status, self.delay_s, self.asked_s = 200, 0.0, []
        target = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                if self.path == "/":
                    target.asked_s.append(time.monotonic())
                time.sleep(target.delay_s)
                self.send_response(target.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.handle_error = lambda *_: None  # who asks may be stopped, killed or out of patience
        self.port = self.server.server_port
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()


class Checking:
    """`transfers-api` watches `target`, `login-api` a port at which nobody listens; `balances-api` is looked at once."""

    def __init__(self, folder, closed_port, *, failures=2, **environment):
        self.folder, self.target = folder, Target()
        self.path = folder / "statuspage.db"
        database = Database(f"sqlite:///{self.path}")
        with database.write() as conn:
            metadata.create_all(conn)
            for position, name in enumerate(("balances", "transfers", "login"), 1):
                conn.execute(catalogue.components.insert().values(
                    id=name, public_id=f"component{position:03d}", names={"en": name}, descriptions={}, position=position,
                    weight="normal", symptoms=[], template="", baseline="operational", status="unknown", status_at=START,
                    source="file", created_at=START, updated_at=START,
                ))  # fmt: skip
            common = {
                "interval_ms": INTERVAL_MS, "timeout_ms": TIMEOUT_MS, "retry_ms": INTERVAL_MS, "failures": failures,
                "allow_networks": ["127.0.0.0/8"],
            }  # fmt: skip
            url = f"http://127.0.0.1:{self.target.port}/"
            add_monitor(conn, "balances-api", "balances", 1, START, target=f"{url}once", **common | {"interval_ms": 3_600_000})
            add_monitor(conn, "transfers-api", "transfers", 2, START, target=url, **common)
            add_monitor(conn, "login-api", "login", 3, START, kind="tcp", target=f"127.0.0.1:{closed_port}", **common)
        database.close()
        self.log = folder / "checking.log"
        environ = {**os.environ, "STATUSPAGE_DATA": str(folder), "PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}", **environment}
        with self.log.open("wb") as log:
            self.process = subprocess.Popen([sys.executable, __file__], cwd=folder, env=environ, stdout=log, stderr=log)

    def wait_for(self, condition, seconds=30.0):
        """The first true answer; after `seconds` the test fails with what the process wrote."""
        until = time.monotonic() + seconds
        while not (found := condition()):
            ended = self.process.poll()
            assert ended is None, f"it ended with {ended}:\n{self.log.read_text()[-3000:]}"
            assert time.monotonic() < until, f"not within {seconds} s: {self.facts()}\n{self.log.read_text()[-3000:]}"
            time.sleep(0.03)
        return found

    def rows(self, statement, *values):
        with closing(sqlite3.connect(f"file:{self.path}?mode=ro", uri=True, timeout=5)) as db:
            return db.execute(statement, values).fetchall()

    def states(self):
        return dict(self.rows("SELECT monitor_id, state FROM judgements"))

    def has_begun(self):
        """Whether every monitor was seen, and what fails was announced."""
        wanted = {"balances-api": "up", "transfers-api": "up", "login-api": "down"}
        return self.states() == wanted and len(self.rows("SELECT id FROM notices")) == 1

    def transitions(self, monitor_id):
        return [row[0] for row in self.rows("SELECT new FROM transitions WHERE monitor_id = ? ORDER BY id", monitor_id)]

    def facts(self):
        """Everything that a false word would have altered."""
        return {
            "states": self.states(),
            "components": self.rows("SELECT id, status FROM components ORDER BY 1"),
            "transitions": self.rows("SELECT monitor_id, old, new FROM transitions ORDER BY id"),
            "notices": self.rows("SELECT id, status, version FROM notices"),
        }

    def end(self, seconds=30.0):
        """As an operator ends it: what was seen is written first."""
        self.process.terminate()
        assert self.process.wait(seconds) == 0, self.log.read_text()[-3000:]

    def close(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.kill()
        self.process.wait(20)
        self.target.server.shutdown()
        self.target.server.server_close()


def main():
    """The process."""
    chosen = settings.load()
    sign = scheduler.Job("calendar", 1, lambda ctx, _: heartbeats.beat(ctx.db, "calendar", ctx.now()))
    scheduler.JOBS = (*scheduler.JOBS, sign)
    checks.GAP = timedelta(seconds=float(os.environ.get("CHECKING_GAP") or checks.GAP.total_seconds()))
    ctx = Context(Database(chosen.url), Keys(b"\x01" * 32, b"\x02" * 32, b"\x03" * 32))
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})  # in every thread: sigwait takes it
    supervisor = Supervisor(loops(chosen, ctx, None, probing=True))
    supervisor.start()
    signal.sigwait({signal.SIGTERM})
    late = supervisor.stop(20)
    sys.exit(f"still running: {late}" if late else 0)


if __name__ == "__main__":
    main()

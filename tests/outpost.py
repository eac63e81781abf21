"""An agent of an Installation as a process of its own, for tests from outside."""

from __future__ import annotations

import atexit
import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

from installation import COMPILED, ROOT

WALLET = """
page:
  name: {{en: Demo, zh-Hans: 演示}}
  url: {url}
  languages: [en, zh-Hans]
allow_networks: [{network}]
defaults: {{interval: 1s, retry: 500ms, timeout: 1s, confirm: {{failures: 2, successes: 2}}}}
components:
  api:
    name: {{en: API, zh-Hans: 接口}}
monitors:
  api-http: {{component: api, http: {target}, regions: [{regions}]}}
"""


class Outpost:
    """Start, kill, stop one agent. Its output goes to `log`."""

    def __init__(self, folder, server, key, *options, region="hk", network="127.0.0.0/8", prefix=(), **settings):
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.log, self.spool = self.folder / "agent.log", self.folder / "spool"
        key_file = self.folder / "agent.key"
        key_file.write_text(key)
        self.command = [
            *prefix, sys.executable, "-m", "probes", "agent", "--server", server, "--region", region, "--key-file", str(key_file),
            "--spool", str(self.spool), "--allow-network", network, "--longest-pause", "1s", *options,
        ]  # fmt: skip
        self.environment = {**os.environ, "PYTHONPYCACHEPREFIX": str(COMPILED), **settings}
        self.environment.pop("PYTHONDONTWRITEBYTECODE", None)
        self.process = None
        atexit.register(self.kill)  # a test that fails half-way leaves nothing running

    def start(self):
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(self.command, cwd=ROOT, env=self.environment, stdout=log, stderr=log)
        return self

    def kill(self, number=signal.SIGKILL):
        if self.process and self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(30) if self.process else None

    def stop(self):
        return self.kill(signal.SIGTERM)


def look(home, statement, *values):
    """Rows of an Installation's SQLite database, read beside the running server."""
    database = sqlite3.connect(f"file:{home.folder}/var/statuspage.db?mode=ro", uri=True, timeout=5)
    try:
        return database.execute(statement, values).fetchall()
    finally:
        database.close()


def watch_arrivals(home):
    """Have the database itself write down every batch in the order in which it is put aside."""
    database = sqlite3.connect(f"{home.folder}/var/statuspage.db", timeout=5)
    with database:
        database.execute("CREATE TABLE seen (no INTEGER PRIMARY KEY, agent TEXT, boot TEXT, sequence INTEGER, results TEXT)")
        database.execute(
            "CREATE TRIGGER watch AFTER INSERT ON agent_batches BEGIN"
            " INSERT INTO seen (agent, boot, sequence, results) VALUES (NEW.agent_id, NEW.boot, NEW.sequence, NEW.results); END"
        )
    database.close()

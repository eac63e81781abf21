"""The wall clock of a running server is set by an hour and by a day, forth and back: intervals, states and notices do not notice.

libfaketime answers the process's questions about the time; its monotonic clocks stay real. (In Debian's version time.sleep then
fails on Python 3.11: nothing on the way from a probe to a notice sleeps.)
"""

from __future__ import annotations

import sqlite3
import threading
import time
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from installation import Installation, free_ports

CONFIG = """
page:
  name: {en: Clock Wallet, zh-Hans: 时钟钱包}
  url: https://status.wallet.example
  languages: [zh-Hans, en]
  time_zone: Asia/Shanghai
components:
  transfers: {name: {en: Transfers, zh-Hans: 转账}}
  login: {name: {en: Sign-in, zh-Hans: 登录}}
defaults: {interval: 1s, timeout: 1s, retry: 1s}
monitors:
  transfers-api: {component: transfers, http: "http://127.0.0.1:%(port)d/"}
  login-api: {component: login, tcp: "127.0.0.1:%(closed)d"}
allow_networks: [127.0.0.0/8]
"""
JUMPS_S = (3600, 0, -3600, 0, 86_400, 0, -86_400, 0)


class Target:
    """What is watched: it notes when it was asked, by a clock that nobody sets."""

    def __init__(self):
        asked_s = self.asked_s = []

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                asked_s.append(time.monotonic())
                self.send_response(200)
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"ok")

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


def libfaketime():
    """Where Debian has put it, below a folder that is named after the machine."""
    found = [path for folder in ("/usr/lib", "/usr/local/lib") for path in Path(folder).glob("**/libfaketimeMT.so.1")]
    assert found, "no libfaketime: run scripts/test-setup"
    return found[0]


class Server:
    def __init__(self, folder):
        self.offset = folder / "offset"
        self.set_clock(0)
        self.target = Target()
        config = folder / "wallet.yaml"
        ports = {"port": self.target.server.server_port, "closed": free_ports(1)[0]}
        config.write_text(CONFIG % ports, encoding="utf-8")
        self.home = Installation(
            folder / "home", config=config, LD_PRELOAD=str(libfaketime()), FAKETIME_TIMESTAMP_FILE=str(self.offset),
            FAKETIME_CACHE_DURATION="1", FAKETIME_DONT_FAKE_MONOTONIC="1",
        )  # fmt: skip

    def set_clock(self, seconds):
        fresh = self.offset.with_suffix(".new")
        fresh.write_text(f"{seconds:+d}\n", encoding="ascii")
        fresh.replace(self.offset)

    def rows(self, statement):
        with closing(
            sqlite3.connect(f"file:{self.home.folder / 'var' / 'statuspage.db'}?mode=ro", uri=True, timeout=5)
        ) as db:
            return db.execute(statement).fetchall()

    def last_stamp_s(self):
        """What the server took for the time when it last recorded results."""
        return self.rows("SELECT at FROM heartbeats WHERE name = 'checker'")[0][0] / 1000

    def facts(self):
        """Everything that a false word would have altered."""
        return {
            "states": self.rows("SELECT monitor_id, state FROM judgements ORDER BY 1"),
            "components": self.rows("SELECT id, status FROM components ORDER BY 1"),
            "transitions": self.rows("SELECT monitor_id, old, new FROM transitions ORDER BY id"),
            "notices": self.rows("SELECT id, status, version FROM notices"),
        }


@pytest.fixture
def server(tmp_path):
    found = Server(tmp_path)
    found.home.start(wait_s=60)
    yield found
    found.home.stop()
    found.target.server.shutdown()


@pytest.mark.timeout(240)
def test_the_clock_may_jump_by_an_hour_and_by_a_day_without_a_lost_probe_or_a_false_word(server):
    server.home.wait_for(lambda: len(server.facts()["notices"]) == 1)
    server.home.wait_for(lambda: ("transfers-api", "up") in server.facts()["states"])
    before = server.facts()

    for jump_s in JUMPS_S:
        server.set_clock(jump_s)
        server.home.wait_for(lambda: abs(server.last_stamp_s() - time.time() - jump_s) < 60)  # noqa: B023 - called at once
        asked = len(server.target.asked_s)
        server.home.wait_for(lambda: len(server.target.asked_s) >= asked + 2)  # noqa: B023 - called at once
        assert server.facts() == before, jump_s

    recorded = server.rows(
        "SELECT count(*) FROM check_results JOIN monitors ON no = monitor_no WHERE id = 'transfers-api'"
    )
    assert (
        abs(recorded[0][0] - len(server.target.asked_s)) <= 3
    )  # one may be under way, one unwritten, one cut at the start

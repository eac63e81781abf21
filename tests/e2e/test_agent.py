"""A real server and a real agent on loopback: cut off, killed, restarted, revoked. Nothing is lost and nothing counts twice."""

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from installation import Installation
from outpost import WALLET, Outpost, look, watch_arrivals


@pytest.fixture(scope="module")
def target():
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_):
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def home(tmp_path_factory, target):
    folder = tmp_path_factory.mktemp("home")
    (folder / "wallet.yaml").write_text(
        WALLET.format(url="http://127.0.0.1", network="127.0.0.0/8", target=target, regions="hk, sg"), encoding="utf-8"
    )
    found = Installation(folder, config=folder / "wallet.yaml")
    found.cli("doctor", check=False)  # makes the database
    watch_arrivals(found)
    found.start()
    yield found
    found.stop()


def arrivals(home, agent):
    return look(home, "SELECT boot, sequence FROM seen WHERE agent = ? ORDER BY no", agent)


def results(home, region):
    joined = "SELECT at_ms FROM check_results JOIN regions ON no = region_no WHERE name = ? ORDER BY at_ms"
    return [at_ms for (at_ms,) in look(home, joined, region)]


def add(home, name, region):
    return home.cli("agents", "add", name, "--region", region)["key"]


def test_an_agent_reports_is_killed_cut_off_and_goes_on(home, tmp_path):
    agent = Outpost(tmp_path, home.page, add(home, "hk-1", "hk")).start()
    try:
        home.wait_for(lambda: len(arrivals(home, "hk-1")) >= 2, within_s=60)
        agent.kill()
        agent.start()
        home.wait_for(lambda: len({boot for boot, _ in arrivals(home, "hk-1")}) == 2, within_s=60)
        home.stop()
        cut_ms = time.time_ns() // 1_000_000
        time.sleep(3.5)
        agent.kill()  # what it saw while cut off is on its disk
        healed_ms = time.time_ns() // 1_000_000
        home.start()
        agent.start()
        home.wait_for(lambda: len({boot for boot, _ in arrivals(home, "hk-1")}) == 3, within_s=60)
        assert agent.stop() == 0
    finally:
        agent.kill()

    seen = arrivals(home, "hk-1")
    boots = list(dict.fromkeys(boot for boot, _ in seen))
    assert seen == sorted(set(seen), key=lambda each: (boots.index(each[0]), each[1]))
    assert all([n for b, n in seen if b == boot] == list(range(1, 1 + sum(b == boot for b, _ in seen))) for boot in boots)
    # One a second, less the one that a kill may tear out of memory; stamped by the server's clock.
    assert len([at for at in results(home, "hk") if cut_ms <= at <= healed_ms]) >= 2
    assert "Traceback" not in agent.log.read_text() + home.log.read_text()


def test_a_revoked_agent_stops_probing_and_says_why(home, tmp_path):
    agent = Outpost(tmp_path, home.page, add(home, "sg-1", "sg"), region="sg").start()
    try:
        home.wait_for(lambda: arrivals(home, "sg-1"), within_s=60)
        home.cli("agents", "revoke", "sg-1")
        home.wait_for(lambda: "refuses this agent: revoked" in agent.log.read_text(), within_s=60)
        home.wait_for(lambda: "0 monitors are watched from here" in agent.log.read_text(), within_s=60)
        count = len(arrivals(home, "sg-1"))
        again = Outpost(tmp_path / "again", home.page, (tmp_path / "agent.key").read_text(), region="sg").start()
        assert again.process.wait(20) == 3
        assert len(arrivals(home, "sg-1")) == count
        assert agent.stop() == 0
    finally:
        agent.kill()


def test_an_agent_in_the_wrong_region_says_so_and_ends(home, tmp_path):
    agent = Outpost(tmp_path, home.page, add(home, "hk-2", "hk"), region="tokyo").start()

    assert agent.process.wait(20) == 3
    assert "knows this agent in region 'hk', not 'tokyo'" in agent.log.read_text()


@pytest.mark.parametrize(("fake", "region", "off_s"), [("+10m", "hk", 600), ("-1d", "sg", -86_400)])
def test_a_wrong_clock_of_the_machine_changes_no_time(fake, region, off_s, home, tmp_path):
    library = next(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"), None)
    assert library, "run scripts/test-setup (Debian: apt-get install faketime)"
    name, began_ms = f"{region}-late", time.time_ns() // 1_000_000
    clock = {
        "LD_PRELOAD": str(library), "FAKETIME": fake, "FAKETIME_DONT_FAKE_MONOTONIC": "1", "FAKETIME_FORCE_MONOTONIC_FIX": "0",
    }  # fmt: skip
    agent = Outpost(tmp_path, home.page, add(home, name, region), region=region, **clock).start()
    try:
        home.wait_for(lambda: len(arrivals(home, name)) >= 3, within_s=60)
        assert agent.stop() == 0
    finally:
        agent.kill()

    stamped = [json.loads(row)[0]["at_ms"] for (row,) in look(home, "SELECT results FROM seen WHERE agent = ? ORDER BY no", name)]
    (told,) = [row for row in home.cli("agents", "list") if row["name"] == name]
    assert began_ms < stamped[0] < stamped[-1] <= time.time_ns() // 1_000_000
    assert abs(told["clock_off_s"] - off_s) < 10


def test_the_list_tells_who_is_there(home):
    rows = {row["name"]: row for row in home.cli("agents", "list")}

    assert rows["sg-1"]["revoked"]
    assert rows["hk-1"]["seen_at"]
    assert abs(rows["hk-1"]["clock_off_s"]) < 5
    assert rows["hk-1"]["dropped_results"] == 0

"""The checker around the real engine and a real node: what a restart must not forget, which clock it follows."""

from __future__ import annotations

import json
import threading
import time
from contextlib import contextmanager
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import stage
import time_machine
from sqlalchemy import select, update

from probes.chains import memory
from probes.chains.record import Endpoint
from probes.engine import Engine
from statuspage.actions import runs
from statuspage.actions.context import COMMAND_LINE, Context
from statuspage.clock import to_ms
from statuspage.store import networks, notices
from statuspage.store.schema import catalogue
from statuspage.worker import checker as module
from statuspage.worker.checker import Checker
from statuspage.worker.election import election
from tests.builders import KEYS

GWEI = 10**9
FULL = 55_000_000
HOURS = 7  # fewer than six tell no usual price


class Node:
    """A BSC node, the base fee of which is always zero: blocks are full, and `price` is what it advises."""

    def __init__(self, clock):
        self.price = GWEI
        node = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                calls = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                said = [{"jsonrpc": "2.0", "id": each["id"], "result": node.says(each["method"])} for each in calls]
                body = json.dumps(said).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.clock = clock
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/"
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def says(self, method):
        return {
            "eth_chainId": "0x38", "eth_syncing": False, "eth_gasPrice": hex(self.price),
            "eth_getBlockByNumber": {
                "number": "0x3a2f1c0", "hash": "0x9d", "timestamp": hex(to_ms(self.clock()) // 1000), "gasUsed": hex(FULL),
                "gasLimit": hex(FULL), "transactions": [],
            },
            "eth_feeHistory": {"oldestBlock": "0x3a2f1ac", "baseFeePerGas": ["0x0"] * 21, "gasUsedRatio": [1.0] * 20},
        }[method]  # fmt: skip


@pytest.fixture
def clock():
    return stage.Clock()


@pytest.fixture
def ctx(sqlite_database, clock):
    return stage.furnish(Context(sqlite_database, KEYS, clock))


@pytest.fixture
def node(ctx, clock):
    """It is what `transfers-api` watches, ten times a second."""
    found = Node(clock)
    options = {"family": "evm", "chain_id": 56, "block_s": 0.45, "endpoints": [{"url": found.url}]}
    with ctx.db.write() as conn:
        conn.execute(catalogue.monitors.delete().where(catalogue.monitors.c.id != "transfers-api"))
        conn.execute(update(catalogue.monitors).values(
            kind="chain", target="bsc", options=options, interval_ms=100, retry_ms=100, allow_networks=["127.0.0.0/8"],
        ))  # fmt: skip
    yield found
    found.server.shutdown()
    found.server.server_close()


def wait_for(condition, seconds=20.0):
    until = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < until, f"not within {seconds} s"
        time.sleep(0.01)
    return found


@contextmanager
def checking(ctx, clock, folder):
    """A checker from its start to its end; what it sees, in order."""
    seen, stop = [], threading.Event()

    def engine(specs, take, self_test):
        def both(batch):
            seen.extend(batch)
            take(batch)

        return Engine(specs, both, self_test, now_ms=lambda: to_ms(clock()))

    checker = Checker(ctx, election(ctx, "checker", folder), engine)
    thread = threading.Thread(target=checker.run, args=(stop,), daemon=True)
    thread.start()
    try:
        yield seen
    finally:
        stop.set()
        thread.join(20)
        assert not thread.is_alive()


def remembered_prices(ctx):
    with ctx.db.read() as conn:
        kept = networks.remembered(conn).get("transfers-api", {})
    return [price for each in kept.values() for _, price in each["prices"]]


def fee_of(result):
    return result.evidence["endpoints"][0]["fee"]


def named(seen, endpoint):
    return [each for each in list(seen) if each.evidence["endpoints"][0]["endpoint"] == endpoint]


def test_after_a_restart_the_first_result_is_measured_against_the_price_of_before(ctx, clock, node, tmp_path):
    with checking(ctx, clock, tmp_path) as before:
        for hour in range(1, HOURS + 1):
            wait_for(lambda: len(remembered_prices(ctx)) >= hour)  # noqa: B023 - called at once
            clock.pass_(hours=1)
    node.price = 6 * GWEI
    with checking(ctx, clock, tmp_path) as after:
        wait_for(lambda: after)

    unknown = {"low": None, "fast": None, "pressure": None}  # not even that the price has to be asked for
    assert fee_of(before[0]) == {"unit": "gwei", **unknown}
    assert after[0].outcome == "up", after[0]
    assert fee_of(after[0]) == {"unit": "gwei", "low": 6.0, "fast": 6.0, "pressure": 1.0}


def test_a_monitor_that_is_configured_anew_keeps_what_was_usual(ctx, clock, node, tmp_path):
    past = [[to_ms(clock()) // 1000 - hour * 3600, GWEI] for hour in range(HOURS, 0, -1)]
    kept = {memory.key_of("evm", Endpoint("bsc", "own-1", node.url)): {"prices": past, "asks_price": True}}
    with checking(ctx, clock, tmp_path) as seen:
        wait_for(lambda: remembered_prices(ctx))
        with ctx.db.write() as conn:
            networks.remember(conn, {"transfers-api": kept})
            options = dict(conn.execute(select(catalogue.monitors.c.options)).scalar_one())
            options["endpoints"] = [{**options["endpoints"][0], "role": "reference"}]
            conn.execute(update(catalogue.monitors).values(options=options))
            notices.add_change(conn, {"page": True}, clock())
        wait_for(lambda: named(seen, "reference-1"))

    assert fee_of(named(seen, "reference-1")[0])["pressure"] == 0.79  # full blocks at the usual price


class Quiet:
    """An engine that probes nothing and notes what it is asked to run."""

    def __init__(self, *_):
        self.asked = []

    def start(self):
        pass

    stop = start

    def replace(self, specs):
        pass

    def run_now(self, monitor_id):
        self.asked.append(monitor_id)
        return True


class Rounds(threading.Event):
    """What the checker waits on at the top of each round."""

    count = 0

    def wait(self, timeout=None):
        self.count += 1
        return super().wait(timeout)


def test_a_wall_clock_that_is_set_back_does_not_keep_the_checker_from_looking_at_the_database(ctx, clock, tmp_path, monkeypatch):
    """It would take over no configuration and serve no "run now" for a day."""
    monkeypatch.setattr(module, "RELOAD_S", 0.4)
    monkeypatch.setattr(module, "DRAIN_S", 0.02)
    quiet, rounds, stop = Quiet(), Rounds(), threading.Event()
    checker = Checker(ctx, election(ctx, "checker", tmp_path), lambda *_: quiet)
    checker._arrived = rounds
    thread = threading.Thread(target=checker.run, args=(stop,), daemon=True)
    thread.start()
    try:
        runs.ask(ctx, COMMAND_LINE, "transfers-api")
        wait_for(lambda: quiet.asked, 10)
        begun = rounds.count
        wait_for(lambda: rounds.count > begun, 10)  # by now it knows when to look next
        clock.leap(days=-1)
        with time_machine.travel(timedelta(days=-1)):
            runs.ask(ctx, COMMAND_LINE, "login-api")
            wait_for(lambda: "login-api" in quiet.asked, 5)
    finally:
        stop.set()
        thread.join(20)

    assert not thread.is_alive()

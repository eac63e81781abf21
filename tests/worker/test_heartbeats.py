"""From a job's call to what the monitor is: the address, the signals kept, and the results that the checker takes."""

from __future__ import annotations

import functools
import threading
import time
from datetime import UTC, datetime, timedelta

import pytest
from click.testing import CliRunner
from flask import Flask
from sqlalchemy import select

from statuspage.actions import pings, runs
from statuspage.actions.context import COMMAND_LINE, Context
from statuspage.cli import main
from statuspage.config import check, plan
from statuspage.store import monitors as monitor_store
from statuspage.store import pings as store
from statuspage.store.schema.checks import monitor_states, transitions
from statuspage.store.schema.pings import pings as table
from statuspage.store.schema.runtime import run_requests
from statuspage.web.pings import pings_blueprint
from statuspage.worker.checker import Checker
from statuspage.worker.heartbeats import Heartbeats
from tests.builders import KEYS

YAML = """
page: {name: Demo Wallet, url: "https://status.wallet.example", languages: [en]}
components:
  transfers: {name: Transfers}
monitors:
  settlement: {component: transfers, publish: draft, heartbeat: {HEARTBEAT}}
"""
HOURLY = "every: 1h, grace: 5m"


@functools.cache
def parsed(text):
    config, problems = check.check_text(text, environ={})
    assert [str(each) for each in problems if each.severity == "error"] == []
    return config


class Clock:
    """The wall clock, and the monotonic one that goes along unless it leaps."""

    def __init__(self):
        self.at, self.monotonic = datetime(2026, 11, 22, 5, 0, tzinfo=UTC), 1000.0

    def __call__(self):
        return self.at

    def pass_(self, **elapsed):
        gone = timedelta(**elapsed)
        self.at += gone
        self.monotonic += gone.total_seconds()


class Place:
    """An installation with one heartbeat, its door for jobs, and the source that the checker polls."""

    def __init__(self, database, clock):
        self.ctx, self.clock = Context(database, KEYS, clock), clock
        self.configure(HOURLY)
        app = Flask("pings")
        app.register_blueprint(pings_blueprint(self.ctx))
        self.client = app.test_client()
        self.start()

    def configure(self, heartbeat, extra=""):
        plan.apply(self.ctx, COMMAND_LINE, parsed(YAML.replace("HEARTBEAT", heartbeat) + extra), allow_remove=True)

    def monitors(self):
        with self.ctx.db.read() as conn:
            return monitor_store.active(conn).values()

    def start(self):
        self.source = Heartbeats(self.ctx, self.monitors())

    @property
    def path(self):
        with self.ctx.db.read() as conn:
            options = store.listed(conn)[0]["options"]
        return "/ping/" + pings.token_of(self.ctx, "settlement", options)

    def call(self, rest="", method="GET", **given):
        return self.client.open(self.path + rest, method=method, **given)

    def rows(self):
        with self.ctx.db.read() as conn:
            found = conn.execute(select(table).where(table.c.kind.not_in(store.MARKS)).order_by(table.c.id)).mappings()
            return [dict(row) for row in found]

    def poll(self, **elapsed):
        """Time passes, with a poll every few seconds as the checker makes them; what the last one brought."""
        left = timedelta(**elapsed)
        while left > timedelta(0):
            step = min(left, timedelta(seconds=15))
            self.clock.pass_(seconds=step.total_seconds())
            left -= step
            found = self.source.take(self.clock.at)
            if left > timedelta(0) and found:
                self.seen = found
        return found if elapsed else self.source.take(self.clock.at)


@pytest.fixture
def clock(monkeypatch):
    found = Clock()
    monkeypatch.setattr("statuspage.worker.heartbeats.time.monotonic", lambda: found.monotonic)
    return found


@pytest.fixture
def place(sqlite_database, clock):
    return Place(sqlite_database, clock)


# --- the door ---


@pytest.mark.parametrize(
    ("rest", "kind", "code"),
    [("", "success", None), ("/start", "start", None), ("/fail", "fail", None), ("/log", "log", None),
     ("/0", "success", 0), ("/1", "fail", 1), ("/255", "fail", 255)],
)  # fmt: skip
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
def test_every_signal_is_kept_however_it_is_sent(place, rest, kind, code, method):
    answer = place.call(rest, method)

    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "no-store"
    assert [(row["monitor_id"], row["kind"], row["code"]) for row in place.rows()] == [("settlement", kind, code)]


def test_the_door_works_on_postgresql_as_well(postgres_database, clock):
    place = Place(postgres_database, clock)

    place.call("/start?rid=a", "POST", data=b"one\x00two")

    assert [(row["kind"], row["rid"], row["body"]) for row in place.rows()] == [("start", "a", "onetwo")]
    assert [result.outcome for result in place.poll()] == ["unknown"]


def test_tokens_that_do_not_exist_are_all_answered_alike(place):
    tokens, rests = ("0" * 40, "x", "settlement"), ("", "/fail", "/1")
    answers = [place.client.get(f"/ping/{token}{rest}") for token in tokens for rest in rests]

    assert {(answer.status_code, answer.data) for answer in answers} == {(404, b"not found\n")}
    assert place.rows() == []


@pytest.mark.parametrize("rest", ["/256", "/-1", "/stop", "/start/x", "?rid=a%20b", "?rid=" + "x" * 65])
def test_what_is_no_signal_is_refused(place, rest):
    assert place.call(rest).status_code in (400, 404)
    assert place.rows() == []


def test_a_body_is_kept_up_to_its_limit_and_without_its_secrets(place):
    said = b"password=hunter2 Authorization: Bearer abcdefghijklmnop\n" + b"x" * 20_000

    place.call("/log", "POST", data=said)

    body = place.rows()[0]["body"]
    assert "hunter2" not in body
    assert "abcdefghijklmnop" not in body
    assert 9_000 < len(body) <= 10_000


def test_a_loop_gone_wild_is_slowed_down_and_a_later_signal_is_kept(place, monkeypatch):
    now = [5000.0]
    monkeypatch.setattr("statuspage.web.pings.time.monotonic", lambda: now[0])
    codes = [place.call().status_code for _ in range(40)]

    now[0] += 4.0
    codes.append(place.call().status_code)

    assert codes == [200] * 30 + [429] * 10 + [200]
    assert len(place.rows()) == 31


def test_a_database_that_does_not_answer_asks_the_job_to_try_again(place):
    path = place.path
    place.client.get(path)
    place.ctx.db._file.rename(place.ctx.db._file.with_suffix(".gone"))

    answer = place.client.get(path)

    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")


def test_a_new_revision_closes_the_old_address(place):
    old = place.path
    place.configure("every: 1h, revision: 2")
    place.client = _client(place)

    assert place.client.get(old).status_code == 404
    assert place.call().status_code == 200


def _client(place):
    app = Flask("pings again")
    app.register_blueprint(pings_blueprint(place.ctx))
    return app.test_client()


def test_the_store_holds_no_more_than_judgement_needs(place, monkeypatch):
    monkeypatch.setattr(store, "KEPT", 20)
    monkeypatch.setattr(store, "KEPT_LOGS", 5)
    for number in range(90):
        pings.receive(place.ctx, "settlement", ("start", "success", "log")[number % 3])

    kinds = [row["kind"] for row in place.rows()]
    assert 20 <= len(kinds) <= 20 + 5 + 16
    assert kinds.count("log") <= 5 + 16


def test_no_address_is_stored(place):
    place.call("/start", "POST", data=b"hello")
    place.poll()
    token = place.path.removeprefix("/ping/").encode()

    files = place.ctx.db._file.parent.glob("statuspage.db*")
    assert all(token not in file.read_bytes() for file in files)


# --- the source of results ---


def test_nothing_ever_received_is_unknown(place):
    [result] = place.poll()

    assert (result.monitor_id, result.outcome, result.error_class) == ("settlement", "unknown", "waiting")


def test_a_signal_is_a_result_with_the_next_poll_and_silence_one_at_its_limit(place):
    place.poll()
    place.call()

    assert [result.outcome for result in place.poll()] == ["up"]
    assert place.poll() == []
    place.poll(minutes=64)
    assert place.seen[-1].outcome == "up"
    assert [result.outcome for result in place.poll(minutes=1, seconds=1)] == ["down"]


def test_a_failure_is_a_result_with_the_next_poll(place):
    place.call()
    place.poll()
    place.call("/3", "POST", data=b"ledger does not balance")

    [result] = place.poll()

    assert (result.outcome, result.error_class) == ("down", "assertion")
    assert result.evidence["body"] == "ledger does not balance"


def test_the_state_is_written_down_every_interval(place):
    place.call()
    found = [len(place.poll(seconds=15)) for _ in range(8)]

    assert sum(found) == 4


def test_a_restart_over_the_time_of_a_signal_makes_no_alarm(place):
    place.call()
    place.poll()
    _beat(place)
    place.clock.pass_(minutes=70)
    place.start()

    assert [result.outcome for result in place.poll()] == ["unknown"]
    place.poll(minutes=66)
    assert place.seen[-1].outcome == "down"


def test_a_quick_restart_forgets_nothing(place):
    place.call()
    place.poll(minutes=66)
    _beat(place)
    place.clock.pass_(seconds=5)
    place.start()

    assert [result.outcome for result in place.poll()] == ["down"]


def _beat(place):
    with place.ctx.db.write() as conn:
        monitor_store.beat(conn, "checker", place.clock.at)


@pytest.mark.parametrize("leap", [{"hours": 1}, {"days": 1}, {"hours": -1}, {"days": -1}])
def test_a_clock_that_leaps_makes_no_alarm(place, leap):
    place.call()
    place.poll(minutes=10)

    place.clock.at += timedelta(**leap)

    assert [result.outcome for result in place.poll(seconds=15)][-1:] in ([], ["up"], ["unknown"])
    assert {result.outcome for result in place.poll(minutes=20) or place.seen} <= {"up", "unknown"}


def test_a_process_that_stood_still_makes_no_alarm(place):
    place.call()
    place.poll(minutes=10)
    place.clock.pass_(minutes=60)

    assert [result.outcome for result in place.poll()] == ["unknown"]


def test_new_settings_begin_anew(place):
    place.configure("every: 1d, grace: 5m")
    place.start()
    place.call()
    place.poll(hours=3)
    place.configure(HOURLY)
    place.source.load(place.monitors())

    assert [result.outcome for result in place.poll()] == ["up"]
    place.poll(minutes=66)
    assert place.seen[-1].outcome == "down"


def test_a_pause_ends_without_an_alarm(place):
    place.call()
    place.poll()
    paused = YAML.replace("component: transfers, publish", "component: transfers, paused: true, publish")
    config, _ = check.check_text(paused.replace("HEARTBEAT", HOURLY), environ={})
    plan.apply(place.ctx, COMMAND_LINE, config)
    place.start()
    pings.mark_settings(place.ctx, place.clock.at)
    place.clock.pass_(hours=5)
    place.configure(HOURLY)
    _beat(place)
    place.start()

    assert [result.outcome for result in place.poll()] == ["up"]


# --- in the checker ---


class NoEngine:
    """Keeps what it was given to run."""

    def __init__(self):
        self.specs = None

    def __call__(self, specs, _results, _self_test):
        self.specs = specs
        return self

    def start(self): ...

    def stop(self): ...

    def replace(self, specs):
        self.specs = specs

    def run_now(self, _monitor_id):
        return False


class Leader:
    fence = None

    def is_leader(self):
        return True

    def resign(self): ...


@pytest.fixture
def checking(sqlite_database, until):
    """A running checker over an installation with one heartbeat; the clocks are the real ones."""
    place = Place(sqlite_database, lambda: datetime.now(UTC).replace(microsecond=0))
    place.engine = NoEngine()
    stop = threading.Event()
    thread = threading.Thread(target=Checker(place.ctx, Leader(), place.engine).run, args=(stop,))
    thread.start()
    yield place
    stop.set()
    thread.join(10)
    assert not thread.is_alive()


@pytest.fixture
def until():
    def wait(condition, seconds=10):
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end
            time.sleep(0.02)

    return wait


def _first(place, column):
    with place.ctx.db.read() as conn:
        return conn.execute(select(column)).scalar()


def test_a_failed_job_is_a_transition_at_once_and_a_success_the_way_back(checking, until):
    checking.call("/fail")
    until(lambda: _first(checking, monitor_states.c.state) == "down")
    checking.call()
    until(lambda: _first(checking, monitor_states.c.state) == "up")

    with checking.ctx.db.read() as conn:
        assert list(conn.execute(select(transitions.c.new).order_by(transitions.c.id)).scalars()) == ["down", "up"]
    assert checking.engine.specs == []


def test_run_now_is_answered_for_a_heartbeat_too(checking, until):
    until(lambda: _first(checking, monitor_states.c.state) is not None or checking.engine.specs is not None)
    runs.ask(checking.ctx, COMMAND_LINE, "settlement")

    until(lambda: _first(checking, run_requests.c.result) is not None)
    assert _first(checking, run_requests.c.result)["message"] == "no signal has ever come"


# --- for operators ---


def test_the_command_line_lists_the_addresses(tmp_path, monkeypatch):
    monkeypatch.setenv("STATUSPAGE_DATA", str(tmp_path))
    file = tmp_path / "wallet.yaml"
    file.write_text(YAML.replace("HEARTBEAT", HOURLY), encoding="utf-8")
    assert CliRunner().invoke(main, ["config", "apply", str(file)]).exit_code == 0

    found = CliRunner().invoke(main, ["heartbeat", "list"])

    assert found.exit_code == 0
    assert "https://status.wallet.example/ping/" in found.output
    assert "no signal yet" in found.output

"""The engine: cadence, deadlines, fairness, and no report of what is not so."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections import Counter
from pathlib import Path

import pytest

from probes import schedule
from probes.engine import Engine
from probes.registry import PROBES, Probe
from probes.schedule import Entry, Streak
from probes.spec import ProbeSpec

LOCAL = ("127.0.0.0/8",)
DEAD = "http://127.0.0.1:9/"


def spec(name, target, options=None, kind="http", **more):
    settings = {"interval_s": 0.3, "timeout_s": 1.0, "retry_s": 0.1, "allow_networks": LOCAL, **more}
    return ProbeSpec(name, kind, target, options or {}, **settings)


class Watch:
    """Collects batches."""

    def __init__(self):
        self.batches = []
        self.threads = set()

    def __call__(self, batch):
        self.batches.append((time.monotonic(), batch))
        self.threads.add(threading.current_thread().name)

    @property
    def results(self):
        return [result for _, batch in self.batches for result in batch]

    def of(self, name):
        return [result for result in self.results if result.monitor_id == name]


@pytest.fixture
def run_engine():
    """`run_engine(specs, ...)` starts an engine that is stopped with the test."""
    engines = []

    def start(specs, **more):
        watch = Watch()
        engine = Engine(specs, watch, **more)
        engines.append(engine)
        engine.start()
        return engine, watch

    yield start
    for engine in engines:
        engine.stop()
        assert not engine.is_alive


def test_every_monitor_runs_on_its_cadence_and_results_come_in_batches(serve, answer, run_engine):
    server = serve(answer())

    engine, watch = run_engine(
        [spec(f"m{n}", server.url, interval_s=0.5) for n in range(20)], region="hk", now_ms=lambda: 77
    )
    time.sleep(2.6)
    engine.stop()

    runs = Counter(result.monitor_id for result in watch.results)
    assert len(runs) == 20
    assert set(runs.values()) <= {4, 5, 6}
    assert len(watch.batches) <= 13
    assert {(result.region, result.at_ms, result.outcome) for result in watch.results} == {("hk", 77, "up")}
    assert watch.threads <= {"probes"}


def test_a_restart_does_not_fire_everything_at_once(serve, answer, run_engine, until):
    times = []
    lock = threading.Lock()

    def note(connection):
        with lock:
            times.append(time.monotonic())
        connection.recv(65536)
        connection.sendall(answer())

    server = serve(note)
    run_engine([spec(f"m{n}", server.url, interval_s=1.0) for n in range(50)])
    until(lambda: len(times) >= 50)

    # How evenly is the scheduler's next test; here, on a machine of any speed, only that they do not come as one volley.
    assert len({int((moment - times[0]) * 10) for moment in times[:50]}) >= 4


def test_a_long_interval_is_seen_within_the_first_round_and_then_spread():
    origin, interval = 1000.0, 300.0
    firsts = [schedule.first_due(origin, (n + 0.5) / 100, interval) for n in range(100)]

    entry = Entry(spec("m", DEAD, interval_s=interval), None, "", 0.9, origin, firsts[90], Streak())
    due, missed = entry.next_due(firsts[90], firsts[90] + 1, confirming=False)

    assert max(firsts) < origin + schedule.FIRST_ROUND_S
    assert missed == 0
    assert interval / 2 <= due - firsts[90] <= 1.5 * interval


def test_the_cadence_does_not_drift_and_missed_rounds_are_counted_not_caught_up():
    entry = Entry(spec("m", DEAD, interval_s=10.0), None, "", 0.5, 0.0, 5.0, Streak())

    assert entry.next_due(5.2, 5.3, confirming=False) == (15.0, 0)
    assert entry.next_due(15.9, 16.0, confirming=False) == (25.0, 0)
    assert entry.next_due(5.0, 47.0, confirming=False) == (55.0, 4)


def test_a_change_is_confirmed_at_the_retry_pace(serve, answer, run_engine, until):
    state = {"answer": answer()}

    def switch(connection):
        connection.recv(65536)
        connection.sendall(state["answer"])

    server = serve(switch)
    _, watch = run_engine([spec("m", server.url, interval_s=2.0, retry_s=0.2, failures=3, successes=2)])
    until(lambda: watch.of("m"))
    state["answer"] = answer(b"", "500 x")
    until(lambda: len([r for r in watch.of("m") if r.outcome == "down"]) >= 3)
    began = next(at for at, batch in watch.batches if batch[0].outcome == "down")
    third = [at for at, batch in watch.batches for r in batch if r.outcome == "down"][2]

    assert third - began <= 2 * 0.2 + 0.5
    time.sleep(1.0)
    assert len([r for r in watch.of("m") if r.outcome == "down"]) == 3


def test_streaks_ask_for_more_only_while_a_change_is_open():
    streak = Streak()
    feed = [
        streak.add(outcome, 3, 2) for outcome in ("up", "down", "down", "unknown", "down", "down", "up", "up", "up")
    ]

    assert feed == [False, True, True, True, False, False, True, False, False]
    assert streak.settled == "up"
    assert Streak().add("down", 3, 2) is True
    assert Streak().add("down", 1, 1) is False


def test_lateness_is_measured(run_engine, serve):
    server = serve(lambda _: time.sleep(0.4))

    _, watch = run_engine([spec(f"m{n}", server.url, interval_s=0.5, timeout_s=0.3) for n in range(30)])
    time.sleep(2.5)

    assert max(result.late_ms for result in watch.results) > 100


def test_one_slow_server_does_not_delay_another(serve, answer, run_engine):
    slow, fast = serve(lambda _: time.sleep(2)), serve(answer())

    _, watch = run_engine(
        [spec(f"s{n}", slow.url) for n in range(60)] + [spec(f"f{n}", fast.url, interval_s=0.5) for n in range(10)],
        max_concurrent=40,
    )
    time.sleep(2.5)

    late = [result.late_ms for result in watch.results if result.monitor_id.startswith("f")]
    assert len(late) >= 30
    assert max(late) < 250


def test_run_now_runs_at_once_and_knows_its_monitors(serve, answer, run_engine, until):
    server = serve(answer())
    engine, watch = run_engine([spec("m", server.url, interval_s=60.0)])
    until(lambda: watch.of("m"), 12)

    assert engine.run_now("m")
    assert not engine.run_now("other")
    until(lambda: len(watch.of("m")) == 2, 1)


def test_replace_adds_removes_changes_and_keeps(serve, answer, run_engine, until):
    old, new = serve(answer()), serve(answer())
    keep, gone, change = spec("keep", old.url), spec("gone", old.url), spec("change", old.url)
    engine, watch = run_engine([keep, gone, change])
    until(lambda: {"keep", "gone", "change"} <= {r.monitor_id for r in watch.results})
    kept = engine._entries["keep"]

    engine.replace([keep, spec("change", new.url), spec("fresh", new.url)])
    until(lambda: watch.of("fresh"))
    time.sleep(0.3)
    seen = len(watch.of("gone"))
    time.sleep(0.7)

    assert engine._entries["keep"] is kept
    assert len(watch.of("gone")) == seen
    assert new.connections > 0
    assert engine.stats()["monitors"] == 3


def test_a_removed_monitor_reports_nothing_although_its_probe_was_running(serve, run_engine):
    server = serve(lambda _: time.sleep(5))
    engine, watch = run_engine([spec("m", server.url, timeout_s=0.6)])
    time.sleep(0.3)

    engine.replace([])
    time.sleep(1.0)

    assert watch.results == []
    assert engine.stats()["running"] == 0


def test_stopping_ends_what_runs_and_reports_nothing_about_it(serve, run_engine):
    server = serve(lambda _: time.sleep(30))
    engine, watch = run_engine([spec("m", server.url, timeout_s=20.0)])
    time.sleep(0.5)
    began = time.monotonic()

    engine.stop()

    assert time.monotonic() - began < 2.8
    assert watch.results == []


@pytest.fixture
def bad_kinds(monkeypatch, tmp_path):
    """Kinds that raise, hang, and block; as a module of their own, the way real kinds are."""
    (tmp_path / "bad_kind.py").write_text(
        textwrap.dedent("""
            import asyncio
            async def check(spec, run):
                if spec.target == "raise":
                    raise RuntimeError("boom")
                if spec.target == "exit":
                    raise MemoryError
                if spec.target == "hang":
                    await asyncio.sleep(60)
                if spec.target == "stubborn":
                    while True:
                        try:
                            await asyncio.sleep(60)
                        except TimeoutError:
                            pass
                return 5
            def authority(spec):
                return spec.target
        """)
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(PROBES, "bad", Probe("bad", "bad_kind"))


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("raise", ("unknown", "internal")),
        ("exit", ("unknown", "internal")),
        ("hang", ("down", "timeout")),
        ("stubborn", ("down", "timeout")),
        ("wrong", ("unknown", "internal")),
    ],
)
def test_a_probe_that_misbehaves_never_kills_the_loop(serve, answer, run_engine, until, bad_kinds, target, expected):
    server = serve(answer())

    engine, watch = run_engine([spec("bad", target, kind="bad", timeout_s=0.5), spec("good", server.url)])
    until(lambda: watch.of("bad"), 3)
    until(lambda: len(watch.of("good")) >= 4)

    assert (watch.of("bad")[0].outcome, watch.of("bad")[0].error_class) == expected
    assert watch.of("bad")[0].duration_ms < 1000
    assert engine.is_alive


def test_an_unknown_kind_is_unknown(run_engine, until):
    _, watch = run_engine([spec("m", "x", kind="nonsense")])
    until(lambda: watch.results)

    assert watch.results[0].outcome == "unknown"


@pytest.mark.parametrize(
    ("more", "outcome"),
    [
        ({"allow_networks": ("nonsense",)}, "unknown"),
        ({"interval_s": 0.0}, "up"),
        ({"options": {"expect": {"json": ["=="]}}}, "unknown"),
        ({"options": {"degraded_above": "soon"}}, "unknown"),
    ],
)
def test_a_spec_that_should_have_been_refused_hurts_only_itself(serve, answer, run_engine, until, more, outcome):
    server = serve(answer())

    engine, watch = run_engine([spec("bad", server.url, **more), spec("good", server.url)])
    until(lambda: len(watch.of("bad")) >= 2 and len(watch.of("good")) >= 2)

    assert watch.of("bad")[0].outcome == outcome
    assert watch.of("good")[0].outcome == "up"
    assert engine.is_alive


def test_a_receiver_that_raises_does_not_stop_the_engine(serve, answer, until):
    server = serve(answer())
    seen = []

    def receive(batch):
        seen.append(len(batch))
        raise RuntimeError

    engine = Engine([spec("m", server.url)], receive)
    engine.start()
    until(lambda: len(seen) >= 3)
    engine.stop()

    assert engine.stats()["lost_batches"] >= 3


def test_a_jump_of_the_wall_clock_moves_nothing(serve, answer, run_engine):
    server = serve(answer())
    clock = {"ms": 1_000_000}

    _, watch = run_engine([spec("m", server.url, interval_s=0.3)], now_ms=lambda: clock["ms"])
    time.sleep(0.8)
    clock["ms"] += 3_600_000
    time.sleep(0.8)
    clock["ms"] -= 7_200_000
    time.sleep(0.8)

    assert 6 <= len(watch.results) <= 9
    assert {result.outcome for result in watch.results} == {"up"}
    assert max(result.late_ms for result in watch.results) < 250


# --- our own troubles ---


def test_a_failure_of_everything_with_the_references_is_our_own(serve, run_engine, until):
    mute = [serve(lambda _: time.sleep(9)) for _ in range(4)]

    engine, watch = run_engine(
        [spec(f"m{n}", server.url, timeout_s=0.5) for n, server in enumerate(mute)],
        self_test=[DEAD, "http://127.0.0.1:10/"],
        allow_networks=LOCAL,
    )
    until(lambda: len({r.monitor_id for r in watch.results}) == 4)

    assert {(r.outcome, r.error_class) for r in watch.results} == {("unknown", "own_network")}
    assert engine.stats()["own_network"] >= 4


def test_with_a_good_reference_the_same_failures_are_theirs(serve, answer, run_engine, until):
    reference = serve(answer(b"", "404 x"))

    _, watch = run_engine(
        [spec(f"m{n}", f"http://127.0.0.1:{n + 9}/") for n in range(4)],
        self_test=[DEAD, reference.url],
        allow_networks=LOCAL,
    )
    until(lambda: len({r.monitor_id for r in watch.results}) == 4)

    assert {(r.outcome, r.error_class) for r in watch.results} == {("down", "refused")}


def test_dead_references_do_not_hide_one_real_outage(serve, answer, run_engine, until):
    good = [serve(answer()) for _ in range(8)]

    _, watch = run_engine(
        [spec("bad", DEAD, interval_s=0.5)] + [spec(f"g{n}", server.url) for n, server in enumerate(good)],
        self_test=["http://127.0.0.1:10/"],
        allow_networks=LOCAL,
    )
    until(lambda: len(watch.of("bad")) >= 4)

    assert [r.outcome for r in watch.of("bad")[1:]] == ["down"] * (len(watch.of("bad")) - 1)


def test_a_cut_of_our_network_opens_nothing_and_its_end_is_seen(serve, answer, run_engine, until):
    servers = [serve(answer()) for _ in range(10)]
    reference = serve(answer())
    cut = threading.Event()
    for server in [*servers, reference]:
        behave = server.answer
        server.answer = lambda connection, behave=behave: time.sleep(9) if cut.is_set() else behave(connection)

    _, watch = run_engine(
        [spec(f"m{n}", server.url, timeout_s=0.8) for n, server in enumerate(servers)],
        self_test=[reference.url],
        allow_networks=LOCAL,
    )
    until(lambda: len({r.monitor_id for r in watch.results}) == 10)
    time.sleep(1.5)
    cut.set()
    time.sleep(4.5)
    cut.clear()
    mark = len(watch.results)
    until(lambda: len({r.monitor_id for r in watch.results[mark:] if r.outcome == "up"}) == 10, 10)

    assert Counter(r.outcome for r in watch.results)["down"] == 0
    assert Counter(r.error_class for r in watch.results)["own_network"] >= 10


STALLED = """
import os, sys, threading, time
from probes.engine import Engine
from probes.spec import ProbeSpec
seen = []
local = ("127.0.0.0/8",)
specs = [ProbeSpec(f"m{n}", "http", url, {}, 0.5, 1.0, 0.2, allow_networks=local) for n, url in enumerate(sys.argv[1:])]
engine = Engine(specs, seen.extend)
engine.start()
print("ready", flush=True)
sys.stdin.readline()
engine.stop()
bad = [result.outcome for result in seen if result.outcome in ("down", "degraded")]
print(len(bad), len(seen), engine.stats()["stalls"], flush=True)
"""


def test_a_process_that_stood_still_reports_no_outage_of_others(serve, answer):
    def late(connection):
        connection.recv(65536)
        time.sleep(0.3)
        connection.sendall(answer())

    servers = [serve(late) for _ in range(6)]
    process = subprocess.Popen(
        [sys.executable, "-c", STALLED, *(server.url for server in servers)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout.readline() == "ready\n"
        time.sleep(1.5)
        os.kill(process.pid, signal.SIGSTOP)
        time.sleep(4)
        os.kill(process.pid, signal.SIGCONT)
        time.sleep(1.5)
        found, _ = process.communicate("\n", timeout=10)
    finally:
        process.kill()

    bad, count, stalls = map(int, found.split())
    assert (bad, stalls) == (0, 1)
    assert count > 10


# --- what is left behind (fifty hostile servers at once: test_hostile.py) ---


def test_no_file_is_left_open(serve, answer, run_engine):
    server = serve(answer())
    _, watch = run_engine([spec(f"m{n}", server.url, interval_s=0.2) for n in range(20)])
    time.sleep(1)
    before = len(list(Path("/proc/self/fd").iterdir()))
    time.sleep(2)
    after = len(list(Path("/proc/self/fd").iterdir()))

    assert len(watch.results) > 200
    assert after - before < 20

"""The machine of agents drives the real link, spool, server and checker's intake; and finds every bug that is planted."""

from dataclasses import replace

import pytest
from agent_machine import AgentMachine, Ground
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from probes import agent_clock, agent_link
from probes.agent_spool import Spool
from statuspage.domain import agents as domain
from statuspage.store import agents as store
from statuspage.worker.arrivals import Arrivals


@pytest.fixture
def run(sqlite_database, tmp_path, monkeypatch):
    """A function that lets the machine run some examples."""
    AgentMachine.ground, AgentMachine.folder = Ground(sqlite_database), tmp_path
    monkeypatch.setattr(agent_clock, "elapsed_ns", AgentMachine.ground.elapsed_ns)
    monkeypatch.setattr(agent_link, "POLL_S", 1e9)
    monkeypatch.setattr("os.fsync", lambda _file: None)  # what a power cut leaves is not this test's subject

    def go(examples, steps=25):
        run_state_machine_as_test(AgentMachine, settings=settings(
            max_examples=examples, stateful_step_count=steps, deadline=None, derandomize=True, database=None, print_blob=False,
            suppress_health_check=list(HealthCheck), phases=[Phase.generate], report_multiple_bugs=False,
        ))  # fmt: skip

    return go


def test_the_promise_holds(run):
    run(20)


def _doubles_count(monkeypatch):
    real = domain.receive
    monkeypatch.setattr(domain, "receive", lambda boot, sequence, sample: (real(boot, sequence, sample)[0], True))


def _boots_are_not_told_apart(monkeypatch):
    load, save = store.load_boot, store.save_boot
    monkeypatch.setattr(store, "load_boot", lambda conn, agent, _boot: load(conn, agent, "0" * 16))
    monkeypatch.setattr(store, "save_boot", lambda conn, agent, _boot, *rest: save(conn, agent, "0" * 16, *rest))


def _sent_counts_as_delivered(monkeypatch):
    real = agent_link.Link._push

    def push(self):
        waiting = self._spool.peek(10**6)
        try:
            return real(self)
        finally:
            self._spool.done([token for token, _ in waiting])

    monkeypatch.setattr(agent_link.Link, "_push", push)


def _noted_but_not_put_aside(monkeypatch):
    real = store.add_batches
    monkeypatch.setattr(store, "add_batches", lambda conn, rows: real(conn, rows[:1]))


def _taken_away_before_it_is_recorded(monkeypatch):
    real = Arrivals.take

    def take(self, ctx, monitors):
        found = real(self, ctx, monitors)
        with ctx.db.write() as conn:
            store.delete_batches(conn, found.ids)
        return found

    monkeypatch.setattr(Arrivals, "take", take)


def _recorded_but_never_taken_away(monkeypatch):
    monkeypatch.setattr(store, "delete_batches", lambda _conn, _ids: None)


def _the_agents_word_for_the_time(monkeypatch):
    monkeypatch.setattr(domain.Batch, "corrected", lambda self, _offset, _received, region: [
        replace(one, region=region) for one in self.results
    ])  # fmt: skip


def _a_restart_forgets_what_waits(monkeypatch):
    real = Spool._recover

    def recover(self):
        real(self)
        for segment in self._segments:
            segment.lines.clear()

    monkeypatch.setattr(Spool, "_recover", recover)


def _a_slow_first_request_puts_later_results_before_it(monkeypatch):
    monkeypatch.setattr(Arrivals, "_in_order", lambda _self, _agent, result: result)


def _taken_twice_moves_on(monkeypatch):
    real = Arrivals.take

    def take(self, ctx, monitors):
        found = real(self, ctx, monitors)
        self._taken = {}
        return found

    monkeypatch.setattr(Arrivals, "take", take)


def _the_newest_first(monkeypatch):
    real = Spool.peek
    monkeypatch.setattr(Spool, "peek", lambda self, _room: real(self, 10**6)[::-1])


def _every_request_has_its_own_offset(monkeypatch):
    monkeypatch.setattr(domain, "_JUMP_MS", -(10**9))


BUGS = [
    _doubles_count, _boots_are_not_told_apart, _sent_counts_as_delivered, _noted_but_not_put_aside,
    _taken_away_before_it_is_recorded, _recorded_but_never_taken_away, _the_agents_word_for_the_time,
    _a_restart_forgets_what_waits, _a_slow_first_request_puts_later_results_before_it, _the_newest_first,
]  # fmt: skip


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.__name__.strip("_"))
def test_the_machine_finds(bug, run, monkeypatch):
    bug(monkeypatch)

    with pytest.raises(AssertionError):
        run(80)

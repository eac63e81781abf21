"""The promise of agents as a state machine over the real parts: link, spool, signature, server, database, checker's intake.

The promise: every result that counted as kept is recorded exactly once, whatever is lost, doubled, delayed or reordered on the
way and whoever is killed; a monitor's results of one boot keep their order; times are the server's, however wrong the agent's
clock is.
"""

from __future__ import annotations

import shutil
from dataclasses import replace
from itertools import count

from flask import Flask
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from sqlalchemy import delete, event, update
from stage import Clock as Time
from stage import furnish

from probes.agent_clock import Clock, kernel_id
from probes.agent_link import Answer, Link, NoServer
from probes.agent_signature import read_key
from probes.agent_spool import Batch, Spool
from probes.result import CheckResult
from statuspage.actions import agents, checks
from statuspage.actions.context import COMMAND_LINE, Context
from statuspage.clock import to_ms
from statuspage.keys import Keys
from statuspage.store.schema import catalogue
from statuspage.store.schema.people import agent_batches
from statuspage.web.agents import agents_blueprint
from statuspage.worker.arrivals import Arrivals

MONITORS = ("transfers-api", "balances-api")
FATES = ("arrives", "arrives", "request lost", "answer lost", "delayed")
ENDS = ("commit", "commit", "commit", "killed before", "killed after", "no database")
SECRET = Keys(b"\x01" * 32, b"\x02" * 32, b"\x03" * 32)


class Crash(BaseException):
    """The process is gone."""


class Network:
    """What lies between link and server: each request meets the next fate; what was delayed or recorded can come again."""

    def __init__(self, server):
        self.server, self.fate = server, "arrives"
        self.delayed, self.recorded = [], []

    def path_of(self, path):
        return path

    def ask(self, method, path, headers, body=None):
        if self.fate == "request lost":
            raise NoServer("no answer")
        if self.fate == "delayed":
            self.delayed.append((method, path, headers, body))
            raise NoServer("no answer")
        answer = self.deliver(method, path, headers, body)
        if self.fate == "answer lost":
            raise NoServer("no answer")
        return answer

    def deliver(self, method, path, headers, body):
        self.recorded.append((method, path, headers, body))
        answer = self.server().open(path, method=method, headers=headers, data=body)
        return Answer(answer.status_code, {name.lower(): value for name, value in answer.headers.items()}, answer.data)


class Ground:
    """What all examples share, since making it anew would cost most of the time: the database, its monitors, the time.

    Two monitors of one component, and so many failures to confirm that no notice is ever opened: what a result means is not
    the promise, and notices that pile up over the examples would be read again at each restart.
    """

    def __init__(self, database):
        self.db, self.time = database, Time()
        event.listen(database._writer, "connect", lambda dbapi, _record: dbapi.execute("PRAGMA synchronous=OFF"))
        self.ctx = furnish(Context(database, SECRET, self.time))
        monitors, components = catalogue.monitors, catalogue.components
        with database.write() as conn:
            conn.execute(delete(monitors).where(monitors.c.id.not_in(MONITORS)))
            conn.execute(update(monitors).values(component_id="transfers", failures=100))
            conn.execute(delete(components).where(components.c.id != "transfers"))
        self.book = checks.begin(self.ctx)

    def elapsed_ns(self):
        return to_ms(self.time()) * 1_000_000


class AgentMachine(RuleBasedStateMachine):
    """One agent, one server, one checker. `ground` and `folder` are set by the test."""

    ground = folder = None
    numbers = count()

    def __init__(self):
        super().__init__()
        self.db, self.time, self.ctx = self.ground.db, self.ground.time, self.ground.ctx
        self.name = f"hk-{next(self.numbers)}"
        self.seen, self.recorded, self.at = [], [], {}
        self.spool = None

    @initialize(error_min=st.sampled_from([0, 10, -10]))
    def set_up(self, error_min):
        self.key = read_key(agents.add(self.ctx, COMMAND_LINE, self.name, "hk"))
        self.restart_server()
        self.arrivals, self.book = Arrivals(), self.ground.book  # of a checker that has run on since the last example
        self.network = Network(self._client)
        self._start_agent(error_min)

    def _client(self):
        return self.app.test_client()

    def _start_agent(self, error_min):
        now_ms = to_ms(self.time())
        self.clock = Clock(now_ms + error_min * 60_000, now_ms * 1_000_000, kernel_id())
        self.boot, self.sequence = f"{next(self.numbers):016x}", 0
        self.spool = Spool(self.folder / self.name)
        self.link = Link(self.network, self.key, self.clock, self.spool, lambda _data: None)
        self.network.fate = "arrives"
        self.link.turn()  # its assignments: the rest is about results

    # -- what happens --

    @rule(names=st.lists(st.sampled_from(MONITORS), min_size=1, max_size=3), outcome=st.sampled_from(["up", "up", "down"]))
    def the_agent_sees(self, names, outcome):
        results = []
        for name in names:
            self.time.pass_(milliseconds=300)
            word = f"{self.boot}-{len(self.seen)}"
            self.seen.append((word, name, self.boot, to_ms(self.time())))
            error = None if outcome == "up" else "status"
            results.append(CheckResult(name, outcome, self.clock.now_ms(), 5.0, error, word).to_json())
        self.sequence += 1
        assert self.spool.append(Batch(self.boot, self.sequence, self.clock, self.clock.now_ms(), results))

    @rule(fate=st.sampled_from(FATES), turns=st.integers(1, 3))
    def the_agent_sends(self, fate, turns):
        self.network.fate = fate
        for _ in range(turns):
            self.link.turn()

    @rule(seconds=st.integers(0, 15))
    def time_passes(self, seconds):
        self.time.pass_(seconds=seconds)

    @precondition(lambda self: self.network.delayed)
    @rule(data=st.data())
    def a_delayed_request_arrives(self, data):
        place = data.draw(st.integers(0, len(self.network.delayed) - 1))
        self.network.deliver(*self.network.delayed.pop(place))

    @precondition(lambda self: self.network.recorded)
    @rule(data=st.data())
    def a_request_is_replayed(self, data):
        self.network.deliver(*data.draw(st.sampled_from(self.network.recorded[-8:])))

    @rule(error_min=st.sampled_from([0, 10, -10]))
    def the_agent_is_killed(self, error_min):
        self.spool.close()  # all that the kernel does for a killed process: give its locks back
        self._start_agent(error_min)

    @rule(fate=st.sampled_from(FATES), name=st.sampled_from(MONITORS))
    def the_agent_sees_and_sends(self, fate, name):
        """As it goes most of the time; without this rule half of all examples never deliver anything."""
        self.the_agent_sees(names=[name], outcome="up")
        self.the_agent_sends(fate=fate, turns=1)

    @rule(name=st.sampled_from(MONITORS), fate=st.sampled_from(FATES), ends=st.sampled_from(ENDS))
    def a_whole_round(self, name, fate, ends):
        """From a result to its record: most of what can go wrong shows at the end of it."""
        self.the_agent_sees_and_sends(fate=fate, name=name)
        self.the_checker_records(ends=ends)

    @rule(name=st.sampled_from(MONITORS), seconds=st.integers(1, 15), error_min=st.sampled_from([0, 10, -10]))
    def the_first_request_of_a_start_takes_its_time(self, name, seconds, error_min):
        """It arrives later than it was stamped, and its successor, seen meanwhile, at once: what the server thinks of the agent's
        clock moves in between.
        """
        self.the_agent_is_killed(error_min=error_min)
        self.the_agent_sees_and_sends(fate="delayed", name=name)
        self.the_agent_sees(names=[name], outcome="up")
        self.time_passes(seconds=seconds)
        for request in self.network.delayed[-1:]:
            self.network.deliver(*request)
        self.a_whole_round(name=name, fate="arrives", ends="commit")

    @rule()
    def restart_server(self):
        self.app = Flask("agents")
        self.app.register_blueprint(agents_blueprint(self.ctx))

    @rule()
    def restart_checker(self):
        self.arrivals = Arrivals()
        self.book = self.ground.book = checks.begin(self.ctx)

    @rule(ends=st.sampled_from(ENDS))
    def the_checker_records(self, ends):
        taken = self.arrivals.take(self.ctx, self.book.monitors)
        if ends == "no database":
            return  # the same batches are taken again
        ctx = replace(self.ctx, db=Mortal(self.db, ends))
        try:
            checks.record(ctx, self.book, taken.results, arrived=taken.ids)
        except Crash:
            self.restart_checker()
        if ends != "killed before":
            for result in taken.results:
                self.recorded.append(result.message)
                self.at.setdefault(result.message, result.at_ms)

    # -- what must hold --

    @invariant()
    def nothing_counts_twice_and_nothing_is_invented(self):
        assert len(set(self.recorded)) == len(self.recorded)
        assert set(self.recorded) <= {word for word, *_ in self.seen}

    @invariant()
    def the_order_within_a_boot_holds(self):
        places = {word: place for place, word in enumerate(self.recorded)}
        last = {}
        for word, name, boot, _at in self.seen:
            if word in places:
                before = last.get((name, boot), (-1, -1))
                assert (places[word], self.at[word]) > before
                assert self.at[word] > before[1]
                last[name, boot] = (places[word], self.at[word])

    @invariant()
    def no_result_is_of_the_future_or_long_before_it_was_seen(self):
        seen_at = {word: at for word, _name, _boot, at in self.seen}
        now = to_ms(self.time())
        assert all(seen_at[word] <= at <= now + 10 for word, at in self.at.items())

    def teardown(self):
        """In the end the network heals: everything kept arrives."""
        if self.spool is None:
            return
        try:
            self._heal()
        finally:
            self.spool.close()
            shutil.rmtree(self.folder / self.name)
            with self.db.write() as conn:
                conn.execute(delete(agent_batches))  # not by what a planted bug may have broken

    def _heal(self):
        self.network.fate = "arrives"
        for _ in range(200):
            if not self.spool.waiting():
                break
            self.link.turn()
        self.the_checker_records("commit")
        missing = {word for word, *_ in self.seen} - set(self.recorded)
        self.nothing_counts_twice_and_nothing_is_invented()
        self.the_order_within_a_boot_holds()
        assert not missing


class Mortal:
    """A database whose next write ends in a crash, before its commit or after."""

    def __init__(self, db, ends):
        self._db, self._ends, self.read, self.is_sqlite = db, ends, db.read, db.is_sqlite

    def write(self):
        return _Write(self._db.write(), self._ends)


class _Write:
    def __init__(self, real, ends):
        self._real, self._ends = real, ends

    def __enter__(self):
        return self._real.__enter__()

    def __exit__(self, *error):
        if self._ends == "killed before" and error[0] is None:
            crash = Crash()
            self._real.__exit__(Crash, crash, None)
            raise crash
        self._real.__exit__(*error)
        if self._ends == "killed after" and error[0] is None:
            raise Crash

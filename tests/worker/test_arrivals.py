"""From the table of batches to the checker: in order, once, no more than a round can bear, and seen on the page."""

import threading

import pytest
import stage
from sqlalchemy import select

from probes.result import CheckResult
from statuspage.actions import agents as actions
from statuspage.actions import checks
from statuspage.actions.agents import Revoked
from statuspage.actions.context import COMMAND_LINE, Context
from statuspage.clock import to_ms
from statuspage.domain.agents import Batch, Delivery
from statuspage.keys import Keys
from statuspage.store import agents as store
from statuspage.store import monitors
from statuspage.store.schema.notices import changes
from statuspage.worker import arrivals
from statuspage.worker.arrivals import Arrivals
from statuspage.worker.checker import Checker

BOOT = "0123456789abcdef"


@pytest.fixture
def clock():
    return stage.Clock()


@pytest.fixture
def ctx(sqlite_database, clock):
    found = stage.furnish(Context(sqlite_database, Keys(b"\x01" * 32, b"\x02" * 32, b"\x03" * 32), clock))
    actions.add(found, COMMAND_LINE, "hk-1", "hk")
    return found


@pytest.fixture
def deliver(ctx, clock):
    """A function that has the agent deliver one batch of results, a second old."""

    def send(sequence, *outcomes, monitor="transfers-api", ago_s=1.0, boot=BOOT):
        at_ms = to_ms(clock()) - int(ago_s * 1000)
        results = [
            CheckResult(monitor, outcome, at_ms + place, 5.0, None if outcome == "up" else "status", f"{sequence}.{place}")
            for place, outcome in enumerate(outcomes)
        ]
        return actions.receive(ctx, "hk-1", Delivery((Batch(boot, sequence, to_ms(clock()), tuple(results)),), 0, 0))

    return send


def watched(ctx):
    with ctx.db.read() as conn:
        return monitors.active(conn)


def messages(taken):
    return [one.message for one in taken.results]


def test_what_could_not_be_recorded_is_handed_out_again_as_it_was(ctx, deliver):
    deliver(1, "up", "up")
    intake = Arrivals()

    first, again = intake.take(ctx, watched(ctx)), intake.take(ctx, watched(ctx))

    assert first == again
    assert len(first.results) == 2


def test_a_batch_that_gets_the_number_of_one_that_was_recorded_is_not_taken_for_it(ctx, deliver):
    intake, found = Arrivals(), []

    for sequence in (1, 2):
        deliver(sequence, "up")
        taken = intake.take(ctx, watched(ctx))
        found.append((taken.ids, messages(taken)))
        with ctx.db.write() as conn:
            store.delete_batches(conn, taken.ids)

    assert found == [([1], ["1.0"]), ([1], ["2.0"])]


def test_a_round_takes_no_more_than_it_can_bear_and_says_so(ctx, deliver, monkeypatch):
    monkeypatch.setattr(arrivals, "_RESULTS", 4)
    for sequence in range(1, 5):
        deliver(sequence, "up", "up", "up")
    intake, rounds = Arrivals(), []
    while not rounds or rounds[-1].more:
        rounds.append(intake.take(ctx, watched(ctx)))
        with ctx.db.write() as conn:
            store.delete_batches(conn, rounds[-1].ids)

    assert [len(each.results) for each in rounds] == [6, 6]
    assert [message for each in rounds for message in messages(each)] == [f"{n}.{m}" for n in range(1, 5) for m in range(3)]


def test_a_batch_that_comes_after_its_successor_keeps_its_time(ctx, deliver, clock):
    clock.pass_(seconds=60)
    deliver(2, "up", ago_s=1)
    deliver(1, "up", ago_s=30)

    newer, older = Arrivals().take(ctx, watched(ctx)).results

    assert newer.at_ms - older.at_ms == 29_000


def test_an_agent_that_is_revoked_meanwhile_leaves_nothing(ctx, deliver):
    actions.revoke(ctx, COMMAND_LINE, "hk-1")

    with pytest.raises(Revoked):
        deliver(1, "up")
    assert Arrivals().take(ctx, watched(ctx)).ids == []


def test_a_region_that_changes_its_mind_changes_the_page_even_without_a_verdict(ctx, deliver, clock):
    book = checks.begin(ctx)

    def record(region, outcome):
        at_ms = to_ms(clock.pass_(seconds=1))
        error = None if outcome == "up" else "status"
        checks.record(ctx, book, [CheckResult("transfers-api", outcome, at_ms, 5.0, error, "", region=region)])

    def told(since=0):
        with ctx.db.read() as conn:
            return conn.execute(select(changes.c.seq, changes.c.what).where(changes.c.seq > since).order_by(changes.c.seq)).all()

    record("local", "up")
    alone = told()[-1].seq
    record("hk", "up")
    record("sg", "up")
    three = told(alone)
    for _ in range(3):
        record("hk", "down")

    assert book.judgements["transfers-api"].state == "up"
    assert [row.what for row in three] == [{"components": ["transfers"]}] * 2
    assert [row.what for row in told(three[-1].seq)] == [{"components": ["transfers"]}]


class Quiet:
    """An engine that sees nothing, and an election that is won."""

    fence = None

    def start(self):
        """Nothing runs."""

    stop = resign = start

    def replace(self, specs):
        """Nothing runs."""

    def run_now(self, _name):
        return False

    def is_leader(self):
        return True


def test_the_checker_records_what_agents_deliver_while_its_own_engine_is_quiet(ctx, deliver):
    deliver(1, "up", "down")
    quiet, stop = Quiet(), threading.Event()
    thread = threading.Thread(target=Checker(ctx, quiet, lambda *_: quiet).run, args=(stop,), daemon=True)
    thread.start()
    try:
        for _ in range(100):
            with ctx.db.read() as conn:
                left, states = store.arrivals(conn, 10), monitors.state_rows(conn)
            if not left and states:
                break
            stop.wait(0.05)
    finally:
        stop.set()
        thread.join(10)

    assert left == []
    assert [(row["monitor_id"], row["region"]) for row in states] == [("transfers-api", "hk")]

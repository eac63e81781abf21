"""The delivery machine drives the real declaring, expanding, claiming, sending and marking, on SQLite."""

from __future__ import annotations

import shutil
from contextlib import contextmanager, suppress
from dataclasses import replace
from itertools import count

import pytest
from delivery_machine import WORKERS, DeliveryMachine
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test
from sqlalchemy import event, insert, select, update
from sqlalchemy.exc import IntegrityError
from stage import LIN, Clock, furnish, incident

from statuspage.actions import deliveries as actions
from statuspage.actions import notices, subscribers
from statuspage.actions.context import Context
from statuspage.channels import registry
from statuspage.channels.message import Services
from statuspage.channels.printer import Printer
from statuspage.channels.safehttp import Sessions
from statuspage.keys import Keys
from statuspage.store import deliveries as stored
from statuspage.store.database import Database
from statuspage.store.schema import delivery
from statuspage.store.schema import notices as notice_tables
from statuspage.store.schema.runtime import meta
from statuspage.worker.deliverer import Deliverer

SEEN = Keys(b"\x01" * 32, b"\x02" * 32, b"\x03" * 32)
TICK_S = 10
LEASE_S = 30.0
PAGE = {"name": {"en": "Demo Wallet", "zh-Hans": "演示钱包"}, "url": "https://status.wallet.example", "time_zone": "UTC",
        "languages": ["en", "zh-Hans"], "public_id": "pagepagepage"}  # fmt: skip


class Crash(BaseException):
    """The process is gone."""


class Mortal:
    """A database whose next write ends in a crash, before its commit or after."""

    def __init__(self, db, crash):
        self._db, self._crash, self.read, self.is_sqlite = db, crash, db.read, db.is_sqlite

    @contextmanager
    def write(self):
        with self._db.write() as conn:
            yield conn
            if self._crash == "before":
                raise Crash
        if self._crash == "after":
            raise Crash


class Real:
    """The product behind the machine's methods. One person is one webhook subscription."""

    numbers = count()

    def __init__(self, accept, template, folder):
        path = folder / f"{next(self.numbers)}.db"
        shutil.copyfile(template, path)
        self.path, self.db = path, Database(f"sqlite:///{path}", readers=2)
        event.listen(self.db._writer, "connect", lambda dbapi, _record: dbapi.execute("PRAGMA synchronous=OFF"))
        self.clock = Clock()
        self.ctx = Context(self.db, SEEN, self.clock)
        furnish(self.ctx)
        with self.db.write() as conn:
            conn.execute(
                insert(meta), [{"name": "page", "value": PAGE}, {"name": "channels", "value": {"webhook": {}}}]
            )
        self.accept, self.people, self.crash = accept, {}, "none"
        self.services = Services(Sessions(deadline_s=2), Printer(stream=None), str, SEEN.vapid, self.clock)
        self.workers = {name: self._worker() for name in WORKERS}
        self.hands = {name: [] for name in WORKERS}

    def _worker(self):
        return Deliverer(self.ctx, self.services, lease_s=LEASE_S)

    def subscribe(self, person):
        with self.db.write() as conn:
            made = insert(delivery.subscribers).values(language="en", time_zone="UTC", created_at=self.clock.at)
            key = conn.execute(made.returning(delivery.subscribers.c.id)).scalar_one()
            row = conn.execute(insert(delivery.subscriptions).values(
                public_id=person, subscriber_id=key, channel="webhook", audience="public", state="pending", components=[],
                kinds=[], address_sealed=subscribers.sealed(self.ctx, person), address_hash=person, label="•",
                language="en", attempts=0, created_at=self.clock.at, meta={},
            ).returning(delivery.subscriptions.c.id)).scalar_one()  # fmt: skip
        self.people[row] = person

    def confirm(self, person):
        self._set(person, state="active", confirmed_at=self.clock.at)

    def unsubscribe(self, person):
        self._set(person, state="off", off_at=self.clock.at)

    def _set(self, person, **values):
        with self.db.write() as conn:
            conn.execute(
                update(delivery.subscriptions).where(delivery.subscriptions.c.public_id == person).values(values)
            )

    def declare(self, key, crash):
        return self._write(crash, lambda ctx: notices.declare(ctx, LIN, replace(incident(), idempotency_key=key)))

    def add(self, said, crash):
        draft = incident(status="identified")
        return self._write(crash, lambda ctx: notices.update(ctx, LIN, said[0], draft))

    def _write(self, crash, act):
        before = self._facts()
        with suppress(Crash):
            act(replace(self.ctx, db=Mortal(self.db, crash)))
        fresh = self._facts() - before
        assert len(fresh) <= 1
        return fresh.pop() if fresh else None

    def _facts(self):
        updates, rows = notice_tables.notice_updates.c, notice_tables.notices.c
        with self.db.read() as conn:
            joined = (
                select(rows.public_id, updates.sequence)
                .join(notice_tables.notices, rows.id == updates.notice_id)
                .select_from(notice_tables.notice_updates)
            )
            return {tuple(row) for row in conn.execute(joined)}

    def expand(self):
        actions.expand(self.ctx, rows=1)

    def claim(self, worker, number):
        self.hands[worker] += actions.claim(self.ctx, "webhook", self.workers[worker]._owner, number, LEASE_S)

    def deliver(self, worker, crash):
        job, owner = self.hands[worker].pop(0), self.workers[worker]
        self.crash, self.accepted = crash, None
        registry.sender = lambda _name, _services: self._send
        registry.finder = lambda _name, _services: None
        try:
            outcome = owner._attempt(job, self.services)
            if crash == "none":
                if outcome:
                    actions.record(self.ctx, owner._owner, [outcome])
                return None
        except Crash:
            pass
        self.hands[worker].clear()  # the process died with all it held; another one takes its place
        owner.close()
        self.workers[worker] = self._worker()
        return self.accepted

    def _send(self, message, address, _services):
        if self.crash == "before":
            raise Crash
        key = (message.payload["public_id"], message.payload["sequence"]), address
        self.accept(*key)
        if self.crash == "after":
            self.accepted = key
            raise Crash
        return "reference"

    def tick(self, steps):
        self.clock.pass_(seconds=steps * TICK_S)

    def held(self, worker):
        return len(self.hands[worker])

    def has_job(self, said):
        rows = delivery.outbox.c
        with self.db.read() as conn:
            waiting = conn.execute(select(rows.payload).where(rows.expanded_at.is_(None))).scalars()
            return any((item["public_id"], item["sequence"]) == said for item in waiting)

    def told(self):
        with self.db.read() as conn:
            said = {row.id: (row.payload["public_id"], row.sequence) for row in conn.execute(select(delivery.outbox))}
            rows = delivery.deliveries.c
            found = conn.execute(select(rows.outbox_id, rows.subscription_id)).all()
        return {(said[outbox], self.people[person]) for outbox, person in found}

    def close(self):
        for worker in self.workers.values():
            worker.close()
        self.db.close()
        for path in self.path.parent.glob(f"{self.path.name}*"):
            path.unlink()


@pytest.fixture
def run(_sqlite_template, tmp_path, monkeypatch):
    monkeypatch.setattr(registry, "sender", registry.sender)  # put back afterwards
    monkeypatch.setattr(registry, "finder", registry.finder)

    def go(examples, *, steps=30):
        make = staticmethod(lambda accept: Real(accept, _sqlite_template, tmp_path))
        machine = type("Machine", (DeliveryMachine,), {"make": make})
        run_state_machine_as_test(
            machine,
            settings=settings(
                max_examples=examples, stateful_step_count=steps, deadline=None, database=None, derandomize=True,
                phases=[Phase.generate], suppress_health_check=list(HealthCheck),
            ),
        )  # fmt: skip

    return go


def test_the_product_keeps_the_promise(run):
    run(25)


def always(answer):
    return lambda *_arguments, **_named: answer


@pytest.mark.parametrize(
    ("place", "name", "answer"),
    [(stored, "verdict", "send"), (notices, "_answered", None), (actions, "_insert", None)],
    ids=["nothing is asked before sending", "no idempotency key", "rows are not written"],
)
def test_a_planted_bug_is_found(run, monkeypatch, place, name, answer):
    monkeypatch.setattr(place, name, always(answer))

    with pytest.raises((AssertionError, IntegrityError)):
        run(100)

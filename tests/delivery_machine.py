"""The promise of delivery as a state machine, and a pure model that keeps it. Whatever keeps it has the model's methods.

The promise: what was committed reaches everybody who was confirmed then and has not left, at least once, and at most once
more for each crash between a supplier's acceptance and our mark; never after leaving, never unconfirmed, never older news
after newer.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

PEOPLE = ("ann", "bo", "cy")
KEYS = ("k1", "k2")
WORKERS = ("w1", "w2")
LEASE = 3
Update = tuple[str, int]  # the notice's idempotency key (or a name of its own) and the number of the update in it


@dataclass
class Row:
    """One delivery."""

    state: str = "queued"
    owner: str = ""
    until: int = 0
    due: int = 0


@dataclass
class Model:
    """Outbox and deliveries in memory. `accept(update, person)` is the supplier; `bug` plants one."""

    accept: Callable[[Update, str], None]
    bug: str = ""
    now: int = 0
    consent: dict[str, str] = field(default_factory=dict)
    facts: list[Update] = field(default_factory=list)
    outbox: dict[Update, int] = field(default_factory=dict)  # update -> cursor, while it is not expanded
    rows: dict[tuple[Update, str], Row] = field(default_factory=dict)
    hands: dict[str, list[tuple[Update, str]]] = field(default_factory=lambda: {name: [] for name in WORKERS})

    def subscribe(self, person: str) -> None:
        self.consent.setdefault(person, "pending")

    def confirm(self, person: str) -> None:
        self.consent[person] = "on"

    def unsubscribe(self, person: str) -> None:
        self.consent[person] = "off"

    def declare(self, key: str, crash: str) -> Update | None:
        """The update that was committed, None for none. `crash`: none, before the commit, or after it (no answer came)."""
        if self.bug != "no idempotency key" and (key, 1) in self.facts:
            return None
        name = key
        while (name, 1) in self.facts:
            name += "'"
        return self._commit((name, 1), crash)

    def add(self, update: Update, crash: str) -> Update | None:
        """The next update of a notice."""
        return self._commit((update[0], 1 + max(n for name, n in self.facts if name == update[0])), crash)

    def _commit(self, update: Update, crash: str) -> Update | None:
        if crash == "before" and self.bug != "fact and outbox in two transactions":
            return None
        self.facts.append(update)
        if crash != "before":
            self.outbox[update] = 0
        return update

    def expand(self) -> None:
        """One person's row of the oldest outbox entry."""
        if not self.outbox:
            return
        update = next(iter(self.outbox))
        wanted = {"on", "pending"} if self.bug == "rows for unconfirmed addresses" else {"on"}
        while self.outbox[update] < len(PEOPLE):
            person = PEOPLE[self.outbox[update]]
            self.outbox[update] += 1
            if self.consent.get(person) in wanted:
                self.rows.setdefault((update, person), Row(due=self.now))
                return
        del self.outbox[update]

    def claim(self, worker: str, count: int) -> None:
        free = [key for key, row in self.rows.items() if self._is_due(row)]
        for key in free[:count]:
            row = self.rows[key]
            row.state, row.owner, row.until = "sending", worker, self.now + LEASE
            if self.bug == "mark before send":
                row.state = "sent"
            self.hands[worker].append(key)

    def _is_due(self, row: Row) -> bool:
        if row.state == "sending":
            return row.until < self.now or self.bug == "lease not honoured by claim"
        return row.state == "queued" and row.due <= self.now

    def deliver(self, worker: str, crash: str) -> tuple[Update, str] | None:
        """Send the next claimed row. A crash loses all the worker holds; returned is what was accepted and not marked."""
        key = self.hands[worker].pop(0)
        row = self.rows[key]
        verdict = self._verdict(key, row, worker)
        if verdict == "send" and crash != "before":
            self.accept(*key)
            if crash == "none":
                row.state = "sent"
        elif verdict == "wait":
            row.state, row.due = "queued", self.now + 1
        elif verdict == "cancel":
            row.state = "cancelled"
        if crash == "none":
            return None
        self.hands[worker].clear()
        return key if verdict == "send" and crash == "after" else None

    def _verdict(self, key: tuple[Update, str], row: Row, worker: str) -> str:
        (notice, number), person = key
        if self.bug == "mark before send":
            return "send"
        if row.state != "sending" or row.owner != worker:
            return "lost" if self.bug != "lease not honoured by claim" else "send"
        if row.until <= self.now and self.bug != "expired lease still sends":
            return "lost"
        may = self.consent[person] == "on" or self.bug == "consent not asked again at send"
        others = [
            (update[1], other.state)
            for (update, to), other in self.rows.items()
            if to == person and update[0] == notice and other is not row
        ]
        newer = any(n > number and state in {"queued", "sending", "sent"} for n, state in others)
        older = any(n < number and state == "sending" for n, state in others)
        if not may or (newer and self.bug != "old news after new"):
            return "cancel"
        return "wait" if older and self.bug != "old news overtaken" else "send"

    def tick(self, steps: int) -> None:
        self.now += steps

    def held(self, worker: str) -> int:
        """How many rows a worker has in its hands."""
        return len(self.hands[worker])

    def has_job(self, update: Update) -> bool:
        """True while not everybody's row is written."""
        return update in self.outbox

    def told(self) -> set[tuple[Update, str]]:
        """Whom rows exist for."""
        return set(self.rows)

    def close(self) -> None:
        """Give resources back."""


class DeliveryMachine(RuleBasedStateMachine):
    """Drives a system (`make(accept)`) and remembers what it owes."""

    make: Callable[[Callable[[Update, str], None]], Model] = Model

    def __init__(self) -> None:
        super().__init__()
        self.inbox: Counter[tuple[Update, str]] = Counter()
        self.newest: Counter[tuple[str, str]] = Counter()
        self.disorder: list[tuple[Update, str]] = []
        self.excuses: Counter[tuple[Update, str]] = Counter()
        self.owed: dict[Update, set[str]] = {}
        self.people: dict[str, str] = {}
        self.left_with: dict[str, Counter[Update]] = {}
        self.system = type(self).make(self.accept)

    def accept(self, update: Update, person: str) -> None:
        self.inbox[update, person] += 1
        if update[1] < self.newest[update[0], person]:
            self.disorder.append((update, person))
        self.newest[update[0], person] = max(update[1], self.newest[update[0], person])

    def owe(self, update: Update | None) -> None:
        if update is not None:
            self.owed[update] = {person for person, consent in self.people.items() if consent == "on"}

    @initialize(count=st.integers(1, 2), key=st.sampled_from(KEYS))
    def begin(self, count, key):
        for person in PEOPLE[:count]:
            self.subscribe(person)
            self.confirm(person)
        self.owe(self.system.declare(key, "none"))

    @rule(person=st.sampled_from(PEOPLE))
    def subscribe(self, person):
        if person not in self.people:
            self.people[person] = "pending"
            self.system.subscribe(person)

    @rule(person=st.sampled_from(PEOPLE))
    def confirm(self, person):
        if self.people.get(person) == "pending":
            self.people[person] = "on"
            self.system.confirm(person)

    @precondition(lambda self: "on" in self.people.values())
    @rule(data=st.data())
    def unsubscribe(self, data):
        person = data.draw(st.sampled_from(sorted(name for name, consent in self.people.items() if consent == "on")))
        self.people[person] = "off"
        self.left_with[person] = Counter({update: n for (update, to), n in self.inbox.items() if to == person})
        self.system.unsubscribe(person)

    @rule(key=st.sampled_from(KEYS), crash=st.sampled_from(["none", "before", "after"]))
    def declare(self, key, crash):
        self.owe(self.system.declare(key, crash))

    @precondition(lambda self: self.owed)
    @rule(data=st.data(), crash=st.sampled_from(["none", "none", "before", "after"]))
    def add(self, data, crash):
        notice = data.draw(st.sampled_from(sorted({update[0] for update in self.owed})))
        self.owe(self.system.add((notice, 1), crash))

    @precondition(lambda self: any(self.system.has_job(update) for update in self.owed))
    @rule(times=st.integers(1, 4))
    def expand(self, times):
        for _ in range(times):
            self.system.expand()

    @precondition(lambda self: self.system.told())
    @rule(worker=st.sampled_from(WORKERS), count=st.integers(1, 3))
    def claim(self, worker, count):
        self.system.claim(worker, count)

    @precondition(lambda self: any(self.system.held(worker) for worker in WORKERS))
    @rule(data=st.data(), crash=st.sampled_from(["none", "none", "before", "after"]))
    def deliver(self, data, crash):
        worker = data.draw(st.sampled_from([worker for worker in WORKERS if self.system.held(worker)]))
        excuse = self.system.deliver(worker, crash)
        if excuse:
            self.excuses[excuse] += 1

    @rule(steps=st.sampled_from([1, 5, 11]))
    def tick(self, steps):
        self.system.tick(steps)

    @invariant()
    def copies_are_bounded(self):
        for row, copies in self.inbox.items():
            assert copies <= 1 + self.excuses[row], f"{row} was sent {copies} times"

    @invariant()
    def every_fact_has_its_rows(self):
        told = self.system.told()
        for update, people in self.owed.items():
            if not self.system.has_job(update):
                missing = {person for person in people if (update, person) not in told and self.people[person] == "on"}
                assert not missing, f"nobody will tell {missing} of {update}"

    @invariant()
    def nothing_after_leaving(self):
        for person, counts in self.left_with.items():
            after = {update: n for (update, to), n in self.inbox.items() if to == person and n > counts[update]}
            assert not after, f"{person} left and was sent {after}"

    @invariant()
    def only_the_confirmed(self):
        assert all(self.people[person] != "pending" for _, person in self.system.told())

    @invariant()
    def one_notice_per_key(self):
        assert len({update[0] for update in self.owed}) <= len(KEYS)

    @invariant()
    def never_older_news_after_newer(self):
        assert not self.disorder

    def teardown(self):
        """Healthy workers and time: then everybody knows, or knows something newer."""
        idle = 0
        for _ in range(60):
            self.system.tick(11)
            self.system.expand()
            self.system.claim("w1", 50)
            idle = 0 if self.system.held("w1") or any(map(self.system.has_job, self.owed)) else idle + 1
            while self.system.held("w1"):
                self.system.deliver("w1", "none")
            if idle > 3:
                break
        try:
            for update, people in self.owed.items():
                for person in people:
                    is_told = self.newest[update[0], person] >= update[1] or self.people[person] == "off"
                    assert is_told, f"{person} was never told of {update}"
            self.copies_are_bounded()
            self.nothing_after_leaving()
            self.never_older_news_after_newer()
        finally:
            self.system.close()

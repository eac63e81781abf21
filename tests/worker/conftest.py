"""A wallet with subscribers, a clock moved by hand, and a channel that keeps what it is given: for the deliverer."""

from __future__ import annotations

import threading
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import insert, select, update

from statuspage.actions import subscribers
from statuspage.actions.context import Context
from statuspage.channels import registry
from statuspage.channels.message import Services
from statuspage.channels.printer import Printer
from statuspage.channels.safehttp import Sessions
from statuspage.clock import from_ms, to_ms  # noqa: F401 - from_ms: for the program that test_kill starts
from statuspage.domain.notice import Facts, new_number, new_public_id
from statuspage.keys import Keys
from statuspage.store.schema import delivery, notices
from statuspage.store.schema.runtime import meta
from statuspage.worker.deliverer import Deliverer

START = datetime(2026, 11, 22, 5, 0, tzinfo=UTC)
KEYS = Keys(b"\x01" * 32, b"\x02" * 32, b"\x03" * 32)
PAGE = {"name": {"en": "Demo Wallet", "zh-Hans": "演示钱包"}, "url": "https://status.wallet.example", "time_zone": "UTC",
        "languages": ["en", "zh-Hans"], "public_id": "pagepagepage"}  # fmt: skip


class Clock:
    def __init__(self):
        self.at = START

    def __call__(self):
        return self.at

    def pass_(self, **elapsed):
        self.at += timedelta(**elapsed)


class Inbox:
    """A channel's far end: `script(message, address)` may raise; everything accepted is counted by key."""

    def __init__(self):
        self.got, self.order, self.known = Counter(), [], {}
        self.script = lambda _message, _address: None
        self._lock = threading.Lock()

    def send(self, message, address, _services):
        self.script(message, address)
        self.accept(message, address)
        return f"ref-{message.key}"

    def accept(self, message, address):
        with self._lock:
            self.got[message.key] += 1
            self.order.append((address, message.payload.get("sequence"), message.event))
            self.known[message.key] = f"ref-{message.key}"

    def find(self, message, _address, _services):
        return self.known.get(message.key)

    def to(self, address):
        return [sequence for name, sequence, _event in self.order if name == address]


class World:
    """Rows of a wallet, made straight through the schema."""

    def __init__(self, database, inbox):
        self.clock, self.inbox = Clock(), inbox
        self.ctx = Context(database, KEYS, self.clock)
        self.services = Services(Sessions(deadline_s=2), Printer(stream=None), lambda text: text, KEYS.vapid, self.clock)
        with database.write() as conn:
            conn.execute(insert(meta).values(name="page", value=PAGE))
            conn.execute(insert(meta).values(name="channels", value={"webhook": {}, "sms": {"countries": ["HK"]}, "webpush": {}}))
            # Five in the morning is night; only test_night is about that.
            conn.execute(insert(meta).values(name="quiet_hours", value={"from": "00:00", "until": "00:00"}))

    def deliverer(self, **named):
        return Deliverer(self.ctx, self.services, **named)

    def subscription(self, address, channel="webhook", audience="public", state="active", **changes):
        values = {
            "public_id": f"id-{channel}-{address}"[-40:], "channel": channel, "audience": audience, "state": state,
            "components": [],
            "address_sealed": subscribers.sealed(self.ctx, address), "kinds": [], "label": "•", "language": "en", "attempts": 0,
            "address_hash": subscribers.address_hash(self.ctx, channel, address), "created_at": self.clock.at,
            "confirmed_at": self.clock.at if state == "active" else None, "meta": {}, **changes,
        }  # fmt: skip
        with self.ctx.db.write() as conn:
            person = insert(delivery.subscribers).values(language="en", time_zone="UTC", created_at=self.clock.at)
            person_id = conn.execute(person.returning(delivery.subscribers.c.id)).scalar_one()
            made = insert(delivery.subscriptions).values(subscriber_id=person_id, **values)
            return conn.execute(made.returning(delivery.subscriptions.c.id)).scalar_one()

    def notice(self):
        facts = Facts("incident", "investigating", {"en": "Transfers fail"})
        with self.ctx.db.write() as conn:
            return conn.execute(insert(notices.notices).values(
                public_id=new_public_id(), number=new_number(), kind="incident", status="investigating", version=1,
                visibility="public", source="operator", facts=facts.to_json(), impact="major", touched=True, demo=False,
                backfilled=False, created_at=self.clock.at, updated_at=self.clock.at, remind_before_s=[], reminded=[],
                created_by="lin",
            ).returning(notices.notices.c.id)).scalar_one()  # fmt: skip

    def say(self, notice_id=None, sequence=1, event="updated", life_s=3600, components=("transfers",), **changes):
        facts = Facts("incident", "resolved" if event == "resolved" else "investigating", {"en": "Transfers fail"})
        payload = {
            "event": event, "suspected": False, "public_id": "abcdefgh1234", "number": "N-4K7Q", "kind": "incident",
            "sequence": sequence, "update_id": "u", "facts": facts.to_json(), "bodies": {"en": "Body"}, "changes": {},
            "page": PAGE, "at": to_ms(self.clock.at), "monitors": [],
            "components": {name: {"public_id": name, "names": {"en": name}, "status": "major_outage"} for name in components},
        }  # fmt: skip
        values = {
            "kind": "notice_update", "notice_id": notice_id, "update_id": None, "sequence": sequence,
            "audiences": ["public", "operator"], "channels": [], "urgency": 2, "payload": payload, "cursor": 0,
            "created_at": self.clock.at, "expires_at": self.clock.at + timedelta(seconds=life_s), **changes,
        }  # fmt: skip
        with self.ctx.db.write() as conn:
            return conn.execute(insert(delivery.outbox).values(values).returning(delivery.outbox.c.id)).scalar_one()

    def states(self):
        with self.ctx.db.read() as conn:
            return Counter(conn.execute(select(delivery.deliveries.c.state)).scalars())

    def rows(self):
        with self.ctx.db.read() as conn:
            return list(conn.execute(select(delivery.deliveries).order_by(delivery.deliveries.c.id)).mappings())

    def state_of(self, subscription_id):
        with self.ctx.db.read() as conn:
            where = delivery.subscriptions.c.id == subscription_id
            return conn.execute(select(delivery.subscriptions.c.state).where(where)).scalar_one()

    def set(self, subscription_id, **values):
        with self.ctx.db.write() as conn:
            conn.execute(update(delivery.subscriptions).where(delivery.subscriptions.c.id == subscription_id).values(values))


@pytest.fixture
def inbox(monkeypatch):
    """Every channel's far end. The registry's seam is where it is put in: the deliverer itself is the real one."""
    found = Inbox()
    monkeypatch.setattr(registry, "sender", lambda _name, _services: found.send)
    monkeypatch.setattr(registry, "finder", lambda name, _services: found.find if name == "sms" else None)
    return found


@pytest.fixture
def world(any_database, inbox):
    return World(any_database, inbox)


@pytest.fixture
def worker(world):
    made = world.deliverer()
    yield made
    made.close()

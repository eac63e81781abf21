"""The deliverer at night: what waits, what rings, and what is no longer said in the morning."""

from datetime import timedelta

import pytest
from sqlalchemy import delete, insert, update

from statuspage.store import console
from statuspage.store.schema.delivery import outbox
from statuspage.store.schema.delivery import subscribers as people
from statuspage.store.schema.notices import notices
from statuspage.store.schema.runtime import meta


@pytest.fixture
def night(world):
    """Eleven in the evening, where nothing was configured."""
    world.clock.pass_(hours=18)
    with world.ctx.db.write() as conn:
        conn.execute(delete(meta).where(meta.c.name == "quiet_hours"))
    return world


def say(world, notice, sequence=1, event="declared", impact="minor", **changes):
    """An outbox row about `notice`, which has come to that version."""
    said = world.say(notice, sequence, event, **changes)
    with world.ctx.db.write() as conn:
        row = conn.execute(outbox.select().where(outbox.c.id == said)).mappings().one()
        payload = {**row["payload"], "facts": {**row["payload"]["facts"], "impact": impact}}
        conn.execute(update(outbox).where(outbox.c.id == said).values(payload=payload))
        conn.execute(update(notices).where(notices.c.id == notice).values(version=sequence))
    return said


def morning(world):
    world.clock.at = world.clock.at.replace(hour=8, minute=0) + timedelta(days=1)


def told(world):
    return [(address, sequence) for address, sequence, _event in world.inbox.order]


def test_what_can_wait_is_said_in_the_morning_on_phones_and_at_once_to_machines(night, worker):
    for channel in ("sms", "webpush", "webhook"):
        night.subscription(channel, channel)
    night.subscription("ours", "sms", audience="operator")
    say(night, night.notice(), life_s=4 * 3600)

    worker.run_once()
    at_night = sorted(told(night))
    with night.ctx.db.read() as conn:
        late = console.late_deliveries(conn, night.clock.at + timedelta(hours=5))
    morning(night)
    worker.run_once()

    assert at_night == [("ours", 1), ("webhook", 1)]
    assert late == 0
    assert sorted(told(night)) == [("ours", 1), ("sms", 1), ("webhook", 1), ("webpush", 1)]
    assert night.states() == {"sent": 4}


def test_an_outage_rings_at_night_unless_the_reader_wants_to_sleep(night, worker):
    night.subscription("anybody", "sms")
    night.subscription("sleeper", "sms", meta={"night": "none"})
    night.subscription("owl", "sms", meta={"night": "all"})

    say(night, night.notice(), impact="critical")
    worker.run_once()
    say(night, night.notice(), impact="minor")
    worker.run_once()

    assert sorted(told(night)) == [("anybody", 1), ("owl", 1), ("owl", 1)]


def test_the_operators_setting_moves_the_night_and_may_forbid_waking(night, worker):
    with night.ctx.db.write() as conn:
        conn.execute(insert(meta).values(name="quiet_hours", value={"from": "20:00", "until": "23:30", "wake": False}))
    night.subscription("reader", "sms")
    say(night, night.notice(), impact="critical")

    worker.run_once()
    before = told(night)
    night.clock.pass_(minutes=30)
    worker.run_once()

    assert (before, told(night)) == ([], [("reader", 1)])


def test_a_readers_own_zone_decides(night, worker):
    reader = night.subscription("tokyo", "sms")
    with night.ctx.db.write() as conn:
        conn.execute(update(people).values(time_zone="Asia/Tokyo"))  # 23:00 UTC is 8:00 there
    say(night, night.notice())

    worker.run_once()

    assert told(night) == [("tokyo", 1)]
    assert night.state_of(reader) == "active"


def test_in_the_morning_only_the_last_word_is_said(night, worker):
    night.subscription("reader", "sms")
    notice = night.notice()
    say(night, notice, 1)
    worker.run_once()
    night.clock.pass_(hours=3)
    say(night, notice, 2, "resolved")
    worker.run_once()

    morning(night)
    night.clock.at -= timedelta(days=1)
    worker.run_once()

    assert told(night) == [("reader", 2)]
    assert night.states() == {"cancelled": 1, "sent": 1}


def test_what_was_quietly_settled_in_the_night_is_not_announced_in_the_morning(night, worker):
    night.subscription("reader", "sms")
    notice = night.notice()
    say(night, notice, 1)
    worker.run_once()
    with night.ctx.db.write() as conn:  # an update that nobody is told of
        conn.execute(update(notices).where(notices.c.id == notice).values(version=2))

    morning(night)
    worker.run_once()

    assert told(night) == []
    assert night.states() == {"cancelled": 1}


def test_progress_waits_but_whoever_has_heard_nothing_of_the_outage_is_woken_by_it(night, worker):
    night.subscription("early", "sms")
    notice = night.notice()
    say(night, notice, 1, impact="critical")
    worker.run_once()
    night.subscription("late", "sms")

    say(night, notice, 2, "updated", impact="critical")
    worker.run_once()

    assert told(night) == [("early", 1), ("late", 2)]


def test_a_message_that_waited_lives_a_little_longer_than_the_night(night, worker):
    night.subscription("reader", "sms")
    say(night, night.notice(), life_s=1800)
    worker.run_once()

    morning(night)
    night.clock.pass_(hours=2, seconds=1)
    worker.run_once()

    assert told(night) == []
    assert night.states() == {"expired": 1}

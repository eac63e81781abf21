import threading
import time
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import update

from statuspage.actions import deliveries
from statuspage.channels import registry
from statuspage.domain import delivery as rules
from statuspage.errors import DeliveryError, Permanent, Throttled, Transient, Unavailable, Unknown
from statuspage.store.schema.runtime import meta


def raising(error):
    def script(_message, _address):
        raise error

    return script


def test_every_active_subscription_is_told_once(world, worker, inbox):
    for number in range(25):
        world.subscription(f"a{number}")
    world.subscription("pending", state="pending")
    world.subscription("off", state="off")
    world.say(world.notice())

    assert worker.run_once() == 25
    assert worker.run_once() == 0
    assert sorted(inbox.got.values()) == [1] * 25
    assert world.states() == {"sent": 25}


def test_the_outbox_is_expanded_in_pieces_and_a_crash_between_them_repeats_nothing(world, worker, inbox):
    for number in range(25):
        world.subscription(f"a{number}")
    world.say(world.notice())

    pieces = [deliveries.expand(world.ctx, rows=10) for _turn in range(2)]
    worker.run_once()

    assert pieces == [10, 10]
    assert (len(inbox.got), max(inbox.got.values())) == (25, 1)


def test_filters_audiences_and_channels_bound_who_is_told(world, worker, inbox):
    world.subscription("all")
    world.subscription("transfers", components=["transfers"])
    world.subscription("login", components=["login"])
    world.subscription("look-alike", components=["transfers_x", "transfer"])
    world.subscription("maintenance", kinds=["maintenance"])
    world.subscription("sms", channel="sms")
    world.subscription("operator", audience="operator")
    world.subscription("oncall", audience="oncall")
    notice = world.notice()
    world.subscription("fixed", notice_id=notice)

    world.say(notice, channels=["webhook"])
    worker.run_once()
    first = sorted(name for name, _sequence, _event in inbox.order)
    world.say(notice, sequence=2, event="resolved", audiences=["public"])
    worker.run_once()
    second = sorted(name for name, sequence, _event in inbox.order if sequence == 2)

    assert first == ["all", "operator", "transfers"]
    assert second == ["all", "fixed", "sms", "transfers"]


def test_a_notice_about_no_component_in_particular_reaches_everybody(world, worker, inbox):
    world.subscription("all")
    world.subscription("login", components=["login"])
    world.subscription("maintenance", kinds=["maintenance"])

    world.say(world.notice(), components=())
    worker.run_once()

    assert sorted(name for name, _sequence, _event in inbox.order) == ["all", "login"]


def test_who_asked_to_be_told_when_it_is_fixed_is_told_that_and_no_more(world, worker, inbox):
    notice = world.notice()
    asked = world.subscription("fixed", notice_id=notice)

    world.say(notice, event="resolved")
    worker.run_once()
    world.say(notice, sequence=2, event="resolved")
    worker.run_once()

    assert inbox.to("fixed") == [1]
    assert world.state_of(asked) == "off"


def test_a_person_who_left_between_the_writing_and_the_sending_is_not_told(world, worker, inbox):
    leaver = world.subscription("leaver")
    world.say(world.notice())
    deliveries.expand(world.ctx)
    world.set(leaver, state="off")

    worker.run_once()

    assert (inbox.got, world.states()) == ({}, {"cancelled": 1})


def test_a_transient_failure_is_tried_again_later_until_it_works(world, worker, inbox):
    world.subscription("a")
    world.say(world.notice())
    failures = iter([Transient("busy"), Throttled("slow", 30)])

    def script(_message, _address):
        for failure in failures:
            raise failure

    inbox.script = script

    worker.run_once()
    world.clock.pass_(seconds=10)
    worker.run_once()
    world.clock.pass_(seconds=29)
    early = worker.run_once()
    world.clock.pass_(seconds=2)
    worker.run_once()

    assert (early, world.states(), sum(inbox.got.values())) == (0, {"sent": 1}, 1)


def test_what_fails_and_is_too_old_when_its_turn_comes_again_is_a_dead_letter_too(world, worker, inbox):
    world.subscription("a")
    world.say(world.notice(), life_s=600)
    inbox.script = raising(Transient("the webhook answered 500"))

    worker.run_once()
    world.clock.pass_(seconds=601)
    worker.run_once()

    row = world.rows()[0]
    assert (row["state"], row["error_class"], row["error"]) == ("dead", "Transient", "given up: the webhook answered 500")


def test_what_fails_until_it_is_old_becomes_a_visible_dead_letter(world, worker, inbox):
    world.subscription("a")
    world.say(world.notice(), life_s=600)
    inbox.script = raising(Transient("the webhook answered 500"))

    for _turn in range(200):
        worker.run_once()
        world.clock.pass_(seconds=10)

    row = world.rows()[0]
    assert (row["state"], row["error_class"], row["error"]) == ("dead", "Transient", "given up: the webhook answered 500")
    assert 2 < row["attempts"] < 200


def test_old_news_is_not_sent_at_all(world, worker, inbox):
    world.subscription("a")
    world.say(world.notice(), life_s=60)
    deliveries.expand(world.ctx)
    world.say(None, life_s=60)
    world.clock.pass_(seconds=61)

    worker.run_once()

    assert (inbox.got, world.states()) == ({}, {"expired": 1})


@pytest.mark.parametrize(("audience", "after"), [("public", "suppressed"), ("operator", "active")])
def test_a_dead_address_is_suppressed_unless_it_is_the_operators(world, worker, inbox, audience, after):
    subscription = world.subscription("a", audience=audience)
    world.say(world.notice())
    inbox.script = raising(Permanent("410"))

    worker.run_once()
    inbox.script = lambda _message, _address: None
    world.clock.pass_(hours=1)
    world.say(world.notice())
    worker.run_once()

    assert world.state_of(subscription) == after
    assert sum(inbox.got.values()) == (after == "active")


def test_an_update_cancels_older_ones_still_queued_to_the_same_person(world, worker, inbox):
    world.subscription("a")
    notice = world.notice()
    inbox.script = raising(Transient("busy"))
    world.say(notice, sequence=1)
    worker.run_once()
    world.say(notice, sequence=2)

    worker.run_once()
    world.clock.pass_(minutes=10)
    inbox.script = lambda _message, _address: None
    worker.run_once()

    assert inbox.to("a") == [2]
    assert world.states() == {"cancelled": 1, "sent": 1}


def test_an_older_update_that_is_expanded_late_is_never_sent_after_a_newer_one(world, worker, inbox):
    world.subscription("a")
    notice = world.notice()
    world.say(notice, sequence=2, urgency=1)
    worker.run_once()
    world.say(notice, sequence=1, urgency=2)

    worker.run_once()

    assert inbox.to("a") == [2]


def test_a_newer_update_waits_while_the_older_one_is_under_way(world, worker, inbox):
    world.subscription("a")
    notice = world.notice()
    world.say(notice, sequence=1)
    deliveries.expand(world.ctx)
    deliveries.claim(world.ctx, "webhook", "another worker", 10, 60)
    world.say(notice, sequence=2)

    worker.run_once()
    meanwhile = inbox.to("a")
    world.clock.pass_(seconds=62)
    worker.run_once()
    world.clock.pass_(seconds=62)
    worker.run_once()

    assert meanwhile == []
    assert inbox.to("a") == [2]


@pytest.mark.parametrize("channel", ["sms", "webhook"])
def test_a_message_without_an_answer_is_looked_up_where_the_supplier_can_tell(world, worker, inbox, channel):
    world.subscription("a", channel=channel)
    world.say(world.notice())

    def accepted_but_silent(message, address):
        inbox.accept(message, address)
        raise Unknown("no answer")

    inbox.script = accepted_but_silent
    worker.run_once()
    inbox.script = lambda _message, _address: None
    world.clock.pass_(seconds=10)
    worker.run_once()

    assert world.states() == {"sent": 1}
    assert sum(inbox.got.values()) == (1 if channel == "sms" else 2)
    assert world.rows()[0]["reference"].startswith("ref-msg_")


def test_a_message_whose_look_up_fails_stays_unknown_and_is_not_sent(world, worker, inbox, monkeypatch):
    world.subscription("a", channel="sms")
    world.say(world.notice())
    inbox.script = raising(Unknown("no answer"))
    worker.run_once()
    inbox.script = lambda _message, _address: None

    def down(*_arguments):
        raise Transient("no connection")

    monkeypatch.setattr(registry, "finder", lambda _name, _services: down)
    world.clock.pass_(seconds=10)
    worker.run_once()

    row = world.rows()[0]
    assert (row["state"], row["error_class"], sum(inbox.got.values())) == ("queued", "Unknown", 0)


def test_the_lease_of_a_dead_worker_runs_out_and_its_message_counts_as_unknown(world, worker, inbox):
    world.subscription("a", channel="sms")
    world.say(world.notice())
    deliveries.expand(world.ctx)
    job = deliveries.claim(world.ctx, "sms", "dead worker", 10, 60)[0]
    inbox.known[job.key] = "SM-accepted-before-it-died"

    worker.run_once()
    meanwhile = dict(inbox.got)
    world.clock.pass_(seconds=61)
    worker.run_once()

    assert (meanwhile, inbox.got) == ({}, {})
    assert world.rows()[0]["reference"] == "SM-accepted-before-it-died"


def test_a_worker_that_slept_through_its_lease_neither_sends_nor_overwrites(world, inbox):
    world.subscription("a")
    world.say(world.notice())
    deliveries.expand(world.ctx)
    sleeper = deliveries.claim(world.ctx, "webhook", "sleeper", 10, 60)[0]
    world.clock.pass_(seconds=61)
    deliveries.claim(world.ctx, "webhook", "successor", 10, 60)

    renewed = deliveries.extend(world.ctx, sleeper, "sleeper", 60)
    deliveries.record(world.ctx, "sleeper", [deliveries.Outcome(sleeper, "dead", error="too late")])

    row = world.rows()[0]
    assert (renewed, row["state"], row["lease_owner"]) == (False, "sending", "successor")


def test_one_poisoned_row_is_dead_lettered_alone(world, worker, inbox, caplog):
    for number in range(10):
        world.subscription(f"a{number}")
    world.subscription("poison", address_sealed=b"not sealed at all")
    world.subscription("raises")
    world.say(world.notice())

    def script(_message, address):
        if address == "raises":
            raise ZeroDivisionError("+85251234567")

    inbox.script = script
    worker.run_once()

    assert world.states() == {"sent": 10, "dead": 2}
    assert {row["error_class"] for row in world.rows() if row["state"] == "dead"} == {"SealBroken", "ZeroDivisionError"}
    assert "51234567" not in caplog.text


def test_a_message_that_is_itself_wrong_suppresses_nobody(world, worker, inbox):
    subscription = world.subscription("a")
    world.say(world.notice())
    inbox.script = raising(DeliveryError("too long"))

    worker.run_once()

    assert (world.states(), world.state_of(subscription)) == ({"dead": 1}, "active")


def test_a_slow_channel_does_not_delay_another(world, inbox):
    for number in range(40):
        world.subscription(f"s{number}", channel="webhook")
    world.subscription("phone", channel="sms")
    world.say(world.notice())
    arrived = threading.Event()
    release = threading.Event()

    def script(message, _address):
        if message.channel == "sms":
            arrived.set()
        else:
            release.wait(10)

    inbox.script = script
    stop, wake = threading.Event(), threading.Event()
    loop = threading.Thread(target=world.deliverer(drain_s=5).run, args=(stop, wake))
    loop.start()
    came = arrived.wait(3)
    release.set()
    stop.set()
    wake.set()
    loop.join(10)

    assert came


def test_stopping_ends_what_is_being_sent_and_gives_back_the_rest(world, inbox):
    for number in range(60):
        world.subscription(f"a{number}")
    world.say(world.notice())
    begun = threading.Event()

    def script(_message, _address):
        begun.set()
        time.sleep(0.3)

    inbox.script = script
    stop, wake = threading.Event(), threading.Event()
    loop = threading.Thread(target=world.deliverer(drain_s=5).run, args=(stop, wake))
    loop.start()
    begun.wait(5)
    stop.set()
    wake.set()
    loop.join(10)

    states = world.states()
    assert states["sending"] == 0
    assert states["sent"] == sum(inbox.got.values())
    assert states["queued"] > 0
    assert all(row["attempts"] == 0 for row in world.rows() if row["state"] == "queued")


def test_two_workers_share_the_work_and_nobody_is_told_twice(world, inbox):
    for number in range(300):
        world.subscription(f"a{number}")
    world.say(world.notice())
    workers = [world.deliverer() for _turn in range(2)]
    threads = [threading.Thread(target=one.run_once) for one in workers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    for one in workers:
        one.run_once()
        one.close()

    assert (len(inbox.got), max(inbox.got.values()), world.states()) == (300, 1, {"sent": 300})


def test_a_supplier_that_fails_every_time_is_asked_ever_more_rarely(world, worker, inbox):
    for number in range(60):
        world.subscription(f"+8525123{number:04d}", channel="sms")
    world.say(world.notice())
    asked = []

    def script(_message, _address):
        asked.append(1)
        raise Transient("down")

    inbox.script = script
    for _turn in range(20):
        worker._step()
        time.sleep(0.02)

    assert 5 <= len(asked) <= 40


def test_the_urgent_go_first(world, worker, inbox):
    for number in range(40):
        world.subscription(f"w{number}", channel="console", audience="oncall")
    notice = world.notice()
    world.say(notice, urgency=3, audiences=["oncall"])
    world.clock.pass_(seconds=1)
    world.say(None, urgency=0, sequence=9, audiences=["oncall"])

    worker.run_once()

    assert [sequence for _name, sequence, _event in inbox.order[:4]] == [9] * 4


def test_paid_messages_to_the_public_stop_at_the_ceiling_and_the_on_call_is_paged_all_the_same(world, worker, inbox, monkeypatch):
    monkeypatch.setattr(registry, "costs", lambda name, _services: name == "sms")
    with world.ctx.db.write() as conn:
        conn.execute(update(meta).where(meta.c.name == "channels").values(
            value={"sms": {"countries": ["HK"], "spend": {"per_hour": 1, "per_month": 10}}}))
    for number in range(30):
        world.subscription(f"+8525123{number:04d}", channel="sms")
    world.subscription("+85259999999", channel="sms", audience="oncall")
    world.say(world.notice(), audiences=["public", "oncall"])

    worker.run_once()
    first = sum(inbox.got.values())
    world.clock.pass_(hours=1)
    world.say(None, sequence=5, audiences=["oncall"])
    worker.run_once()

    assert first == 1 + 12  # 1.00 an hour at 0.08 a segment
    assert inbox.to("+85259999999") == [1, 5]


def test_the_ceiling_counts_each_country_at_its_own_price(world, worker, inbox, monkeypatch):
    monkeypatch.setattr(registry, "costs", lambda name, _services: name == "sms")
    prices = {"HK": "0.40", "SG": "0.05"}
    with world.ctx.db.write() as conn:
        sms = {"countries": ["HK", "SG"], "spend": {"per_hour": 1, "per_month": 10}, "prices": prices}
        conn.execute(update(meta).where(meta.c.name == "channels").values(value={"sms": sms}))
    for number in range(3):
        world.subscription(f"+8525123{number:04d}", channel="sms", label="+852 ••• 0000")
    for number in range(10):
        world.subscription(f"+659123{number:04d}", channel="sms", label="+65 ••• 0000")
    world.say(world.notice())

    worker.run_once()

    # 2 x 0.40 leave 0.20: the third of Hong Kong does not fit, and who comes after it waits with it.
    assert sorted(inbox.got.values()) == [1, 1]


def test_a_database_that_refuses_the_record_does_not_make_a_sent_message_forgotten(world, worker, inbox, monkeypatch):
    world.subscription("a")
    world.say(world.notice())
    real, failed = deliveries.record, []

    def record(ctx, owner, outcomes):
        if not failed:
            failed.append(1)
            raise Unavailable("busy")
        real(ctx, owner, outcomes)

    monkeypatch.setattr(deliveries, "record", record)
    with pytest.raises(Exception, match="busy"):
        worker.run_once()
    worker.run_once()

    assert (world.states(), sum(inbox.got.values())) == ({"sent": 1}, 1)


def test_back_off_grows_with_jitter_and_ends_with_the_news():
    now = datetime(2026, 11, 22, tzinfo=UTC)
    end = now + timedelta(hours=4)
    waits = [(rules.next_try(n, now, end, None, 1.0) - now).total_seconds() for n in range(1, 10)]

    assert waits == [5, 9, 17, 33, 65, 129, 257, 301, 301]
    assert (rules.next_try(1, now, end, None, 0.0) - now).total_seconds() == 1
    assert (rules.next_try(1, now, end, 90, 0.0) - now).total_seconds() == 90
    assert (rules.next_try(1, now, end, 1e9, 0.0) - now).total_seconds() == rules.LONGEST_WISH_S
    assert rules.next_try(rules.MAX_ATTEMPTS, now, end, None, 0.0) is None
    assert rules.next_try(1, end, end, None, 0.0) is None

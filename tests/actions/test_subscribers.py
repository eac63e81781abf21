import json
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import insert, select, update

from statuspage.actions import configured_subscribers as configured
from statuspage.actions import deliveries, subscribe_limits, subscriber_retention, subscribers
from statuspage.actions.context import Actor, Context
from statuspage.errors import InvalidInput, NotAllowed, NotFound
from statuspage.keys import Keys
from statuspage.store.schema import delivery
from statuspage.store.schema.people import audit_log
from statuspage.store.schema.runtime import meta

LIN, MEI = Actor("lin", "responder"), Actor("mei", "viewer")
ON_CALL = [{"name": "Lin", "phone": "+85251234567", "language": "zh-Hans"}, {"name": "Trial", "console": True, "language": "en"},
           {"name": "Duty", "webhook": "${env:DUTY_URL}", "language": "en"}]  # fmt: skip
WEBHOOKS = [{"url": "http://10.0.0.5/hook", "components": ["transfers"], "secret": ""},
            {"url": "https://ops.example/x", "components": [], "secret": "${env:SECRET}"}]  # fmt: skip


@pytest.fixture
def at():
    return [datetime(2026, 11, 22, tzinfo=UTC)]


@pytest.fixture
def own(any_database, at):
    ctx = Context(any_database, Keys(b"\x01" * 32, b"\x02" * 32, b"\x03" * 32), lambda: at[0])
    apply(ctx, on_call=ON_CALL, webhooks=WEBHOOKS, channels={"sms": {"countries": ["HK"]}, "webhook": {}})
    return ctx


def apply(ctx, **rows):
    with ctx.db.write() as conn:
        for name, value in rows.items():
            if conn.execute(select(meta.c.name).where(meta.c.name == name)).first():
                conn.execute(update(meta).where(meta.c.name == name).values(value=value))
            else:
                conn.execute(insert(meta).values(name=name, value=value))


def listed(ctx):
    with ctx.db.read() as conn:
        return list(conn.execute(select(delivery.subscriptions).order_by(delivery.subscriptions.c.id)).mappings())


def test_the_file_makes_the_on_call_and_the_webhooks_once_and_keeps_references_unresolved(own):
    first, second = configured.sync_configured(own), configured.sync_configured(own)

    rows = listed(own)
    assert (first, second) == ((5, 0), (0, 0))
    assert [(row["channel"], row["audience"]) for row in rows] == [
        ("sms", "oncall"), ("console", "oncall"), ("webhook", "oncall"), ("webhook", "operator"), ("webhook", "operator"),
    ]  # fmt: skip
    assert json.loads(subscribers.opened(own, rows[2]["address_sealed"]))["url"] == "${env:DUTY_URL}"
    assert [row["label"] for row in rows[:3]] == ["+852 ••• 4567", "Trial", "(settings)"]


def test_a_drawn_secret_survives_another_sync_and_a_removed_entry_is_retired_and_revived(own):
    configured.sync_configured(own)
    before = json.loads(subscribers.opened(own, listed(own)[3]["address_sealed"]))["secret"]

    apply(own, webhooks=[], on_call=ON_CALL[:1])
    retired = configured.sync_configured(own)
    states = [row["state"] for row in listed(own)]
    apply(own, webhooks=WEBHOOKS)
    revived = configured.sync_configured(own)

    assert (retired, states) == ((0, 4), ["active", "off", "off", "off", "off"])
    assert revived == (2, 0)
    assert json.loads(subscribers.opened(own, listed(own)[3]["address_sealed"]))["secret"] == before
    assert before.startswith("whsec_")


def test_an_operator_adds_tests_and_removes_a_webhook_and_the_audit_holds_no_address(own):
    public_id, secret = configured.add_operator_webhook(own, LIN, "http://127.0.0.1:9/secret-path", ["transfers"])
    configured.send_test(own, LIN, public_id)
    told = deliveries.expand(own)
    configured.remove_operator_webhook(own, LIN, public_id)

    with own.db.read() as conn:
        audit = str(list(conn.execute(select(audit_log)).mappings()))
    assert (told, secret[:6], listed(own)[0]["state"]) == (1, "whsec_", "off")
    assert "webhook.add" in audit
    assert [word for word in ("secret-path", secret, "127.0.0.1") if word in audit] == []


def test_what_the_console_may_not_do_is_refused(own):
    configured.sync_configured(own)
    from_file = listed(own)[4]["public_id"]

    for refused, call in (
        (NotAllowed, lambda: configured.add_operator_webhook(own, MEI, "https://x.example/")),
        (InvalidInput, lambda: configured.add_operator_webhook(own, LIN, "https://x.example/${env:TOKEN}")),
        (InvalidInput, lambda: configured.add_operator_webhook(own, LIN, "file:///etc/passwd")),
        (InvalidInput, lambda: configured.add_operator_webhook(own, LIN, "https://x.example/", secret="${env:TOKEN}")),
        (InvalidInput, lambda: configured.remove_operator_webhook(own, LIN, from_file)),
        (NotFound, lambda: configured.send_test(own, LIN, "nobody")),
    ):
        with pytest.raises(refused):
            call()


def test_requests_nobody_confirmed_are_deleted_and_ended_addresses_are_erased(own, at):
    subscribers.subscribe(own, subscribers.Wish("sms", "en", "10.0.0.0/24", phone="+85251234567"))
    kept = subscribers.subscribe(own, subscribers.Wish("sms", "en", "10.0.1.0/24", phone="+85261234567")).handle
    deliveries.expand(own)
    with own.db.write() as conn:
        where = delivery.subscriptions.c.public_id == kept
        conn.execute(update(delivery.subscriptions).where(where).values(state="off", off_at=at[0], confirmed_at=at[0]))

    at[0] += timedelta(hours=25)
    deleted = subscriber_retention.forget_stale(own)
    at[0] += timedelta(days=30)
    erased = subscriber_retention.forget_stale(own)

    rows = listed(own)
    assert (deleted, erased, len(rows)) == (1, 1, 1)
    assert (rows[0]["address_sealed"], rows[0]["label"]) == (b"", "")
    assert subscriber_retention.forget_stale(own) == 0


def test_a_webhook_becomes_active_only_by_its_own_challenge(own):
    handle = subscribers.subscribe(own, subscribers.Wish("webhook", "en", "10.0.0.0/24", url="https://hooks.example/x")).handle
    deliveries.expand(own)
    job = deliveries.claim(own, "webhook", "w", 10, 60)[0]
    with own.db.write() as conn:
        conn.execute(update(delivery.subscriptions).values(token_hash="another challenge was asked since"))

    deliveries.record(own, "w", [deliveries.Outcome(job, "sent", reference="r")])
    stale = listed(own)[0]["state"]
    with own.db.write() as conn:
        hashed = subscribers.sealing.token_hash(job.payload["challenge"])
        conn.execute(update(delivery.subscriptions).values(token_hash=hashed))
        subscribers.after_sent(conn, job, own.now())

    assert (stale, listed(own)[0]["state"], listed(own)[0]["public_id"]) == ("pending", "active", handle)


def test_two_workers_cannot_both_have_the_last_of_the_money(own, at):
    apply(own, channels={"sms": {"spend": {"per_hour": 1, "per_month": 2}}})

    allowed = [subscribe_limits.reserve(own, [80] * 10) for _turn in range(3)]
    at[0] += timedelta(hours=1)
    next_hour = subscribe_limits.reserve(own, [80] * 20)
    at[0] += timedelta(hours=1)
    next_month_is_far = subscribe_limits.reserve(own, [80] * 20)

    assert (allowed, next_hour, next_month_is_far) == ([10, 2, 0], 12, 1)

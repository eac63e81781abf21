from datetime import UTC, datetime

import pytest
from flask import Flask
from sqlalchemy import insert, select, update
from twilio.request_validator import RequestValidator

from statuspage.actions import deliveries, subscribers
from statuspage.actions.context import Context
from statuspage.keys import Keys
from statuspage.store.schema import delivery
from statuspage.store.schema.runtime import meta
from statuspage.web.callbacks import callbacks_blueprint

URL = "https://status.wallet.example/callbacks/twilio"
ACCOUNT, TOKEN, NUMBER = "AC" + "0" * 32, "the-token", "+85251234567"


@pytest.fixture
def ctx(any_database):
    page = {"name": {"en": "Demo Wallet", "zh-Hans": "演示钱包"}, "url": "https://status.wallet.example", "languages": ["en"],
            "time_zone": "UTC"}  # fmt: skip
    sms = {"countries": ["HK"], "twilio": {"account_sid": ACCOUNT, "auth_token": "${env:TOKEN}", "number": "+15005550006"}}
    with any_database.write() as conn:
        conn.execute(insert(meta), [{"name": "page", "value": page}, {"name": "channels", "value": {"sms": sms}}])
    return Context(any_database, Keys(b"\x01" * 32, b"\x02" * 32, b"\x03" * 32), lambda: datetime(2026, 11, 22, tzinfo=UTC))


@pytest.fixture
def call(ctx):
    """A function that calls back as Twilio does."""
    app = Flask("callbacks")
    app.register_blueprint(callbacks_blueprint(ctx, lambda text: text.replace("${env:TOKEN}", TOKEN)))

    def make(form, token=TOKEN, url=URL, **headers):
        whole = {"AccountSid": ACCOUNT, **form}
        headers.setdefault("X-Twilio-Signature", RequestValidator(token).compute_signature(url, whole))
        return app.test_client().post("/callbacks/twilio", data=whole, headers=headers)

    return make


@pytest.fixture
def sent(ctx):
    """A confirmed number, and a delivery to it that Twilio knows as SM1."""
    handle = subscribers.subscribe(ctx, subscribers.Wish("sms", "en", "10.0.0.0/24", phone=NUMBER)).handle
    deliveries.expand(ctx)
    with ctx.db.write() as conn:
        conn.execute(update(delivery.deliveries).values(state="sent", reference="SM1"))
        values = {"state": "active", "confirmed_at": ctx.now(), "token_hash": None, "token_expires_at": None}
        conn.execute(update(delivery.subscriptions).where(delivery.subscriptions.c.public_id == handle).values(values))
    return handle


def first(ctx, column):
    with ctx.db.read() as conn:
        return conn.execute(select(column)).scalar()


def test_a_receipt_is_noted_and_a_replay_or_an_older_word_changes_nothing(ctx, call, sent):
    words = ("sent", "delivered", "delivered", "queued")

    answers = [call({"MessageSid": "SM1", "MessageStatus": word}).status_code for word in words]

    assert answers == [204] * 4
    assert first(ctx, delivery.deliveries.c.receipt) == "delivered"


def test_a_message_that_is_not_ours_is_refused(call, sent):
    assert call({"MessageSid": "SM999", "MessageStatus": "delivered"}).status_code == 404
    assert call({"MessageSid": "", "MessageStatus": "delivered"}).status_code == 404


@pytest.mark.parametrize("form", [
    {"token": "another"}, {"token": ""}, {"url": URL.replace("https", "http")}, {"X-Twilio-Signature": ""},
])  # fmt: skip
def test_a_callback_that_twilio_did_not_sign_for_our_address_is_refused(ctx, call, sent, form):
    answer = call({"MessageSid": "SM1", "MessageStatus": "delivered"}, **form)

    assert (answer.status_code, first(ctx, delivery.deliveries.c.receipt)) == (403, "")


def test_a_callback_of_another_account_is_refused(call, sent):
    assert call({"MessageSid": "SM1", "MessageStatus": "delivered", "AccountSid": "AC9"}).status_code == 403


def test_without_a_token_there_are_no_callbacks_not_even_with_an_empty_key(ctx, call):
    with ctx.db.write() as conn:
        account = {"account_sid": "", "auth_token": "", "number": "+15005550006"}
        conn.execute(update(meta).where(meta.c.name == "channels").values(value={"sms": {"twilio": account}}))

    assert call({"From": NUMBER, "Body": "STOP"}, token="").status_code == 404


@pytest.mark.parametrize("said", ["STOP", "退订", "TD", "please stop"])
def test_stop_ends_every_sms_at_once_and_start_lifts_it(ctx, call, sent, said):
    stopped = [call({"From": NUMBER, "Body": said, "MessageSid": "SMin"}).status_code for _turn in range(2)]
    state = first(ctx, delivery.subscriptions.c.state)
    suppressed = first(ctx, delivery.suppressions.c.reason)
    call({"From": NUMBER, "Body": "START", "MessageSid": "SMin2"})

    assert (stopped, state, suppressed) == ([200, 200], "suppressed", "STOP")
    assert first(ctx, delivery.subscriptions.c.state) == "active"
    assert first(ctx, delivery.suppressions.c.reason) is None


def test_a_stop_of_an_unknown_number_is_remembered_and_its_owner_gets_no_code_later(ctx, call):
    call({"From": NUMBER, "Body": "STOP", "MessageSid": "SMin"})

    subscribers.subscribe(ctx, subscribers.Wish("sms", "en", "10.0.0.0/24", phone=NUMBER))

    assert first(ctx, delivery.outbox.c.id) is None


@pytest.mark.parametrize(("said", "word"), [("HELP", "Reply STOP to end"), ("帮助", "退订回复TD")])
def test_help_names_the_brand_and_how_to_stop(call, said, word):
    answer = call({"From": NUMBER, "Body": said, "MessageSid": "SMin"}).get_data(as_text=True)

    assert word in answer
    assert "status.wallet.example" in answer


def test_a_supplier_that_reports_a_stop_suppresses_the_number(ctx, call, sent):
    call({"MessageSid": "SM1", "MessageStatus": "undelivered", "ErrorCode": "21610"})

    assert first(ctx, delivery.subscriptions.c.state) == "suppressed"


@pytest.mark.parametrize("form", [
    {"From": "nonsense", "Body": "STOP"}, {"Body": "STOP"}, {"From": NUMBER, "Body": "<x>" * 2000}, {},
])  # fmt: skip
def test_nonsense_is_answered_and_changes_nothing(ctx, call, sent, form):
    assert call(form).status_code == 200
    assert first(ctx, delivery.subscriptions.c.state) == "active"

"""Against a local peer that speaks Twilio's documented format (Messages resource, errors as {code, message, status})."""

import base64
import json
import logging
import struct
import time
from contextlib import suppress
from datetime import timedelta
from email.utils import format_datetime
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from statuspage.channels import registry, sms, texts
from statuspage.errors import DeliveryError, Permanent, Throttled, Transient, Unknown

NUMBER = "+85251234567"
ACCOUNT = {"twilio": {"account_sid": "AC" + "0" * 32, "auth_token": "token-token", "messaging_service_sid": "MG" + "1" * 32}}


class Twilio:
    """Accepts messages, keeps them, and lists them; `faults` are taken one per POST."""

    def __init__(self, peer, reply, now):
        self.peer, self.reply, self.now, self.sent, self.faults = peer, reply, now, [], []
        peer.script = self.answer

    def answer(self, handler, request):
        path = urlsplit(request["path"])
        if request["method"] == "GET":
            to = parse_qs(path.query)["To"][0]
            found = [item for item in reversed(self.sent) if item["to"] == to]
            self.json(handler, 200, {"messages": found, "next_page_uri": None})
            return
        form = {name: values[0] for name, values in parse_qs(request["body"].decode()).items()}
        fault = self.faults.pop(0) if self.faults else None
        if fault is None or fault == "accept then break":
            self.accept(form)
        if fault is None:
            self.json(handler, 201, self.sent[-1])
        elif isinstance(fault, tuple):
            status, code, headers = fault
            self.json(handler, status, {"code": code, "message": f"The number {form['To']} is wrong", "status": status}, headers)
        else:
            handler.connection.setsockopt(1, 13, struct.pack("ii", 1, 0))
            handler.connection.close()

    def accept(self, form):
        self.sent.append({
            "sid": f"SM{len(self.sent):032d}", "to": form["To"], "body": form["Body"], "status": "queued", "form": form,
            "date_created": format_datetime(self.now), "num_segments": "1",
        })  # fmt: skip

    def json(self, handler, status, data, headers=None):
        self.reply(handler, status, json.dumps(data).encode(), {"Content-Type": "application/json", **(headers or {})})


@pytest.fixture
def twilio(peer, reply, now):
    return Twilio(peer, reply, now)


@pytest.fixture
def ready(services, peer):
    return services({"sms": ACCOUNT}, twilio_url=peer.url)


def test_a_message_goes_out_by_the_messaging_service_with_a_validity_and_a_callback(twilio, ready, message):
    reference = sms.send(message("sms"), NUMBER, ready)

    form = twilio.sent[0]["form"]
    assert reference == twilio.sent[0]["sid"]
    assert form["Body"].startswith("Demo Wallet: Some transfers are failing")
    assert (form["MessagingServiceSid"], form["ValidityPeriod"]) == ("MG" + "1" * 32, "14400")
    assert form["StatusCallback"] == "https://status.wallet.example/callbacks/twilio"
    assert twilio.peer.requests[0]["path"] == f"/2010-04-01/Accounts/{ACCOUNT['twilio']['account_sid']}/Messages.json"
    expected = base64.b64encode(f"{ACCOUNT['twilio']['account_sid']}:token-token".encode()).decode()
    assert twilio.peer.requests[0]["headers"]["Authorization"] == f"Basic {expected}"


def test_a_number_may_send_instead_and_settings_are_resolved_at_use(twilio, services, message, peer):
    account = {"account_sid": "${env:SID}", "auth_token": "${env:TOKEN}", "number": "+15005550006"}
    ready = services({"sms": {"twilio": account}}, twilio_url=peer.url, resolve=lambda text: text.replace("${env:SID}", "AC9"))

    sms.send(message("sms"), NUMBER, ready)

    assert twilio.sent[0]["form"]["From"] == "+15005550006"
    assert "/Accounts/AC9/" in peer.requests[0]["path"]


@pytest.mark.parametrize(("status", "code", "error"), [
    (400, 21610, Permanent), (400, 21211, Permanent), (400, 21614, Permanent), (429, 20429, Throttled), (400, 21611, Throttled),
    (401, 20003, Throttled), (403, None, Throttled), (400, 21617, DeliveryError), (400, 21408, Transient), (503, None, Transient),
    (500, 20500, Unknown), (502, None, Unknown),
])  # fmt: skip
def test_an_error_of_twilio_becomes_ours_without_the_number(twilio, ready, message, status, code, error):
    twilio.faults.append((status, code, {"Retry-After": "9"}))

    with pytest.raises(DeliveryError) as caught:
        sms.send(message("sms"), NUMBER, ready)
    assert type(caught.value) is error
    assert NUMBER not in str(caught.value)
    assert status != 429 or caught.value.retry_after_s == 9


@pytest.mark.parametrize(("fault", "found"), [("accept then break", True), ("break", False)])
def test_a_message_whose_answer_was_lost_is_looked_up_by_number_and_text(twilio, ready, message, fault, found):
    twilio.faults.append(fault)

    with pytest.raises(Unknown):
        sms.send(message("sms"), NUMBER, ready)
    assert (sms.find(message("sms"), NUMBER, ready) is not None) is found


def test_the_look_up_takes_no_other_text_no_older_one_and_none_that_failed(twilio, ready, message, now):
    said = message("sms")
    text = texts.short(said)
    twilio.sent = [
        {"sid": "SM1", "to": NUMBER, "body": "something else", "status": "sent", "date_created": format_datetime(now)},
        {"sid": "SM2", "to": NUMBER, "body": text, "status": "sent", "date_created": format_datetime(now - timedelta(hours=1))},
        {"sid": "SM3", "to": NUMBER, "body": text, "status": "failed", "date_created": format_datetime(now)},
        {"sid": "SM4", "to": "+85251111111", "body": text, "status": "sent", "date_created": format_datetime(now)},
    ]

    assert sms.find(said, NUMBER, ready) is None


def test_an_answer_of_garbage_is_unknown_for_sending_and_for_looking(peer, reply, ready, message):
    peer.script = lambda handler, _request: reply(handler, 200, b"<html>")

    with pytest.raises(Unknown):
        sms.send(message("sms"), NUMBER, ready)
    with pytest.raises(Unknown):
        sms.find(message("sms"), NUMBER, ready)


def test_a_silent_supplier_is_given_up_at_the_deadline(raw_peer, services, message):
    ready = services({"sms": ACCOUNT}, twilio_url=raw_peer(lambda _line, stop: stop.wait(20)))

    started = time.monotonic()
    with pytest.raises(Unknown):
        sms.send(message("sms"), NUMBER, ready)
    assert time.monotonic() - started < 3


def test_nothing_of_number_token_or_text_reaches_a_log(twilio, ready, message, caplog):
    caplog.set_level(logging.DEBUG)
    twilio.faults = [None, (400, 21211, {}), "break"]

    for _turn in range(3):
        try:
            sms.send(message("sms"), NUMBER, ready)
        except DeliveryError:
            logging.getLogger("test").exception("as the deliverer would log it")
    assert [secret for secret in (NUMBER, NUMBER[1:], "token-token", "Some transfers") if secret in caplog.text] == []


def test_a_callback_is_signed_over_the_configured_address_and_never_with_an_empty_token():
    validator = sms.RequestValidator("token-token")
    url, form = "https://status.wallet.example/callbacks/twilio", {"MessageSid": "SM1", "MessageStatus": "delivered"}
    signature = validator.compute_signature(url, form)
    empty = sms.RequestValidator("").compute_signature(url, form)

    assert sms.is_signed(url, form, signature, "token-token")
    assert not sms.is_signed(url, {**form, "MessageStatus": "failed"}, signature, "token-token")
    assert not sms.is_signed(url.replace("https", "http"), form, signature, "token-token")
    assert not sms.is_signed(url, form, empty, "")


def test_a_message_that_nobody_can_look_at_is_printed_once_and_one_that_no_disk_takes_waits(services, message, tmp_path):
    ready = services({"sms": {"countries": ["HK"]}})
    ready.printer.path = tmp_path / "printed.log"
    send = registry.sender("sms", ready)
    with suppress(OSError), open("/dev/full", "w", encoding="utf-8") as ready.printer.stream:  # noqa: PTH123 - a device
        send(message("sms"), NUMBER, ready)
    printed = ready.printer.path.read_text()

    ready.printer.path = Path("/dev/full")
    with pytest.raises(Transient, match="No space left"):
        send(message("sms"), NUMBER, ready)

    assert len(printed.splitlines()) == 1


def test_without_an_account_the_text_is_printed_with_the_number_masked(services, message, capsys, tmp_path):
    ready = services({"sms": {"countries": ["HK"]}})
    ready.printer.path = tmp_path / "var" / "printed.log"

    reference = registry.sender("sms", ready)(message("sms"), NUMBER, ready)

    printed = ready.printer.last[0]
    assert reference == "console-outbox-7-3"
    assert (printed.to, printed.text[:12]) == ("••• 4567", "Demo Wallet:")
    assert NUMBER not in ready.printer.path.read_text()
    assert ready.printer.path.stat().st_mode & 0o077 == 0
    assert registry.finder("sms", ready) is None

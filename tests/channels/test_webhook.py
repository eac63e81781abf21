import base64
import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest
import standardwebhooks

from statuspage.channels import webhook
from statuspage.domain import address
from statuspage.domain.notice import Facts
from statuspage.errors import InvalidInput, Permanent, Transient

SECRET = "whsec_" + base64.b64encode(b"k" * 24).decode()


def sealed_form(url, secret=SECRET):
    return json.dumps({"url": url, "secret": secret})


def test_what_is_received_verifies_with_the_standard_package_and_reads_as_statuspage(peer, services, message):
    ready = services(now=lambda: datetime.now(UTC))

    webhook.send(message(audience="operator"), sealed_form(f"{peer.url}/hook"), ready)

    request = peer.requests[0]
    body = standardwebhooks.Webhook(SECRET).verify(request["body"], request["headers"])
    assert request["headers"]["webhook-id"] == "outbox-7-3"
    assert body["event_type"] == "incident"
    assert body["incident"]["name"] == "Some transfers are failing"
    assert body["incident"]["incident_updates"][0]["affected_components"] == [
        {"code": "comptransfer", "name": "Functions - Transfers", "old_status": "operational", "new_status": "major_outage"}
    ]
    assert body["page"] == {"id": "pagepagepage", "status_indicator": "critical", "status_description": "Major Service Outage"}
    assert body["meta"]["unsubscribe"].startswith("https://status.wallet.example/")
    assert body["x_wallet"]["suspected"] is False
    assert body["x_wallet"]["titles"]["zh-Hans"] == "部分转账失败"


def test_a_maintenance_that_waits_for_a_block_names_it(message):
    begins_at = datetime(2026, 11, 24, 6, tzinfo=UTC)
    planned = Facts("maintenance", "scheduled", {"en": "Network upgrade"}, scheduled_for=begins_at)
    for_block = replace(planned, at_block=25_000_000, at_network="ethereum")

    waiting, timed = (
        webhook.body(message(extra={"facts": facts.to_json()}), begins_at) for facts in (for_block, planned)
    )

    expected = {"network": "ethereum", "height": 25_000_000, "estimated_at": "2026-11-24T06:00:00.000Z"}
    assert waiting["x_wallet"]["at_block"] == expected
    assert waiting["incident"]["scheduled_for"] == expected["estimated_at"]
    assert timed["x_wallet"]["at_block"] is None
    assert list(waiting["incident"]) == list(timed["incident"])


def test_a_rise_in_reports_has_no_incident_and_only_numbers(peer, services, message, rise):
    ready = services(now=lambda: datetime.now(UTC))

    webhook.send(message(kind="page_oncall", audience="oncall", extra=rise), sealed_form(f"{peer.url}/hook"), ready)

    body = json.loads(peer.requests[0]["body"])
    assert (body["event_type"], "incident" in body) == ("page_oncall", False)
    assert body["x_wallet"] == {
        "event": "reports", "audience": "oncall", "symptom": "transfer_failed", "count": 24, "usual": 2, "window_min": 15,
        "names": {"en": "A transfer fails", "zh-Hans": "转账失败"}, "since": "2026-11-22T05:20:00.000Z",
    }  # fmt: skip


def test_a_changed_body_does_not_verify(peer, services, message):
    webhook.send(message(audience="operator"), sealed_form(peer.url), services(now=lambda: datetime.now(UTC)))

    request = peer.requests[0]
    with pytest.raises(standardwebhooks.WebhookVerificationError):
        standardwebhooks.Webhook(SECRET).verify(request["body"] + b" ", request["headers"])


@pytest.mark.parametrize("secret", ["", "plain text", "whsec_not base64!", "whsec_"])
def test_a_secret_of_any_form_signs(peer, services, message, secret):
    webhook.send(message(audience="operator"), sealed_form(peer.url, secret), services())

    assert peer.requests[0]["headers"]["webhook-signature"].startswith("v1,")


@pytest.mark.parametrize("spelling", ["http://127.0.0.1", "http://localhost", "http://[::ffff:127.0.0.1]", "http://2130706433"])
def test_a_visitors_row_put_in_by_hand_is_refused_at_send_time(peer, services, message, spelling):
    url = f"{spelling}:{peer.server_address[1]}/hook"

    with pytest.raises(Permanent):
        webhook.send(message(audience="public"), sealed_form(url), services())
    assert peer.requests == []


@pytest.mark.parametrize("url", [
    "http://hooks.example/x", "https://127.0.0.1/", "https://127.1/", "https://2130706433/", "https://0x7f000001/", "https://0177.0.0.1/",
    "https://localhost/", "https://LOCALHOST./", "https://a.localhost/", "https://[::1]/", "https://[::]/", "https://[fd00:ec2::254]/",
    "https://169.254.169.254/", "https://10.0.0.1/", "https://a:b@hooks.example/", "https://127.0.0.1\\@hooks.example/", "ftp://hooks.example/",
    "https://hooks.example/ x", "https://hooks.example/\n", "https:hooks.example", "https:///x", "https://hooks.example:0/", "https://１２７.0.0.1/",
    "https://hooks.example:99999/", "https://intranet/", "https://hooks.example/#x", "https://" + "a" * 2000, "", "x",
])  # fmt: skip
def test_a_visitors_address_is_refused_when_it_is_handed_in(url):
    with pytest.raises(InvalidInput):
        address.webhook(url, SECRET)


def test_a_public_address_is_accepted_and_shown_without_its_path():
    found = address.webhook("https://hooks.example:8443/T0/secret?x=1", SECRET)

    assert (found.identity, found.label) == ("https://hooks.example:8443/T0/secret?x=1", "https://hooks.example/…")


@pytest.mark.parametrize("echo", [lambda challenge: challenge, lambda challenge: json.dumps({"challenge": challenge})])
def test_a_receiver_that_echoes_the_challenge_is_accepted(peer, reply, services, message, echo):
    peer.script = lambda handler, request: reply(handler, 200, echo(json.loads(request["body"])["challenge"]).encode())
    asked = message(kind="confirm", audience="operator", extra={"challenge": "c" * 43})

    assert webhook.send(asked, sealed_form(peer.url), services()) == "outbox-7-3"
    assert json.loads(peer.requests[0]["body"])["secret"] == SECRET


@pytest.mark.parametrize("body", [
    b"", b"ok", b"{}", b"[[[[", b'{"challenge": 1}', b'{"challenge": "d"}', b"\xff" * 50, b"[" * 60_000,
])  # fmt: skip
def test_a_receiver_that_does_not_echo_the_challenge_is_refused(peer, reply, services, message, body):
    peer.script = lambda handler, _request: reply(handler, 200, body)
    asked = message(kind="confirm", audience="operator", extra={"challenge": "c" * 43})

    with pytest.raises(Permanent, match="echo"):
        webhook.send(asked, sealed_form(peer.url), services())


def test_a_redirect_is_a_failure_and_is_not_followed(peer, reply, services, message):
    peer.script = lambda handler, _request: reply(handler, 302, headers={"Location": f"{peer.url}/other"})

    with pytest.raises(Transient):
        webhook.send(message(audience="operator"), sealed_form(peer.url), services())
    assert len(peer.requests) == 1


def test_an_error_names_neither_the_address_nor_the_secret(services, message, free_port):
    url = f"http://127.0.0.1:{free_port()}/very-secret-path"

    with pytest.raises(Transient) as caught:
        webhook.send(message(audience="operator"), sealed_form(url), services())
    assert "very-secret-path" not in str(caught.value)
    assert SECRET not in str(caught.value)

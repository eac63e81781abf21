"""Against a local push service that decrypts what it was handed, as a browser would."""

import base64
import json
from datetime import timedelta

import http_ece
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from py_vapid import Vapid02

from statuspage.channels import webpush
from statuspage.domain import address, delivery
from statuspage.errors import DeliveryError, InvalidInput, Permanent, Throttled, Transient


def b64(raw):
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


class Browser:
    """A browser's subscription at the local push service, with the private half of its key."""

    def __init__(self, origin):
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.auth = b"a" * 16
        point = self.key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        self.subscription = json.dumps({"endpoint": f"{origin}/push/abc", "keys": {"p256dh": b64(point), "auth": b64(self.auth)}})

    def decrypt(self, body):
        return json.loads(http_ece.decrypt(body, private_key=self.key, auth_secret=self.auth, version="aes128gcm"))


@pytest.fixture
def browser(tls_peer):
    return Browser(tls_peer.url)


@pytest.fixture
def ready(services, tls_peer, reply):
    tls_peer.script = lambda handler, _request: reply(handler, 201, headers={"Location": "/m/1"})
    hosts = [tls_peer.url.removeprefix("https://")]
    return services({"webpush": {"contact": "mailto:ops@wallet.example", "hosts": hosts}})


def test_the_browser_decrypts_title_sentence_and_path(tls_peer, browser, ready, message):
    webpush.send(message("webpush"), browser.subscription, ready)

    request = tls_peer.requests[0]
    assert browser.decrypt(request["body"]) == {
        "title": "Demo Wallet: Some transfers are failing", "body": "A database stopped. more",
        "path": "/en/incidents/abcdefgh1234", "tag": "abcdefgh1234", "lang": "en",
    }  # fmt: skip
    assert request["headers"]["content-encoding"] == "aes128gcm"


def test_the_headers_say_how_long_how_urgent_and_what_it_replaces(tls_peer, browser, ready, message):
    webpush.send(message("webpush"), browser.subscription, ready)
    webpush.send(message("webpush", event="updated"), browser.subscription, ready)

    first, second = (request["headers"] for request in tls_peer.requests)
    assert (first["ttl"], first["urgency"], second["ttl"]) == ("14400", "high", "1800")
    assert len(first["topic"]) == 32
    assert first["topic"] == second["topic"]


def test_the_vapid_token_is_signed_by_our_key_for_this_service(tls_peer, browser, ready, message):
    webpush.send(message("webpush"), browser.subscription, ready)

    header = tls_peer.requests[0]["headers"]["authorization"]
    token, key = (part.partition("=")[2] for part in header.removeprefix("vapid ").split(","))
    claims = json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))
    assert Vapid02.verify(header)
    assert key == delivery.push_public_key(ready.vapid)
    assert (claims["aud"], claims["sub"]) == (tls_peer.url, "mailto:ops@wallet.example")
    assert claims["exp"] - ready.now().timestamp() <= 24 * 3600


@pytest.mark.parametrize(("status", "error"), [
    (404, Permanent), (410, Permanent), (413, DeliveryError), (429, Throttled), (401, Throttled), (403, Throttled),
    (500, Transient),
])  # fmt: skip
def test_a_refusal_becomes_the_error_it_means(tls_peer, reply, browser, ready, message, status, error):
    tls_peer.script = lambda handler, _request: reply(handler, status, headers={"Retry-After": "11"})

    with pytest.raises(DeliveryError) as caught:
        webpush.send(message("webpush"), browser.subscription, ready)
    assert type(caught.value) is error
    assert "push/abc" not in str(caught.value)


@pytest.mark.parametrize("length", [10, 5_000])
def test_a_payload_stays_within_two_kilobytes_whatever_the_words(tls_peer, browser, ready, message, length):
    said = message("webpush", "zh-Hans", titles={"zh-Hans": "转" * length}, extra={"bodies": {"zh-Hans": "账" * length}})

    webpush.send(said, browser.subscription, ready)

    shown = browser.decrypt(tls_peer.requests[0]["body"])
    assert len(json.dumps(shown, ensure_ascii=False).encode()) <= 2100
    assert len(tls_peer.requests[0]["body"]) <= 4096


def test_a_subscription_stored_by_hand_at_an_unknown_service_is_refused_and_not_dialled(tls_peer, browser, services, message):
    strict = services({"webpush": {"contact": "mailto:ops@wallet.example"}})

    with pytest.raises(Permanent):
        webpush.send(message("webpush"), browser.subscription, strict)
    assert tls_peer.requests == []


def test_keys_that_are_no_point_of_the_curve_suppress_only_this_browser(tls_peer, ready, message):
    keys = {"p256dh": b64(b"\x04" + b"\x01" * 64), "auth": b64(b"a" * 16)}
    broken = json.dumps({"endpoint": f"{tls_peer.url}/x", "keys": keys})

    with pytest.raises(Permanent):
        webpush.send(message("webpush"), broken, ready)


@pytest.mark.parametrize("endpoint", [
    "https://fcm.googleapis.com/fcm/send/x", "https://updates.push.services.mozilla.com/wpush/v2/x", "https://web.push.apple.com/x",
    "https://db5p.notify.windows.com/w/?token=x",
])  # fmt: skip
def test_the_known_push_services_are_accepted(endpoint):
    found = address.push(json.dumps({**json.loads(Browser("https://x").subscription), "endpoint": endpoint}))

    assert found.identity == endpoint


@pytest.mark.parametrize("endpoint", [
    "http://fcm.googleapis.com/x", "https://fcm.googleapis.com:8443/x", "https://fcm.googleapis.com.evil.example/x",
    "https://evil.example/?fcm.googleapis.com", "https://evil-push.apple.com.example/", "https://xpush.apple.com/", "https://127.0.0.1/x",
    "https://fcm.googleapis.com@127.0.0.1/x", "https://127.0.0.1\\@fcm.googleapis.com/x", "https://push.apple.com/x", 5, None, "",
])  # fmt: skip
def test_other_endpoints_are_refused(endpoint):
    with pytest.raises(InvalidInput):
        address.push(json.dumps({**json.loads(Browser("https://x").subscription), "endpoint": endpoint}))


@pytest.mark.parametrize("raw", [
    "", "{}", "[]", "null", '{"endpoint": "https://fcm.googleapis.com/x"}', '{"endpoint": 1, "keys": 2}', "[" * 9000,
])  # fmt: skip
def test_what_is_no_subscription_is_refused(raw):
    with pytest.raises(InvalidInput):
        address.push(raw)


def test_a_message_that_expires_soon_is_not_kept_longer(tls_peer, browser, services, ready, message, now):
    late = services(ready.channels, now=lambda: now + timedelta(hours=3, minutes=50))

    webpush.send(message("webpush"), browser.subscription, late)

    assert tls_peer.requests[0]["headers"]["ttl"] == "600"

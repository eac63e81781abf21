"""The WebSocket probe against a server that speaks RFC 6455, and against those that only pretend to."""

from __future__ import annotations

import base64
import hashlib
import json
import ssl
import struct
import time

import pytest
import trustme

from probes.registry import PROBES


def accept_of(request):
    key = next(line for line in request.split(b"\r\n") if line.startswith(b"Sec-WebSocket-Key: ")).partition(b": ")[2]
    assert len(base64.b64decode(key)) == 16
    return base64.b64encode(hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11", usedforsecurity=False).digest())


def upgrade(connection, *extra, accept=None):
    request = connection.recv(65536)
    if not request:
        raise ConnectionResetError  # the probe has hung up, as it does on a bad certificate
    lines = [b"HTTP/1.1 101 Switching Protocols", b"upgrade: WebSocket", b"Connection: Upgrade"]
    lines += [b"Sec-WebSocket-Accept: " + (accept or accept_of(request)), *extra]
    connection.sendall(b"\r\n".join(lines) + b"\r\n\r\n")
    return request


def take(connection):
    """Opcode and unmasked payload of one small frame of the client."""
    head = connection.recv(1) + connection.recv(1)
    if len(head) < 2:
        raise ConnectionResetError
    first, second = head
    assert second & 0x80, "a client must mask"
    size = second & 0x7F
    if size == 126:
        (size,) = struct.unpack("!H", connection.recv(2))
    mask, payload = connection.recv(4), b""
    while len(payload) < size:
        payload += connection.recv(size - len(payload))
    return first & 0x0F, bytes(byte ^ mask[place % 4] for place, byte in enumerate(payload))


def frame(opcode, payload, *, final=True):
    size = len(payload)
    length = bytes([size]) if size < 126 else struct.pack("!BH", 126, size)
    return bytes([(0x80 if final else 0) | opcode]) + length + payload


def verdict(result):
    return result.outcome, result.error_class


def url(server):
    return server.url.replace("http", "ws") + "prices?a=1"


def test_a_handshake_is_up_and_ends_politely(serve, probe, until):
    ends = []

    def behave(connection):
        server.requests.append(upgrade(connection))
        ends.append(take(connection))

    server = serve(behave)

    result = probe("websocket", url(server), {"headers": {"Origin": "https://wallet.example"}, "bearer": "tok-1234"})
    until(lambda: ends)

    assert verdict(result) == ("up", None), result.message
    assert server.requests[0].startswith(b"GET /prices?a=1 HTTP/1.1\r\nHost: 127.0.0.1:")
    assert b"\r\nOrigin: https://wallet.example\r\nAuthorization: Bearer tok-1234\r\n" in server.requests[0]
    assert ends == [(8, struct.pack("!H", 1000))]
    assert {"connect", "first_byte", "total"} <= set(result.phases)


@pytest.mark.parametrize("size", [5, 300])
def test_a_message_is_sent_and_the_right_one_waited_for(serve, probe, size):
    heard = []

    def behave(connection):
        upgrade(connection)
        heard.append(take(connection))
        connection.sendall(frame(1, b'{"type":"welcome"}'))
        connection.sendall(frame(9, b"are you there"))
        heard.append(take(connection))
        whole = json.dumps({"type": "price", "value": 7, "p": "x" * 200}).encode()
        connection.sendall(frame(1, whole[:50], final=False) + frame(9, b"") + frame(0, whole[50:]))
        take(connection)

    options = {"send": "s" * size, "reply_contains": "price", "reply_json": ["type == 'price'", "value > `0`"]}

    result = probe("websocket", url(serve(behave)), options)

    assert verdict(result) == ("up", None), result.message
    assert heard == [(1, b"s" * size), (10, b"are you there")]
    assert result.evidence["messages"] == 2


def bad(*frames):
    def behave(connection):
        upgrade(connection)
        connection.sendall(b"".join(frames))
        connection.recv(1)

    return behave


WANT = {"reply_contains": "price"}
LIARS = {
    "another status": (lambda c: c.recv(9999) and c.sendall(b"HTTP/1.1 403 No\r\n\r\n"), "status"),
    "plain http": (lambda c: c.recv(9999) and c.sendall(b"HTTP/1.1 200 OK\r\n\r\n"), "status"),
    "a wrong proof": (lambda c: upgrade(c, accept=b"nonsense"), "protocol"),
    "junk": (lambda c: c.recv(9999) and c.sendall(b"\x00\x01\r\n\r\n"), "protocol"),
    "an endless head": (lambda c: c.recv(9999) and c.sendall(b"HTTP/1.1 101 x\r\n" + b"a: b\r\n" * 9999), "protocol"),
    "a head and an end": (lambda c: c.recv(9999) and c.sendall(b"HTTP/1.1 101 x\r\n"), "reset"),
    "an unasked bit": (bad(b"\xc1\x00"), "protocol"),
    "a masked frame": (bad(b"\x81\x80\0\0\0\0"), "protocol"),
    "an unknown opcode": (bad(b"\x83\x00"), "protocol"),
    "a long ping": (bad(b"\x89\x7e\x01\x00"), "protocol"),
    "a ping in parts": (bad(b"\x09\x00"), "protocol"),
    "a continued nothing": (bad(frame(0, b"price")), "protocol"),
    "a message in a message": (bad(frame(1, b"a", final=False), frame(1, b"price")), "protocol"),
    "a frame of exabytes": (bad(b"\x81\x7f" + b"\x7f" + b"\xff" * 7), "body_cap"),
    "an endless message": (bad(frame(1, b"a" * 60_000, final=False), frame(0, b"a" * 60_000, final=False)), "body_cap"),
    "a close": (bad(frame(8, struct.pack("!H", 1011))), "reset"),
    "other messages": (bad(*[frame(1, b"other")] * 200), "assertion"),
    "other messages and silence": (bad(frame(1, b"other")), "timeout"),
    "silence": (bad(), "timeout"),
    "a mute server": (lambda _: time.sleep(3), "timeout"),
}


@pytest.mark.parametrize("case", LIARS)
def test_a_server_that_lies_is_down_in_time(serve, probe, case):
    behave, error_class = LIARS[case]
    began = time.monotonic()

    result = probe("websocket", url(serve(behave)), WANT, timeout_s=0.5)

    assert verdict(result) == ("down", error_class), result.message
    assert time.monotonic() - began < 2.8


@pytest.mark.parametrize(("given", "expected"), [(b"v2", ("up", None)), (b"v1", ("down", "assertion"))])
def test_a_subprotocol_must_be_agreed(serve, probe, given, expected):
    server = serve(lambda connection: upgrade(connection, b"Sec-WebSocket-Protocol: " + given) and connection.recv(9))

    assert verdict(probe("websocket", url(server), {"subprotocol": "v2"})) == expected


@pytest.mark.parametrize(
    ("names", "expected"), [(["127.0.0.1"], ("up", None)), (["other.test"], ("down", "certificate"))]
)
def test_wss_is_held_to_its_certificate(serve, probe, tmp_path, names, expected):
    authority = trustme.CA(key_type=trustme.KeyType.ECDSA)
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert(*names, key_type=trustme.KeyType.ECDSA).configure_cert(context)

    def behave(connection):
        with context.wrap_socket(connection, server_side=True) as secure:
            upgrade(secure)
            secure.sendall(frame(1, b"price " * 5000))
            secure.recv(1)

    target = f"wss://127.0.0.1:{serve(behave).port}/"

    assert verdict(probe("websocket", target, {**WANT, "ca_file": str(tmp_path / "ca.pem")})) == expected
    assert verdict(probe("websocket", target, WANT)) == ("down", "certificate")
    assert verdict(probe("websocket", target, {"ca_file": "/nowhere"})) == ("unknown", "client_error")


def test_a_slow_handshake_is_degraded(serve, probe):
    def behave(connection):
        time.sleep(0.15)
        upgrade(connection)
        connection.recv(9)

    assert verdict(probe("websocket", url(serve(behave)), {"degraded_above": "100ms"})) == ("degraded", "slow")


def test_the_address_goes_through_the_guard(serve, probe):
    canary = serve(upgrade)

    assert verdict(probe("websocket", url(canary), networks=())) == ("unknown", "blocked")
    assert canary.connections == 0


@pytest.mark.parametrize(
    ("target", "options", "path"),
    [
        ("https://a.b", {}, ("url",)),
        ("wss://", {}, ("url",)),
        ("wss://u:p@a.b", {}, ("url",)),
        ("wss://a.b", {"reply_json": ["["]}, ("reply_json", 0)),
        ("wss://a.b", {"headers": {"A": "x\ny"}}, ("headers", "A")),
        ("wss://a.b", {"bearer": "a", "basic": {"user": "a", "password": "b"}}, ("bearer",)),
        ("wss://a.b", {"nope": 5}, ("nope",)),
    ],
)
def test_what_is_wrong_is_said_with_its_place(target, options, path):
    assert [found for found, _ in PROBES["websocket"].validate(target, options)] == [path]

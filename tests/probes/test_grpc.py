"""The gRPC probe against grpcio's own server and health service, and against servers that only look like one."""

from __future__ import annotations

import struct
import time
from concurrent import futures
from datetime import UTC, datetime, timedelta

import grpc
import pytest
import trustme
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from probes.grpc import _health

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
UNKNOWN = health_pb2.HealthCheckResponse.UNKNOWN


@pytest.fixture
def start():
    """`start(servicer)` runs a grpcio server; with `identity` it speaks TLS. Its port."""
    servers = []

    def run(servicer, identity=None):
        server = grpc.server(futures.ThreadPoolExecutor(max_workers=2), options=[("grpc.so_reuseport", 0)])
        if servicer is not None:
            health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
        if identity is None:
            port = server.add_insecure_port("127.0.0.1:0")
        else:
            pair = (identity.private_key_pem.bytes(), b"".join(each.bytes() for each in identity.cert_chain_pems))
            port = server.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials([pair]))
        server.start()
        servers.append(server)
        return port

    yield run
    for server in servers:
        server.stop(0).wait(5)


@pytest.fixture
def real():
    found = health.HealthServicer()
    found.set("", SERVING)
    found.set("ledger.Transfers", SERVING)
    found.set("ledger.Rates", NOT_SERVING)
    found.set("ledger.Young", UNKNOWN)
    return found


@pytest.mark.parametrize(
    ("service", "expected", "said"),
    [
        (None, ("up", None), ""),
        ("ledger.Transfers", ("up", None), ""),
        ("ledger.Rates", ("down", "assertion"), "NOT_SERVING of ledger.Rates"),
        ("ledger.Young", ("unknown", "assertion"), "UNKNOWN"),
        ("ledger.Nobody", ("unknown", "client_error"), "no such service"),
    ],
)
def test_what_a_real_server_says_is_what_we_say(start, real, probe, service, expected, said):
    port = start(real)

    result = probe("grpc", f"127.0.0.1:{port}", {"tls": False, **({"service": service} if service else {})})

    assert (result.outcome, result.error_class) == expected, result.message
    assert said in result.message
    assert result.evidence["dialled"] == "127.0.0.1"
    assert "first_byte" in result.phases


def test_a_server_without_a_health_service_is_unknown(start, probe):
    result = probe("grpc", f"127.0.0.1:{start(None)}", {"tls": False})

    assert (result.outcome, result.error_class) == ("unknown", "unsupported")


class Says(health_pb2_grpc.HealthServicer):
    """Answers with a status, after a pause; keeps the metadata it was sent."""

    def __init__(self, code=None, pause_s=0.0, answer=None):
        self.code, self.pause_s, self.answer, self.metadata = code, pause_s, answer, {}

    def Check(self, _request, context):  # noqa: N802 - grpc's name
        self.metadata = dict(context.invocation_metadata())
        time.sleep(self.pause_s)
        if self.code is not None:
            context.abort(self.code, "because, 100%")
        return self.answer or health_pb2.HealthCheckResponse(status=SERVING)


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (grpc.StatusCode.UNAVAILABLE, ("down", "overloaded")),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, ("down", "overloaded")),
        (grpc.StatusCode.DEADLINE_EXCEEDED, ("down", "timeout")),
        (grpc.StatusCode.INTERNAL, ("down", "status")),
        (grpc.StatusCode.UNKNOWN, ("down", "status")),
        (grpc.StatusCode.UNAUTHENTICATED, ("unknown", "auth")),
        (grpc.StatusCode.PERMISSION_DENIED, ("unknown", "auth")),
        (grpc.StatusCode.UNIMPLEMENTED, ("unknown", "unsupported")),
        (grpc.StatusCode.INVALID_ARGUMENT, ("unknown", "client_error")),
    ],
)
def test_each_status_has_its_meaning(start, probe, code, expected):
    result = probe("grpc", f"127.0.0.1:{start(Says(code))}", {"tls": False})

    assert (result.outcome, result.error_class) == expected, result.message
    assert "because" in result.message
    assert result.evidence["grpc_status"] == code.value[0]


def test_metadata_and_the_token_are_sent_and_the_token_is_not_shown(start, probe, monkeypatch):
    monkeypatch.setenv("GRPC_TOKEN", "s3cret-token")
    servicer = Says(grpc.StatusCode.UNAVAILABLE)

    options = {"tls": False, "headers": {"x-region": "hk"}, "bearer": "${env:GRPC_TOKEN}"}
    result = probe("grpc", f"127.0.0.1:{start(servicer)}", options, detail=True)

    assert servicer.metadata["x-region"] == "hk"
    assert servicer.metadata["authorization"] == "Bearer s3cret-token"
    assert "s3cret-token" not in str(result)


def test_a_slow_server_is_degraded_and_a_mute_one_down_at_the_deadline(start, probe):
    slow = probe("grpc", f"127.0.0.1:{start(Says(pause_s=0.2))}", {"tls": False, "degraded_above": "100ms"})
    began = time.monotonic()
    mute = probe("grpc", f"127.0.0.1:{start(Says(pause_s=1.5))}", {"tls": False}, timeout_s=0.5)

    assert (slow.outcome, slow.error_class) == ("degraded", "slow")
    assert (mute.outcome, mute.error_class) == ("down", "timeout")
    assert time.monotonic() - began < 1.4


@pytest.mark.parametrize(
    ("name", "expected"), [("127.0.0.1", ("up", None)), ("other.test", ("down", "certificate"))]
)
def test_in_tls_the_certificate_counts(start, real, probe, tmp_path, name, expected):
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    port = start(real, authority.issue_cert(name))

    result = probe("grpc", f"127.0.0.1:{port}", {"ca_file": str(tmp_path / "ca.pem"), "certificate_days": 7})
    unknown_authority = probe("grpc", f"127.0.0.1:{port}")

    assert (result.outcome, result.error_class) == expected, result.message
    assert (unknown_authority.outcome, unknown_authority.error_class) == ("down", "certificate")


def test_a_certificate_that_ends_soon_is_degraded(start, real, probe, tmp_path):
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    port = start(real, authority.issue_cert("127.0.0.1", not_after=datetime.now(UTC) + timedelta(days=5)))

    result = probe("grpc", f"127.0.0.1:{port}", {"ca_file": str(tmp_path / "ca.pem"), "certificate_days": 7})

    assert (result.outcome, result.error_class) == ("degraded", "certificate")


def frame(kind, flags, stream, payload):
    return struct.pack("!I", len(payload))[1:] + bytes([kind, flags]) + struct.pack("!I", stream) + payload


def literal(name, value):
    """One header field of HPACK, never indexed."""
    return b"\x10" + bytes([len(name)]) + name + bytes([len(value)]) + value


HEAD = b"\x88" + literal(b"content-type", b"application/grpc")  # :status 200
SERVES = b"\x00\x00\x00\x00\x02\x08\x01"
LIES = {
    "ends without a status": ([(1, 4, HEAD), (0, 1, SERVES)], ("down", "protocol")),
    "a status that is none": ([(1, 5, HEAD + literal(b"grpc-status", b"fine"))], ("down", "protocol")),
    "status 0 and no message": ([(1, 5, HEAD + literal(b"grpc-status", b"0"))], ("down", "protocol")),
    "a message cut short": ([(1, 4, HEAD), (0, 0, SERVES[:6]), (1, 5, literal(b"grpc-status", b"0"))], ("down", "protocol")),
    "a message said to be packed": (
        [(1, 4, HEAD), (0, 0, b"\x01" + SERVES[1:]), (1, 5, literal(b"grpc-status", b"0"))], ("down", "protocol")
    ),
    "a message of another kind": (
        [(1, 4, HEAD), (0, 0, b"\x00\x00\x00\x00\x03\x0d\x01\x02"), (1, 5, literal(b"grpc-status", b"0"))], ("down", "protocol")
    ),
    "a long message": ([(1, 4, HEAD), (0, 0, b"x" * 9000), (1, 5, literal(b"grpc-status", b"0"))], ("down", "protocol")),
    "serving, and then a failure": (
        [(1, 4, HEAD), (0, 0, SERVES), (1, 5, literal(b"grpc-status", b"14"))], ("down", "overloaded")
    ),
    "a web page": ([(1, 4, b"\x88" + literal(b"content-type", b"text/html")), (0, 1, b"<html>")], ("down", "protocol")),
    "too many requests": ([(1, 5, literal(b":status", b"429"))], ("unknown", "rate_limited")),
    "bad gateway": ([(1, 5, literal(b":status", b"502"))], ("down", "status")),
}  # fmt: skip


@pytest.mark.parametrize("lie", LIES)
def test_a_server_that_lies_is_found_out(serve, probe, lie):
    frames, expected = LIES[lie]

    def behave(connection):
        connection.sendall(frame(4, 0, 0, b"") + frame(4, 1, 0, b""))
        seen = b""
        while SERVES[:3] not in seen[24:] and len(seen) < 300:  # the request's message, empty here
            seen += connection.recv(65536)
        connection.sendall(b"".join(frame(kind, flags, 1, payload) for kind, flags, payload in frames))
        connection.settimeout(1)
        while connection.recv(65536):
            pass

    result = probe("grpc", f"127.0.0.1:{serve(behave).port}", {"tls": False}, timeout_s=1.5)

    assert (result.outcome, result.error_class) == expected, result.message


FLOODS = {
    "settings": frame(4, 0, 0, b"\x00\x03\x00\x00\x00\x64") * 200,
    "pings": frame(6, 0, 0, b"8 octets") * 200,
    "header without end": frame(9, 0, 1, literal(b"a", b"b" * 100) * 100),
    "data without end": frame(0, 0, 1, b"x" * 16_000),
    "window updates": frame(8, 0, 0, b"\x00\x00\x00\x01") * 200,
    "frames longer than agreed": b"\x00\xff\xff\x00\x00\x00\x00\x00\x01" + bytes(65_535),
}


@pytest.mark.parametrize("flood", FLOODS)
def test_a_server_that_floods_is_down_within_the_deadline_and_costs_little(serve, probe, flood):
    def behave(connection):
        connection.sendall(frame(4, 0, 0, b""))
        connection.recv(65536)
        if flood == "header without end":
            connection.sendall(frame(1, 0, 1, HEAD))
        elif flood == "data without end":
            connection.sendall(frame(1, 4, 1, HEAD))
        while True:
            connection.sendall(FLOODS[flood])

    began = time.monotonic()
    result = probe("grpc", f"127.0.0.1:{serve(behave).port}", {"tls": False}, timeout_s=1.0)

    assert result.outcome == "down", result.message
    assert result.error_class in ("timeout", "protocol", "reset"), result.message
    assert time.monotonic() - began < 1.6


@pytest.mark.parametrize(
    ("last", "error_class"),
    [
        (frame(7, 0, 0, struct.pack("!II", 0, 0)), ("reset", "protocol")),  # GOAWAY: nothing was taken up
        (frame(3, 0, 1, struct.pack("!I", 7)), ("reset", "protocol")),  # RST_STREAM: refused
    ],
)
def test_a_server_that_hangs_up_is_down_at_once(serve, probe, last, error_class):
    def behave(connection):
        connection.sendall(frame(4, 0, 0, b""))
        connection.recv(65536)
        connection.sendall(last)
        connection.settimeout(2)
        while connection.recv(65536):
            pass

    result = probe("grpc", f"127.0.0.1:{serve(behave).port}", {"tls": False}, timeout_s=2.0)

    assert result.outcome == "down"
    assert result.error_class in error_class, result.message
    assert result.duration_ms < 1500


def test_a_server_of_http_1_is_no_grpc(serve, answer, probe):
    result = probe("grpc", f"127.0.0.1:{serve(answer()).port}", {"tls": False})

    assert result.outcome == "down"
    assert result.error_class in ("protocol", "reset")


def test_nothing_listening_is_refused(free_port, probe):
    result = probe("grpc", f"127.0.0.1:{free_port()}", {"tls": False})

    assert (result.outcome, result.error_class) == ("down", "refused")


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"\x00\x00\x00\x00\x00", 0),
        (b"\x00\x00\x00\x00\x02\x08\x01", 1),
        (b"\x00\x00\x00\x00\x06\x12\x02hi\x08\x02", 2),  # a later version's field before ours
        (b"\x00\x00\x00\x00\x02\x08\x81", None),
        (b"\x00\x00\x00\x00\x03\x12\x05h", None),
        (b"\x00\x00\x00\x00\x0c\x08" + b"\xff" * 11, None),
        (b"\x00\x00\x00\x00\x02\x00\x01", None),
        (b"", None),
        (b"\x00\xff\xff\xff\xff", None),
    ],
)
def test_a_message_is_read_strictly(body, expected):
    assert _health(body) == expected

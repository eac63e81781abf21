"""The PostgreSQL probe against a real server, and against servers that only pretend to be one."""

from __future__ import annotations

import struct
import time
from urllib.parse import urlsplit

import pytest


def verdict(result):
    return result.outcome, result.error_class


def at(server):
    return f"127.0.0.1:{server.port}"


@pytest.fixture
def real(postgres_server):
    parts = urlsplit(postgres_server)
    return f"{parts.hostname}:{parts.port}"


def test_a_real_server_that_lets_us_in_runs_a_query(real, probe):
    result = probe("postgres", real, {"tls": "none"}, timeout_s=5.0)

    assert verdict(result) == ("up", None), result.message
    assert result.evidence["let_in"] is True


def test_a_real_server_says_what_is_wrong_with_our_settings(real, probe):
    assert verdict(probe("postgres", real, {"tls": "none", "database": "nowhere"})) == ("unknown", "client_error")
    assert verdict(probe("postgres", real, {"tls": "none", "user": "nobody_here"})) == ("unknown", "auth")


def test_a_real_server_without_tls_is_down_where_tls_is_required(real, probe):
    assert verdict(probe("postgres", real)) == ("down", "tls")


def message(kind, payload):
    return kind + struct.pack("!I", len(payload) + 4) + payload


def error(state):
    return message(b"E", b"SFATAL\0C" + state + b"\0Msorry\0\0")


@pytest.mark.parametrize(
    ("says", "expected"),
    [
        (message(b"R", struct.pack("!I", 10) + b"SCRAM-SHA-256\0\0"), ("up", None)),
        (message(b"R", struct.pack("!I", 5) + b"salt"), ("up", None)),
        (message(b"R", struct.pack("!I", 99)), ("down", "protocol")),
        (message(b"R", b""), ("down", "protocol")),
        (error(b"57P03"), ("down", "overloaded")),
        (error(b"53300"), ("down", "overloaded")),
        (error(b"28000"), ("unknown", "auth")),
        (error(b"XX000"), ("down", "assertion")),
        (message(b"E", b""), ("down", "assertion")),
        (message(b"R", struct.pack("!I", 0)) + message(b"S", b"a\0b\0") * 500, ("down", "protocol")),
        (message(b"R", struct.pack("!I", 0)) + message(b"Z", b"I") * 2, ("down", "assertion")),
        (b"R\xff\xff\xff\xff", ("down", "protocol")),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", ("down", "protocol")),
        (b"R\0\0", ("down", "timeout")),
        (b"", ("down", "timeout")),
    ],
)
def test_what_the_server_says_is_what_we_say(serve, probe, says, expected):
    def behave(connection):
        connection.recv(999)
        connection.sendall(says)
        connection.recv(999)
        time.sleep(1)

    began = time.monotonic()

    result = probe("postgres", at(serve(behave)), {"tls": "none"}, timeout_s=0.4)

    assert verdict(result) == expected, result.message
    assert time.monotonic() - began < 2.8


@pytest.mark.parametrize(
    ("says", "error_class"), [(b"N", "tls"), (b"H", "protocol"), (b"Sjunk", "protocol"), (b"", "reset")]
)
def test_a_server_must_speak_tls_where_it_is_required(serve, probe, says, error_class):
    def behave(connection):
        assert connection.recv(999) == struct.pack("!II", 8, 80877103)
        connection.sendall(says)

    assert verdict(probe("postgres", at(serve(behave)))) == ("down", error_class)

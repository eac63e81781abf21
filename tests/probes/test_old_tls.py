"""Servers that still speak what was forbidden in 2021 are found, and nobody else is accused of it."""

from __future__ import annotations

import ssl
import struct
import time
import warnings

import pytest
import trustme

from probes.old_tls import client_hello

VERSIONS = ssl.TLSVersion


@pytest.fixture(scope="module")
def identity(tmp_path_factory):
    authority = trustme.CA()
    path = tmp_path_factory.mktemp("ca") / "ca.pem"
    authority.cert_pem.write_to_path(path)
    return authority.issue_cert("127.0.0.1", "wallet.test"), str(path)


@pytest.fixture
def server(serve, identity):
    """`server(lowest, highest)`: a TLS server of the standard library; its port and the file of its authority."""
    leaf, ca_file = identity

    def start(lowest, highest=VERSIONS.MAXIMUM_SUPPORTED):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of the versions that are the subject here
            context.minimum_version, context.maximum_version = lowest, highest
        context.set_ciphers("ALL:@SECLEVEL=0")
        leaf.configure_cert(context)

        def behave(connection):
            try:
                with context.wrap_socket(connection, server_side=True) as secure:
                    secure.recv(100)
            except ssl.SSLError:
                pass

        return serve(behave).port, ca_file

    return start


@pytest.mark.parametrize(
    ("lowest", "options", "expected", "said"),
    [
        (VERSIONS.TLSv1_2, {}, ("up", None), ""),
        (VERSIONS.TLSv1_3, {}, ("up", None), ""),
        (VERSIONS.TLSv1_1, {}, ("degraded", "tls"), "still speaks TLS 1.1"),
        (VERSIONS.TLSv1, {}, ("degraded", "tls"), "still speaks TLS 1.1"),
        (VERSIONS.TLSv1, {"old_protocols": "down"}, ("down", "tls"), "still speaks"),
        (VERSIONS.TLSv1, {"old_protocols": "up"}, ("up", None), ""),
    ],
)
def test_a_real_server_that_still_speaks_old_tls_is_found(server, probe, lowest, options, expected, said):
    port, ca_file = server(lowest)

    result = probe("tls", f"127.0.0.1:{port}", {"ca_file": ca_file, **options})

    assert (result.outcome, result.error_class) == expected, result.message
    assert said in result.message


def test_a_server_that_speaks_nothing_newer_is_down(server, probe):
    port, ca_file = server(VERSIONS.TLSv1, VERSIONS.TLSv1_1)

    result = probe("tls", f"127.0.0.1:{port}", {"ca_file": ca_file})

    assert (result.outcome, result.error_class) == ("down", "tls")


def server_hello(version):
    body = struct.pack("!H", version) + bytes(32) + b"\x00\xc0\x13\x00"
    handshake = b"\x02" + struct.pack("!I", len(body))[1:] + body
    return struct.pack("!BHH", 22, version, len(handshake)) + handshake


ANSWERS = {
    "TLS 1.0": (server_hello(0x0301), "degraded"),
    "SSL 3.0": (server_hello(0x0300), "degraded"),
    "a version that is not old": (server_hello(0x0303), "up"),
    "an alert": (b"\x15\x03\x01\x00\x02\x02\x46", "up"),
    "half an answer": (server_hello(0x0301)[:8], "up"),
    "a web page": (b"HTTP/1.1 400 Bad Request\r\n\r\n", "up"),
    "nothing": (b"", "up"),
}


@pytest.mark.parametrize("answer", ANSWERS)
def test_only_a_server_hello_of_an_old_version_is_one(serve, identity, probe, answer):
    raw, expected = ANSWERS[answer]
    leaf, ca_file = identity
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    leaf.configure_cert(context)
    seen = []

    def behave(connection):
        seen.append(connection)
        if len(seen) == 1:
            with context.wrap_socket(connection, server_side=True) as secure:
                secure.recv(100)
        elif connection.recv(4096):
            connection.sendall(raw)

    result = probe("tls", f"127.0.0.1:{serve(behave).port}", {"ca_file": ca_file})

    assert result.outcome == expected, result.message
    assert len(seen) == 2


def test_a_server_that_leaves_the_old_hello_unanswered_is_up_and_keeps_nobody_waiting(serve, identity, probe):
    leaf, ca_file = identity
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    leaf.configure_cert(context)
    seen = []

    def behave(connection):
        seen.append(connection)
        if len(seen) == 1:
            with context.wrap_socket(connection, server_side=True) as secure:
                secure.recv(100)
        else:
            connection.settimeout(5)
            while connection.recv(4096):
                pass

    began = time.monotonic()
    result = probe("tls", f"127.0.0.1:{serve(behave).port}", {"ca_file": ca_file}, timeout_s=0.6)

    assert result.outcome == "up", result.message
    assert time.monotonic() - began < 1.2


def test_the_hello_names_the_host_and_no_address():
    assert b"wallet.test" in client_hello("wallet.test")
    assert b"127.0.0.1" not in client_hello("127.0.0.1")
    assert struct.unpack("!H", client_hello("wallet.test")[3:5])[0] == len(client_hello("wallet.test")) - 5

"""The ICMP probe against this machine's own kernel, as root and as nobody."""

from __future__ import annotations

import os
import pwd
import socket
import struct
import threading
import time

import pytest

from probes import icmp
from probes.registry import PROBES

TOKEN = b"0123456789abcdef"
IP_HEAD = b"\x45" + b"\0" * 19


def verdict(result):
    return result.outcome, result.error_class


def allowed(family=socket.AF_INET):
    """Whether this process may open an ICMP socket now."""
    for kind in (socket.SOCK_DGRAM, socket.SOCK_RAW):
        try:
            socket.socket(family, kind, icmp._PROTOCOLS[family]).close()
        except PermissionError:
            continue
        return True
    return False


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_a_host_that_answers_is_up_where_icmp_is_allowed_and_unsupported_elsewhere(probe, address):
    result = probe("icmp", address, {"count": 2})

    if not allowed(socket.AF_INET6 if ":" in address else socket.AF_INET):
        assert verdict(result) == ("unknown", "unsupported")
        assert "ping_group_range" in result.message
    else:
        assert verdict(result) == ("up", None), result.message
        assert (result.evidence["sent"], result.evidence["lost"]) == (2, 0)
        assert all(0 < each < 1000 for each in result.evidence["round_trips_ms"])
        assert result.evidence["dialled"] == address


def test_without_any_right_it_says_which_right_is_missing(probe):
    was = os.geteuid()
    if was == 0:
        os.seteuid(pwd.getpwnam("nobody").pw_uid)
    try:
        may, result = allowed(), probe("icmp", "127.0.0.1", {"count": 1})
    finally:
        os.seteuid(was)

    assert verdict(result) == (("up", None) if may else ("unknown", "unsupported"))


@pytest.fixture
def peer(monkeypatch):
    """`peer(answers)` carries the packets over UDP to a host that answers the n-th request with `answers(n, request)`.

    This machine's kernel answers every ping truly and at once; packets that are lost, late or lies need a host of ours.
    """
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind(("127.0.0.1", 0))
    server.settimeout(2)

    class Carried(socket.socket):
        def connect(self, _address):
            super().connect(server.getsockname())

    def carried(_family):
        connection = Carried(socket.AF_INET, socket.SOCK_DGRAM)
        connection.settimeout(0)
        return connection

    def start(answers):
        def serve():
            for place in range(100):
                try:
                    request, client = server.recvfrom(2048)
                    for packet in answers(place, request):
                        server.sendto(packet, client)
                except OSError:
                    return

        threading.Thread(target=serve, daemon=True).start()
        monkeypatch.setattr(icmp, "_open", carried)

    yield start
    server.close()


def truth(request):
    return b"\0" + request[1:]


def lies(_place, request):
    return [request, b"", IP_HEAD, truth(request)[:-1] + b"x", b"\3" + request[1:], os.urandom(100)]


@pytest.mark.parametrize(
    ("answers", "options", "expected"),
    [
        (lambda _place, request: [truth(request)], {}, ("up", None)),
        (lambda place, request: [*lies(place, request), truth(request)], {}, ("up", None)),
        (lambda _place, _request: [], {}, ("down", "timeout")),
        (lies, {}, ("down", "timeout")),
        (lambda place, request: [truth(request)] if place else [], {}, ("degraded", "assertion")),
        (lambda place, request: [truth(request)] if place else [], {"max_loss": 50}, ("up", None)),
        (lambda _place, request: time.sleep(0.1) or [truth(request)], {"degraded_above": "50ms"}, ("degraded", "slow")),
    ],
)
def test_packets_that_are_lost_late_or_lies_are_judged_within_the_deadline(probe, peer, answers, options, expected):
    peer(answers)
    began = time.monotonic()

    result = probe("icmp", "127.0.0.1", {"count": 2, **options}, timeout_s=0.5)

    assert verdict(result) == expected, result.message
    assert time.monotonic() - began < 2.8


def test_a_slow_round_trip_is_degraded_where_icmp_is_allowed(probe):
    result = probe("icmp", "127.0.0.1", {"count": 1, "degraded_above": 0})

    assert verdict(result) == (("degraded", "slow") if allowed() else ("unknown", "unsupported"))


@pytest.mark.parametrize("address", ["127.0.0.2", "169.254.169.254", "10.0.0.1"])
def test_the_address_goes_through_the_guard(probe, address):
    assert verdict(probe("icmp", address, networks=("127.0.0.1/32",))) == ("unknown", "blocked")


def test_a_name_without_an_address_of_the_family_is_down(probe, name_server):
    name_server.records = {("one.test", "A"): ["127.0.0.1"]}

    result = probe("icmp", "one.test", {"ip_version": 6}, nameservers=(name_server.address,))

    assert verdict(result) == ("down", "dns")


def reply(kind=0, code=0, sequence=7, token=TOKEN):
    return struct.pack("!BBHHH", kind, code, 0, 1, sequence) + token


@pytest.mark.parametrize(
    ("packet", "family", "ours"),
    [
        (reply(), socket.AF_INET, True),
        (IP_HEAD + reply(), socket.AF_INET, True),
        (reply(129), socket.AF_INET6, True),
        (IP_HEAD + reply(8), socket.AF_INET, False),
        (IP_HEAD + reply(3), socket.AF_INET, False),
        (IP_HEAD + reply(code=1), socket.AF_INET, False),
        (IP_HEAD + reply(sequence=6), socket.AF_INET, False),
        (IP_HEAD + reply(token=b"x" * 16), socket.AF_INET, False),
        (IP_HEAD + reply(token=TOKEN + b"x"), socket.AF_INET, False),
        (b"\x4f" + b"\0" * 30, socket.AF_INET, False),
        (b"", socket.AF_INET, False),
        (b"\x45", socket.AF_INET, False),
        (reply(), socket.AF_INET6, False),
    ],
)
def test_only_the_answer_to_our_own_request_counts(packet, family, ours):
    assert icmp.is_reply(packet, family, 7, TOKEN) is ours


@pytest.mark.parametrize(
    ("target", "options", "path"),
    [
        ("a b", {}, ("host",)),
        ("https://a.b", {}, ("host",)),
        ("a.b", {"count": 0}, ("count",)),
        ("a.b", {"max_loss": 100}, ("max_loss",)),
        ("a.b", {"ip_version": "6"}, ("ip_version",)),
    ],
)
def test_what_is_wrong_is_said_with_its_place(target, options, path):
    assert [found for found, _ in PROBES["icmp"].validate(target, options)] == [path]

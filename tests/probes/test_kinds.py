"""TCP, TLS, DNS and EVM probes against real local servers."""

from __future__ import annotations

import asyncio
import json
import socket
import time

import pytest

from probes.chains import errors
from probes.chains.errors import RpcError
from probes.registry import PROBES
from probes.run import Run
from probes.spec import ProbeSpec
from probes.transfer import Client

LOCAL = ("127.0.0.0/8", "::1/128")


def probe(kind, target, options=None, *, timeout_s=1.0, networks=LOCAL, nameservers=()):
    spec = ProbeSpec("m", kind, target, options or {}, timeout_s=timeout_s, allow_networks=networks)

    async def run():
        client = Client(nameservers)
        place = Run(spec, client)
        place.begin(time.time_ns() // 1_000_000, 0.0)
        try:
            return await PROBES[kind].load().check(spec, place)
        except Exception as error:  # noqa: BLE001 - as the engine does
            return place.failure(error)
        finally:
            await client.close()

    return asyncio.run(run())


def verdict(result):
    return result.outcome, result.error_class


# --- tcp ---


def test_an_accepted_connection_is_up(serve):
    server = serve(lambda connection: connection.recv(1))

    result = probe("tcp", f"127.0.0.1:{server.port}")

    assert verdict(result) == ("up", None)
    assert "connect" in result.phases


@pytest.mark.parametrize(("wanted", "expected"), [("220 ready", ("up", None)), ("500", ("down", "assertion"))])
def test_a_reply_must_contain_what_is_asked_for(serve, wanted, expected):
    def greet(connection):
        assert connection.recv(100) == b"HELO s3cr3t\r\n"
        connection.sendall(b"220 ")
        time.sleep(0.05)
        connection.sendall(b"ready\r\n")

    server = serve(greet)

    result = probe("tcp", f"127.0.0.1:{server.port}", {"send": "HELO s3cr3t\r\n", "reply_contains": wanted})

    assert verdict(result) == expected


def test_a_mute_server_times_out_at_the_deadline(serve):
    server = serve(lambda _: time.sleep(5))
    began = time.monotonic()

    result = probe("tcp", f"127.0.0.1:{server.port}", {"reply_contains": "x"}, timeout_s=0.5)

    assert verdict(result) == ("down", "timeout")
    assert time.monotonic() - began < 2.8


def test_a_flood_is_cut_at_four_kilobytes(serve):
    def flood(connection):
        while True:
            connection.sendall(b"x" * 4096)

    result = probe("tcp", f"127.0.0.1:{serve(flood).port}", {"reply_contains": "never"})

    assert verdict(result) == ("down", "assertion")


def test_tcp_failures_are_told_apart(serve, answer, name_server):
    canary = serve(answer())
    name_server.records["in.test", "A"] = ["127.0.0.1"]
    with socket.create_server(("127.0.0.1", 0)) as listener:
        closed = listener.getsockname()[1]

    assert verdict(probe("tcp", f"127.0.0.1:{closed}")) == ("down", "refused")
    assert verdict(probe("tcp", f"127.0.0.1:{canary.port}", networks=())) == ("unknown", "blocked")
    assert (
        verdict(probe("tcp", f"in.test:{canary.port}", networks=(), nameservers=(name_server.address,)))[1] == "blocked"
    )
    assert verdict(probe("tcp", "no.test:80", nameservers=(name_server.address,))) == ("down", "dns")
    assert canary.connections == 0


# --- dns ---


@pytest.fixture
def zone(name_server):
    name_server.records |= {
        ("w.test", "A"): ["192.0.2.1", "192.0.2.2"],
        ("w.test", "AAAA"): ["2001:db8::1"],
        ("w.test", "MX"): ["10 mail.w.test."],
        ("w.test", "NS"): ["ns1.w.test."],
        ("w.test", "TXT"): ['"v=spf1 -all"'],
        ("w.test", "SOA"): ["ns1.w.test. ops.w.test. 1 2 3 4 5"],
        ("www.w.test", "CNAME"): ["w.test."],
        ("ns1.w.test", "A"): ["192.0.2.3"],
    }
    name_server.silent.add("silent.test")
    name_server.broken.add("broken.test")
    return name_server


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("w.test", {"answers": "192.0.2.1"}),
        ("w.test", {"answers": ["192.0.2.2", "192.0.2.1"], "exact": True}),
        ("w.test", {"record": "AAAA", "answers": ["2001:db8::1"]}),
        ("w.test", {"record": "MX", "answers": ["10 mail.w.test"]}),
        ("w.test", {"record": "NS", "answers": ["NS1.w.test."]}),
        ("w.test", {"record": "TXT", "answers": ["v=spf1 -all"]}),
        ("w.test", {"record": "SOA"}),
        ("www.w.test", {"record": "CNAME", "answers": ["w.test"]}),
    ],
)
def test_expected_records_are_up(zone, name, options):
    result = probe("dns", name, {**options, "nameserver": zone.address})

    assert verdict(result) == ("up", None), result.message
    assert result.evidence["answers"]


@pytest.mark.parametrize(
    ("name", "options", "expected"),
    [
        ("w.test", {"answers": "192.0.2.9"}, ("down", "assertion")),
        ("w.test", {"answers": "192.0.2.1", "exact": True}, ("down", "assertion")),
        ("gone.test", {}, ("down", "dns")),
        ("ns1.w.test", {"record": "MX"}, ("down", "dns")),
        ("broken.test", {}, ("down", "dns")),
        ("silent.test", {}, ("down", "timeout")),
        ("w.test", {"degraded_above": "0ms"}, ("degraded", "slow")),
    ],
)
def test_other_answers_are_told_apart(zone, name, options, expected):
    began = time.monotonic()

    result = probe("dns", name, {**options, "nameserver": zone.address}, timeout_s=0.6)

    assert verdict(result) == expected
    assert time.monotonic() - began < 2.8


def test_a_name_server_inside_needs_leave(zone):
    result = probe("dns", "w.test", {"nameserver": zone.address}, networks=())

    assert verdict(result) == ("unknown", "blocked")
    assert zone.asked == []


# --- evm ---

ADDRESS = "0x00000000219ab540356cBB839Cbe05303d7705Fa"


class Node:
    """A JSON-RPC node whose answers a test sets."""

    def __init__(self, serve, answer):
        self.results = {
            "eth_chainId": "0x1",
            "eth_getBlockByNumber": {"number": "0x1681b80", "hash": "0x7c5a", "timestamp": hex(int(time.time()) - 5)},
            "eth_getBalance": hex(10**19),
        }
        self.error = None
        self.batches = True
        self.methods = []

        def behave(connection):
            data = b""
            while b"\r\n\r\n" not in data or not data.rstrip().endswith((b"]", b"}")):
                data += connection.recv(65536)
            calls = json.loads(data.partition(b"\r\n\r\n")[2])
            if isinstance(calls, list) and not self.batches:
                body = {"jsonrpc": "2.0", "id": None, "error": {"code": -32600, "message": "batch not supported"}}
            elif isinstance(calls, list):
                body = [self.reply(call) for call in reversed(calls)]
            else:
                body = self.reply(calls)
            connection.sendall(answer(json.dumps(body).encode()))

        self.server = serve(behave)
        self.url = self.server.url

    def reply(self, call):
        self.methods.append(call["method"])
        outcome = {"error": self.error} if self.error else {"result": self.results[call["method"]]}
        return {"jsonrpc": "2.0", "id": call["id"], **outcome}


@pytest.fixture
def node(serve, answer):
    return Node(serve, answer)


def test_a_young_head_of_the_right_chain_is_up(node):
    result = probe("evm", node.url, {"chain_id": 1, "canary": {"address": ADDRESS, "min_balance": 1}})

    assert verdict(result) == ("up", None), result.message
    assert result.evidence["height"] == 0x1681B80
    assert 4 <= result.evidence["head_age_s"] <= 8
    assert result.evidence["canary_balance"] == 10
    assert node.server.connections == 1


def test_an_endpoint_without_batches_is_asked_one_by_one(node):
    node.batches = False

    result = probe("evm", node.url, {"chain_id": 1})

    assert verdict(result) == ("up", None), result.message
    assert node.methods == ["eth_chainId", "eth_getBlockByNumber"]


@pytest.mark.parametrize(
    ("age_s", "expected"),
    [
        (30, ("up", None)),
        (90, ("degraded", "head_stale")),
        (400, ("down", "head_stale")),
        (-60, ("unknown", "internal")),
    ],
)
def test_head_age_decides(node, age_s, expected):
    node.results["eth_getBlockByNumber"]["timestamp"] = hex(int(time.time()) - age_s)

    result = probe("evm", node.url, {"chain_id": 1})

    assert verdict(result) == expected


def test_another_chain_is_our_mistake_never_an_outage(node):
    assert verdict(probe("evm", node.url, {"chain_id": 56})) == ("unknown", "wrong_chain")


@pytest.mark.parametrize("balance", ["0x0", hex(10**17)])
def test_a_canary_without_its_funds_is_down(node, balance):
    node.results["eth_getBalance"] = balance

    result = probe("evm", node.url, {"canary": {"address": ADDRESS, "min_balance": 1}})

    assert verdict(result) == ("down", "assertion")


@pytest.mark.parametrize(
    ("error", "own", "reference"),
    [
        ({"code": -32005, "message": "limit exceeded"}, ("down", "overloaded"), ("unknown", "rate_limited")),
        ({"code": 0, "message": "Too many requests"}, ("down", "overloaded"), ("unknown", "rate_limited")),
        (
            {"code": -32000, "message": "Monthly capacity limit exceeded"},
            ("unknown", "billing"),
            ("unknown", "billing"),
        ),
        ({"code": -32000, "message": "header not found"}, ("down", "node_behind"), ("unknown", "node_behind")),
        ({"code": -32603, "message": "request timed out"}, ("down", "overloaded"), ("down", "overloaded")),
        (
            {"code": -32601, "message": "the method does not exist/is not available"},
            ("unknown", "unsupported"),
            ("unknown", "unsupported"),
        ),
        ({"code": -32602, "message": "invalid argument"}, ("unknown", "client_error"), ("unknown", "client_error")),
    ],
)
def test_errors_that_come_with_http_200_are_read(node, error, own, reference):
    node.error = error

    assert verdict(probe("evm", node.url, {"role": "own"})) == own
    assert verdict(probe("evm", node.url, {"role": "reference"})) == reference


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        ("429 Too Many", b"slow down", ("unknown", "rate_limited")),
        ("402 Pay", b"{}", ("unknown", "billing")),
        ("401 No", b'{"message":"x"}', ("unknown", "auth")),
        ("403 No", b"<html>", ("unknown", "auth")),
        ("403 No", b"request limit reached", ("unknown", "rate_limited")),
        ("503 Busy", b"", ("down", "overloaded")),
        ("200 OK", b"<html>challenge", ("down", "bad_body")),
        ("200 OK", b"", ("down", "bad_body")),
        ("200 OK", b"[]", ("down", "bad_body")),
        ("200 OK", b'[{"id":1,"result":"zz"}]', ("down", "bad_body")),
        ("400 Bad", b'{"error":{"code":-32700,"message":"parse error"}}', ("unknown", "client_error")),
    ],
)
def test_refusals_of_gateways_are_told_apart(serve, answer, status, body, expected):
    server = serve(answer(body, status))

    assert verdict(probe("evm", server.url, {"role": "reference"})) == expected


def test_a_code_means_different_things_and_words_go_first():
    assert errors.of_evm(RpcError(-32005, "node is behind by 184")) == "node_behind"
    assert errors.of_evm(RpcError(-32005, "limit")) == "rate_limited"
    assert errors.of_evm(RpcError(-1, "???")) == "bad_body"


@pytest.mark.parametrize(
    ("kind", "value", "path"),
    [
        ("tcp", "host", ("address",)),
        ("tcp", "host:99999", ("address",)),
        ("tcp", {"address": "h:1", "send": 5}, ("send",)),
        ("tls", {"address": "h", "server_name": "a b"}, ("server_name",)),
        ("tls", {"address": "::1:443"}, ("address",)),
        ("dns", {"name": "a..b"}, ("name",)),
        ("dns", {"name": "a.b", "record": "PTR"}, ("record",)),
        ("dns", {"name": "a.b", "nameserver": "dns.example"}, ("nameserver",)),
        ("evm", {"url": "https://x/", "chain_id": "0x1"}, ("chain_id",)),
        ("evm", {"url": "https://x/", "canary": {"address": "0x1"}}, ("canary", "address")),
        ("evm", {"url": "https://x/", "canary": {"min_balance": 1}}, ("canary",)),
    ],
)
def test_a_mistake_is_found_where_it_stands(kind, value, path):
    target, options = PROBES[kind].normalise(value)

    assert [where for where, _ in PROBES[kind].validate(target, options)] == [path]


@pytest.mark.parametrize("kind", PROBES)
@pytest.mark.parametrize("value", [5, None, [], {}, {"x": 1}])
def test_a_value_of_the_wrong_shape_is_refused(kind, value):
    with pytest.raises(ValueError, match=r"must be|is missing"):
        PROBES[kind].normalise(value)


@pytest.mark.parametrize(
    ("kind", "value"),
    [("tcp", "db.internal:5432"), ("tls", "[2001:db8::1]"), ("tls", "a.b:8443"), ("dns", "a.b"), ("evm", "${env:RPC}")],
)
def test_good_values_have_no_problems(kind, value):
    assert PROBES[kind].validate(*PROBES[kind].normalise(value)) == []

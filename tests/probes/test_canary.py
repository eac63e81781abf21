"""The balance that never is zero: read in each family's real shape, and own endpoints held against references."""

from __future__ import annotations

import asyncio
import json
import time

import pytest

from probes import chain
from probes.chains import address, canary
from probes.chains.record import Endpoint, Record
from probes.run import Run
from probes.spec import ProbeSpec
from probes.transfer import Client

LOCAL = ("127.0.0.0/8",)
ALICE = "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY"
ALICE_HEX = "d43593c715fdd31c61141abd04a99fd6822c8558854ccde39a5684e7a56da27d"
TRON, USDT = "TZ4UXDV5ZhNW7fb2AMSbgfAEZ7hWsnYS2g", "TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t"
MINT = "EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v"
OWNER = "So11111111111111111111111111111111111111112"
EVM = "0x00000000219ab540356cBB839Cbe05303d7705Fa"
TOKEN = "0xdAC17F958D2ee523a2206206994597C13D831ec7"


# --- addresses ---


def test_addresses_give_the_bytes_that_calls_need():
    assert address.substrate(ALICE).hex() == ALICE_HEX
    assert address.tron(TRON).hex() == "fd49eda0f23ff7ec1d03b52c3a45991c24cd440e"
    assert address.solana("11111111111111111111111111111111") == bytes(32)


@pytest.mark.parametrize(
    ("family", "good", "bad"),
    [
        ("evm", [EVM], ["0x1", "1" * 40, EVM + "0"]),
        ("bitcoin", ["1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa", "bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq"],
         ["1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNb", "bc1QAR", "0OIl"]),
        ("tron", [TRON, USDT], [TRON[:-1], TRON[:-1] + "h", "41fd49eda0f23ff7ec1d03b52c3a45991c24cd440e"]),
        ("solana", [OWNER, MINT], [MINT + "1", "0x" + "0" * 40, "1" * 101]),
        ("aptos", ["0x1", "0x" + "a" * 64], ["1", "0x" + "a" * 65, "0x1/../../x"]),
        ("substrate", [ALICE, "13UVJyLnbVp9RBZYFwFGyDvVd1y27Tt8tkntv6Q7JVPhFsTB"], [ALICE[:-1] + "Z", ALICE_HEX]),
        ("antelope", ["eosio.token", "a"], ["EOSIO", "abcdefghijklmn", "a/b"]),
    ],
)  # fmt: skip
def test_an_address_that_cannot_be_is_refused(family, good, bad):
    assert [text for text in good if canary.problems({"address": text}, family)] == []
    assert [text for text in bad if not canary.problems({"address": text}, family)] == []


@pytest.mark.parametrize(
    ("family", "given", "path"),
    [
        ("evm", {}, ()), ("evm", 5, ()), ("evm", {"address": EVM, "token": "USDT"}, ("token",)),
        ("bitcoin", {"address": "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa", "token": "x"}, ("token",)),
        ("aptos", {"address": "0x1", "token": "AptosCoin"}, ("token",)),
        ("aptos", {"address": "0x1", "token": "0x1::a/../b::C"}, ("token",)),
        ("substrate", {"address": ALICE, "token": "USDT"}, ("token",)),
        ("antelope", {"address": "eosio.token", "token": "USDT"}, ("token",)),
        ("evm", {"address": EVM, "min_balance": 0}, ("min_balance",)), ("evm", {"address": EVM, "decimals": 99}, ("decimals",)),
        ("evm", {"address": EVM, "amount": 1}, ("amount",)),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_with_its_place(family, given, path):
    assert [where for where, _ in canary.problems(given, family)] == [path]


# --- reading ---


@pytest.fixture
def node(serve, answer, read_request):
    """A node that answers with `node.reply(path, payload)`; what it was asked is kept."""

    class Node:
        def __init__(self):
            self.asked, self.reply = [], lambda _path, _payload: None

            def behave(connection):
                head, _, body = read_request(connection).partition(b"\r\n\r\n")
                path, payload = head.split()[1].decode(), json.loads(body) if body else None
                self.asked.append((path, payload))
                value = self.reply(path, payload)
                status, sent = value if isinstance(value, tuple) else ("200 OK", value)
                connection.sendall(answer(sent if isinstance(sent, bytes) else json.dumps(sent).encode(), status))

            self.url = serve(behave).url

    return Node()


def read(family, url, given):
    endpoint = Endpoint("c", "own-1", url, canary=given)

    async def run():
        client = Client()
        place = Run(ProbeSpec("m", "chain", "c", timeout_s=2.0, allow_networks=LOCAL), client)
        place.begin(time.time_ns() // 1_000_000, 0.0)
        try:
            return await canary.facts(endpoint, place, family)
        finally:
            await client.close()

    return asyncio.run(run())


def rpc(result):
    return lambda _path, call: {"jsonrpc": "2.0", "id": call["id"], "result": result}


def account_info(free):
    """AccountInfo as it is stored: four counters of 32 bits, then free, reserved, frozen and flags of 128 bits."""
    counters = b"".join(number.to_bytes(4, "little") for number in (7, 0, 1, 0))
    return "0x" + (counters + b"".join(number.to_bytes(16, "little") for number in (free, 5, 0, 2**127))).hex()


STATS = {"funded_txo_count": 3, "funded_txo_sum": 15_000_000_000, "spent_txo_count": 1, "spent_txo_sum": 5_000_000_000}
HELD = [{"account": {"data": {"parsed": {"info": {"tokenAmount": {"amount": amount, "decimals": 6, "uiAmountString": "1"}}}}}}
        for amount in ("1500000", "2500000")]  # fmt: skip
SHAPES = {
    "bitcoin": ("bitcoin", {"address": "bc1qx"}, lambda *_: {"address": "bc1qx", "chain_stats": STATS, "mempool_stats": {}}, 100),
    "tron": ("tron", {"address": TRON}, lambda *_: {"address": TRON, "balance": 7_500_000, "create_time": 1}, 7.5),
    "tron without the account": ("tron", {"address": TRON}, lambda *_: {}, 0),
    "trc-20": ("tron", {"address": TRON, "token": USDT},
               lambda *_: {"result": {"result": True}, "energy_used": 935, "constant_result": ["0" * 56 + "017d7840"]}, 25),
    "trc-20 without the contract": ("tron", {"address": TRON, "token": USDT},
                                    lambda *_: {"result": {"result": True}, "constant_result": [""]}, 0),
    "solana": ("solana", {"address": OWNER}, rpc({"context": {"slot": 1}, "value": 2_500_000_000}), 2.5),
    "spl": ("solana", {"address": OWNER, "token": MINT, "decimals": 6}, rpc({"context": {"slot": 1}, "value": HELD}), 4),
    "spl without an account": ("solana", {"address": OWNER, "token": MINT}, rpc({"context": {"slot": 1}, "value": []}), 0),
    "aptos": ("aptos", {"address": "0x1"}, lambda *_: b"123400000000", 1234),
    "aptos in quotes": ("aptos", {"address": "0x1"}, lambda *_: b'"100000000"', 1),
    "substrate": ("substrate", {"address": ALICE}, rpc(account_info(42 * 10**10)), 42),
    "substrate without the account": ("substrate", {"address": ALICE}, rpc(None), 0),
    "asset hub": ("substrate", {"address": ALICE, "token": "10", "decimals": 6},
                  rpc("0x" + (3_000_000).to_bytes(16, "little").hex() + "0000"), 3),
    "antelope": ("antelope", {"address": "eosio.ram"}, lambda *_: ["1234.5678 EOS"], 1234.5678),
    "antelope with nothing": ("antelope", {"address": "eosio.ram"}, lambda *_: [], 0),
    "antelope token": ("antelope", {"address": "eosio.ram", "token": "tethertether:USDT"}, lambda *_: ["3.5000 USDT"], 3.5),
}  # fmt: skip


@pytest.mark.parametrize("shape", SHAPES)
def test_a_balance_is_read_in_its_real_shape(node, shape):
    family, given, node.reply, expected = SHAPES[shape]

    found = read(family, node.url + ("api" if family == "bitcoin" else ""), given)

    assert found == {"canary_balance": pytest.approx(expected)}


def test_storage_keys_are_those_of_the_runtime(node):
    node.reply = rpc(None)
    read("substrate", node.url, {"address": ALICE})
    read("substrate", node.url, {"address": ALICE, "token": "10"})

    keys = [payload["params"][0] for _, payload in node.asked]
    assert keys == [
        "0x26aa394eea5630e07c48ae0c9558cef7b99d880ec681799c0cf30e8886371da9de1e86a9a8c739864cf3cc5ec2bea59f" + ALICE_HEX,
        "0x682a59d51ab9e48a8c8cc418ff9708d2b99d880ec681799c0cf30e8886371da91523c4974e05c5b917b6037dec663b5d0a000000"
        "de1e86a9a8c739864cf3cc5ec2bea59f" + ALICE_HEX,
    ]


def test_calls_are_those_that_nodes_understand(node):
    node.reply = lambda _path, _payload: {"constant_result": ["00"]}
    read("tron", node.url, {"address": TRON, "token": USDT})
    read("aptos", node.url + "v1", {"address": "0x1", "token": "0x1::coin::Box<0x1::a::B>"})
    call = canary.evm_call({"address": EVM, "token": TOKEN})

    assert node.asked[0] == ("/wallet/triggerconstantcontract", {
        "owner_address": TRON, "contract_address": USDT, "function_selector": "balanceOf(address)", "visible": True,
        "parameter": "000000000000000000000000fd49eda0f23ff7ec1d03b52c3a45991c24cd440e",
    })  # fmt: skip
    assert node.asked[1][0] == "/v1/accounts/0x1/balance/0x1::coin::Box%3C0x1::a::B%3E"
    assert call == ("eth_call", ({"to": TOKEN, "data": "0x70a08231" + "0" * 24 + EVM[2:].lower()}, "latest"))


@pytest.mark.parametrize(
    ("result", "expected"),
    [("0x", 0), ("0x" + "0" * 56 + "3b9aca00", 10**9), ("0xde0b6b3a7640000", 10**18), ("0x" + "f" * 64, 2**256 - 1)],
)
def test_evm_amounts_are_whole_however_long(result, expected):
    assert canary.evm_amount(result) == expected


@pytest.mark.parametrize("result", [None, "", "0xzz", "0x" + "f" * 65, -1, True, [], {}])
def test_what_is_no_amount_is_no_zero(result):
    assert canary.told(canary.evm_amount(result), {}, "evm") == {"canary_error": "bad_body"}


LIES = {
    "tron that is busy": ("tron", {"address": TRON}, lambda *_: {"Error": "class X : lack of computing"}, "rate_limited"),
    "tron that fails": ("tron", {"address": TRON}, lambda *_: {"Error": "class java.lang.NullPointerException"}, "overloaded"),
    "tron, a contract that reverts": ("tron", {"address": TRON, "token": USDT}, lambda *_: {"result": {"code": "X"}}, "bad_body"),
    "solana behind": ("solana", {"address": OWNER}, lambda _, call: {
        "id": call["id"], "error": {"code": -32005, "message": "Node is behind by 184 slots"}}, "node_behind"),
    "solana of another shape": ("solana", {"address": OWNER, "token": MINT}, rpc({"value": [{"account": {}}]}), "bad_body"),
    "aptos pruned": ("aptos", {"address": "0x1"}, lambda *_: ("410 Gone", b'{"message":"pruned"}'), "overloaded"),
    "aptos, a page": ("aptos", {"address": "0x1"}, lambda *_: b"<html>", "bad_body"),
    "substrate cut short": ("substrate", {"address": ALICE}, rpc("0x01"), "bad_body"),
    "substrate, no hex": ("substrate", {"address": ALICE}, rpc("zero"), "bad_body"),
    "substrate closed": ("substrate", {"address": ALICE}, lambda _, call: {
        "id": call["id"], "error": {"code": -32601, "message": "Method not found"}}, "unsupported"),
    "antelope, an error": ("antelope", {"address": "a"}, lambda *_: {"code": 500, "error": {"code": 3060002}}, "bad_body"),
    "a limit": ("aptos", {"address": "0x1"}, lambda *_: ("429 Slow", b""), "rate_limited"),
    "esplora that fails": ("bitcoin", {"address": "bc1qx"}, lambda *_: ("503 Busy", b""), "overloaded"),
}  # fmt: skip


@pytest.mark.parametrize("lie", LIES)
def test_what_cannot_be_read_is_named_and_no_zero(node, lie):
    family, given, node.reply, expected = LIES[lie]

    assert read(family, node.url + ("api" if family == "bitcoin" else ""), given) == {"canary_error": expected}


def test_a_bitcoin_node_knows_no_balances_and_is_not_asked(node):
    assert read("bitcoin", node.url, {"address": "bc1qx"}) == {"canary_error": "unsupported"}
    assert node.asked == []


# --- judging ---


def record(name, balance=None, error=None):
    role = "own" if name.startswith("own") else "reference"
    return Record("c", name, role, 0, ok=True, latency_ms=1.0, canary_balance=balance, canary_error=error)


@pytest.mark.parametrize(
    ("records", "expected"),
    [
        ([record("own-1", 5.0), record("reference-1", 5.0)], None),
        ([record("own-1", 0.0), record("reference-1", 5.0)], ("down", "node_behind", True)),
        ([record("own-1", 0.5), record("reference-1", 5.0)], ("down", "node_behind", True)),
        ([record("own-1", 5.0), record("own-2", 0.0), record("reference-1", 5.0)], ("down", "node_behind", True)),
        ([record("own-1", 0.0)], ("down", "assertion", False)),
        ([record("own-1", 0.0), record("reference-1", error="unsupported")], ("down", "assertion", False)),
        ([record("own-1", 0.0), record("reference-1", 0.0)], None),  # it holds nothing any more: another one is needed
        ([record("own-1", error="node_behind"), record("reference-1", 5.0)], ("degraded", "node_behind", True)),
        ([record("own-1", error="overloaded")], ("degraded", "overloaded", False)),
        ([record("own-1", error="rate_limited"), record("reference-1", 5.0)], None),
        ([record("own-1", error="unsupported"), record("reference-1", 5.0)], None),
        ([record("own-1", 5.0), record("reference-1", 0.0)], None),
        ([record("own-1"), record("reference-1", 5.0)], None),
    ],
)
def test_own_balances_are_held_against_references(records, expected):
    found = canary.judge(records, {"address": "x", "min_balance": 1})

    assert (found and (found.outcome, found.error_class, found.is_told_by_others)) == expected


def chain_result(nodes, family, given, identity):
    endpoints = [
        {"url": url, "role": "own" if name == "own" else "reference", "supplier": name} for name, url in nodes.items()
    ]
    options = {"family": family, "chain_id": identity, "endpoints": endpoints, "canary": given}
    assert chain.validate("c", options) == []

    async def run():
        client = Client()
        place = Run(ProbeSpec("m", "chain", "c", options, timeout_s=2.0, allow_networks=LOCAL), client)
        place.begin(time.time_ns() // 1_000_000, 0.0)
        try:
            return await chain.check(place.spec, place)
        finally:
            await client.close()

    return asyncio.run(run())


@pytest.fixture
def aptos(serve, answer, read_request):
    """`aptos(balance)` starts a node of Aptos whose head is young; its URL."""

    def start(balance):
        def behave(connection):
            path = read_request(connection).split()[1].decode()
            if "/balance/" in path:
                connection.sendall(answer(*balance) if isinstance(balance, tuple) else answer(str(balance).encode()))
                return
            stamp = str(time.time_ns() // 1000 - 200_000)
            info = {"chain_id": 1, "ledger_timestamp": stamp, "block_height": "58851650", "git_hash": "6568"}
            connection.sendall(answer(json.dumps(info).encode()))

        return serve(behave).url + "v1"

    return start


def test_a_node_that_follows_the_chain_and_shows_zero_is_found_out(aptos):
    nodes = {"own": aptos(0), "a": aptos(5 * 10**8), "b": aptos(5 * 10**8)}

    result = chain_result(nodes, "aptos", {"address": "0x1"}, 1)

    assert (result.outcome, result.error_class) == ("down", "node_behind")
    assert "own-1: the canary's balance shows 0, 5 by the references" in result.message
    assert (result.evidence["state"], result.evidence["component_status"]) == ("BALANCES_WRONG", "partial_outage")
    assert [each["canary_balance"] for each in result.evidence["endpoints"]] == [0, 5, 5]


def test_a_node_that_cannot_read_balances_is_degraded_while_the_references_can(aptos):
    nodes = {"own": aptos((b"<html>", "200 OK")), "a": aptos(5 * 10**8), "b": aptos(5 * 10**8)}

    result = chain_result(nodes, "aptos", {"address": "0x1"}, 1)

    assert (result.outcome, result.error_class) == ("degraded", "bad_body")
    assert (result.evidence["state"], result.evidence["component_status"]) == ("BALANCES_WRONG", "degraded")


def test_a_canary_that_died_is_no_outage(aptos):
    result = chain_result({"own": aptos(0), "a": aptos(0), "b": aptos(0)}, "aptos", {"address": "0x1"}, 1)

    assert result.outcome == "up"

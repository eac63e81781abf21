"""The demo's chain node speaks Ethereum's JSON-RPC and its head advances."""

import pytest

from statuspage.demo.chain import Chain


def test_the_head_advances_with_the_clock(client, until):
    number, _ = client.head()

    until(lambda: client.head()[0] >= number + 3)


def test_final_blocks_lie_behind_the_head_and_each_names_its_parent(client):
    latest, final = (client.block(tag) for tag in ("latest", "finalized"))
    parent = client.block(hex(int(latest["number"], 16) - 1))

    assert int(latest["number"], 16) - int(final["number"], 16) >= 60
    assert latest["parentHash"] == parent["hash"]
    assert int(parent["timestamp"], 16) <= int(latest["timestamp"], 16)


def test_simple_methods_answer_as_specified(client):
    methods = ("eth_chainId", "net_version", "eth_syncing", "eth_blockNumber")

    answers = {method: client.rpc(method)["result"] for method in methods}

    assert (answers["eth_chainId"], answers["net_version"], answers["eth_syncing"]) == ("0x1", "1", False)
    assert int(answers["eth_blockNumber"], 16) > 21_000_000
    assert int(client.rpc("eth_getBalance", "0x" + "ab" * 20, "latest")["result"], 16) >= 10**18
    assert client.block("0x1") is None


@pytest.mark.parametrize(
    ("request_body", "code"),
    [
        (b"{", -32700),
        (b"[]", -32600),
        (b'{"id": 1, "method": "eth_chainId"}', -32600),
        (b'{"jsonrpc": "2.0", "id": 1, "method": "eth_mine"}', -32601),
        (b'{"jsonrpc": "2.0", "id": 1, "method": "eth_getBlockByNumber", "params": ["newest", false]}', -32602),
        (b'{"jsonrpc": "2.0", "id": 1, "method": "eth_getBlockByNumber"}', -32602),
        (b'{"jsonrpc": "2.0", "id": 1, "method": "eth_getBlockByNumber", "params": 5}', -32602),
        (b'{"jsonrpc": "2.0", "id": 1, "method": "eth_getBalance", "params": ["0x12"]}', -32602),
    ],
)
def test_a_wrong_request_gets_the_code_of_the_specification(client, request_body, code):
    answer = client.post("/rpc", request_body)

    assert answer.status == 200
    assert answer.json["error"]["code"] == code


def test_a_batch_is_answered_in_order_without_the_notifications(client):
    call = {"jsonrpc": "2.0", "method": "eth_chainId"}

    answer = client.post("/rpc", [{**call, "id": 1}, call, {**call, "id": "x", "method": "nope"}])

    assert [(item["id"], "result" in item) for item in answer.json] == [(1, True), ("x", False)]


def test_a_node_that_was_off_has_caught_up_and_a_halted_chain_is_found_where_it_stopped(tmp_path):
    path = tmp_path / "chain.json"
    path.write_text("[[100, 1700000000], [101, 1700000003]]")

    running, halted = Chain(path, block_s=3), Chain(path, block_s=3, frozen=True)

    assert halted.head() == (101, 1700000003)
    assert running.head()[0] > 1_000_000
    assert running.block("finalized")


def test_a_damaged_file_starts_a_new_chain(tmp_path):
    path = tmp_path / "chain.json"

    for content in ("", "[]", "[1]", "{"):
        path.write_text(content)
        assert Chain(path).head()[0] > 21_000_000


def test_each_network_has_a_node_of_its_own_and_only_the_broken_one_stands_still(client, demo, until):
    def ask(path, method):
        return int(client.post(path, {"jsonrpc": "2.0", "id": 1, "method": method}).json["result"], 16)

    demo.break_("chain")

    halted, other = ask("/rpc", "eth_blockNumber"), ask("/rpc/bsc", "eth_blockNumber")
    until(lambda: ask("/rpc/bsc", "eth_blockNumber") > other)
    assert ask("/rpc", "eth_blockNumber") == halted
    assert [ask(path, "eth_chainId") for path in ("/rpc", "/rpc/bsc", "/rpc/polygon")] == [1, 56, 137]

"""Every family against a real local server that answers in the real shapes, good and treacherous."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime

import pytest
from chain_nodes import Fault, Node, asked, head_ms, young

from probes.chains import antelope, aptos, bitcoin, errors, evm, solana, substrate, tron
from probes.chains.errors import RpcError
from probes.chains.record import Endpoint


@pytest.fixture
def node(serve, answer, read_request):
    return Node(serve, answer, read_request)


# --- evm ---


@pytest.fixture
def ethereum(node):
    stamp = hex(head_ms() // 1000)
    hashes = {"latest": "0x7c5a", "finalized": "0x02be"}

    def block(params):
        tag = params[0]
        number = {"latest": "0x1681b80", "finalized": "0x1681b40"}.get(tag, tag)
        return {
            "number": number,
            "hash": hashes.get(tag, "0xc0de"),
            "timestamp": stamp,
            "transactions": ["0x" + "a" * 64],
        }

    node.methods = {
        "eth_chainId": "0x1",
        "eth_getBlockByNumber": block,
        "eth_syncing": False,
        "eth_feeHistory": {
            "oldestBlock": "0x1",
            "baseFeePerGas": ["0x1dcd6500", "0x3b9aca00"],
            "gasUsedRatio": [0.5, 1.0],
        },
        "eth_getBalance": hex(10**21),
    }
    return node


def test_evm_gives_the_whole_record(ethereum):
    record = asked(evm, ethereum.url, identity="1", compare_height=0x1681B70, canary={"address": "0x" + "0" * 40})

    assert record.ok
    assert record.chain_id_ok
    assert (record.chain_id, record.head_height, record.head_hash) == ("1", 0x1681B80, "0x7c5a")
    assert young(record)
    assert (record.final_height, record.final_is_estimate) == (0x1681B40, False)
    assert (record.check_height, record.check_hash) == (0x1681B70, "0xc0de")
    assert record.fee.low == 1.0
    assert record.fee.pressure == 0.75
    assert record.canary_balance == 1000
    assert record.to_json()["head_age_s"] == round(record.head_age_s, 1)
    assert ethereum.server.connections == 1


@pytest.mark.parametrize("missing", [Fault(-39001, "finalized block not found"), None])
def test_a_missing_finalized_tag_is_an_estimate_not_a_failure(ethereum, missing):
    whole = ethereum.methods["eth_getBlockByNumber"]
    ethereum.methods["eth_getBlockByNumber"] = lambda params: missing if params[0] == "finalized" else whole(params)

    record = asked(evm, ethereum.url)

    assert record.ok
    assert record.final_is_estimate
    assert record.final_height == 0x1681B80 - 1024


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (False, False),
        (True, True),
        ({"startingBlock": "0x0", "currentBlock": "0x1", "highestBlock": "0x2"}, True),
        (
            {
                "currentBlock": "0x1",
                "highestBlock": "0x2",
                "stages": [{"stage_name": "Headers", "block_number": "0x1"}],
            },
            True,
        ),
        ({"batchSeen": 10, "batchProcessed": 9, "syncTargetMsgCount": 5}, True),
        ({"Ok": False}, False),
        ({"Ok": True}, True),
        (None, None),
        ("yes", None),
    ],
)
def test_every_shape_of_eth_syncing_explains_and_never_fails(ethereum, value, expected):
    ethereum.methods["eth_syncing"] = value

    record = asked(evm, ethereum.url)

    assert record.ok
    assert record.syncing is expected


def test_calls_that_are_not_offered_are_dropped_and_the_others_kept(ethereum):
    for method in ("eth_feeHistory", "eth_syncing"):
        ethereum.errors[method] = {"code": -32601, "message": "the method does not exist/is not available"}

    record = asked(evm, ethereum.url)

    assert record.ok
    assert (record.fee, record.syncing, record.error_class) == (None, None, None)


def test_a_block_of_hundreds_of_kilobytes_is_read(ethereum):
    whole = ethereum.methods["eth_getBlockByNumber"]
    ethereum.methods["eth_getBlockByNumber"] = lambda params: {
        **whole(params),
        "transactions": ["0x" + "a" * 64] * 5000,
    }

    assert asked(evm, ethereum.url).ok


def test_an_endpoint_that_refuses_batches_is_not_asked_for_one_twice(ethereum):
    ethereum.batches = False
    endpoint = Endpoint("c", "own-1", ethereum.url)

    assert asked(evm, ethereum.url, endpoint=endpoint).ok
    before = ethereum.server.connections
    assert asked(evm, ethereum.url, endpoint=endpoint).ok
    assert ethereum.server.connections - before == 5


def test_another_chain_is_seen(ethereum):
    record = asked(evm, ethereum.url, identity="56")

    assert (record.chain_id_ok, record.error_class) == (False, "wrong_chain")


def test_a_limit_on_a_batch_does_not_unlearn_batches(ethereum):
    ethereum.paths["/"] = {"jsonrpc": "2.0", "id": None, "error": {"code": -32005, "message": "limit exceeded"}}
    endpoint = Endpoint("c", "own-1", ethereum.url)

    record = asked(evm, ethereum.url, endpoint=endpoint)

    assert record.error_class == "rate_limited"
    assert endpoint.batches
    assert ethereum.server.connections == 1


# --- bitcoin ---


def chain_info(**more):
    return {
        "chain": "main", "blocks": 936616, "headers": 936616, "bestblockhash": "0" * 58 + "ab29f9", "bits": "17",
        "difficulty": 1.2e14, "time": head_ms() // 1000, "mediantime": head_ms() // 1000 - 3600,
        "verificationprogress": 0.9999939, "initialblockdownload": False, "pruned": False, "warnings": [], **more,
    }  # fmt: skip


@pytest.fixture
def bitcoind(node):
    node.methods = {
        "getblockchaininfo": chain_info(),
        "getnetworkinfo": {"version": 290000, "subversion": "/Satoshi:29.0.0/", "connections": 10},
        "getmempoolinfo": {
            "size": 5,
            "usage": 30,
            "maxmempool": 300,
            "mempoolminfee": 0.00001,
            "minrelaytxfee": 0.00001,
        },
        "getblockhash": "0" * 63 + "c",
    }
    return node


def test_bitcoin_node_gives_the_record(bitcoind):
    record = asked(bitcoin, bitcoind.url, identity="main", compare_height=936610)

    assert record.ok
    assert record.chain_id_ok
    assert young(record)
    assert (record.head_height, record.peers, record.client) == (936616, 10, "/Satoshi:29.0.0/")
    assert (record.final_height, record.final_is_estimate) == (936611, True)
    assert (record.check_height, record.check_hash) == (936610, "0" * 63 + "c")
    assert record.fee.pressure == 0.1
    assert record.syncing is False


@pytest.mark.parametrize(
    ("warnings", "said"),
    [("", None), ([], None), ("unknown new rules", "unknown new rules"), (["a", "b"], "a; b"), (None, None)],
)
def test_warnings_may_be_a_text_or_a_list(bitcoind, warnings, said):
    bitcoind.methods["getblockchaininfo"] = chain_info(warnings=warnings)

    record = asked(bitcoin, bitcoind.url)

    assert record.ok
    assert record.error_text == said


@pytest.mark.parametrize("more", [{"headers": 936620}, {"initialblockdownload": True}])
def test_a_node_that_catches_up_says_so(bitcoind, more):
    bitcoind.methods["getblockchaininfo"] = chain_info(**more)

    assert asked(bitcoin, bitcoind.url).syncing is True


def test_a_full_pool_is_pressure(bitcoind):
    bitcoind.methods["getmempoolinfo"]["mempoolminfee"] = 0.00005

    assert asked(bitcoin, bitcoind.url).fee.pressure == 1.0


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (
            "500 Error",
            b'{"result":null,"error":{"code":-28,"message":"Loading block index\\u2026"},"id":"p"}',
            "node_behind",
        ),
        ("503 Busy", b"Work queue depth exceeded", "overloaded"),
        ("401 No", b"", "auth"),
        ("200 OK", b'[{"id":1,"result":null,"error":{"code":-28,"message":"Verifying blocks"}}]', "node_behind"),
        ("200 OK", b"<html>", "bad_body"),
    ],
)
def test_bitcoin_refusals(serve, answer, status, body, expected):
    record = asked(bitcoin, serve(answer(body, status)).url)

    assert (record.ok, record.error_class) == (False, expected)


def test_esplora_gives_the_record_from_plain_text_and_json(node):
    tip, genesis = "0" * 60 + "beef", "000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f"
    node.paths = {
        "/api/blocks/tip/hash": ("200 OK", tip.encode()),
        "/api/block-height/0": ("200 OK", genesis.encode()),
        "/api/block-height/936610": ("200 OK", b"1" * 64),
        f"/api/block/{tip}": {"id": tip, "height": 936616, "timestamp": head_ms() // 1000, "mediantime": 1},
    }

    record = asked(bitcoin, node.url + "api", identity="main", compare_height=936610)

    assert record.ok
    assert record.chain_id_ok
    assert young(record)
    assert (record.head_height, record.head_hash, record.check_hash) == (936616, tip, "1" * 64)


def test_an_esplora_that_answers_html_with_200_is_no_tip(node):
    node.paths = {"/api/blocks/tip/hash": ("200 OK", b"<html>just a moment</html>")}

    assert asked(bitcoin, node.url + "api").error_class == "bad_body"


# --- tron ---

GENESIS = "00000000000000001ebf88508a03865c71d452e25f4d51194196a1d22b6653dc"


def tron_block(number=66987627, transactions=0):
    return {
        "blockID": f"{number:016x}f6b6d392f654dc2e5011601546ed04623d9fcc4e9d439a25",
        "block_header": {
            "raw_data": {"number": number, "timestamp": head_ms(), "version": 34},
            "witness_signature": "55a2",
        },
        "transactions": [{"txID": "a" * 64, "raw_data_hex": "b" * 400}] * transactions,
    }


@pytest.fixture
def java_tron(node):
    def block(body):
        if body.get("id_or_num") == "0":
            return {"blockID": GENESIS, "block_header": {"raw_data": {"txTrieRoot": "64"}}}
        return tron_block(int(body.get("id_or_num", 66987627)))

    node.paths = {
        "/wallet/getblock": block,
        "/wallet/getnodeinfo": {
            "block": "Num:66987627,ID:0000", "solidityBlock": "Num:66987609,ID:0000ab", "currentConnectCount": 60,
            "configNodeInfo": {"codeVersion": "4.8.1"},
        },
        "/wallet/getenergyprices": {"prices": "0:100,1726283400000:210,1754644200000:90"},
    }  # fmt: skip
    return node


def test_tron_gives_the_record_with_milliseconds(java_tron):
    record = asked(tron, java_tron.url, identity="728126428", compare_height=66987600)

    assert record.ok
    assert record.chain_id_ok
    assert young(record)
    assert (record.head_height, record.final_height, record.peers) == (66987627, 66987609, 60)
    assert (record.client, record.fee.fast) == ("java-tron 4.8.1", 90)
    assert record.check_height == 66987600
    assert record.check_hash.startswith(f"{66987600:016x}")


def test_eth_syncing_of_tron_is_never_asked(java_tron):
    record = asked(tron, java_tron.url)

    assert record.syncing is None
    assert not [each for each in java_tron.asked if "eth" in each or "jsonrpc" in each]


def test_a_whole_tron_block_is_read_where_the_node_ignores_detail(java_tron):
    java_tron.paths["/wallet/getblock"] = lambda _: tron_block(transactions=1500)

    record = asked(tron, java_tron.url)

    assert record.ok
    assert len(json.dumps(tron_block(transactions=1500))) > 700_000


def test_only_the_block_calls_have_a_raised_cap(java_tron):
    java_tron.paths["/wallet/getnodeinfo"] = {"solidityBlock": "Num:1,ID:0", "filler": "x" * 100_000}
    java_tron.paths["/walletsolidity/getblock"] = tron_block(66987608)

    assert asked(tron, java_tron.url).final_height == 66987608


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"Error": "class java.lang.IllegalAccessException : lack of computing resources"}, "rate_limited"),
        ({"Error": "class java.lang.NullPointerException : null"}, "overloaded"),
        ({}, "node_behind"),
        ({"blockID": "zz", "block_header": {"raw_data": {"number": 1, "timestamp": 1}}}, "bad_body"),
        ({"blockID": "ab" * 32}, "bad_body"),
    ],
)
def test_tron_faults_come_with_http_200(java_tron, body, expected):
    java_tron.paths["/wallet/getblock"] = body

    record = asked(tron, java_tron.url)

    assert (record.ok, record.error_class) == (False, expected)


def test_a_gateway_that_offers_blocks_alone_is_enough(java_tron):
    del java_tron.paths["/wallet/getnodeinfo"], java_tron.paths["/wallet/getenergyprices"]
    java_tron.paths["/walletsolidity/getblock"] = tron_block(66987608)

    record = asked(tron, java_tron.url)

    assert (record.ok, record.final_height, record.peers, record.fee) == (True, 66987608, None, None)


# --- solana ---


@pytest.fixture
def validator(node):
    node.methods = {
        "getGenesisHash": "5eykt4UsFv8P8NJdTREpY1vzqKqZKvdpKuc147dw2N9d",
        "getHealth": "ok",
        "getEpochInfo": {"absoluteSlot": 372877205, "blockHeight": 351032110, "epoch": 863, "slotsInEpoch": 432000},
        "getSlot": 372877172,
        "getBlockTime": head_ms() // 1000,
        "getBlock": {"blockhash": "3Eq2", "blockHeight": 1, "parentSlot": 1},
    }  # fmt: skip
    return node


def test_solana_counts_slots_not_blocks(validator):
    record = asked(
        solana, validator.url, identity="5eykt4UsFv8P8NJdTREpY1vzqKqZKvdpKuc147dw2N9d", compare_height=372877000
    )

    assert record.ok
    assert record.chain_id_ok
    assert young(record)
    assert (record.head_height, record.final_height, record.check_hash) == (372877205, 372877172, "3Eq2")
    assert record.syncing is False


def test_get_health_may_lie_and_the_head_tells(validator):
    validator.methods["getBlockTime"] = head_ms() // 1000 - 300
    validator.methods["getEpochInfo"]["absoluteSlot"] -= 700

    record = asked(solana, validator.url)

    assert record.syncing is False
    assert record.head_height == 372876505
    assert record.head_age_s > 300


def test_a_sick_node_is_behind_not_limited(validator):
    validator.errors["getHealth"] = {
        "code": -32005,
        "message": "Node is behind by 184 slots",
        "data": {"numSlotsBehind": 184},
    }

    record = asked(solana, validator.url)

    assert (record.ok, record.syncing) == (True, True)
    assert "184" in record.error_text


def test_slots_of_absent_leaders_have_no_time(node, validator):
    def time_of(params):
        return None if params[0] > 372877203 else head_ms() // 1000

    validator.methods["getBlockTime"] = time_of

    assert young(asked(solana, validator.url))


def test_skipped_slots_answer_with_an_error_of_their_own(validator):
    validator.errors["getBlockTime"] = {"code": -32004, "message": "Block not available for slot 372877205"}

    assert asked(solana, validator.url).error_class == "node_behind"


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        ("429 Too Many Requests", b"<html>cdn</html>", "rate_limited"),
        (
            "200 OK",
            b'{"jsonrpc":"2.0","error":{"code":429,"message":"Too many requests for a specific RPC call"},"id":1}',
            "rate_limited",
        ),
        ("200 OK", b"Too many requests", "rate_limited"),
    ],
)
def test_limits_come_in_every_form(serve, answer, status, body, expected):
    assert asked(solana, serve(answer(body, status)).url).error_class == expected


@pytest.mark.parametrize(
    ("family", "code", "expected"),
    [
        ("solana", -32005, "node_behind"), ("evm", -32005, "rate_limited"), ("substrate", -32005, "bad_body"),
        ("solana", -32016, "node_behind"), ("evm", -32016, "auth"), ("bitcoin", -28, "node_behind"), ("evm", -28, "bad_body"),
        ("substrate", -32601, "unsupported"),
    ],
)  # fmt: skip
def test_one_code_means_different_things(family, code, expected):
    assert errors.of_family(family, RpcError(code, "")) == expected


# --- aptos ---


def ledger(**more):
    return {
        "chain_id": 1, "epoch": "2796", "ledger_version": "152087593", "oldest_ledger_version": "2287593",
        "ledger_timestamp": str(head_ms() * 1000), "node_role": "full_node", "oldest_block_height": "1101178",
        "block_height": "58851650", "git_hash": "6568c5ee", **more,
    }  # fmt: skip


@pytest.mark.parametrize("ending", ["", "v1", "v1/"])
def test_aptos_has_strings_and_microseconds(node, ending):
    node.paths = {
        "/v1": ledger(),
        "/v1/blocks/by_height/58851600": {"block_height": "58851600", "block_hash": "0xfeed"},
    }

    record = asked(aptos, node.url + ending, identity="1", compare_height=58851600)

    assert record.ok
    assert record.chain_id_ok
    assert young(record)
    assert (record.head_height, record.final_height, record.check_hash) == (58851650, 58851650, "0xfeed")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (ledger(block_height="x"), "bad_body"),
        (ledger(ledger_timestamp=None), "bad_body"),
        (ledger(block_height="9" * 5000), "bad_body"),
        ({"message": "Rate limit exceeded", "error_code": "rate_limited", "vm_error_code": None}, "rate_limited"),
        (("503 Busy", b'{"message":"m","error_code":"internal_error","vm_error_code":null}'), "overloaded"),
    ],
)
def test_aptos_refusals(node, value, expected):
    node.paths = {"/v1": value}

    assert asked(aptos, node.url).error_class == expected


# --- substrate ---


@pytest.fixture
def polkadot(node):
    node.methods = {
        "system_chain": "Polkadot",
        "system_health": {"peers": 42, "isSyncing": False, "shouldHavePeers": True},
        "chain_getHeader": lambda params: {"number": "0x1b4f2e0" if params else "0x1b4f2e3", "digest": {"logs": []}},
        "chain_getFinalizedHead": "0x5d2f",
        "chain_getBlockHash": lambda params: f"0x{params[0]:064x}",
        "state_getStorage": "0x" + head_ms().to_bytes(8, "little").hex(),
    }
    return node


def test_substrate_reads_its_time_from_storage(polkadot):
    record = asked(substrate, polkadot.url, identity="Polkadot", compare_height=5)

    assert record.ok
    assert record.chain_id_ok
    assert young(record)
    assert (record.head_height, record.final_height, record.peers) == (0x1B4F2E3, 0x1B4F2E0, 42)
    assert (record.head_hash, record.check_hash) == (f"0x{0x1B4F2E3:064x}", f"0x{5:064x}")


def test_the_key_of_the_documented_sample_reads_as_it_says(polkadot):
    polkadot.methods["state_getStorage"] = "0x40d3b85b9a010000"

    assert asked(substrate, polkadot.url).head_ms == 0x19A5BB8D340


@pytest.mark.parametrize("now", [None, "0x", "0x40d3", "zz", 5])
def test_a_head_without_a_time_is_no_head(polkadot, now):
    polkadot.methods["state_getStorage"] = now

    assert asked(substrate, polkadot.url).error_class == "bad_body"


def test_the_relay_in_the_place_of_its_hub_is_the_wrong_chain(polkadot):
    assert asked(substrate, polkadot.url, identity="Polkadot Asset Hub").error_class == "wrong_chain"


# --- antelope ---


def chain_state(**more):
    naive = datetime.fromtimestamp(head_ms() / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S.500")
    return {
        "server_version": "a", "chain_id": "aca376f206b8fc25a6ed44dbdc66547c36c6c33e3a119ffbeaef943642f0e906",
        "head_block_num": 412345678, "last_irreversible_block_num": 412345675, "head_block_id": "1893ab",
        "head_block_time": naive, "last_irreversible_block_time": naive, "server_version_string": "v1.2.0", **more,
    }  # fmt: skip


@pytest.mark.parametrize("zone", ["Asia/Shanghai", "America/New_York"])
def test_times_without_a_zone_are_utc_wherever_the_prober_stands(node, zone, monkeypatch):
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    node.paths = {"/v1/chain/get_info": chain_state(), "/v1/chain/get_block_info": {"id": "00cafe"}}
    try:
        record = asked(antelope, node.url, compare_height=412345000)
    finally:
        monkeypatch.undo()
        time.tzset()

    assert record.ok
    assert young(record)
    assert (record.head_height, record.final_height, record.check_hash) == (412345678, 412345675, "00cafe")


def test_the_later_fields_are_optional(node):
    state = chain_state()
    del state["last_irreversible_block_time"]
    node.paths = {"/v1/chain/get_info": state}

    record = asked(antelope, node.url)

    assert (record.ok, record.final_ms) == (True, None)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (
            ("500 Error", b'{"code":500,"error":{"code":3080004,"name":"tx_cpu_usage_exceeded"}}'),
            "client_error",
        ),
        ({"code": 429, "error": {"code": 0, "name": "rate limit"}}, "rate_limited"),
        (chain_state(head_block_time="yesterday"), "bad_body"),
        (("502 Bad", b"<html>"), "overloaded"),
    ],
)
def test_antelope_refusals(node, value, expected):
    node.paths = {"/v1/chain/get_info": value}

    assert asked(antelope, node.url).error_class == expected


# --- all ---

FAMILIES = (evm, bitcoin, tron, solana, aptos, substrate, antelope)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(
    "body",
    [b"", b"null", b"[]", b"{}", b"5", b'"x"', b"[null, 3]", b"\xff\xfe", b"[" * 50_000, b'{"result":NaN}',
     b"{" + b'"a":1,' * 20_000]
)  # fmt: skip
def test_junk_with_http_200_is_a_refusal_in_every_family(serve, answer, family, body):
    record = asked(family, serve(answer(body)).url)

    assert record.ok is False
    assert record.error_class in ("bad_body", "node_behind", "body_cap")


@pytest.mark.parametrize("family", FAMILIES)
def test_a_closed_port_is_a_record_not_an_exception(serve, answer, family):
    with_server = serve(answer())
    with_server.__exit__()

    record = asked(family, with_server.url)

    assert (record.ok, record.error_class) == (False, "refused")

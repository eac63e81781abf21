"""Traps that chains set for those who ask them, each in its real shape: fees, OP stacks, refusals, identity, pace."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import replace

import chain_world as world
import pytest
from chain_nodes import Fault, Node, asked, head_ms
from chain_world import each, failed, frozen, named, play, record, well

from probes import chain
from probes.chains import antelope, aptos, bitcoin, errors, evm, solana, substrate, tron, verdict
from probes.chains.errors import RpcError
from probes.chains.record import Endpoint, Fee
from probes.chains.usual import Usual, pressure
from probes.chains.verdict import Limits
from probes.run import Run
from probes.spec import ProbeSpec
from probes.transfer import Client
from statuspage.config.chains import monitors_of, registry

HOUR_MS = 3_600_000
GWEI = 10**9
OWN, A, B = (named(well, name) for name in ("own-1", "ref-a", "ref-b"))


@pytest.fixture
def node(serve, answer, read_request):
    return Node(serve, answer, read_request)


def limits_of(name):
    """The limits a chain of the registry is judged by."""
    check = monitors_of({name: {"endpoints": [{"url": "https://rpc.own.example/"}]}})[0][f"{name}-own"].check
    return chain.make_plan(ProbeSpec("m", "chain", name, check.options)).limits


# --- busy or not ---


def evm_node(node, *, full=1.0, base="0x0", price=GWEI, history=True):
    stamp = hex(head_ms() // 1000)
    node.methods = {
        "eth_chainId": "0x38",
        "eth_getBlockByNumber": lambda _params: {
            "number": "0x3a2f1c0", "hash": "0x9d", "timestamp": stamp, "gasUsed": hex(int(55_000_000 * full)),
            "gasLimit": hex(55_000_000), "transactions": [],
        },
        "eth_syncing": False,
        "eth_gasPrice": lambda _params: hex(int(node.price)),
    }  # fmt: skip
    node.price = price
    if history:
        node.methods["eth_feeHistory"] = {
            "oldestBlock": "0x3a2f1ac", "baseFeePerGas": [base] * 21, "gasUsedRatio": [full] * 20,
            "reward": [["0x0", "0x1"]] * 20,
        }  # fmt: skip
    else:
        node.errors["eth_feeHistory"] = {"code": -32601, "message": "the method eth_feeHistory does not exist/is not available"}
    return Endpoint("c", "reference-1", node.url, "reference")


def hours(family, endpoint, count, at_ms=None):
    """Readings one hour apart; the last fee."""
    start = at_ms or time.time_ns() // 1_000_000
    return [asked(family, endpoint.url, endpoint=endpoint, at_ms=start + n * HOUR_MS).fee for n in range(count)][-1]


def test_where_the_base_fee_is_zero_the_price_is_asked_for_and_full_blocks_alone_are_not_busy(node):
    bsc = evm_node(node)

    first, usual = hours(evm, bsc, 1), hours(evm, bsc, 9)
    node.price *= 6
    dear = hours(evm, bsc, 1)

    assert (first.low, first.pressure) == (None, None)
    assert (usual.low, usual.pressure) == (1.0, 0.79)
    assert (dear.low, dear.pressure) == (6.0, 1.0)


def test_a_price_whose_usual_height_is_not_known_says_nothing(node):
    fee = hours(evm, evm_node(node), 6)

    assert (fee.low, fee.pressure) == (1.0, None)


def test_a_minimum_tip_of_thirty_gwei_is_usual_on_polygon(node):
    fee = hours(evm, evm_node(node, price=30 * GWEI), 12)

    assert (fee.low, fee.pressure) == (30.0, 0.79)


def test_a_base_fee_is_not_asked_for_and_rises_by_itself_while_blocks_are_full(node):
    ethereum = evm_node(node, base="0x1dcd6500")

    fee = hours(evm, ethereum, 2)

    assert "eth_gasPrice" not in node.asked
    assert (fee.low, fee.pressure) == (0.5, 1.0)


def test_full_blocks_at_the_usual_base_fee_are_not_busy(node):
    assert hours(evm, evm_node(node, base="0x1dcd6500"), 8).pressure == 0.79


def test_without_a_fee_history_twenty_polls_of_the_newest_block_tell(node):
    oktc = evm_node(node, history=False)
    hours(evm, oktc, 18)
    node.price *= 7

    at_ms = time.time_ns() // 1_000_000 + 20 * HOUR_MS
    fees = [asked(evm, oktc.url, endpoint=oktc, at_ms=at_ms + n).fee.pressure for n in range(3)]

    assert fees == [None, 1.0, 1.0]


def test_one_full_block_is_not_twenty(node):
    oktc = evm_node(node, history=False, full=0.1)
    hours(evm, oktc, 19)
    evm_node(node, history=False, full=1.0, price=50 * GWEI)

    assert hours(evm, oktc, 1).pressure == pytest.approx(0.145)


def test_the_usual_price_is_a_weeks_and_bounded():
    usual = Usual()
    for hour in range(400):
        usual.dearness(1.0 if hour < 300 else 4.0, hour * HOUR_MS)
        usual.dearness(999.0, hour * HOUR_MS + 60_000)  # only one price an hour is kept

    assert len(usual.prices) == 168
    assert usual.dearness(8.0, 400 * HOUR_MS) == 2.0


def test_a_price_that_mostly_is_nothing_has_no_usual_height():
    usual = Usual()
    for hour in range(20):
        usual.dearness(0.0, hour * HOUR_MS)

    assert usual.dearness(5.0, 20 * HOUR_MS) is None


@pytest.mark.parametrize(
    ("full", "dearness", "price_follows", "expected"),
    [(None, 9.0, True, None), (0.5, None, False, 0.5), (0.9, None, False, None), (0.9, None, True, 0.9), (0.9, 4.9, False, 0.79),
     (0.9, 5.0, False, 0.9), (0.9, 1.0, True, 0.79)],
)  # fmt: skip
def test_busy_is_full_and_dear(full, dearness, price_follows, expected):
    assert pressure(full, dearness, price_follows=price_follows) == expected


def bitcoind(node, feerate):
    node.methods = {
        "getblockchaininfo": {
            "chain": "main", "blocks": 936616, "headers": 936616, "bestblockhash": "0" * 64, "warnings": [],
            "time": head_ms() // 1000,
        },
        "getmempoolinfo": {"usage": 30, "maxmempool": 300, "mempoolminfee": 0.00001, "minrelaytxfee": 0.00001},
        "estimatesmartfee": feerate,
    }  # fmt: skip
    return Endpoint("c", "own-1", node.url)


def test_bitcoin_is_busy_when_the_next_block_costs_five_times_the_usual(node):
    own = bitcoind(node, {"feerate": 0.00002, "blocks": 2})
    usual = hours(bitcoin, own, 10)
    node.methods["estimatesmartfee"] = {"feerate": 0.00012, "blocks": 2}

    dear = hours(bitcoin, own, 1)

    assert (usual.fast, usual.pressure) == (0.00002, 0.16)
    assert (dear.fast, dear.pressure) == (0.00012, 0.96)


def test_a_node_that_cannot_estimate_says_so_in_a_result_of_another_shape(node):
    own = bitcoind(node, {"errors": ["Insufficient data or no feerate found"], "blocks": 2})

    fee = hours(bitcoin, own, 1)

    assert (fee.fast, fee.pressure) == (None, 0.1)


def esplora(node):
    tip = "0" * 60 + "beef"
    node.paths = {
        "/api/blocks/tip/hash": ("200 OK", tip.encode()),
        "/api/block-height/0": ("200 OK", b"1" * 64),
        f"/api/block/{tip}": {"id": tip, "height": 936616, "timestamp": head_ms() // 1000},
    }
    return Endpoint("c", "reference-1", node.url + "api", "reference")


@pytest.mark.parametrize(
    ("path", "told", "fast"),
    [
        ("/api/v1/fees/recommended", {"fastestFee": 5, "halfHourFee": 4, "hourFee": 3, "economyFee": 2, "minimumFee": 1}, 5.0),
        ("/api/fee-estimates", {"1": 87.882, "2": 80.5, "144": 1.027}, 80.5),
    ],
)
def test_both_kinds_of_esplora_tell_what_the_next_block_costs(node, path, told, fast):
    place = esplora(node)
    node.paths[path] = told

    record = asked(bitcoin, place.url, endpoint=place)
    again = asked(bitcoin, place.url, endpoint=place)

    assert (record.ok, record.fee, again.fee) == (True, Fee("sat/vB", None, fast), Fee("sat/vB", None, fast))
    assert "/api" + place.fee_path == path


def test_an_esplora_without_fees_has_a_head_all_the_same(node):
    place = esplora(node)

    record = asked(bitcoin, place.url, endpoint=place)

    assert (record.ok, record.fee, place.fee_path) == (True, None, "nowhere")


def validator(node, paid):
    node.methods = {
        "getGenesisHash": "5eykt4UsFv8P8NJdTREpY1vzqKqZKvdpKuc147dw2N9d", "getHealth": "ok",
        "getEpochInfo": {"absoluteSlot": 372877205, "blockHeight": 351032110}, "getSlot": 372877172,
        "getBlockTime": head_ms() // 1000,
        "getRecentPrioritizationFees": [{"slot": 372877000 + n, "prioritizationFee": paid} for n in range(150)],
    }  # fmt: skip
    return Endpoint("c", "reference-1", node.url, "reference")


def test_solana_is_busy_by_what_goes_first_pays_and_not_by_how_many_votes_there_are(node):
    reference = validator(node, 1000)
    hours(solana, reference, 8)
    node.methods["getRecentPrioritizationFees"] = [{"slot": 1, "prioritizationFee": 6000}]

    fee = hours(solana, reference, 1)

    assert (fee.unit, fee.fast, fee.pressure) == ("microlamports", 6000, 0.96)
    assert not {"getRecentPerformanceSamples", "getTransactionCount"} & set(node.asked)


@pytest.mark.parametrize(
    ("lent", "left", "expected"),
    [(200_000_000, 200_000, 0.0), (200_000, 200_000, 1.0), (400_000, 199_900, 0.9), (20_000_000, 200_000, 0.333), (0, 0, None)],
)
def test_antelope_is_busy_when_what_is_lent_shrinks_to_what_a_block_holds(node, lent, left, expected):
    node.paths = {"/v1/chain/get_info": chain_state(virtual_block_cpu_limit=lent, block_cpu_limit=left)}

    fee = asked(antelope, node.url).fee

    assert (fee and fee.pressure) == (expected and pytest.approx(expected, abs=0.001))


def test_a_block_half_full_in_the_making_is_no_relief(node):
    own = Endpoint("c", "own-1", node.url)
    node.paths = {"/v1/chain/get_info": chain_state(virtual_block_cpu_limit=400_000, block_cpu_limit=200_000)}
    before = asked(antelope, node.url, endpoint=own).fee.pressure
    node.paths = {"/v1/chain/get_info": chain_state(virtual_block_cpu_limit=400_000, block_cpu_limit=20)}

    assert asked(antelope, node.url, endpoint=own).fee.pressure == before


def chain_state(**more):
    naive = time.strftime("%Y-%m-%dT%H:%M:%S.500", time.gmtime(head_ms() / 1000))
    return {
        "chain_id": "aca376f206b8fc25a6ed44dbdc66547c36c6c33e3a119ffbeaef943642f0e906", "head_block_num": 412345678,
        "last_irreversible_block_num": 412345675, "head_block_id": "1893ab", "head_block_time": naive, **more,
    }  # fmt: skip


# --- OP stacks ---


def l2(number, age_s):
    return {"hash": f"0x{number:064x}", "number": number, "timestamp": int(time.time()) - age_s}


def sync_status(**more):
    return {
        "current_l1": {"hash": "0xa", "number": 21_000_000, "timestamp": int(time.time()) - 20},
        "head_l1": {"hash": "0xb", "number": 21_000_004, "timestamp": int(time.time()) - 8},
        "unsafe_l2": l2(130_000_000, 2), "safe_l2": l2(129_999_700, 600), "finalized_l2": l2(129_999_400, 1200), **more,
    }  # fmt: skip


@pytest.fixture
def op(node, serve, answer, read_request):
    """An endpoint of Optimism's and the op-node beside it."""

    def block(params):
        number, age_s = {"latest": (0x7BFA480, 7), "safe": (0x7BFA400, 263), "finalized": (0x7BFA000, 1300)}[params[0]]
        return {"number": hex(number), "hash": "0x1", "timestamp": hex(int(time.time()) - age_s), "transactions": []}

    node.methods = {"eth_chainId": "0xa", "eth_getBlockByNumber": block, "eth_syncing": False}
    node.beside = Node(serve, answer, read_request)
    node.beside.methods = {"optimism_syncStatus": sync_status()}
    node.endpoint = Endpoint("c", "own-1", node.url, stack="op", op_node=Endpoint("c", "op-node", node.beside.url))
    return node


def test_an_op_node_tells_safe_and_final_in_plain_numbers_and_how_far_it_has_read(op):
    record = asked(evm, op.url, endpoint=op.endpoint)

    assert (record.safe_height, record.final_height, record.l1_behind) == (129_999_700, 129_999_400, 4)
    assert (record.at_ms - record.safe_ms) // 1000 in range(598, 606)
    assert (record.at_ms - record.final_ms) // 1000 in range(1198, 1206)


def test_where_the_call_is_not_served_the_blocks_tell(op):
    op.beside.errors["optimism_syncStatus"] = {"code": -32601, "message": "the method optimism_syncStatus does not exist"}

    record = asked(evm, op.url, endpoint=op.endpoint)

    assert (record.ok, record.safe_height, record.final_height, record.l1_behind) == (True, 0x7BFA400, 0x7BFA000, None)
    assert "optimism_syncStatus" in record.error_text


def test_a_node_that_has_derived_nothing_yet_says_block_zero_and_is_not_believed(op):
    nothing = {"hash": "0x0", "number": 0, "timestamp": 0}
    op.beside.methods = {"optimism_syncStatus": sync_status(safe_l2=nothing, finalized_l2=nothing)}

    record = asked(evm, op.url, endpoint=op.endpoint)

    assert (record.safe_height, record.final_height) == (0x7BFA400, 0x7BFA000)


def test_an_op_node_that_hangs_does_not_make_the_endpoint_slow(op, serve):
    mute = serve(lambda _: time.sleep(3))
    op.endpoint.op_node.url = mute.url
    began = time.monotonic()

    record = asked(evm, op.url, endpoint=op.endpoint)

    assert record.ok
    assert time.monotonic() - began < 1.8  # half of the deadline of 2 s, and what the blocks take


def test_an_op_node_that_limits_us_is_left_alone_and_its_endpoint_is_not(op, serve, answer):
    limited = serve(answer(b"Too many requests", "429 Too Many Requests", "Retry-After: 60"))
    op.endpoint.op_node.url = limited.url

    records = [asked(evm, op.url, endpoint=op.endpoint) for _ in range(2)]

    assert [one.ok for one in records] == [True, True]
    assert limited.connections == 1


def test_a_safe_that_a_gateway_does_not_know_is_no_failure(op):
    whole = op.methods["eth_getBlockByNumber"]
    fault = Fault(-32000, "safe is not a supported commitment")
    op.methods["eth_getBlockByNumber"] = lambda params: fault if params[0] == "safe" else whole(params)
    op.endpoint.op_node = None

    record = asked(evm, op.url, endpoint=op.endpoint)

    assert (record.ok, record.safe_height) == (True, None)


OP = Limits(2, (20, 40), (40, 90), 120, finality_warn_s=3600, safe_warn_s=3600, head_age_s=(40, 90))


def safe(name, age_s):
    return lambda at_s: well(name, at_s, OP, safe_height=1, safe_ms=(at_s - age_s) * 1000)


@pytest.mark.parametrize(
    ("makers", "expected"),
    [
        ((safe("own-1", 4000), safe("ref-a", 4000), safe("ref-b", 4100)), "FINALITY_DELAYED"),
        ((safe("own-1", 300), safe("ref-a", 300), safe("ref-b", 4000)), "OK"),
        ((safe("own-1", 4000), safe("ref-a", 300), safe("ref-b", 300)), "OWN_NODE_BEHIND"),
        ((safe("own-1", 4000), named(well, "ref-a", limits=OP), named(well, "ref-b", limits=OP)), "OK"),
        ((named(frozen, "own-1"), named(frozen, "ref-a"), named(frozen, "ref-b")), "CHAIN_HALTED"),
    ],
)
def test_a_sequencer_that_stops_is_a_halt_and_batches_that_come_late_are_not(makers, expected):
    last = play(each(*makers), OP)[-1]

    assert last.state == expected, last.to_json()


def test_op_chains_of_the_registry_are_asked_for_what_is_safe():
    found = {name for name in registry() if limits_of(name).safe_warn_s}
    own = {"url": "https://rpc.own.example/", "op_node": "https://op.own.example/"}

    options = monitors_of({"base": {"endpoints": [own]}})[0]["base-own"].check.options
    plan = chain.make_plan(ProbeSpec("m", "chain", "base", options))

    assert found == {"optimism", "base", "xlayer"}
    assert (plan.endpoints[0].stack, plan.endpoints[0].op_node.url) == ("op", "https://op.own.example/")


# --- refusals ---

SIGNS = {
    "rate_limited": ["Too many requests", "rate limit exceeded", "project has exceeded its quota", "request limit reached",
                     "please upgrade your tier", "class java.lang.IllegalAccessException : lack of computing resources"],
    "billing": ["Monthly capacity limit exceeded", "you have reached the free tier", "over the limit for your current plan"],
    "overloaded": ["the node is under too much load", "No server available", "request timed out"],
    "node_behind": ["header not found", "missing trie node 0a1b", "catching_up", "Node is behind by 184 slots"],
    "unsupported": ["method not available", "the method eth_feeHistory does not exist/is not available"],
    "client_error": ["nonce too low", "insufficient funds for gas * price + value", "already known",
                     "replacement transaction underpriced"],
}  # fmt: skip


@pytest.mark.parametrize(("expected", "text"), [(name, text) for name, texts in SIGNS.items() for text in texts])
def test_what_providers_write_has_its_class_whatever_the_code(expected, text):
    assert errors.of_evm(RpcError(-32603, text)) == expected


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        ("403 Forbidden", {"jsonrpc": "2.0", "id": 1, "error": {"code": -32052, "message": "API key is not allowed"}}, "auth"),
        ("401 Unauthorized", {"jsonrpc": "2.0", "id": 1, "error": {"code": -32000, "message": "no key"}}, "auth"),
        ("402 Payment Required", {"error": {"code": -32000, "message": "no"}}, "billing"),
        ("429 Too Many Requests", {"jsonrpc": "2.0", "id": 1, "error": {"code": -32000, "message": "slow down"}}, "rate_limited"),
        ("403 Forbidden", {"error": {"code": 1, "message": "rate limit reached"}}, "rate_limited"),
        ("405 Method Not Allowed", {"error": "no"}, "unsupported"),
        ("400 Bad Request", {"jsonrpc": "2.0", "id": 1, "error": {"code": -32700, "message": "parse error"}}, "client_error"),
        ("400 Bad Request", {}, "client_error"),
        ("502 Bad Gateway", {}, "overloaded"),
        ("503 Service Unavailable", {}, "overloaded"),
        ("504 Gateway Timeout", {}, "overloaded"),
        ("200 OK", {"jsonrpc": "2.0", "id": 1, "error": {"code": -32602, "message": "invalid argument 0"}}, "client_error"),
        ("200 OK", {"jsonrpc": "2.0", "id": 1, "error": {"code": -32005, "message": ""}}, "rate_limited"),
    ],
)
def test_the_status_counts_beside_the_json_and_the_json_beside_the_status(serve, answer, status, body, expected):
    assert asked(evm, serve(answer(json.dumps(body).encode(), status)).url).error_class == expected


def test_an_answer_cut_in_two_is_no_json_and_its_status_is_kept(node):
    node.paths["/"] = ("200 OK", b'[{"jsonrpc":"2.0","id":1,"resu')
    options = {"family": "evm", "endpoints": [{"url": node.url}]}

    result = asyncio.run(checked(options))

    [shown] = result.evidence["endpoints"]
    assert (shown["error_class"], shown["status"]) == ("bad_body", 200)
    assert shown["endpoint"] == "own-1"


async def checked(options):
    client = Client()
    spec = ProbeSpec("m", "chain", "c", options, timeout_s=2.0, allow_networks=("127.0.0.0/8",))
    run = Run(spec, client)
    run.begin(time.time_ns() // 1_000_000, 0.0)
    try:
        return await chain.check(spec, run)
    finally:
        await client.close()


@pytest.mark.parametrize("block", [None, {}, {"number": 23599000, "timestamp": "0x68f0a5b7"}, {"number": "0x1", "timestamp": 1}])
def test_a_block_that_is_null_or_has_plain_numbers_is_no_head(node, block):
    node.methods = {"eth_chainId": "0x1", "eth_getBlockByNumber": lambda _params: block}

    record = asked(evm, node.url)

    assert (record.ok, record.error_class) == (False, "bad_body")
    assert "eth_blockNumber" not in node.asked


@pytest.mark.parametrize(("status", "expected"), [("403 Forbidden", "auth"), ("429 Too Many Requests", "rate_limited")])
def test_gateways_of_tron_limit_by_status(serve, answer, status, expected):
    assert asked(tron, serve(answer(b"", status)).url).error_class == expected


@pytest.mark.parametrize("code", [3080001, 3080002, 3080004, 3040005])
def test_an_account_of_eos_that_has_used_up_its_share_is_no_outage(node, code):
    fault = {"code": code, "name": "tx_cpu_usage_exceeded", "details": []}
    body = {"code": 500, "message": "Internal Service Error", "error": fault}
    node.paths = {"/v1/chain/get_info": ("500 Internal Server Error", json.dumps(body).encode())}
    options = {"family": "antelope", "endpoints": [{"url": node.url}]}

    result = asyncio.run(checked(options))

    assert (result.outcome, result.error_class) == ("unknown", "client_error")


@pytest.mark.parametrize(("code", "expected"), [(1010, "client_error"), (1016, "overloaded"), (-32601, "unsupported")])
def test_codes_of_substrate(code, expected):
    assert errors.of_family("substrate", RpcError(code, "Invalid Transaction")) == expected


def polkadot(node, **more):
    node.methods = {
        "system_chain": "Polkadot", "system_health": {"peers": 42, "isSyncing": False, "shouldHavePeers": True},
        "chain_getHeader": lambda params: {"number": "0x1b4f2e0" if params else "0x1b4f2e3"},
        "chain_getFinalizedHead": "0x5d2f", "chain_getBlockHash": "0x1",
        "state_getStorage": "0x" + head_ms().to_bytes(8, "little").hex(), **more,
    }  # fmt: skip
    return node


def test_blocked_calls_of_substrate_leave_a_head(node):
    for method in ("system_health", "chain_getFinalizedHead"):
        polkadot(node).errors[method] = {"code": -32601, "message": "RPC call is unsafe to be called externally"}

    record = asked(substrate, node.url)

    assert (record.ok, record.final_height, record.peers, record.syncing) == (True, None, None, None)


def test_a_substrate_node_without_peers_is_said_to_be_alone(node):
    record = asked(substrate, polkadot(node, system_health={"peers": 0, "isSyncing": False, "shouldHavePeers": True}).url)

    assert (record.ok, record.peers) == (True, 0)
    assert "no peers" in record.error_text


def test_a_whole_absent_leader_leaves_four_slots_without_a_block(node):
    reference = validator(node, 0)
    skipped = Fault(-32007, "Slot 372877205 was skipped, or missing due to ledger jump to recent snapshot")
    node.methods["getBlockTime"] = lambda params: skipped if params[0] > 372877201 else head_ms() // 1000

    record = asked(solana, reference.url, endpoint=reference)

    assert (record.ok, record.head_height) == (True, 372877205)


def test_health_that_always_is_fine_is_not_asked_of_aptos(node):
    node.paths = {"/v1": {"chain_id": 1, "ledger_timestamp": str(head_ms() * 1000), "block_height": "58851650"}}

    assert asked(aptos, node.url).ok
    assert node.asked == ["/v1"]


# --- identity ---


def test_a_chain_that_answers_in_the_place_of_another_is_our_mistake_in_every_family(node):
    found = {}
    bitcoind(node, {})
    node.methods["getblockchaininfo"] |= {"chain": "test"}
    found["bitcoin"] = asked(bitcoin, node.url, identity="main")
    found["solana"] = asked(solana, validator(node, 0).url, identity="EtWTRABZaYq6iMfeYKouRu166VU2xqa1wcaWoxPkrZBG")
    found["substrate"] = asked(substrate, polkadot(node).url, identity="Kusama")
    node.paths = {"/v1": {"chain_id": 2, "ledger_timestamp": str(head_ms() * 1000), "block_height": "5"}}
    found["aptos"] = asked(aptos, node.url, identity="1")
    node.paths = {"/v1/chain/get_info": chain_state(chain_id="73e4385a2708e6d7048834fbc1079f2fabb17b3c125b146af438971e90716c4d")}
    found["antelope"] = asked(antelope, node.url, identity=registry()["eos"]["identity"])
    genesis = {"blockID": "0" * 56 + "00000094", "block_header": {"raw_data": {}}}
    head = {"blockID": "a" * 64, "block_header": {"raw_data": {"number": 5, "timestamp": head_ms()}}}
    node.paths = {"/wallet/getblock": lambda body: genesis if body.get("id_or_num") else head, "/walletsolidity/getblock": head}
    found["tron"] = asked(tron, node.url, identity="728126428")

    assert {name: (one.ok, one.chain_id_ok, one.error_class) for name, one in found.items()} == dict.fromkeys(
        found, (True, False, "wrong_chain")
    )


def test_x_layer_in_the_place_of_oktc_is_another_chain_though_addresses_look_alike(node):
    evm_node(node)
    node.methods["eth_chainId"] = "0xc4"

    assert asked(evm, node.url, identity=str(registry()["oktc"]["id"])).error_class == "wrong_chain"
    assert asked(evm, node.url, identity=str(registry()["xlayer"]["id"])).chain_id_ok


def test_no_endpoint_is_a_silent_default():
    assert "://" not in str(registry())


# --- pace ---


def late_block(at_s, ages):
    """Three endpoints whose newest block is as old as the longest usual wait."""
    start = (at_s - world.START) // sum(ages)
    height, left = 1000 + start * len(ages), (at_s - world.START) % sum(ages)
    for age in ages:
        if left < age:
            break
        left, height = left - age, height + 1
    return [record(name, at_s, height, left) for name in ("own-1", "ref-a", "ref-b")]


@pytest.mark.parametrize(
    ("name", "gaps"),
    [("ethereum", (12, 12, 24, 12, 36)), ("tron", (3, 3, 3, 9, 3, 3)), ("ethereum", (12,))],
    ids=["missed slots", "tron's maintenance", "as it should"],
)
def test_slots_that_are_missed_now_and_then_are_nothing(name, gaps):
    found = play(lambda at_s: late_block(at_s, gaps), limits_of(name), seconds=900)

    assert {one.state for one in found} == {"OK"}


def test_seconds_in_headers_of_a_chain_with_two_blocks_a_second_are_no_lag():
    limits = limits_of("bsc")

    def whole_seconds(name):
        def make(at_s):
            one = well(name, at_s, limits, behind=1 if name == "own-1" else 0)
            return replace(one, head_ms=one.head_ms // 1000 * 1000)

        return make

    last = play(each(*map(whole_seconds, ("own-1", "ref-a", "ref-b"))), limits, seconds=300)[-1]

    assert last.state == "OK"
    assert last.memory.interval_s == pytest.approx(0.45, abs=0.05)


def test_the_gap_of_a_halt_does_not_call_the_chain_slow_for_hours():
    stood_s = 1800

    def make(name):
        def one(at_s):
            since = at_s - world.START
            height, age_s = world.head(at_s - stood_s)
            return record(name, at_s, 1024, since - 288) if 300 <= since < 300 + stood_s else (
                well(name, at_s) if since < 300 else record(name, at_s, height, age_s))  # fmt: skip

        return one

    found = play(each(make("own-1"), make("ref-a"), make("ref-b")), seconds=stood_s + 900)

    assert "CHAIN_HALTED" in {one.state for one in found}
    assert "CHAIN_SLOW" not in {one.finding.state for one in found}
    assert found[-1].state == "OK"


@pytest.mark.parametrize(("block_s", "expected"), [(0.4, "OK"), (0.55, "OK"), (0.65, "CHAIN_SLOW")])
def test_solana_is_slow_above_six_tenths_of_a_second(block_s, expected):
    def make(name):
        return lambda at_s: record(name, at_s, *world.head(at_s, block_s))

    assert play(each(make("own-1"), make("ref-a"), make("ref-b")), limits_of("solana"), seconds=900)[-1].state == expected


@pytest.mark.parametrize(
    ("name", "blocks", "expected"),
    [("polkadot", 25, "FINALITY_DELAYED"), ("polkadot", 4, "OK"), ("eos", 70, "FINALITY_DELAYED"), ("eos", 3, "OK"),
     ("polygon", 500, "FINALITY_DELAYED"), ("bsc", 5, "OK")],
)  # fmt: skip
def test_finality_waits_while_blocks_go_on(name, blocks, expected):
    limits = limits_of(name)

    def make(endpoint):
        def one(at_s):
            found = well(endpoint, at_s, limits)
            return replace(found, final_height=found.head_height - blocks)

        return one

    assert play(each(make("own-1"), make("ref-a"), make("ref-b")), limits)[-1].state == expected


def test_hashes_are_compared_well_below_the_tip():
    ethereum = play(each(OWN, A, B))[-1].finding
    bitcoin_gap = play(each(world.gap("own-1", 5), world.gap("ref-a", 5), world.gap("ref-b", 5)), world.BITCOIN)[-1].finding

    assert ethereum.compare_height == ethereum.tip - 10
    assert bitcoin_gap.compare_height == bitcoin_gap.tip - 2


@pytest.mark.parametrize(("block_s", "delta"), [(600, 2), (12, 2), (0.45, 5), (0.1, 10)])
def test_references_agree_within_two_seconds_of_blocks(block_s, delta):
    assert Limits(block_s).cluster == delta


def test_a_reference_that_has_not_seen_the_others_halt_is_no_halt():
    """One of three references answers with an older head: two stand, and the third contradicts them."""
    last = play(each(named(frozen, "own-1"), named(frozen, "ref-a"), named(frozen, "ref-b"), named(well, "ref-c")))[-1]

    assert last.state != "CHAIN_HALTED"


def test_a_lone_high_head_is_nobodys_tip():
    last = play(each(OWN, A, B, lambda at_s: record("ref-c", at_s, world.head(at_s)[0] + 1000, 1)))[-1]

    assert last.finding.quorum
    assert last.finding.tip == play(each(OWN, A, B))[-1].finding.tip


@pytest.mark.parametrize(("bad", "expected"), [(2, "OK"), (4, "OWN_ENDPOINT_OVERLOADED")])
def test_three_of_ten_own_answers_may_fail(bad, expected):
    def make(at_s):
        is_bad = (at_s - world.START) // 15 % 10 < bad
        return failed("own-1", at_s, "overloaded") if is_bad else well("own-1", at_s)

    found = play(each(make, A, B), seconds=585)

    assert found[-1].finding.state == expected
    assert verdict._ERROR_SHARE == 0.3


# --- the balance of a bitcoin node ---

OUTPUT = "4a5e1e4baab89f3a32518a88c31bc87f618f76673e2cc77ab2127b7afdeda33b:0"
ADDRESS = "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa"


@pytest.mark.parametrize(
    ("unspent", "state", "balance"),
    [({"bestblock": "0" * 64, "confirmations": 936616, "value": 50.0, "coinbase": True}, None, 50.0), (None, "assertion", 0.0)],
)
def test_a_bitcoin_node_is_asked_for_an_output_that_is_not_spent(node, unspent, state, balance):
    bitcoind(node, {})
    node.methods["gettxout"] = lambda params: unspent if params == [OUTPUT[:64], 0] else "?"
    options = {"family": "bitcoin", "endpoints": [{"url": node.url}], "canary": {"address": ADDRESS, "output": OUTPUT}}

    result = asyncio.run(checked(options))

    assert chain.validate("c", options) == []
    assert result.evidence["endpoints"][0]["canary_balance"] == balance
    assert result.error_class == state


@pytest.mark.parametrize(
    ("endpoints", "more", "expected"),
    [
        (["https://node.example/"], {}, [("canary",)]),
        (["https://a.example/api", "https://node.example/"], {}, [("canary",)]),
        (["https://a.example/api"], {}, []),
        (["${env:BTC_RPC}"], {}, []),
        (["https://node.example/"], {"output": OUTPUT}, []),
        (["https://node.example/"], {"output": "4a5e:0"}, [("canary", "output")]),
    ],
)
def test_a_canary_that_no_own_node_can_be_asked_for_is_a_mistake_that_says_what_to_do(endpoints, more, expected):
    options = {"family": "bitcoin", "endpoints": [{"url": url} for url in endpoints], "canary": {"address": ADDRESS, **more}}

    found = chain.validate("c", options)

    assert [path for path, _ in found] == expected
    if expected == [("canary",)]:
        assert "add `output: txid:n`" in found[0][1]

"""The chain probe against real local nodes: an own one and two references, polled again and again as the engine does."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import replace

import pytest

from probes import chain
from probes.engine import Engine
from probes.registry import PROBES
from probes.run import Run
from probes.spec import ProbeSpec
from probes.transfer import Client

ADDRESS = "0x00000000219ab540356cBB839Cbe05303d7705Fa"
NOW = int(time.time())


class Node:
    """An EVM node of a chain that makes a block every 12 s of the test's own time."""

    def __init__(self, serve, answer, read_request):
        self.frozen_at = None
        self.behind = 0
        self.status = "200 OK"
        self.balance = hex(10**20)
        self.hash = "0xc0de"
        self.syncing = None
        self.now = NOW
        self.bodies = []

        def behave(connection):
            calls = json.loads(read_request(connection).partition(b"\r\n\r\n")[2])
            self.bodies.append(calls)
            connection.sendall(answer(json.dumps([self.reply(call) for call in calls]).encode(), self.status))

        self.server = serve(behave)
        self.url = self.server.url

    def reply(self, call):
        at = self.now if self.frozen_at is None else min(self.now, self.frozen_at)
        height = 1_000_000 + (at - NOW) // 12 - self.behind

        def block(number):
            stamp = NOW + (number - 1_000_000) * 12
            return {"number": hex(number), "hash": f"{self.hash}{number}", "timestamp": hex(stamp), "transactions": []}

        tags = {"latest": height, "finalized": height - 64}
        result = {
            "eth_chainId": lambda _: "0x1",
            "eth_getBlockByNumber": lambda params: block(tags[params[0]] if params[0] in tags else int(params[0], 16)),
            "eth_getBalance": lambda _: self.balance,
            "eth_syncing": lambda _: self.syncing,
        }.get(call["method"], lambda _: None)(call["params"])
        return {"jsonrpc": "2.0", "id": call["id"], "result": result}


@pytest.fixture
def nodes(serve, answer, read_request):
    return {name: Node(serve, answer, read_request) for name in ("own", "a", "b")}


def options_of(nodes, *names, **more):
    endpoints = [
        {"url": nodes[name].url, "role": "own" if name == "own" else "reference", "supplier": name} for name in names
    ]
    limits = {"block_s": 12, "lag_blocks": [5, 15], "lag_s": [60, 180], "halt_s": 300, "finality_warn_s": 1500}
    return {"family": "evm", "chain_id": 1, "endpoints": endpoints, **limits, **more}


class Watch:
    """One monitor of the engine: the same Run for every poll."""

    def __init__(self, nodes, options, target="ethereum"):
        assert PROBES["chain"].validate(target, options) == []
        self.nodes, self.at = nodes, NOW
        self.spec = ProbeSpec("ethereum-own", "chain", target, options, timeout_s=3.0, allow_networks=("127.0.0.0/8",))
        self.plan = None
        self.detail = False

    def poll(self, times=1, step=15):
        results = []
        for _ in range(times):
            self.at += step
            for node in self.nodes.values():
                node.now = self.at
            results.append(asyncio.run(self._once()))
        return results[-1] if times == 1 else results

    async def _once(self):
        client = Client()
        run = Run(self.spec, client, plan=self.plan, detail=self.detail)
        run.begin(self.at * 1000, 0.0)
        try:
            return await chain.check(self.spec, run)
        finally:
            self.plan = run.plan
            await client.close()


def test_all_endpoints_are_asked_and_the_verdict_is_in_the_evidence(nodes):
    watch = Watch(nodes, options_of(nodes, "own", "a", "b"))

    first, second = watch.poll(2)

    assert (first.outcome, first.error_class) == ("up", None)
    assert second.evidence["state"] == "OK"
    assert second.evidence["component_status"] == "operational"
    assert [each["endpoint"] for each in second.evidence["endpoints"]] == ["own-1", "reference-1", "reference-2"]
    assert "2 references" in second.evidence["path"][0]
    assert "connect" in second.phases
    json.dumps(second.to_json())
    assert all(len(node.bodies) == 2 for node in nodes.values())


def test_frozen_forked_and_resumed_ends_behind_fork_and_ok(nodes):
    watch = Watch(nodes, options_of(nodes, "own", "a", "b"))
    watch.poll(2)

    nodes["own"].frozen_at = watch.at
    behind = watch.poll(12)[-1]
    nodes["own"].frozen_at = None
    resumed = watch.poll(6)[-1]
    nodes["own"].hash = "0xbad"
    forked = watch.poll(7)[-1]
    nodes["own"].hash = "0xc0de"
    healed = watch.poll(7)[-1]

    assert (behind.outcome, behind.error_class, behind.evidence["state"]) == ("degraded", "node_behind", "OWN_NODE_BEHIND")
    assert resumed.evidence["state"] == "OK"
    assert (forked.outcome, forked.evidence["state"]) == ("down", "OWN_NODE_ON_FORK")
    assert healed.evidence["state"] == "OK"


def test_a_chain_that_stands_is_halted_and_goes_on(nodes):
    watch = Watch(nodes, options_of(nodes, "own", "a", "b"))
    watch.poll(2)
    for node in nodes.values():
        node.frozen_at = watch.at

    early = watch.poll(15)[-1]
    halted = watch.poll(15)[-1]
    for node in nodes.values():
        node.frozen_at = None
    again = watch.poll(8)[-1]

    assert early.evidence["state"] == "OK"
    assert (halted.outcome, halted.evidence["state"]) == ("down", "CHAIN_HALTED")
    assert halted.evidence["component_status"] == "major_outage"
    assert again.evidence["state"] == "OK"


@pytest.mark.parametrize(("age_s", "expected"), [(30, "up"), (90, "degraded"), (400, "down")])
def test_head_ages_decide_where_no_references_do(nodes, age_s, expected):
    nodes["own"].frozen_at = NOW
    watch = Watch(nodes, options_of(nodes, "own", head_age_degraded="60s", head_age_down="180s"))

    result = watch.poll(step=age_s)

    assert result.outcome == expected
    assert result.evidence["state"] == ("OK" if expected == "up" else "UNKNOWN_STALE")


def test_a_node_that_calls_itself_in_step_is_judged_by_its_head(nodes):
    watch = Watch(nodes, options_of(nodes, "own", "a", "b"))
    nodes["own"].syncing = False
    watch.poll(2)

    nodes["own"].frozen_at = watch.at
    behind = watch.poll(12)[-1]

    assert behind.evidence["state"] == "OWN_NODE_BEHIND"
    assert behind.evidence["endpoints"][0]["syncing"] is False


def test_a_lone_node_that_calls_itself_in_step_is_judged_by_its_head(nodes):
    nodes["own"].syncing, nodes["own"].frozen_at = False, NOW
    watch = Watch(nodes, options_of(nodes, "own"))

    result = watch.poll(step=400)

    assert (result.outcome, result.evidence["state"]) == ("down", "UNKNOWN_STALE")


def test_a_node_that_calls_itself_late_is_judged_by_its_head(nodes):
    watch = Watch(nodes, options_of(nodes, "own", "a", "b"))
    nodes["own"].syncing = {"startingBlock": "0x0", "currentBlock": "0x1", "highestBlock": "0xffffff"}

    results = watch.poll(8)

    assert {each.evidence["state"] for each in results} == {"OK"}
    assert results[-1].evidence["endpoints"][0]["syncing"] is True


@pytest.mark.parametrize(("took_ms", "outcome"), [(4900, "up"), (5100, "degraded")])
def test_slow_is_more_than_five_seconds_and_the_end_is_ten(nodes, took_ms, outcome):
    spec = ProbeSpec("m", "chain", "c", options_of(nodes, "own", "a", "b"))
    run = Run(spec, client=None)
    watch = Watch(nodes, spec.options)
    watch.poll()
    plan = watch.plan
    records = [replace(each, latency_ms=took_ms) for each in plan.polls[-1].records]

    verdict = chain.judge(list(plan.polls), plan.limits, plan.memory)
    result = chain._conclude(spec, run, verdict, records)

    assert result.outcome == outcome
    assert spec.timeout_s == 10


def test_an_own_endpoint_without_references_fails_at_once(nodes):
    watch = Watch(nodes, options_of(nodes, "own"))
    watch.poll()
    nodes["own"].server.__exit__()

    result = watch.poll()

    assert (result.outcome, result.error_class) == ("down", "refused")


def test_references_that_are_gone_are_no_alarm(nodes):
    watch = Watch(nodes, options_of(nodes, "own", "a", "b"))
    watch.poll(2)
    for name in ("a", "b"):
        nodes[name].server.__exit__()

    assert {result.outcome for result in watch.poll(8)} == {"up"}


@pytest.mark.parametrize(("balance", "expected"), [("0x0", "down"), (hex(10**17), "down"), (hex(10**19), "up")])
def test_the_canary_of_an_own_endpoint_is_judged(nodes, balance, expected):
    nodes["own"].balance = balance
    nodes["a"].balance = "0x0"
    watch = Watch(nodes, options_of(nodes, "own", "a", "b", canary={"address": ADDRESS, "min_balance": 1}))

    result = watch.poll()

    assert (result.outcome, result.error_class) == (expected, "node_behind" if expected == "down" else None)


def test_what_is_kept_is_bounded_and_forgotten_after_a_gap(nodes):
    watch = Watch(nodes, options_of(nodes, "own", "a", "b"))

    watch.poll(14)
    kept = len(watch.plan.polls)
    watch.poll(step=3600)

    assert kept == 10
    assert len(watch.plan.polls) == 1


def test_a_clock_set_back_forgets_too(nodes):
    watch = Watch(nodes, options_of(nodes, "own", "a", "b"))
    watch.poll(3)

    result = watch.poll(step=-20)

    assert len(watch.plan.polls) == 1
    assert result.outcome == "up"


@pytest.mark.parametrize("first", ["own", "a"])
def test_a_mute_endpoint_holds_nobody_beyond_the_deadline(nodes, serve, first):
    mute = serve(lambda _: time.sleep(6))
    options = options_of(nodes, "own", "a", "b")
    options["endpoints"][0 if first == "own" else 1]["url"] = mute.url
    watch = Watch(nodes, options)
    watch.spec = ProbeSpec("m", "chain", "c", options, timeout_s=0.6, allow_networks=("127.0.0.0/8",))
    began = time.monotonic()

    result = watch.poll()

    assert time.monotonic() - began < 2
    assert [each["ok"] for each in result.evidence["endpoints"]].count(True) == 2


@pytest.mark.parametrize("detail", [False, True])
def test_secrets_in_addresses_and_headers_never_show(nodes, monkeypatch, detail):
    monkeypatch.setenv("CHAIN_RPC_KEY", "k3y-0f-ours")
    options = options_of(nodes, "own")
    options["endpoints"][0] |= {"url": nodes["own"].url + "${env:CHAIN_RPC_KEY}", "headers": {"X-Own": "${env:CHAIN_RPC_KEY}"}}
    nodes["own"].status = "503 k3y-0f-ours"

    watch = Watch(nodes, options)
    watch.detail = detail

    result = watch.poll()

    assert "k3y-0f-ours" not in json.dumps(result.to_json())
    assert ("request" in result.evidence["endpoints"][0]) is detail


def test_the_engine_keeps_what_a_chain_taught_us_and_sees_its_node_die(nodes, until):
    results = []
    options = options_of(nodes, "own", "a", "b")
    alone = options_of(nodes, "own")
    networks = ("127.0.0.0/8",)
    specs = [
        ProbeSpec(name, "chain", "ethereum", each, interval_s=0.2, retry_s=0.2, timeout_s=1.0, allow_networks=networks)
        for name, each in (("compared", options), ("alone", alone))
    ]
    engine = Engine(specs, results.extend, now_ms=lambda: int(time.time() * 1000), allow_networks=networks)
    began = int(time.time())
    for node in nodes.values():
        node.now = began

    engine.start()
    try:
        until(lambda: sum(each.monitor_id == "compared" for each in results) >= 4)
        until(lambda: any(str(call["params"]).startswith("['0x") for calls in nodes["a"].bodies for call in calls))
        nodes["own"].server.__exit__()
        until(lambda: [each.outcome for each in results if each.monitor_id == "alone"][-1:] == ["down"])
    finally:
        engine.stop()

    compared = [each.evidence["state"] for each in results if each.monitor_id == "compared"]
    assert set(compared) == {"OK"}  # a minute has not passed
    assert not [each for each in results if each.error_class == "internal"]


@pytest.mark.parametrize(
    ("options", "path"),
    [
        ({"family": "gopher"}, ("family",)),
        ({"endpoints": []}, ("endpoints",)),
        ({"endpoints": [{"url": "ftp://x"}]}, ("endpoints", 0, "url")),
        ({"endpoints": [{"role": "own"}]}, ("endpoints", 0)),
        ({"lag_s": [60]}, ("lag_s",)),
        ({"chain_id": ""}, ("chain_id",)),
        ({"family": "tron", "canary": {"address": ADDRESS}}, ("canary", "address")),
        ({"canary": {}}, ("canary",)),
    ],
)
def test_a_mistake_is_found_where_it_stands(options, path):
    good = {"family": "evm", "endpoints": [{"url": "https://a.example/"}]}

    assert [where for where, _ in PROBES["chain"].validate("c", {**good, **options})] == [path]


@pytest.mark.parametrize(
    ("url", "domain"),
    [("https://eth.a.example/x", "a.example"), ("http://127.0.0.1:1/", "127.0.0.1"), ("${env:X}", "${env:X}")],
)
def test_the_supplier_is_the_domain_unless_told(url, domain):
    plan = chain.make_plan(ProbeSpec("m", "chain", "c", {"family": "evm", "endpoints": [{"url": url}]}))

    assert plan.endpoints[0].supplier == domain

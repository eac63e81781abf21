"""Who asks to be left alone is left alone, and is neither called down for it nor lost sight of."""

from __future__ import annotations

import asyncio
import json
import time

import pytest

from probes import chain, retry_after
from probes.engine import Engine
from probes.registry import PROBES
from probes.run import Run
from probes.schedule import Entry, Streak
from probes.spec import ProbeSpec
from probes.transfer import Client

NOW_MS = 1_795_000_000_000
LOCAL = ("127.0.0.0/8",)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0), ("7", 7), ("3600", 900), ("9" * 200, 900), (None, None), ("", None), ("-5", None), ("1.5", None),
        ("soon", None), ("٣", None), ("x" * 100_000, None), ("Wed, 18 Nov 2026 11:07:20 GMT", 40),
        ("Wed, 18 Nov 2026 11:07:20", 40),
        ("Wed, 18 Nov 1970 11:07:20 GMT", 0), ("Fri, 31 Dec 9999 23:59:59 GMT", 900), ("Wed, 99 Nov 2026 11:07:20 GMT", None),
    ],
)  # fmt: skip
def test_what_servers_write_is_read_and_bounded(text, seconds):
    found = retry_after.read(text, NOW_MS)

    assert found is seconds if seconds is None else found == pytest.approx(seconds)


def entry(phase=0.0, **more):
    spec = ProbeSpec("m", "http", "http://one.example/", **{"interval_s": 30.0, "retry_s": 5.0, **more})
    return Entry(spec, None, "one", phase, 0.0, 0.0, Streak())


def test_a_limit_is_waited_out_and_a_failure_is_looked_at_again_within_a_minute():
    limited = retry_after.bounded(600.0, is_failing=False)
    failing = retry_after.bounded(3600.0, is_failing=True)

    assert entry().next_due(100.0, 101.0, confirming=False, hold_s=limited) == (701.0, 0)
    assert entry().next_due(100.0, 101.0, confirming=True, hold_s=failing) == (161.0, 0)
    assert entry().next_due(100.0, 101.0, confirming=True) == (105.0, 0)


def test_a_short_wish_never_makes_a_run_earlier_than_its_turn():
    assert entry().next_due(100.0, 101.0, confirming=False, hold_s=2.0) == entry().next_due(100.0, 101.0, confirming=False)


def test_many_monitors_of_one_limited_server_do_not_come_back_at_one_moment():
    dues = {entry(phase=place / 10).next_due(100.0, 101.0, confirming=False, hold_s=60.0)[0] for place in range(10)}

    assert len(dues) == 10
    assert min(dues) >= 161.0
    assert max(dues) <= 171.0


@pytest.mark.parametrize(
    ("kind", "target", "options"),
    [
        ("http", "{url}", {}),
        ("flow", "{url}", {"steps": [{"get": "{url}"}, {"get": "{url}two"}]}),
        ("websocket", "{ws}", {}),
        ("upstream", "{url}", {}),
        ("prometheus", "{url}", {"query": "up", "down_if": "> 1"}),
        ("domain", "{url}", {}),
        ("evm", "{url}", {"role": "reference"}),
    ],
)
def test_a_limit_on_our_requests_is_unknown_whatever_the_kind(serve, answer, kind, target, options):
    server = serve(answer(b"slow down", "429 Too Many Requests", "Retry-After: 120"))
    text = json.dumps([target, options]).replace("{url}", server.url).replace("{ws}", server.url.replace("http", "ws"))
    where, given = json.loads(text)

    run, result = once(ProbeSpec("m", kind, where, given, allow_networks=LOCAL))

    assert (result.outcome, result.error_class) == ("unknown", "rate_limited")
    assert run.retry_after_s == 120.0
    assert server.connections == 1


def once(spec):
    async def run():
        client = Client()
        place = Run(spec, client)
        place.begin(NOW_MS, 0.0)
        try:
            return place, await PROBES[spec.kind].load().check(spec, place)
        except Exception as error:  # noqa: BLE001 - as the engine does
            return place, place.failure(error)
        finally:
            await client.close()

    return asyncio.run(run())


def test_a_limit_that_was_expected_is_good(serve, answer, probe):
    server = serve(answer(b"", "429 Too Many Requests"))

    assert probe("http", server.url, {"expect": {"status": [200, 429]}}).outcome == "up"


def test_an_unavailable_service_is_down_and_says_how_long(serve, answer):
    server = serve(answer(b"", "503 Busy", "Retry-After: 3600"))

    run, result = once(ProbeSpec("m", "http", server.url, allow_networks=LOCAL))

    assert (result.outcome, result.error_class) == ("down", "status")
    assert run.retry_after_s == 900.0


def test_the_engine_leaves_a_limited_target_alone_and_no_other(serve, answer, until):
    limited = serve(answer(b"", "429 Too Many Requests", "Retry-After: 2"))
    good = serve(answer())
    results = []
    specs = [
        ProbeSpec(name, "http", server.url, interval_s=0.2, timeout_s=1.0, retry_s=0.1, allow_networks=LOCAL)
        for name, server in (("limited", limited), ("good", good))
    ]
    engine = Engine(specs, results.extend)
    engine.start()
    try:
        until(lambda: limited.connections == 1)
        began = time.monotonic()
        until(lambda: limited.connections == 2, 10)
        waited_s = time.monotonic() - began
    finally:
        engine.stop()

    assert waited_s >= 1.8
    assert good.connections >= 5
    assert {result.outcome for result in results if result.monitor_id == "limited"} == {"unknown"}
    assert engine.stats()["missed"] == 0


# --- chains: each endpoint by itself ---


class Node:
    """An EVM node with a young head; `status` other than 200 is answered with that alone."""

    def __init__(self, serve, answer, read_request):
        self.status, self.more, self.asked = "200 OK", (), 0

        def behave(connection):
            calls = json.loads(read_request(connection).partition(b"\r\n\r\n")[2])
            self.asked += 1
            if self.status != "200 OK":
                connection.sendall(answer(b"", self.status, *self.more))
                return
            stamp = hex(int(time.time()) - 5)
            block = {"number": "0x64", "hash": "0xc0de", "timestamp": stamp}
            results = {"eth_chainId": "0x1", "eth_getBlockByNumber": block}
            found = [{"jsonrpc": "2.0", "id": call["id"], "result": results.get(call["method"])} for call in calls]
            connection.sendall(answer(json.dumps(found).encode()))

        self.url = serve(behave).url

    def limit(self, *headers, status="429 Too Many Requests"):
        self.status, self.more = status, headers


@pytest.fixture
def nodes(serve, answer, read_request):
    return {name: Node(serve, answer, read_request) for name in ("own", "a", "b", "c")}


@pytest.fixture
def clock(monkeypatch):
    """The monotonic clock of the chain's endpoints, moved on by hand."""
    ahead = [0.0]
    real = time.monotonic
    monkeypatch.setattr("probes.chains.rpc.time.monotonic", lambda: real() + ahead[0])
    return ahead


def poll(nodes, names, times, plan=None, step_ms=15_000, start_ms=None):
    endpoints = [{"url": nodes[name].url, "role": "own" if name == "own" else "reference", "supplier": name} for name in names]
    spec = ProbeSpec("m", "chain", "ethereum", {"family": "evm", "chain_id": 1, "endpoints": endpoints}, allow_networks=LOCAL)

    async def run():
        client = Client()
        place = Run(spec, client, plan=plan)
        found = []
        for number in range(times):
            place.begin((start_ms or time.time_ns() // 1_000_000) + number * step_ms, 0.0)
            found.append(await chain.check(spec, place))
        await client.close()
        return found, place

    return asyncio.run(run())


def test_a_limited_reference_is_left_alone_while_the_others_are_asked(nodes):
    nodes["a"].limit("Retry-After: 300")

    results, place = poll(nodes, ("own", "a", "b", "c"), 4)

    assert {name: node.asked for name, node in nodes.items()} == {"own": 4, "a": 1, "b": 4, "c": 4}
    assert [result.outcome for result in results] == ["up"] * 4
    shown = results[-1].evidence["endpoints"][1]
    assert (shown["skipped"], shown["error_class"]) == (True, "rate_limited")
    assert place.retry_after_s is None


def test_it_is_asked_again_when_its_time_has_come(nodes, clock):
    nodes["a"].limit("Retry-After: 300")
    _, place = poll(nodes, ("own", "a", "b", "c"), 2)
    nodes["a"].status = "200 OK"
    clock[0] += 301

    results, _ = poll(nodes, ("own", "a", "b", "c"), 1, place.plan)

    assert nodes["a"].asked == 2
    assert results[0].evidence["endpoints"][1]["ok"]


def test_a_reference_that_limits_without_a_word_is_left_alone_ever_longer(nodes, clock):
    nodes["a"].limit()
    pauses, plan = [], None
    for _ in range(7):
        _, place = poll(nodes, ("own", "a", "b"), 1, plan)
        plan = place.plan
        pauses.append(round(plan.endpoints[1].quiet_until - time.monotonic()))
        clock[0] += pauses[-1] + 1

    assert pauses == [30, 60, 120, 240, 480, 900, 900]
    assert nodes["a"].asked == 7


def test_an_own_endpoint_that_limits_us_is_overloaded_only_as_often_as_it_said_so(nodes, clock):
    nodes["own"].limit("Retry-After: 900")
    first, place = poll(nodes, ("own", "a", "b"), 3)
    asked_once = nodes["own"].asked
    clock[0] += 61
    second, _ = poll(nodes, ("own", "a", "b"), 5, place.plan, start_ms=time.time_ns() // 1_000_000 + 60_000)

    assert asked_once == 1
    assert nodes["own"].asked == 2
    assert [result.outcome for result in first] == ["unknown"] * 3
    assert second[-1].evidence["finding"] == "OWN_ENDPOINT_OVERLOADED"


def test_a_lone_own_endpoint_that_is_left_alone_is_unknown(nodes):
    nodes["own"].limit("Retry-After: 30")

    first, second = poll(nodes, ("own",), 2)[0]

    assert (first.outcome, first.error_class) == ("down", "overloaded")
    assert (second.outcome, second.error_class) == ("unknown", "rate_limited")
    assert nodes["own"].asked == 1

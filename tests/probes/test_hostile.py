"""Fifty servers that mean no good and fifty good ones at once; each way to misbehave by name; and nothing left behind."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import pytest
from hostile import BEHAVIOURS, servers

from probes.engine import Engine
from probes.registry import PROBES
from probes.run import Run
from probes.spec import ProbeSpec
from probes.transfer import Client

LOCAL = ("127.0.0.0/8",)
WANTS = {"expect": {"json": ["a == `1`"]}}
BAD = [kind for kind in BEHAVIOURS if kind != "good"]
# How a behaviour looks to each kind that is not HTTP itself: nothing of it may be up.
OTHERS = {
    "flow": ("http://127.0.0.1:{port}/", {"steps": [{"get": "http://127.0.0.1:{port}/", "capture": {"a": "a"}}]}),
    "upstream": ("http://127.0.0.1:{port}/", {}),
    "prometheus": ("http://127.0.0.1:{port}/", {"query": "up", "down_if": "> 1"}),
    "domain": ("http://127.0.0.1:{port}/", {}),
    "websocket": ("ws://127.0.0.1:{port}/", {}),
    "evm": ("http://127.0.0.1:{port}/", {}),
    "chain": ("tron", {"family": "tron", "endpoints": [{"url": "http://127.0.0.1:{port}/"}]}),
    "tls": ("127.0.0.1:{port}", {}),
    "redis": ("127.0.0.1:{port}", {}),
    "grpc": ("127.0.0.1:{port}", {"tls": False}),
    "postgres": ("127.0.0.1:{port}", {"tls": "none"}),
    "smtp": ("127.0.0.1:{port}", {}),
}


def filled(value, port):
    if isinstance(value, str):
        return value.replace("{port}", str(port))
    if isinstance(value, dict):
        return {name: filled(each, port) for name, each in value.items()}
    return [filled(each, port) for each in value] if isinstance(value, list) else value


@pytest.fixture(scope="module")
def ports():
    with servers(dict.fromkeys(BEHAVIOURS, 1)) as found:
        yield {kind: each[0] for kind, each in found.items()}


def run_all(specs):
    """All at once on one loop, as the engine's; results in order, and how long the longest took."""

    async def one(client, spec):
        place = Run(spec, client)
        place.begin(time.time_ns() // 1_000_000, 0.0)
        try:
            async with asyncio.timeout(spec.timeout_s + 0.25):
                return await PROBES[spec.kind].load().check(spec, place)
        except Exception as error:  # noqa: BLE001 - as the engine does
            return place.failure(error)

    async def every():
        client = Client()
        try:
            return await asyncio.gather(*(one(client, spec) for spec in specs))
        finally:
            await client.close()

    began = time.monotonic()
    return asyncio.run(every()), time.monotonic() - began


def test_each_way_to_misbehave_is_named_right_within_the_deadline(ports):
    specs = [spec(kind, ports[kind], WANTS) for kind in BAD]

    results, took_s = run_all(specs)

    wrong = {
        result.monitor_id: (result.outcome, result.error_class, result.message)
        for result in results
        if result.outcome != "down" or result.error_class not in BEHAVIOURS[result.monitor_id]
    }
    assert wrong == {}
    assert took_s < 1.5


def test_tls_that_never_comes_is_named_right_within_the_deadline(ports):
    bad = {"mute": "timeout", "drip head": "tls", "junk": "tls", "http 0.9": "tls", "good": "tls", "close at once": "tls"}
    specs = [replace(spec(kind, ports[kind], WANTS), target=f"https://127.0.0.1:{ports[kind]}/") for kind in bad]

    results, took_s = run_all(specs)

    assert {result.monitor_id: result.error_class for result in results} == bad
    assert took_s < 1.5


def test_a_circle_of_redirects_ends_where_they_are_followed_and_none_leads_inside(ports):
    options = {**WANTS, "follow_redirects": 10}
    specs = [spec(kind, ports[kind], options) for kind in ("redirect circle", "redirect inside")]

    (circle, inside), _ = run_all(specs)

    assert (circle.outcome, circle.error_class) == ("down", "redirect")
    assert (inside.outcome, inside.error_class) == ("unknown", "blocked")


def test_no_kind_takes_a_hostile_server_for_a_good_one_or_waits_for_it(ports):
    specs = [
        ProbeSpec(
            f"{kind}, {bad}", kind, filled(target, ports[bad]), filled(options, ports[bad]), timeout_s=1.0, allow_networks=LOCAL
        )
        for kind, (target, options) in OTHERS.items()
        for bad in BAD
    ]
    for each in specs:
        assert PROBES[each.kind].validate(each.target, each.options) == []

    results, took_s = run_all(specs)

    assert {result.monitor_id: result.outcome for result in results if result.outcome in ("up", "degraded")} == {}
    assert {result.monitor_id: result.message for result in results if result.error_class == "internal"} == {}
    assert took_s < 3.0  # for 275 at once on one loop


# --- fifty and fifty ---


def resident_kb():
    return int(Path("/proc/self/status").read_text(encoding="ascii").partition("VmRSS:")[2].split()[0])


def open_files():
    return len(list(Path("/proc/self/fd").iterdir()))


def lateness_ms(results):
    """Within which nine in ten runs began."""
    return sorted(result.late_ms for result in results)[len(results) * 9 // 10]


def test_fifty_hostile_servers_cost_fifty_good_ones_neither_time_nor_memory_and_leave_nothing():
    results = []
    # Two processes: what floods would starve the good ones beside it, which is none of the prober's business.
    with servers(dict.fromkeys(BAD, 2)) as found, servers({"good": 50}) as others:
        good = [replace(spec(f"good {port}", port, {}), timeout_s=4.0) for port in others["good"]]
        bad = [spec(f"{kind} {port}", port, WANTS) for kind in BAD for port in found[kind]]
        assert len(bad) >= 50
        engine = Engine(good, results.extend)
        engine.start()
        try:
            time.sleep(2.0)
            calm_ms = lateness_ms(results)
            files, threads, memory_kb = open_files(), threading.active_count(), resident_kb()
            engine.replace([*good, *bad])
            results.clear()
            time.sleep(4.5)
            grown_kb = resident_kb() - memory_kb
            engine.replace(good)
            time.sleep(2.0)  # twice the deadline of those that are no longer watched
            left = {
                "files": open_files() - files,
                "threads": threading.active_count() - threads,
                "tasks": engine.stats()["running"],
            }
        finally:
            engine.stop()

    by_name = defaultdict(list)
    for result in results:
        by_name[result.monitor_id].append(result)
    hostile = {each.monitor_id: {result.outcome for result in by_name[each.monitor_id]} for each in bad}
    assert all(3 <= len(by_name[each.monitor_id]) <= 8 for each in good)
    assert {result.outcome for each in good for result in by_name[each.monitor_id]} == {"up"}
    good_ones = [result for result in results if result.monitor_id.startswith("good")]
    assert lateness_ms(good_ones) < 300 + 3 * calm_ms  # a shared machine may be late by itself
    assert {name: seen for name, seen in hostile.items() if not {"down"} <= seen <= {"down", "unknown"}} == {}
    assert max(result.duration_ms for result in results if not result.monitor_id.startswith("good")) < 2000
    assert grown_kb < 50_000
    assert left["files"] <= 10  # of good ones under way
    assert left["threads"] == 0
    assert left["tasks"] <= 10


def spec(name, port, options):
    return ProbeSpec(
        name, "http", f"http://127.0.0.1:{port}/", options, interval_s=1.0, timeout_s=1.0, retry_s=1.0, allow_networks=LOCAL
    )

"""Whose fault a look-up is: a name that is not there is the target's, a resolver that has lost the world is ours."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import dns.asyncresolver
import pytest

from probes.engine import Engine
from probes.resolve import NoAnswer, NoResolver, Resolver
from probes.spec import ProbeSpec

KINDS = {
    "http": ("http://api.wallet.test/", {}),
    "flow": ("http://api.wallet.test/", {"steps": [{"get": "http://api.wallet.test/"}]}),
    "tcp": ("api.wallet.test:80", {}),
    "tls": ("api.wallet.test:443", {}),
    "dns": ("api.wallet.test", {}),
    "websocket": ("ws://api.wallet.test/", {}),
    "redis": ("api.wallet.test", {}),
    "smtp": ("api.wallet.test", {}),
    "postgres": ("api.wallet.test", {}),
    "grpc": ("api.wallet.test:50051", {"tls": False}),
    "evm": ("http://api.wallet.test/", {}),
    "icmp": ("api.wallet.test", {}),
}


@pytest.fixture
def system(name_server, monkeypatch):
    """The name server of the test as the system's own resolver, for the kind that asks without a cache."""
    real = dns.asyncresolver.Resolver

    def configured(*_, **__):
        found = real(configure=False)
        found.nameservers, found.port = ["127.0.0.1"], name_server.port
        return found

    monkeypatch.setattr("probes.resolve.dns.asyncresolver.Resolver", configured)
    return name_server


@pytest.mark.parametrize("kind", KINDS)
def test_a_name_that_does_not_exist_is_down_for_every_kind(system, probe, kind):
    target, options = KINDS[kind]

    result = probe(kind, target, options, timeout_s=0.8)

    assert (result.outcome, result.error_class) == ("down", "dns"), result.message


@pytest.mark.parametrize("kind", KINDS)
def test_a_resolver_that_refuses_everything_says_nothing_of_any_target(system, probe, kind):
    system.state = "broken"
    target, options = KINDS[kind]

    result = probe(kind, target, options, timeout_s=0.8)

    assert (result.outcome, result.error_class) == ("unknown", "dns"), result.message
    assert "our own resolver" in result.message


@pytest.mark.parametrize("kind", ["http", "tcp", "dns"])
def test_a_resolver_that_is_silent_says_nothing_and_costs_no_more_than_the_deadline(system, probe, kind):
    system.state = "silent"
    target, options = KINDS[kind]
    began = time.monotonic()

    result = probe(kind, target, options, timeout_s=0.8)

    assert (result.outcome, result.error_class) == ("unknown", "dns"), result.message
    assert time.monotonic() - began < 1.3


@pytest.mark.parametrize("kind", ["http", "tcp", "dns"])
@pytest.mark.parametrize("state", ["silent", "broken"])
def test_a_zone_whose_servers_fail_is_down_while_the_resolver_reaches_others(system, probe, kind, state):
    getattr(system, state).add("api.wallet.test")
    target, options = KINDS[kind]

    result = probe(kind, target, options, timeout_s=1.6)

    assert result.outcome == "down", result.message
    assert result.error_class in ("dns", "timeout")


def test_a_name_server_that_is_the_target_itself_is_down_when_it_fails(name_server, probe):
    name_server.state = "broken"

    result = probe("dns", "api.wallet.test", {"nameserver": name_server.address}, timeout_s=0.8)

    assert (result.outcome, result.error_class) == ("down", "dns")


def lookup(resolver, host, timeout_s=1.0):
    return asyncio.run(resolver.lookup(host, timeout_s))


def test_the_control_question_is_one_that_no_cache_can_answer(name_server):
    name_server.broken |= {"a.wallet.test", "b.wallet.test"}
    for host in ("a.wallet.test", "b.wallet.test"):
        with pytest.raises(NoAnswer):
            lookup(Resolver((name_server.address,)), host)

    controls = {name for name, _ in name_server.asked if not name.endswith("wallet.test")}
    assert len(controls) == 2
    assert all(name.endswith(".test") and len(name) == 25 for name in controls)


def test_a_storm_asks_the_control_question_once(name_server):
    name_server.state = "broken"
    resolver = Resolver((name_server.address,))

    async def storm():
        for number in range(20):
            with pytest.raises(NoResolver):
                await resolver.lookup(f"n{number}.wallet.test", 1.0)

    asyncio.run(storm())

    assert len({name for name, _ in name_server.asked if not name.endswith("wallet.test")}) == 1


def test_an_address_of_one_family_is_not_kept_waiting_for_the_other(name_server):
    name_server.records["v4.test", "A"] = ["192.0.2.1"]
    name_server.silent_kinds.add("AAAA")
    began = time.monotonic()

    assert lookup(Resolver((name_server.address,)), "v4.test", 5.0) == ["192.0.2.1"]
    assert time.monotonic() - began < 1.0


def test_a_slow_resolver_delays_no_other_monitor_and_leaves_nothing(name_server, serve, answer, until):
    name_server.silent |= {f"slow{number}.test" for number in range(30)}
    server = serve(answer())
    results = []
    slow = [
        ProbeSpec(f"slow{number}", "http", f"http://slow{number}.test/", interval_s=0.5, timeout_s=0.5, retry_s=0.5)
        for number in range(30)
    ]
    good = [
        ProbeSpec(f"good{number}", "http", server.url, interval_s=0.5, timeout_s=0.5, allow_networks=("127.0.0.0/8",))
        for number in range(5)
    ]
    files = len(list(Path("/proc/self/fd").iterdir()))
    engine = Engine([*slow, *good], results.extend, nameservers=(name_server.address,))
    engine.start()
    try:
        time.sleep(2.0)
        engine.replace([])
        until(lambda: engine.stats()["running"] == 0, 2)
    finally:
        engine.stop()

    assert {result.outcome for result in results if result.monitor_id.startswith("good")} == {"up"}
    assert sum(result.monitor_id.startswith("good") for result in results) >= 15
    assert max(result.duration_ms for result in results) < 1000
    assert len(list(Path("/proc/self/fd").iterdir())) - files <= 2

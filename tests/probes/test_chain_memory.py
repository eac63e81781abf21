"""What a restart must not forget of a chain's endpoints: kept small, found again by address, refused in any other shape."""

from __future__ import annotations

import json

import pytest

from probes.chains import memory
from probes.chains.record import Endpoint
from probes.result import CheckResult
from probes.spec import ProbeSpec

HOUR_MS = 3_600_000
NOW_MS = 1_795_323_600_000
WEEK_HOURS = 168


def endpoint(url="https://rpc.own.example/", name="own-1"):
    return Endpoint("bsc", name, url)


def taught(hours=8, price=1e9, end_ms=NOW_MS, **more):
    """An endpoint that was asked once an hour until `end_ms`."""
    found = endpoint(**more)
    for hour in range(hours):
        found.usual.dearness(price, end_ms - (hours - 1 - hour) * HOUR_MS)
    return found


def kept_of(*endpoints):
    """As it comes back from a database."""
    return json.loads(json.dumps(memory.news("evm", endpoints)))


def after_restart(kept, now_ms=NOW_MS, family="evm", **more):
    fresh = endpoint(**more)
    memory.recall(family, [fresh], kept, now_ms)
    return fresh


def test_the_usual_price_is_known_at_the_first_reading_after_a_restart():
    fresh = after_restart(kept_of(taught()))

    assert fresh.usual.dearness(5e9, NOW_MS + 15_000) == 5.0
    assert endpoint().usual.dearness(5e9, NOW_MS + 15_000) is None


def test_a_price_that_has_to_be_asked_for_is_asked_for_at_once():
    old = taught()
    old.asks_price = True

    assert after_restart(kept_of(old)).asks_price


def test_there_is_news_when_a_price_was_added_and_only_then():
    old = taught()

    assert memory.news("evm", [old])
    assert memory.news("evm", [old]) is None
    old.usual.dearness(9e9, NOW_MS + HOUR_MS - 1)
    assert memory.news("evm", [old]) is None
    old.usual.dearness(9e9, NOW_MS + HOUR_MS)
    assert memory.news("evm", [old])


def test_what_was_recalled_is_no_news():
    fresh = after_restart(kept_of(taught()))

    assert memory.news("evm", [fresh]) is None


def test_a_week_of_four_endpoints_is_a_few_kilobytes():
    kept = kept_of(*(taught(200, 1_234_567_890.123, url=f"https://rpc-{n}.example/") for n in range(4)))

    assert [len(each["prices"]) for each in kept.values()] == [WEEK_HOURS] * 4
    assert len(json.dumps(kept)) < 20_000


def test_an_endpoint_is_known_by_its_address_and_not_by_its_place():
    kept = kept_of(taught(price=1.0), taught(price=100.0, url="https://rpc.other.example/", name="reference-1"))

    assert after_restart(kept, url="https://rpc.other.example/", name="reference-2").usual.dearness(500.0, NOW_MS) == 5.0
    assert not after_restart(kept, url="https://rpc.third.example/").usual.prices
    assert not after_restart(kept, family="solana").usual.prices


def test_no_address_is_kept_since_it_may_hold_a_secret():
    kept = kept_of(taught(url="https://rpc.example/v3/0123456789abcdef"))

    assert "rpc.example" not in json.dumps(kept)
    assert "0123456789abcdef" not in json.dumps(kept)


def test_what_is_older_than_a_week_is_forgotten():
    kept = kept_of(taught(WEEK_HOURS))

    assert len(after_restart(kept, NOW_MS + 100 * HOUR_MS + 1).usual.prices) == WEEK_HOURS - 100
    assert not after_restart(kept, NOW_MS + 400 * HOUR_MS).usual.prices


def test_a_clock_that_is_behind_at_start_forgets_nothing():
    assert len(after_restart(kept_of(taught()), NOW_MS - 1000 * HOUR_MS).usual.prices) == 8


@pytest.mark.parametrize(
    "prices",
    [
        None, 5, "1", {}, [None], [[1]], [["1", 2.0]], [[NOW_MS // 1000, True]], [[NOW_MS // 1000, -1.0]],
        [[NOW_MS // 1000, float("nan")]], [[float("inf"), 1.0]],
    ],
)
def test_another_shape_is_nothing_known(prices):
    own = memory.key_of("evm", endpoint())

    assert not after_restart({own: {"prices": prices}}).usual.prices
    assert not after_restart({own: prices}).usual.prices


def test_a_memory_is_no_part_of_what_to_check_and_does_not_travel():
    """Another memory must not begin a monitor's cadence anew; nor may who delivers results write what is remembered."""
    spec = ProbeSpec("m", "chain", "bsc", memory={"k": {"prices": []}})
    result = CheckResult("m", "up", NOW_MS, 1.0, memory={"k": {"prices": []}})

    assert spec == ProbeSpec("m", "chain", "bsc")
    assert "memory" not in spec.to_json()
    assert "memory" not in result.to_json()
    assert ProbeSpec.from_json({**spec.to_json(), "memory": {"k": {}}}).memory == {}
    assert CheckResult.from_json({**result.to_json(), "memory": {"k": {}}}).memory is None

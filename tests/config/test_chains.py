"""What `chains:` brings: one monitor for each chain that compares all of its endpoints."""

from __future__ import annotations

import pytest

from probes.registry import PROBES
from probes.spec import ProbeSpec
from statuspage.config.chains import FAMILIES, monitors_of, registry
from statuspage.config.check import check_text

BASE = "page: {name: D, url: https://s.example}\ncomponents:\n  login: {name: Login}\n"
OWN = {"url": "https://rpc.own.example/"}
REFERENCES = [
    {"url": "https://rpc.one.example/", "role": "reference", "supplier": "one", "headers": {"X-Key": "${env:K}"}},
    {"url": "${env:TWO}", "role": "reference"},
]


@pytest.mark.parametrize("name", registry())
def test_every_chain_of_the_registry_can_be_watched(name):
    monitors, errors, warnings = monitors_of({name: {"endpoints": [OWN, *REFERENCES]}})

    assert (errors, warnings) == ([], [])
    assert list(monitors) == [f"{name}-own"]
    check = monitors[f"{name}-own"].check
    assert (check.kind, check.target) == ("chain", name)
    plan = PROBES["chain"].load().make_plan(ProbeSpec("m", check.kind, check.target, check.options))
    assert [each.role for each in plan.endpoints] == ["own", "reference", "reference"]
    assert plan.limits.block_s == registry()[name]["block_s"]
    assert plan.limits.lag_s == tuple(registry()[name]["lag_s"])
    assert plan.limits.memoryless is bool(registry()[name].get("poisson"))


def test_the_families_are_those_the_probe_can_ask():
    assert set(FAMILIES) == set(PROBES["chain"].load().FAMILIES)


def test_a_gap_between_bitcoins_blocks_is_no_stale_head():
    monitors, _, _ = monitors_of({"bitcoin": {"endpoints": [OWN]}})

    options = monitors["bitcoin-own"].check.options
    assert (options["head_age_degraded"], options["head_age_down"]) == ("5400s", "10800s")


def test_the_file_goes_over_the_registry():
    chain = {"endpoints": [OWN], "id": 5, "head_age_down": "9m", "canary": {"address": "0x" + "0" * 40}}

    options = monitors_of({"ethereum": chain})[0]["ethereum-own"].check.options

    assert (options["chain_id"], options["head_age_down"], options["canary"]) == (5, "9m", chain["canary"])


def test_several_own_endpoints_make_one_monitor_with_their_supplier():
    own = [{**OWN, "supplier": "acme"}, {"url": "https://b.own.example/", "supplier": "acme"}]

    monitors, _, _ = monitors_of({"ethereum": {"endpoints": own}})

    assert list(monitors) == ["ethereum-own"]
    assert monitors["ethereum-own"].supplier == "acme"
    assert len(monitors["ethereum-own"].check.options["endpoints"]) == 2


def test_references_alone_are_shown_and_not_watched():
    monitors, errors, warnings = monitors_of({"ethereum": {"endpoints": REFERENCES}})

    assert (monitors, errors) == ({}, [])
    assert "no endpoint with `role: own`" in warnings[0][1]


@pytest.mark.parametrize(
    ("chain", "place"),
    [
        ("{endpoints: [{url: 'https://a.b'}, {url: 'ftp://x', role: reference}]}", "chains.ethereum.endpoints.1.url"),
        ("{endpoints: [5, {url: 'ftp://x'}]}", "chains.ethereum.endpoints.1.url"),
        ("{endpoints: [{url: 'https://a.b'}], canary: {address: '0x1'}}", "chains.ethereum.canary.address"),
        ("{endpoints: [{url: 'https://a.b'}], head_age_down: soon}", "chains.ethereum.head_age_down"),
    ],
)
def test_a_mistake_is_told_where_it_stands(chain, place):
    config, problems = check_text(f"{BASE}chains:\n  ethereum: {chain}\n", environ={})

    assert config is None
    assert any(f"{place}: " in str(problem) for problem in problems), problems

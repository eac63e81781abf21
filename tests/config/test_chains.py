"""What `chains:` brings: one monitor for each chain that compares all of its endpoints."""

from __future__ import annotations

import pytest

from probes.registry import PROBES
from probes.spec import ProbeSpec
from statuspage.config.chains import FAMILIES, monitors_of, registry
from statuspage.config.check import check_text
from statuspage.config.rows import wanted

BASE = "page: {name: D, url: https://s.example}\ncomponents:\n  login: {name: Login}\n"
OWN = {"url": "https://rpc.own.example/"}
REFERENCES = [
    {"url": "https://rpc.one.example/", "role": "reference", "supplier": "one", "headers": {"X-Key": "${env:K}"}},
    {"url": "${env:TWO}", "role": "reference"},
]


@pytest.mark.parametrize("name", registry())
def test_every_chain_of_the_registry_can_be_watched(name):
    monitors, errors, warnings = monitors_of({name: {"endpoints": [OWN, *REFERENCES]}})

    assert errors == []
    warned = {"lifecycle", "balances_on"} & set(registry()[name])
    assert [path for path, _ in warnings] == [("chains", name)] * len(warned)
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


def test_a_relay_chain_without_the_hub_that_holds_its_balances_is_told():
    alone = monitors_of({"kusama": {"endpoints": [OWN]}})[2]
    both = monitors_of({"kusama": {"endpoints": [OWN]}, "kusama-asset-hub": {"endpoints": [OWN]}})[2]

    assert ["balances of this network live on kusama-asset-hub" in text for _, text in alone] == [True]
    assert both == []


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


@pytest.mark.parametrize(("former", "now"), [("okc", "oktc"), ("okexchain", "oktc"), ("matic", "polygon"), ("vaulta", "eos")])
def test_a_network_is_known_by_the_names_it_had_and_got(former, now):
    monitors, errors, _ = monitors_of({former: {"endpoints": [OWN]}})

    assert errors == []
    options = monitors[f"{former}-own"].check.options
    assert options["chain_id"] == registry()[now].get("id", registry()[now].get("identity"))
    assert options["block_s"] == registry()[now]["block_s"]


def test_timings_of_the_file_go_over_the_registrys_and_make_a_chain_of_ones_own():
    timings = {"block_s": 0.5, "lag_blocks": [3, 30], "lag_s": [4, 60], "halt_s": 4, "finality_warn_s": 9, "confirm_s": 2}

    ours = {"family": "evm", "id": 31337, "endpoints": [OWN], "timings": timings}

    monitors, errors, _ = monitors_of({"ours": ours, "ethereum": {"endpoints": [OWN], "timings": {"halt_s": 77}}})

    assert errors == []
    plan = PROBES["chain"].load().make_plan(ProbeSpec("m", "chain", "ours", monitors["ours-own"].check.options))
    assert plan.limits.lag_blocks == (3, 30)
    assert (plan.limits.block_s, plan.limits.halt_s, plan.limits.finality_warn_s, plan.limits.confirm_s) == (0.5, 4, 9, 2)
    assert plan.limits.head_age_s == (4, 60)
    ethereum = monitors["ethereum-own"].check.options
    assert (ethereum["halt_s"], ethereum["block_s"], ethereum["finality_warn_s"]) == (77, 12, 1500)


def test_a_wrong_timing_is_shown_where_it_stands():
    chain = "{endpoints: [{url: 'https://a.b'}], timings: {halt_s: -1, block: 3}}"

    config, problems = check_text(f"{BASE}chains:\n  ethereum: {chain}\n", environ={})

    assert config is None
    assert any("chains.ethereum.timings.halt_s: must be a number above 0" in str(each) for each in problems), problems
    assert any("chains.ethereum.timings.block" in str(each) for each in problems), problems


def test_a_network_that_is_being_shut_down_is_watched_and_said_to_be():
    config, problems = check_text(f"{BASE}chains:\n  oktc: {{endpoints: [{{url: 'https://a.b'}}]}}\n", environ={})

    assert any("this network is being shut down" in str(each) for each in problems)
    row = wanted(config).rows["components"]["oktc"]
    assert row["descriptions"]["en"] == "This network is being shut down by those who run it."
    assert row["template"] == "chain-retirement"
    assert list(config.chain_monitors) == ["oktc-own"]


def test_a_network_that_has_ended_is_shown_and_no_longer_watched():
    chain = "{lifecycle: retired, endpoints: [{url: 'https://a.b'}]}"

    config, problems = check_text(f"{BASE}chains:\n  ethereum: {chain}\n", environ={})

    assert any("not watched: this network has ended" in str(each) for each in problems)
    assert config.chain_monitors == {}
    assert wanted(config).rows["components"]["ethereum"]["descriptions"]["en"] == "This network has ended."


MAINTENANCE = (
    BASE + "chains:\n  ethereum: {endpoints: [{url: 'https://a.b'}]}\n"
    "maintenance:\n  - {name: Fork, components: [ethereum], lasts: 1h, "
)


def test_a_window_may_begin_at_a_block():
    config, _ = check_text(MAINTENANCE + "at_block: {chain: ethereum, height: 25000000}}\n", environ={})
    other, _ = check_text(MAINTENANCE + "at_block: {chain: ethereum, height: 25000001}}\n", environ={})

    [window] = wanted(config).settings["maintenance"]
    assert window["at_block"] == {"chain": "ethereum", "height": 25000000}
    assert window["id"] != wanted(other).settings["maintenance"][0]["id"]


@pytest.mark.parametrize(
    ("start", "message"),
    [
        ("at_block: {chain: etherium, height: 5}}", "at_block.chain: there is no chain etherium; did you mean ethereum?"),
        ("at_block: {chain: ethereum, height: 0}}", "maintenance.0.at_block.height"),
        ("at_block: {chain: ethereum, height: 5}, starts: '2026-12-01 02:00'}", "give either starts or at_block"),
        ("at_block: {chain: ethereum, height: 5}, repeats: FREQ=DAILY}", "a block comes once: leave out repeats"),
        ("remind: [1d]}", "give either starts or at_block"),
    ],
)
def test_a_wrong_start_is_told_where_it_stands(start, message):
    config, problems = check_text(f"{MAINTENANCE}{start}\n", environ={})

    assert config is None
    assert any(message in str(each) for each in problems), problems

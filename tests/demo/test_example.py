"""examples/demo-wallet.yaml watches the demo wallet: all well at first, and each fault seen by those who should see it."""

import asyncio
from pathlib import Path

import pytest

from probes.__main__ import run_once
from probes.spec import ProbeSpec
from statuspage.config import rows
from statuspage.config.check import check_text
from statuspage.scenarios import catalogue

EXAMPLE = Path(__file__).parents[2] / "examples" / "demo-wallet.yaml"
API = {"login-api", "otp-api", "transfers-api", "payments-api", "balances-api", "history-api", "account-api", "chat-api",
       "bank-api"}  # fmt: skip
NODES = {"ethereum-head", "ethereum-own", "bsc-own", "polygon-own"}


def watch(demo):
    """Outcome of every monitor of the example, pointed at `demo` instead of the usual ports."""
    text = EXAMPLE.read_text(encoding="utf-8").replace("127.0.0.1:8001", f"127.0.0.1:{demo.port}")
    text = text.replace("127.0.0.1:8443", f"127.0.0.1:{demo.tls_port}").replace("var/demo/tls/ca.pem", str(demo.ca_path))
    config, problems = check_text(text, "demo-wallet.yaml")
    assert not problems
    wanted = rows.wanted(config).rows["monitors"]
    specs = [
        ProbeSpec(name, row["kind"], row["target"], row["options"], timeout_s=row["timeout_ms"] / 1000,
                  allow_networks=tuple(row["allow_networks"]))
        for name, row in wanted.items()
    ]  # fmt: skip

    async def all_at_once():
        return await asyncio.gather(*map(run_once, specs))

    return {result.monitor_id: result.outcome for result in asyncio.run(all_at_once())}


def bad(seen):
    return {name: outcome for name, outcome in seen.items() if outcome != "up"}


def test_a_healthy_wallet_is_up_everywhere(demo, until):
    until(lambda: not bad(watch(demo)))

    assert set(watch(demo)) == {"wallet-port", "web-certificate", *API, *NODES}


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        ("transfers", {"transfers-api": "down"}),
        ("slow-transfers", {"transfers-api": "degraded"}),
        ("balances", {"balances-api": "down"}),
        ("login", {"login-api": "down"}),
        ("payments", {"payments-api": "down"}),
        ("history", {"history-api": "down"}),
        ("tls", {"web-certificate": "down"}),
        ("everything", dict.fromkeys({"wallet-port", "web-certificate", *API, *NODES}, "down")),
    ],
)
def test_a_fault_is_seen_by_its_monitor_and_by_no_other(demo, until, function, expected):
    demo.break_(function)

    until(lambda: bad(watch(demo)) == expected)

    demo.heal()
    until(lambda: not bad(watch(demo)))


def test_a_frozen_head_is_degraded_and_then_down_for_its_chain_only(demo, until):
    demo.break_("chain")

    until(lambda: bad(watch(demo)) == {"ethereum-head": "degraded"}, seconds=15)
    until(lambda: bad(watch(demo)) == {"ethereum-head": "down"}, seconds=15)

    demo.heal()
    until(lambda: not bad(watch(demo)))


def test_every_component_has_a_word_in_the_catalogue_and_a_scenario_that_fits_it():
    config, _ = check_text(EXAMPLE.read_text(encoding="utf-8"), "demo-wallet.yaml")

    shown = rows.wanted(config).rows["components"]
    assert set(shown) <= set(catalogue().components)
    for name, row in shown.items():
        assert not row["template"] or name in catalogue().scenario(row["template"]).components

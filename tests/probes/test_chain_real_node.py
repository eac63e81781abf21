"""The chain probe against three real EVM nodes: an own one and two references, frozen, forked and resumed."""

from __future__ import annotations

import asyncio
import time

import pytest
from evm_nodes import CHAIN_ID, Network

from probes import chain
from probes.run import Run
from probes.spec import ProbeSpec
from probes.transfer import Client

BLOCK_S, POLL_S = 12, 15
START = int(time.time()) - 100_000  # the test's own time runs from here, in steps


@pytest.fixture
def network():
    found = Network(genesis_at=START)
    yield found
    found.close()


class Watch:
    """One monitor of the engine, polled in the test's own time; blocks come every 12 s of it unless the chain is halted."""

    def __init__(self, network, *roles):
        endpoints = [
            {"url": network[name].url, "role": "own" if name == "own" else "reference", "supplier": name} for name in roles
        ]
        limits = {"block_s": BLOCK_S, "lag_blocks": [5, 15], "lag_s": [60, 180], "halt_s": 120}
        options = {"family": "evm", "chain_id": CHAIN_ID, "endpoints": endpoints, **limits}
        assert chain.validate("ours", options) == []
        self.spec = ProbeSpec("ours-own", "chain", "ours", options, timeout_s=5.0, allow_networks=("127.0.0.0/8",))
        self.network, self.plan = network, None
        self.now = START
        self.is_halted = False
        self.results = []

    def polls(self, count):
        """The states of so many polls."""
        for _ in range(count):
            first, self.now = self.now, self.now + POLL_S
            if not self.is_halted:
                self.network.mine(*(at for at in range(first + 1, self.now + 1) if at % BLOCK_S == 0))
            self.results.append(asyncio.run(self._once()))
        return [result.evidence["state"] for result in self.results[-count:]]

    async def _once(self):
        client = Client()
        run = Run(self.spec, client, plan=self.plan)
        run.begin(self.now * 1000, 0.0)
        try:
            return await chain.check(self.spec, run)
        finally:
            self.plan = run.plan
            await client.close()

    @property
    def last(self):
        return self.results[-1]


def test_an_own_node_that_stands_is_behind_and_catches_up(network):
    watch = Watch(network, "own", "one", "two")
    assert set(watch.polls(6)) == {"OK"}

    network.freeze("own")
    states = watch.polls(12)

    assert states[0] == "OK"
    assert states[-1] == "OWN_NODE_BEHIND"
    assert (watch.last.outcome, watch.last.error_class) == ("degraded", "node_behind")
    assert watch.last.evidence["component_status"] == "degraded"
    assert "own-1 is" in watch.last.message
    network.resume("own")
    assert watch.polls(6)[-1] == "OK"
    assert watch.last.outcome == "up"


def test_a_chain_on_which_nobody_mines_is_halted_and_not_our_node(network):
    watch = Watch(network, "own", "one", "two")
    watch.polls(6)

    watch.is_halted = True
    states = watch.polls(16)

    assert states[0] == "OK"
    assert states[-1] == "CHAIN_HALTED"
    assert set(states) == {"OK", "CHAIN_HALTED"}
    assert watch.last.evidence["component_status"] == "major_outage"
    watch.is_halted = False
    assert watch.polls(8)[-1] == "OK"


def test_an_own_node_with_other_blocks_is_on_a_fork_even_at_the_same_height(network):
    watch = Watch(network, "own", "one", "two")
    watch.polls(20)

    network.fork("own", 14)
    number, own_hash = network["own"].head()
    assert (number, own_hash) != network["one"].head()
    assert number == network["one"].head()[0]
    states = watch.polls(8)

    assert states[-1] == "OWN_NODE_ON_FORK"
    assert (watch.last.outcome, watch.last.evidence["component_status"]) == ("down", "partial_outage")
    assert "another block at height" in watch.last.message
    network.heal("own")
    assert network["own"].head() == network["one"].head()
    assert watch.polls(7)[-1] == "OK"


def test_one_reference_that_stands_alone_is_nobodys_fault(network):
    watch = Watch(network, "own", "one", "two")
    watch.polls(6)

    network.freeze("two")
    states = watch.polls(20)

    assert set(states) == {"OK"}


def test_a_short_reorganisation_of_all_nodes_is_no_fault(network):
    watch = Watch(network, "own", "one", "two")
    watch.polls(20)

    for name in ("own", "one", "two"):
        network.fork(name, 3)
    states = watch.polls(8)

    assert set(states) == {"OK"}


def test_a_node_of_another_chain_is_a_mistake_of_ours_and_no_outage(network):
    watch = Watch(network, "own", "one", "two")
    watch.spec.options["chain_id"] = CHAIN_ID + 1

    watch.polls(4)

    assert (watch.last.outcome, watch.last.error_class) == ("unknown", "wrong_chain")
    assert {each["chain_id"] for each in watch.last.evidence["endpoints"]} == {str(CHAIN_ID)}

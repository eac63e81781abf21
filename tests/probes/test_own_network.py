"""The self test: when failures are ours, when they are theirs."""

from __future__ import annotations

import asyncio
import time

import pytest

from probes import own_network
from probes.guard import operator_policy
from probes.own_network import OwnNetwork
from probes.result import CheckResult
from probes.transfer import Client

DOWN = CheckResult("m", "down", 0, 1.0, "timeout")
UP = CheckResult("m", "up", 0, 1.0)


@pytest.fixture
def reference(serve, answer):
    """A reference that answers while `reference.works`."""
    server = serve(lambda connection: connection.sendall(answer() if server.works else b""))
    server.works = True
    return server


@pytest.fixture
def weigh(reference, monkeypatch):
    """Runs `story(network)` on a loop, with the self test remembered for a tenth of its time."""
    monkeypatch.setattr(own_network, "_GOOD_FOR_S", 0.1)

    def run(story):
        async def whole():
            client = Client()
            try:
                return await story(OwnNetwork(client, (reference.url,), operator_policy(("127.0.0.0/8",))))
            finally:
                await client.close()

        return asyncio.run(whole())

    return run


def test_while_most_targets_answer_a_failure_is_theirs_although_the_reference_fails(weigh, reference):
    async def story(network):
        assert await network.test()
        reference.works = False
        await asyncio.sleep(0.15)
        started = time.monotonic()
        network.note("bad", DOWN)
        for n in range(3):
            network.note(f"good{n}", UP)
        return await network.explains(DOWN, started)

    assert weigh(story) is False


@pytest.mark.parametrize(("failing", "answering", "ours"), [(3, 7, True), (2, 8, False), (1, 0, True), (5, 0, True)])
def test_a_share_of_three_in_ten_makes_it_ours(weigh, reference, failing, answering, ours):
    async def story(network):
        assert await network.test()
        reference.works = False
        await asyncio.sleep(0.15)
        started = time.monotonic()
        for n in range(failing):
            network.note(f"bad{n}", DOWN)
        for n in range(answering):
            network.note(f"good{n}", UP)
        return await network.explains(DOWN, started)

    assert weigh(story) is ours


def test_answers_from_before_the_run_do_not_count(weigh, reference):
    async def story(network):
        assert await network.test()
        for n in range(9):
            network.note(f"good{n}", UP)
        reference.works = False
        await asyncio.sleep(0.15)
        started = time.monotonic()
        network.note("bad", DOWN)
        return await network.explains(DOWN, started)

    assert weigh(story) is True


def test_a_run_that_began_before_the_network_came_back_is_its_victim_and_a_later_one_is_not(weigh, reference):
    async def story(network):
        started = time.monotonic()
        reference.works = False
        network.note("bad", DOWN)
        first = await network.explains(DOWN, started)
        reference.works = True
        await asyncio.sleep(0.15)
        return first, await network.explains(DOWN, started), await network.explains(DOWN, time.monotonic())

    assert weigh(story) == (True, True, False)


def test_a_reference_that_never_answered_while_targets_did_says_nothing(weigh, reference):
    async def story(network):
        reference.works = False
        network.note("good", UP)
        started = time.monotonic()
        network.note("bad", DOWN)
        return await network.explains(DOWN, started)

    assert weigh(story) is False


def test_a_wrong_status_came_over_a_network_that_works(weigh, reference):
    async def story(network):
        reference.works = False
        return await network.explains(CheckResult("m", "down", 0, 1.0, "status"), time.monotonic()), network.tests

    assert weigh(story) == (False, 0)


def test_the_references_are_not_asked_for_every_failure(weigh, reference):
    async def story(network):
        await asyncio.gather(*(network.explains(DOWN, time.monotonic()) for _ in range(200)))
        return network.tests

    assert weigh(story) <= 2

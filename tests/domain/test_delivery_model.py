"""The delivery machine against its pure model: the promise can be kept, and each way of breaking it is found."""

from __future__ import annotations

from functools import partial

import pytest
from delivery_machine import DeliveryMachine, Model
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

PLANTED = [
    "mark before send",
    "fact and outbox in two transactions",
    "no idempotency key",
    "lease not honoured by claim",
    "expired lease still sends",
    "rows for unconfirmed addresses",
    "consent not asked again at send",
    "old news after new",
    "old news overtaken",
]


def run(bug, examples):
    machine = type("Planted", (DeliveryMachine,), {"make": staticmethod(partial(Model, bug=bug))})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples, stateful_step_count=30, deadline=None, database=None, derandomize=True,
            phases=[Phase.generate], suppress_health_check=list(HealthCheck),
        ),
    )  # fmt: skip


def test_the_model_keeps_the_promise():
    run("", 200)


@pytest.mark.parametrize("bug", PLANTED)
def test_a_planted_bug_is_found(bug):
    with pytest.raises(AssertionError):
        run(bug, 1500)

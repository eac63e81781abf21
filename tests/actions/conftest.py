import pytest
from stage import NAMES, Clock, Probe, furnish

from statuspage.actions.context import Context
from statuspage.keys import Keys


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def ctx(any_database, clock):
    return Context(any_database, Keys(b"\x01" * 32, b"\x02" * 32, b"\x03" * 32), clock)


@pytest.fixture
def wallet(ctx):
    return furnish(ctx)


@pytest.fixture
def probe(wallet, clock):
    found = Probe(wallet, clock)
    found.sees("up", *[f"{name}-api" for name in NAMES], "payments-flow", times=2)
    return found

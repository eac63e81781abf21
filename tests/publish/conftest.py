"""A small wallet, its site, and a publisher that writes into the test's folder."""

from __future__ import annotations

from datetime import timedelta

import pytest

from statuspage import settings
from statuspage.publish.publisher import Publisher
from statuspage.web.site import Services, create_site
from tests.builders import NOW, small_wallet


class Clock:
    """The wall clock of a test."""

    def __init__(self):
        self.at = NOW

    def __call__(self):
        return self.at

    def forward(self, **span):
        self.at += timedelta(**span)


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def wallet(sqlite_database):
    return small_wallet(sqlite_database)


@pytest.fixture
def site(wallet, clock):
    return create_site(Services(wallet.db, settings.load({}), clock))


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "public"


@pytest.fixture
def publisher(wallet, site, folder, clock):
    made = Publisher(wallet.db, site, folder, clock)
    yield made
    made.close()


@pytest.fixture
def publish(publisher):
    """Run cycles until nothing is left to do; the counts of the first."""

    def run():
        first = counts = publisher.run_once()
        while counts.pending:
            counts = publisher.run_once()
        return first

    return run


@pytest.fixture
def read(folder):
    """The text of a published file."""
    return lambda name: (folder / "pages" / name).read_text(encoding="utf-8")

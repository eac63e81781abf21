"""A small wallet, its site, and a publisher that writes into the test's folder."""

from __future__ import annotations

import shutil
from datetime import timedelta

import pytest

from statuspage import settings
from statuspage.publish.publisher import Publisher
from statuspage.store.database import Database
from statuspage.web.site import Services, create_site
from tests.builders import NOW


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


@pytest.fixture(scope="session")
def _published_once(small_wallet_file, tmp_path_factory):
    """The files of the small wallet: to render them takes 2 s, to copy them a few milliseconds."""
    folder = tmp_path_factory.mktemp("published")
    shutil.copyfile(small_wallet_file, folder / "statuspage.db")
    db = Database(f"sqlite:///{folder / 'statuspage.db'}")
    publisher = Publisher(db, create_site(Services(db, settings.load({}), Clock())), folder / "public", Clock())
    while publisher.run_once().pending:
        pass
    publisher.close()
    db.close()
    return folder / "public"


@pytest.fixture
def wallet(small_sqlite_wallet):
    return small_sqlite_wallet


@pytest.fixture
def site(wallet, clock):
    return create_site(Services(wallet.db, settings.load({}), clock))


@pytest.fixture
def folder(_published_once, tmp_path):
    """Everything of the small wallet is published, by a process that has ended."""
    return shutil.copytree(_published_once, tmp_path / "public")


@pytest.fixture
def nothing_published(folder):
    """For what the very first cycle does."""
    shutil.rmtree(folder)


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

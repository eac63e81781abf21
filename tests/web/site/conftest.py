"""The public site on a small wallet."""

from __future__ import annotations

import shutil

import pytest
from playwright.sync_api import sync_playwright

from statuspage import settings
from statuspage.web.site import Services, create_site
from tests.builders import NOW, small_wallet

FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync"]  # fmt: skip


@pytest.fixture(scope="module")
def browser():
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture
def wallet(sqlite_database):
    return small_wallet(sqlite_database)


@pytest.fixture
def site(wallet):
    return create_site(Services(wallet.db, settings.load({}), lambda: NOW))


@pytest.fixture
def client(site):
    return site.test_client()

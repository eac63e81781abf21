"""The public site on a small wallet."""

from __future__ import annotations

import pytest

from statuspage import settings
from statuspage.web.site import Services, create_site
from tests.builders import NOW, small_wallet


@pytest.fixture
def wallet(sqlite_database):
    return small_wallet(sqlite_database)


@pytest.fixture
def site(wallet):
    return create_site(Services(wallet.db, settings.load({}), lambda: NOW))


@pytest.fixture
def client(site):
    return site.test_client()

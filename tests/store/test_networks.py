"""What probes of chains ask to be kept: by monitor, through a rename, and no setting of the page."""

from __future__ import annotations

import pytest
import stage

from statuspage.actions.context import Context
from statuspage.store import configuration, networks, pages
from tests.builders import KEYS

MEMORY = {"0123456789abcdef": {"prices": [[1_795_323_600, 1e9]], "asks_price": True}}


@pytest.fixture
def database(any_database):
    stage.furnish(Context(any_database, KEYS, stage.Clock()))
    with any_database.write() as conn:
        networks.remember(conn, {"transfers-api": MEMORY, "login-api": {}})
    return any_database


def remembered(database):
    with database.read() as conn:
        return networks.remembered(conn)


def test_what_is_kept_is_found_again_and_the_newest_counts(database):
    with database.write() as conn:
        networks.remember(conn, {"login-api": MEMORY})

    assert remembered(database) == {"transfers-api": MEMORY, "login-api": MEMORY}


def test_a_renamed_monitor_remembers(database):
    with database.write() as conn:
        configuration.rename(conn, "monitors", "transfers-api", "payments-flows")

    assert remembered(database) == {"payments-flows": MEMORY, "login-api": {}}


def test_it_is_no_setting_of_the_page(database):
    with database.write() as conn:
        configuration.save_setting(conn, "probe memory of mine", 1)  # an underscore stands for itself

    with database.read() as conn:
        assert list(configuration.stored(conn).settings) == ["probe memory of mine"]
        assert pages.load_meta(conn, "probe memory of mine") == 1

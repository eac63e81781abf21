"""The pages for people follow what they show: counted, path by path."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import insert

from statuspage.publish import pages, urls
from statuspage.publish.publisher import call
from statuspage.publish.urls import is_published
from statuspage.store import public
from statuspage.store.schema.runtime import meta
from tests.builders import NOW, draft


@pytest.fixture
def view(wallet):
    """What is public, as it stands when asked for."""

    def load():
        with wallet.db.read() as conn:
            return public.load(conn, NOW)

    return load


@pytest.fixture
def networks(wallet):
    wallet.component("chain_eth", "data", chain="ethereum").component("chain_btc", "data", chain="bitcoin")
    with wallet.db.write() as conn:
        conn.execute(insert(meta).values(name="chains", value={"ethereum": {"capabilities": ["send"]}}))
    return wallet


def of_notice(view, public_id):
    found = view()
    return set(pages.of_notice(found, next(one for one in found.notices if one.public_id == public_id)))


def test_a_fault_touches_its_symptoms_and_the_statistics_but_no_maintenance(wallet, view):
    public_id = wallet.notice(draft(components={"otp_delivery": "degraded"}))

    expected = {"/check", "/check/otp_missing", "/check/suspicious_message", "/statistics"}
    assert of_notice(view, public_id) == expected


def test_maintenance_touches_its_calendar_and_not_the_statistics(wallet, view):
    claims = {"login": "operational"}
    public_id = wallet.scenario("core-upgrade", steps=1, began_at=NOW + timedelta(days=1), components_map=claims)

    found = of_notice(view, public_id)

    assert "/maintenance" in found
    assert "/statistics" not in found


def test_a_notice_that_names_a_bad_version_touches_every_page_that_lists_versions(wallet, view):
    public_id = wallet.notice(draft(affected_versions="5.2.0"))

    assert {"/check/login_failed", "/check/app_crash"} <= of_notice(view, public_id)
    assert "/check/otp_missing" not in of_notice(view, public_id)


def test_a_network_touches_its_own_page_and_a_function_those_that_offer_it(networks, view):
    assert {one for one in pages.of_components(view(), ["chain_btc"]) if "/networks/" in one} == {"/networks/bitcoin"}
    assert {one for one in pages.of_components(view(), ["transfers"]) if "/networks/" in one} == {"/networks/ethereum"}
    assert not [one for one in pages.of_components(view(), ["login"]) if "/networks/" in one]


def test_a_component_that_is_gone_touches_nothing_here(view):
    assert pages.of_components(view(), ["was-here"]) == []


def test_every_page_that_is_named_is_answered_and_becomes_a_file(networks, view, site):
    named = pages.in_languages(view(), pages.everything(view()))

    assert len(named) == 2 * (1 + 17 + 2 + 2 + 2)
    assert [path for path in named if not is_published(path)] == []
    assert [path for path in named if call(site, path)[0] != 200] == []
    assert not is_published("/en/search")


def test_a_new_hour_touches_the_pages_with_charts_where_they_are_files(networks, view):
    wanted = urls.of_hour(view())

    assert wanted["/en/components/transfers"] == wanted["/zh-Hans/networks/ethereum"] == urls.KEPT
    assert "/en/check" not in wanted

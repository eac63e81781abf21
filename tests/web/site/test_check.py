"""Is it us or you? The answer follows what is public, in both languages, and never says that all works when we cannot tell."""

from __future__ import annotations

from datetime import timedelta

import pytest

from statuspage import settings
from statuspage.errors import SettingsError
from statuspage.publish.snapshot import Snapshot, using
from statuspage.store import public
from statuspage.symptoms import tree
from statuspage.web.site import Services, create_site, diagnosis
from tests.builders import NOW, draft
from tests.pages import check


def level(wallet, symptom="transfer_failed", *, blind=False):
    with wallet.db.read() as conn:
        view = public.load(conn, NOW)
    return diagnosis.diagnose(view.blinded() if blind else view, symptom).level


def words(client, path):
    response = client.get(path)
    assert response.status_code == 200, path
    return check(response.text).words


def test_with_everything_well_the_questions_follow_and_the_last_one_ends_in_an_answer(client):
    page = words(client, "/en/check/transfer_failed")

    assert "We know of no fault of this kind." in page
    assert page.index("Which of these fits?") < page.index("My account shows a notice") < page.index("None of these")
    assert "Probably on your side" in page


def test_an_open_notice_says_that_it_is_us_with_its_repair_time_and_how_to_be_told(wallet, client):
    wallet.scenario("transfers-failing", steps=2, began_at=NOW - timedelta(minutes=24))

    page = words(client, "/en/check/transfer_failed")

    places = [page.find(part) for part in ("It is us.", "Some transfers are failing", "about 14:18", "Tell me when it is fixed")]
    assert -1 not in places
    assert places == sorted(places)


def test_a_suspicion_is_told_as_one_with_the_time_of_the_last_check(wallet, client):
    wallet.suspected(["transfers"])

    page = words(client, "/zh-Hans/check/transfer_failed")

    assert "我们这边可能有故障，尚未证实。" in page
    assert "检查于 13:41" in page or "13:41" in page


def test_failing_checks_without_a_notice_are_no_all_clear(wallet):
    wallet.status("transfers", "degraded")

    assert level(wallet) == diagnosis.SUSPECTED


def test_what_cannot_be_judged_is_not_called_working(wallet):
    assert level(wallet) == diagnosis.CLEAR
    assert level(wallet, blind=True) == diagnosis.UNKNOWN

    wallet.status("transfers", "unknown")

    assert level(wallet) == diagnosis.UNKNOWN


def test_maintenance_is_named_as_such(wallet):
    wallet.scenario("core-upgrade", steps=2, began_at=NOW - timedelta(minutes=30))

    assert level(wallet) == diagnosis.WORK


def test_a_network_alone_may_or_may_not_be_the_readers(wallet):
    wallet.component("chain_eth", "money", status="degraded", chain="ethereum")

    assert level(wallet) == diagnosis.PART
    assert level(wallet, "tx_pending") == diagnosis.PART
    assert level(wallet, "login_failed") == diagnosis.CLEAR


def test_a_warning_of_others_is_an_announcement_and_no_fault_of_ours(wallet):
    wallet.scenario("sms-phishing", steps=1, began_at=NOW - timedelta(hours=1))

    assert level(wallet, "suspicious_message") == diagnosis.TOLD


def test_the_symptoms_that_wallet_yaml_gives_a_component_count(wallet):
    assert level(wallet, "account_frozen") == diagnosis.CLEAR

    wallet.component("ledger", "money", status="major_outage", symptoms=["account_frozen"])

    assert level(wallet, "account_frozen") == diagnosis.SUSPECTED


def test_what_ended_today_is_named_once_it_is_over(wallet, client):
    wallet.scenario("transfers-failing", began_at=NOW - timedelta(hours=3))

    page = words(client, "/en/check/transfer_failed")

    assert "We know of no fault of this kind." in page
    assert "Over since today or yesterday Some transfers are failing" in page


def test_a_version_that_is_known_to_be_bad_is_named(wallet, client):
    wallet.notice(draft("Sign-in fails", symptoms=("login_failed",), affected_versions="5.2.0", fixed_versions="5.2.1"))

    assert "5.2.0 · fixed in 5.2.1" in words(client, "/en/check/app_crash")


def test_money_that_is_gone_gets_the_emergency_card_before_anything_else(client):
    page = words(client, "/en/check/funds_missing")

    assert page.index("Stop using the wallet on that device.") < page.index("We know of no fault of this kind.")


@pytest.mark.parametrize("custody", ["self", "custodial"])
def test_the_warning_about_recovery_phrases_is_for_those_who_have_one(wallet, client, custody):
    wallet.page(custody=custody)

    assert ("nobody can freeze or return assets" in words(client, "/en/check/funds_missing")) == (custody == "self")


@pytest.mark.parametrize("language", ["en", "zh-Hans"])
@pytest.mark.parametrize("key", ["", *(f"/{key}" for key in tree().symptoms)])
def test_every_page_of_the_tree_stands_in_both_languages_and_has_no_field_to_type_into(wallet, client, language, key):
    wallet.page(support=[{"kind": "phone", "number": "+85221234567"}, {"kind": "chat", "url": "https://wallet.example/help"}])

    page = check(client.get(f"/{language}/check{key}").text)

    assert not {"input", "textarea", "select"} & set(page.tags)


def test_an_unknown_symptom_is_no_page(client):
    assert client.get("/en/check/anything").status_code == 404


def test_the_blind_twin_does_not_share_what_the_seeing_one_remembers(wallet, site):
    with wallet.db.read() as conn:
        held = Snapshot(conn, public.load(conn, NOW))
        said = []
        for moment in (held, held.blinded()):
            with using(moment):
                said.append(site.test_client().get("/en/check/transfer_failed").text)

    assert ["We know of no fault" in page for page in said] == [True, False]


def test_a_second_host_is_asked_only_where_the_operator_named_one_and_only_on_these_pages(wallet):
    def policy(path, **environ):
        site = create_site(Services(wallet.db, settings.load(environ), lambda: NOW))
        response = site.test_client().get(path)
        return response.headers["Content-Security-Policy"], "data-probe" in response.text

    named = {"STATUSPAGE_BROWSER_TEST_URL": "https://api.wallet.example/health"}
    plain = "connect-src 'self';"
    assert (plain in policy("/en/check")[0], policy("/en/check")[1]) == (True, False)
    assert plain in policy("/en/", **named)[0]
    found, has_test = policy("/en/check/slow", **named)
    assert "connect-src 'self' https://api.wallet.example;" in found
    assert has_test


@pytest.mark.parametrize("raw", ["http://wallet.example/", "https://a.example; script-src *", "https://a.example/ x", "ftp://a"])
def test_an_address_that_would_change_the_policy_is_refused(raw):
    with pytest.raises(SettingsError):
        settings.load({"STATUSPAGE_BROWSER_TEST_URL": raw})

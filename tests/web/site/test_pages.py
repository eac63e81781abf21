"""Every page in both languages: what it says in each state, and that no text of people breaks it."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import update

from statuspage import i18n
from statuspage.store.schema.catalogue import monitors
from statuspage.templating_root import root
from tests.builders import FUNCTIONS, NOW, draft
from tests.pages import check

LANGUAGES = ("en", "zh-Hans")


def get(client, path, code=200):
    response = client.get(path)
    assert response.status_code == code, response.text[:500]
    return check(response.text)


def test_peace(client):
    assert "Everything works" in get(client, "/en/").words
    assert "一切正常" in get(client, "/zh-Hans/").words


def test_what_nothing_watches_is_not_called_working(wallet, client):
    wallet.component("cards", watched=False, names={"en": "Cards", "zh-Hans": "卡"})

    page, chinese = get(client, "/en/").words, get(client, "/zh-Hans/").words

    assert "No known problems" in page
    assert "Cards No known problem" in page
    assert "Transfers Operational" in page
    assert "Everything works" not in page
    assert "目前没有已知问题" in chinese
    assert "No known problem" in get(client, "/en/components/cards").words


def test_a_page_whose_monitors_rest_is_not_green(wallet, client):
    with wallet.db.write() as conn:
        conn.execute(update(monitors).values(paused=True))

    page = client.get("/en/").text

    assert "No known problems" in page
    assert "Operational" not in check(page).words
    assert 'role="status"><h1><svg class="icon unknown"' in page


def test_a_confirmed_outage_tells_the_facts_in_order_money_first(wallet, client):
    wallet.scenario("transfers-failing", steps=2, began_at=NOW - timedelta(minutes=24))
    wallet.status("transfers", "partial_outage")

    words = get(client, "/en/").words

    wanted = ["Transfers: partly failing since 13:18", "Everything else works", "Some transfers are failing", "Confirmed",
              "Are my funds safe?", "Funds intact", "Expected repair", "about 14:18", "Next update", "Not affected",
              "Identified", "Tell me when it is fixed"]  # fmt: skip
    places = [words.find(part) for part in wanted]
    assert -1 not in places, dict(zip(wanted, places, strict=True))
    assert places == sorted(places)


def test_a_suspicion_is_called_one_and_promises_nothing(wallet, client):
    wallet.suspected(["transfers"])
    wallet.status("transfers", "major_outage")

    words = get(client, "/en/").words

    assert "We see a problem with Transfers, not confirmed yet" in words
    assert "Not known yet, being checked" in words
    assert "Possible problem" in words
    assert "Major outage" not in words
    assert "转账可能异常，尚未证实" in get(client, "/zh-Hans/").words


def test_two_notices_at_once_stand_side_by_side_without_sharing_an_id(wallet, client):
    for scenario in ("transfers-failing", "otp-delayed"):
        wallet.scenario(scenario, steps=2, began_at=NOW - timedelta(minutes=24))

    assert get(client, "/en/").words.count("Are my funds safe?") == 2


def test_maintenance_under_way_and_to_come(wallet, client):
    wallet.scenario("core-upgrade", steps=2, began_at=NOW - timedelta(minutes=30))
    wallet.scenario("core-upgrade", steps=1, began_at=NOW + timedelta(days=2))
    for component_id in ("transfers", "balances"):
        wallet.status(component_id, "under_maintenance")

    words = get(client, "/en/").words

    assert "Under maintenance: Transfers, Balances" in words
    assert "22 Nov 2026 (Sun), 13:12–16:10 UTC+8" in words
    assert "Planned maintenance" in words


def test_the_page_of_a_component_under_maintenance_says_what_is_done_and_until_when(wallet, client):
    wallet.scenario("core-upgrade", steps=2, began_at=NOW - timedelta(minutes=30))
    wallet.status("transfers", "under_maintenance")

    page = get(client, "/en/components/transfers")

    assert "Planned upgrade of the payment system In progress 22 Nov 2026 (Sun), 13:12–16:10 UTC+8" in page.words
    assert "Planned upgrade" not in get(client, "/en/components/login").words.partition("90 days")[0]


def test_unknown_is_said_as_unknown(wallet, client):
    for component_id in FUNCTIONS:
        wallet.status(component_id, "unknown")

    words = get(client, "/en/").words

    assert "We cannot see at the moment whether everything works" in words
    assert "Operational" not in words


def test_an_advisory_alone_keeps_everything_working(wallet, client):
    wallet.scenario("sms-phishing", steps=1, began_at=NOW - timedelta(hours=1))

    assert "资金" in get(client, "/zh-Hans/").words


def test_an_empty_page_teaches(client, wallet):
    with wallet.db.write() as conn:
        conn.exec_driver_sql("UPDATE components SET archived_at = 1")

    words = get(client, "/en/").words

    assert "Nothing is watched yet" in words
    assert "statuspage config apply" in words


def test_the_demo_is_marked(client, wallet):
    wallet.page(is_demo=True)

    assert "This wallet does not exist." in get(client, "/en/").words


def test_the_last_days_name_the_notices_and_count_quiet_days_in_one_line(wallet, client):
    wallet.scenario("tron-node-behind", began_at=NOW - timedelta(days=4))

    words = get(client, "/en/").words

    assert "19–22 Nov No notices" in words
    assert "18 Nov TRON data in the app is late" in words
    assert "9–17 Nov No notices" in words


def test_the_notice_page_is_evidence(wallet, client):
    public_id = wallet.scenario("transfers-failing", began_at=NOW - timedelta(hours=6))

    page = get(client, f"/en/incidents/{public_id}")

    assert "22 Nov 2026, 07:42 UTC+8" in page.words
    assert "21 Nov 2026, 23:42 UTC" in page.words
    assert "Ed25519 signature" in page.words
    assert {"/log/1", "/log/2", "/log/3", "/key.json"} <= set(page.links)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    "path", ["/", "/history", "/history/2026-11", "/history/2020-01", "/components/transfers", "/uptime", "/verify"]
)
def test_every_page_exists_in_every_language(client, wallet, language, path):
    wallet.scenario("transfers-failing", steps=2, began_at=NOW - timedelta(minutes=24))
    wallet.scenario("balance-display-stale", began_at=NOW - timedelta(days=40))

    page = get(client, f"/{language}{path}")

    other = "en" if language == "zh-Hans" else "zh-Hans"
    assert f"/{other}{path}" in page.links


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_page_leads_to_feeds_calendar_official_channels_and_proof(client, language):
    for path in ("/", "/help"):
        links = get(client, f"/{language}{path}").links

        for name in ("feed.json", "calendar.ics", "history.atom", "official", "verify", "check"):
            assert f"/{language}/{name}" in links, (path, name)


@pytest.mark.repeats
def test_links_lead_somewhere(client, wallet):
    wallet.scenario("transfers-failing", steps=2, began_at=NOW - timedelta(minutes=24))
    wallet.scenario("core-upgrade", steps=1, began_at=NOW + timedelta(days=2))
    seen, todo = set(), ["/en/"]
    while todo:
        path = todo.pop()
        if path in seen or path.startswith(("http", "#", "mailto:")) or "/subscribe" in path or "/report" in path:  # forms
            continue
        seen.add(path)
        response = client.get(path)
        assert response.status_code in {200, 302}, path
        if response.content_type.startswith("text/html") and response.status_code == 200:
            todo += check(response.text).links

    assert len(seen) > 25


def test_without_a_language_the_reader_gets_his_own(client):
    assert "一切正常" in client.get("/", headers={"Accept-Language": "zh-CN,zh;q=0.9,en;q=0.8"}).text
    assert "Everything works" in client.get("/", headers={"Accept-Language": "en-US,en;q=0.5"}).text
    assert "一切正常" in client.get("/", headers={"Accept-Language": "fr"}).text


def test_a_number_leads_to_its_notice_however_it_is_typed(wallet, client):
    public_id = wallet.notice(draft(), number="N-4K7Q")

    for typed in ("N-4K7Q", "n-4k7q"):
        response = client.get(f"/n/{typed}", headers={"Accept-Language": "en", "Host": "evil.example"})
        assert (response.status_code, response.headers["Location"]) == (302, f"/en/incidents/{public_id}")
    assert client.get("/n/N-2222").status_code == 404


def test_a_draft_has_no_address(wallet, client):
    public_id = wallet.notice(draft("Secret"), visibility="draft", number="N-AAAA")

    for path in (f"/en/incidents/{public_id}", "/n/N-AAAA", f"/api/v2/incidents/{public_id}.json"):
        response = client.get(path)
        assert response.status_code == 404
        assert "Secret" not in response.text


def test_statuspages_history_pages_lead_to_months(client):
    assert client.get("/history?page=3", headers={"Accept-Language": "en"}).headers["Location"] == "/en/history/2026-09"
    assert client.get("/en/history/2026-13").status_code == 404
    assert client.get("/en/history/20261").status_code == 404


def test_links_never_come_from_the_request(client):
    response = client.get("/en/", headers={"Host": "evil.example", "X-Forwarded-Host": "evil.example"})

    assert "evil.example" not in response.text
    assert '<link rel="canonical" href="https://status.wallet.example/en/">' in response.text


def test_a_missing_translation_is_marked_with_its_language(wallet, client):
    wallet.notice(draft(titles={"zh-Hans": "转账失败"}, components={"transfers": "major_outage"}))

    assert '<span lang="zh-Hans">转账失败</span>' in client.get("/en/").text


@given(text=st.text(max_size=80), body=st.text(max_size=120))
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_text_of_people_breaks_a_page(wallet, client, text, body):
    with wallet.db.write() as conn:
        for table in ("notice_components", "log", "notice_updates", "notices"):
            conn.exec_driver_sql(f"DELETE FROM {table}")  # noqa: S608 - names above
    words = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    public_id = wallet.notice(draft(words, body, scope={"en": words}, remedy={"en": body}, advice_do={"en": [words]}))

    for path in ("/en/", f"/en/incidents/{public_id}", "/en/history"):
        check(client.get(path).text)


@pytest.mark.parametrize(
    "poison", ['"><script>alert(1)</script>', "</title><script>", "{{ 7*7 }}", "{% raw %}", "%(names)s", "' onload='x"]
)
def test_markup_in_names_and_titles_is_text(wallet, client, poison):
    wallet.component("evil", "money", names={"en": poison, "zh-Hans": poison}, status="major_outage")
    wallet.notice(draft(poison, poison, components={"evil": "major_outage"}))

    for path in ("/en/", "/en/components/evil"):
        page = get(client, path)
        assert poison in "".join(page.texts)


def test_every_text_of_the_templates_has_its_chinese():
    sources = set()
    for path in sorted((root() / "site").rglob("*.html")):
        sources.update(re.findall(r'\b_\("((?:[^"\\]|\\.)*)"', path.read_text(encoding="utf-8")))
    code = Path(__file__).parents[3] / "statuspage"
    for path in [*sorted((code / "web" / "site").glob("*.py")), code / "publish" / "feeds.py"]:
        sources.update(re.findall(r'gettext\(language, "((?:[^"\\]|\\.)*)"', path.read_text(encoding="utf-8")))
    words = (code / "web" / "site" / "words.py").read_text(encoding="utf-8")
    sources.update(re.findall(r'"((?:[^"\\]|\\.)*%\(names\)s(?:[^"\\]|\\.)*)"', words))

    missing = sorted(source for source in sources if source not in i18n.messages("zh-Hans"))

    assert len(sources) > 80
    assert missing == []


def test_placeholders_are_the_same_in_both_languages():
    placeholder = re.compile(r"%\(\w+\)s|\{\w+\}")
    for source, translated in i18n.messages("zh-Hans").items():
        assert sorted(set(placeholder.findall(source))) == sorted(set(placeholder.findall(translated))), source

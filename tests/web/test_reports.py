"""Reporting a problem: with a button or a form, without a script or a login, and never with a secret."""

from __future__ import annotations

import logging
import re
from datetime import timedelta
from html import unescape

import pytest
from builders import NOW, small_wallet
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from mnemonic import Mnemonic
from pages import check
from sqlalchemy import func, insert, select

from statuspage import settings
from statuspage.actions import reports
from statuspage.actions.context import Context
from statuspage.domain.reports import Report, hour_of
from statuspage.keys import Keys
from statuspage.store import public
from statuspage.store.schema.reports import report_hours, report_signals
from statuspage.store.schema.reports import reports as reports_table
from statuspage.symptoms import tree
from statuspage.web import reports as reports_page
from statuspage.web.reports import reports_blueprint
from statuspage.web.site.app import create_site
from statuspage.web.site.services import Services

OURS = {"Origin": "https://status.wallet.example", "Sec-Fetch-Site": "same-origin"}
PHRASE = Mnemonic("english").to_mnemonic(bytes(range(16)))
SECRETS = {
    "phrase": f"my words are {PHRASE}", "key": "0x" + "5f" * 32, "card": "card 4111 1111 1111 1111 declined",
    "identity": "身份证11010519491231002X", "code": "验证码是 482913",
}  # fmt: skip


@pytest.fixture
def wallet(sqlite_database):
    return small_wallet(sqlite_database)


@pytest.fixture
def ctx(wallet):
    return Context(wallet.db, Keys(b"\x01" * 32, b"\x02" * 32, b"\x03" * 32), lambda: NOW)


@pytest.fixture
def client(ctx):
    site_settings = settings.load({})
    app = create_site(Services(ctx.db, site_settings, ctx.now))
    app.register_blueprint(reports_blueprint(ctx, site_settings))
    return app.test_client()


def send(client, symptom="transfer_failed", *, language="en", headers=OURS, address="10.0.0.1", **fields):
    data = {"symptom": symptom, **fields} if symptom else fields
    return client.post(f"/{language}/report", data=data, headers=headers, environ_base={"REMOTE_ADDR": address})


def stored(ctx):
    with ctx.db.read() as conn:
        return [dict(row) for row in conn.execute(select(reports_table)).mappings()]


def rises(ctx, symptom="transfer_failed"):
    with ctx.db.write() as conn:
        conn.execute(insert(report_signals).values(symptom=symptom, since_at=NOW, count=24, usual=2, peak=24))


def counted(ctx, numbers, symptom="transfer_failed"):
    """So many reports in the last hours, the newest last."""
    last = hour_of(NOW) - 1
    with ctx.db.write() as conn:
        conn.execute(insert(report_hours), [{"symptom": symptom, "hour": last - back, "count": number}
                                            for back, number in enumerate(reversed(numbers))])  # fmt: skip


@pytest.mark.parametrize("language", ["en", "zh-Hans"])
def test_the_form_stands_in_both_languages_and_asks_for_nothing_of_an_account(client, language):
    page = check(client.get(f"/{language}/report?symptom=slow").text)

    assert ("反映问题" in page.words) == (language == "zh-Hans")
    assert ("Never type a recovery phrase" in page.words) == (language == "en")
    assert page.tags.count("select") == 3
    assert not {"tel", "email", "password", "file"} & set(re.findall('type="([a-z]+)"', client.get("/en/report").text))


def test_the_symptom_of_the_link_is_chosen_already(client):
    assert '<option value="slow" selected>' in client.get("/en/report?symptom=slow").text
    assert " selected" not in client.get('/en/report?symptom="><script>').text


def test_one_press_of_a_published_page_is_a_report(ctx, client):
    form = client.get("/en/check/transfer_failed").text.partition('method="post" action="/en/report">')[2].partition("</form>")[0]
    assert '<button class="button" name="symptom" value="transfer_failed">' in form

    answer = send(client)

    assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "no-store")
    assert "Thank you, your report counts" in check(answer.text).words
    assert "/en/report?symptom=transfer_failed" in check(answer.text).links
    assert [(one["symptom"], one["text"]) for one in stored(ctx)] == [("transfer_failed", "")]


def test_pressing_again_is_no_second_report_but_may_say_more(ctx, client):
    send(client)
    send(client, version="5.2.0", platform="ios", text="stays pending", component="transfers")
    third = send(client, version="9.9.9", text="something else")

    assert "your network is counted already" in third.text
    assert [(one["version"], one["platform"], one["text"]) for one in stored(ctx)] == [("5.2.0", "ios", "stays pending")]


@pytest.mark.parametrize("language", ["en", "zh-Hans"])
def test_the_text_for_support_holds_what_support_needs_and_nothing_of_the_person(wallet, client, language):
    wallet.status("transfers", "degraded")

    answer = send(client, language=language, version="5.2.0", platform="android", region="Hong Kong", component="transfers",
                  text="fails for +852 5123 4567 since 13:20")  # fmt: skip

    sheet = unescape(answer.text.partition("<pre")[2].partition("</pre>")[0])
    wanted = {"en": ["A transfer fails", "13:42 UTC+8 (05:42 UTC)", "5.2.0, Android", "Transfers: Degraded",
                     "Possible problem"],
              "zh-Hans": ["转账失败", "2026年11月22日 13:42 北京时间", "5.2.0、Android", "转账：性能下降",
                          "可能异常"]}  # fmt: skip
    assert [words for words in (*wanted[language], "Hong Kong", "fails for ••• since 13:20") if words not in sheet] == []
    assert "5123" not in answer.text


@pytest.mark.parametrize("field", ["text", "version", "region"])
@pytest.mark.parametrize("kind", list(SECRETS))
def test_a_secret_is_refused_visibly_and_is_nowhere_afterwards(ctx, client, tmp_path, caplog, kind, field):
    caplog.set_level(logging.DEBUG)

    answer = send(client, **{field: SECRETS[kind]})

    assert answer.status_code == 422
    assert "Not taken, and not kept" in check(answer.text).words
    assert stored(ctx) == []
    secret = max(SECRETS[kind].split(), key=len) if kind != "phrase" else PHRASE
    kept = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert secret not in answer.text + caplog.text
    assert secret.encode() not in kept


def test_what_else_was_filled_in_survives_a_refusal(client):
    page = send(client, version="5.2.0", text=SECRETS["card"], component="balances", platform="ios").text

    assert 'value="5.2.0"' in page
    assert page.count(" selected") == 3


def test_who_typed_a_phrase_is_led_to_what_to_do_now(client):
    assert "/en/check/funds_missing#emergency" in check(send(client, text=SECRETS["phrase"]).text).links


@pytest.mark.parametrize("symptom", [key for key, one in tree().symptoms.items() if one.urgent])
def test_where_money_is_gone_the_emergency_card_comes_first(client, symptom):
    page = check(send(client, symptom).text).words

    assert page.index("Stop using the wallet on that device.") < page.index("Text for support")


@pytest.mark.parametrize("symptom", ["", "nonsense", "transfer_failed'"])
def test_a_report_without_a_symptom_is_asked_for_one(ctx, client, symptom):
    answer = send(client, symptom, text="it fails")

    assert (answer.status_code, stored(ctx)) == (422, [])
    assert "choose what you see" in answer.text
    assert "it fails" in answer.text


@pytest.mark.parametrize("headers", [
    {"Origin": "https://evil.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"},
    {"Origin": "https://status.wallet.example", "Sec-Fetch-Site": "same-site"},
])  # fmt: skip
def test_another_site_cannot_report_through_somebodys_browser(ctx, client, headers):
    answer = send(client, headers=headers)

    assert (answer.status_code, stored(ctx)) == (403, [])
    assert "Open this page itself" in answer.text


def test_a_machine_that_fills_in_every_field_is_thanked_and_not_counted(ctx, client):
    answer = send(client, website="https://spam.example")

    assert (answer.status_code, stored(ctx)) == (200, [])


def test_a_network_that_sends_too_many_gets_its_text_all_the_same(ctx, client):
    codes = [send(client, symptom).status_code for symptom in list(tree().symptoms)[:6]]
    answer = send(client, "suspicious_message", version="5.2.0", address="10.0.0.99")

    assert codes == [200] * 5 + [429]
    assert (answer.status_code, int(answer.headers["Retry-After"]) > 0, len(stored(ctx))) == (429, True, 5)
    assert "5.2.0" in answer.text.partition("<pre")[2]


def test_an_open_notice_asks_whether_the_reader_has_it_too(wallet, client):
    public_id = wallet.scenario("transfers-failing", steps=2, began_at=NOW - timedelta(minutes=24))
    over = wallet.scenario("transfers-failing", began_at=NOW - timedelta(days=2))

    assert "/en/report?symptom=transfer_failed" in check(client.get(f"/en/incidents/{public_id}").text).links
    assert not [link for link in check(client.get(f"/en/incidents/{over}").text).links if "/report" in link]


def test_a_thousand_presses_load_what_is_public_once(client, monkeypatch):
    loads = []
    monkeypatch.setattr(reports_page.public, "load", lambda *given, load=public.load: loads.append(1) or load(*given))

    for place in range(10):
        send(client, address=f"10.0.{place}.1")

    assert len(loads) <= 2


def test_reading_and_prefetching_count_nothing(ctx, client):
    for _ in range(3):
        client.get("/en/report?symptom=slow")
        client.head("/en/report?symptom=slow")

    assert stored(ctx) == []
    assert client.get("/en/report").headers["Cache-Control"] == "no-store"


@hypothesis_settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(max_size=300), st.text(max_size=60), st.text(max_size=60))
def test_whatever_is_typed_the_answer_is_a_page(client, text, version, region):
    answer = send(client, text=text, version=version, region=region)

    assert answer.status_code in {200, 422}
    check(answer.text)


def test_ten_megabytes_are_refused(client):
    assert send(client, text="x" * 10_000_000).status_code == 413


def test_a_rise_turns_no_known_problem_into_others_report_it_and_never_into_more(ctx, wallet, client):
    before = check(client.get("/en/check/transfer_failed").text).words
    rises(ctx)

    after, start, index = (check(client.get(path).text).words for path in ("/en/check/transfer_failed", "/en/check", "/en/"))

    assert "We know of no fault of this kind." in before
    assert "More readers than usual report this. Our checks have found no fault so far." in after
    assert "Others report it too" in start
    assert "report" not in index.lower().replace("reported", "")
    wallet.suspected(["transfers"])
    assert "We may have a problem, not confirmed yet." in client.get("/en/check/transfer_failed").text


def test_a_hundred_thousand_reports_change_nothing_on_the_index(ctx, client):
    before = client.get("/en/").text
    counted(ctx, [100_000] * 24)
    rises(ctx)

    assert client.get("/en/").text == before


def test_the_trend_is_shown_only_where_enough_readers_hide_each_other(ctx, client):
    counted(ctx, [4] * 23)
    assert "Reports by hour" not in client.get("/en/check/transfer_failed").text

    counted(ctx, [4, 6, 24], symptom="slow")
    page = client.get("/en/check/slow").text

    assert "at most 24, from 12:00 to 13:00" in check(page).words
    bars = page.partition('class="b-work" d="')[2].partition('"')[0]
    assert bars.count("M") == 2


def test_what_readers_write_is_on_no_public_page(ctx, client):
    send(client, text="the green button is dead", region="Atlantis")
    with ctx.db.write() as conn:
        conn.execute(report_hours.update().values(hour=hour_of(NOW) - 1, count=50))
    rises(ctx)

    for path in ("/en/", "/en/check", "/en/check/transfer_failed", "/en/history", "/en/statistics", "/api/v2/summary.json"):
        assert not {"green button", "Atlantis"} & set(client.get(path).text.split("\n"))
        assert "green button" not in client.get(path).text


def test_the_privacy_page_says_what_is_kept_and_for_how_long(client):
    assert "for 14 days; then only a count by hour is left" in check(client.get("/en/privacy").text).words
    assert "共 14 天" in client.get("/zh-Hans/privacy").text


def test_the_database_holds_no_address_of_who_reported(ctx, client):
    send(client, address="203.0.113.77")

    with ctx.db.read() as conn:
        rows = str(list(conn.execute(select(reports_table)).mappings()))
        assert conn.scalar(select(func.count()).select_from(reports_table)) == 1
    assert "203.0.113" not in rows


def test_the_same_network_behind_another_address_counts_once(ctx, client):
    send(client, address="203.0.113.77")
    assert "your network is counted already" in send(client, address="203.0.113.78").text

    assert reports.take_report(ctx, Report("transfer_failed"), "203.0.114.0/24")

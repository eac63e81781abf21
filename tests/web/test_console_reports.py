"""What readers report, on the first screen and on its own page: beside what is usual, and never taken for more than it is."""

import re

import pytest
from console_desk import Desk, open_notices, send, written

from statuspage.actions import reports
from statuspage.domain.reports import Report


@pytest.fixture
def desk(sqlite_database, free_port):
    found = Desk(sqlite_database, free_port())
    found.hire("wei", "admin", language="zh-Hans")
    found.hire("lin", "admin")
    yield found
    found.close()


def report(desk, networks, symptom="transfer_failed", **said):
    for one in range(networks):
        reports.take_report(desk.ctx, Report(symptom, **said), f"10.0.{one}.0/24")
    reports.watch(desk.ctx)


def words(response):
    return " ".join(re.sub(r"<[^>]+>", " ", response.text).split())


def test_a_rise_stands_on_the_first_screen_with_what_is_usual(desk):
    lin, wei = desk.signed_in("lin"), desk.signed_in("wei")
    report(desk, 3)
    assert "More reports than usual" not in lin.get("/").text

    report(desk, 24)
    screen = words(lin.get("/"))

    assert "24 in 15 min, usually 0" in screen
    assert "What is on fire" in screen
    assert "15 分钟内 24 个，平时 0 个" in words(wei.get("/"))


def test_a_suspicion_shows_that_readers_say_so_too_and_still_does_when_they_have_stopped(desk):
    lin = desk.signed_in("lin")
    desk.probe.sees("down", "transfers-api", times=3)
    report(desk, 24)

    waiting = lin.get("/").text.partition("Waiting for a person")[2].partition("</section>")[0]

    assert "Readers report it too:" in waiting
    assert "24 in 15 min, usually 0" in waiting
    desk.clock.pass_(minutes=16)
    reports.watch(desk.ctx)
    (found,) = open_notices(desk)
    page = words(desk.signed_in("lin").get(f"/notices/{found.public_id}"))
    assert "Readers report it too:" in page
    assert "More reports than usual" not in page


def test_the_page_of_reports_names_versions_devices_and_words(desk):
    report(desk, 12, version="5.2.0", platform="ios", text="stays <b>pending</b>", component_id="transfers")
    report(desk, 2, "slow", version="5.1.9", text="everything takes a minute")
    report(desk, 1, "app_crash")
    lin = desk.signed_in("lin")

    everything, only = lin.get("/reports"), lin.get("/reports?symptom=slow")

    assert "Transfers 12 · 5.2.0 12 · iOS 12" in words(everything)
    assert "stays &lt;b&gt;pending&lt;/b&gt;" in everything.text
    assert "pending" not in only.text
    assert "5.1.9 everything takes a minute" in words(only).partition("In their words")[2]
    assert "No reader has written anything" in lin.get("/reports?symptom=app_crash").text


def test_without_reports_the_page_says_where_they_come_from(desk):
    assert "Nobody has reported anything" in desk.signed_in("lin").get("/reports").text
    assert "近 24 小时没有用户反映" in desk.signed_in("wei").get("/reports").text


def test_a_viewer_reads_and_a_stranger_does_not(desk):
    desk.hire("mei", "viewer")

    assert desk.signed_in("mei").get("/reports").status_code == 200
    assert desk.browser().get("/reports", allow_redirects=False).status_code == 303


def test_a_chinese_page_of_reports_leaves_no_english_sentence(desk):
    report(desk, 12, version="5.2.0", platform="browser")
    wei = desk.signed_in("wei")

    for path in ("/", "/reports"):
        bare = re.sub(r"<(script|code)[^>]*>.*?</\1>|<[^>]+>", " ", wei.get(path).text, flags=re.DOTALL)
        assert re.findall(r"[A-Za-z]{3,}(?: [A-Za-z]{2,}){2,}", bare) == []


def test_what_rises_is_a_metric(desk):
    report(desk, 24)
    report(desk, 2, "slow")

    figures = desk.browser().get("/metrics").text

    assert 'statuspage_reports_last_15_minutes{symptom="slow"} 2' in figures
    assert 'statuspage_reports_rising{symptom="transfer_failed"} 24' in figures
    assert 'statuspage_reports_rising{symptom="slow"}' not in figures


def test_a_person_may_declare_what_readers_report_and_the_evidence_needs_no_form(desk):
    report(desk, 24)
    lin = desk.signed_in("lin")
    page = lin.get("/declare")

    send(lin, "/declare", written(page, lin, components="transfers"))

    (found,) = open_notices(desk)
    assert not found.is_suspected
    assert "More reports than usual" in lin.get("/").text

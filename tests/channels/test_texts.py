import pytest

from statuspage.channels import texts
from statuspage.domain import delivery


@pytest.mark.parametrize(("language", "words"), [
    ("en", ["Demo Wallet: Some transfers are failing", "since 13:15 (UTC+8)", "Funds are not affected", "14:20",
            "status.wallet.example", "N-4K7Q"]),
    ("zh-Hans", ["【演示钱包】部分转账失败", "13:15", "资金未受影响", "14:20", "status.wallet.example", "N-4K7Q"]),
])  # fmt: skip
def test_an_sms_says_what_fails_since_when_the_funds_the_eta_and_where_to_read_on(message, language, words):
    text = texts.short(message("sms", language))

    assert [word for word in words if word not in text] == []
    assert delivery.segments(text)[2] <= 2


def test_an_sms_carries_no_link_and_says_when_it_is_fixed(message):
    text = texts.short(message("sms", event="resolved", status="resolved"))

    assert text == "Demo Wallet: Fixed: Some transfers are failing. Type status.wallet.example, notice N-4K7Q"
    assert "http" not in text


@pytest.mark.parametrize("title", ["x" * 5000, "转" * 5000, "😀" * 500, "a\x00b\u202ec", "\ud800", "{{ 7*7 }} %(x)s {0}"])
@pytest.mark.parametrize("language", ["en", "zh-Hans"])
def test_any_title_gives_an_sms_of_at_most_three_segments_with_the_number(message, title, language):
    text = texts.short(message("sms", language, titles={language: title}))

    assert delivery.segments(text)[2] <= 3
    assert "N-4K7Q" in text
    assert "49" not in text
    text.encode()


@pytest.mark.parametrize("kind", ["confirm", "test", "page_oncall"])
@pytest.mark.parametrize("language", ["en", "zh-Hans"])
def test_every_kind_has_words_in_both_languages_within_one_segment(message, kind, language):
    text = texts.short(message("sms", language, kind=kind, extra={"code": "123456"}))

    assert delivery.segments(text)[2] == 1
    assert ("123456" in text) == (kind == "confirm")
    assert any(character > "\u4e00" for character in text) == (language == "zh-Hans")


@pytest.mark.parametrize(("language", "parts"), [
    ("en", ["READERS REPORT: A transfer fails. 24 reports in 15 min, usually 2.", "see Reports in the console."]),
    ("zh-Hans", ["【演示钱包】", "用户报告增多：转账失败", "15分钟内24份报告，平时2份", "尚无公告，请看控制台"]),
])  # fmt: skip
def test_a_rise_in_reports_is_one_segment_of_numbers(message, rise, language, parts):
    said = texts.short(message("sms", language, kind="page_oncall", audience="oncall", extra=rise))

    assert [part for part in parts if part not in said] == []
    assert delivery.segments(said)[2] == 1


def test_a_template_that_fails_is_replaced_by_the_built_in_text(message, monkeypatch):
    monkeypatch.setattr("statuspage.templating.render", lambda *_arguments, **_named: {}["missing"])

    assert texts.short(message("sms")) == "Demo Wallet: N-4K7Q confirmed. status.wallet.example"


def test_a_push_names_the_notice_in_plain_words_and_leads_to_its_page(message):
    shown = texts.push(message("webpush"))

    assert (shown.title, shown.body) == ("Demo Wallet: Some transfers are failing", "A database stopped. more")
    assert (shown.path, shown.tag) == ("/en/incidents/abcdefgh1234", "abcdefgh1234")


@pytest.mark.parametrize(("text", "expected"), [
    ("a" * 160, ("GSM-7", 160, 1)), ("a" * 161, ("GSM-7", 161, 2)), ("a" * 306, ("GSM-7", 306, 2)), ("€" * 80, ("GSM-7", 160, 1)),
    ("转" * 70, ("UCS-2", 70, 1)), ("转" * 71, ("UCS-2", 71, 2)), ("😀" * 35, ("UCS-2", 70, 1)),
    ("a" * 152 + "€" * 5, ("GSM-7", 162, 2)),
    # 152 characters leave one unit of the first segment; a pair is not cut, so it moves on.
    ("a" * 152 + "€" + "a" * 151, ("GSM-7", 305, 2)), ("a" * 152 + "€" + "a" * 152, ("GSM-7", 306, 3)),
])  # fmt: skip
def test_segments_are_counted_as_carriers_bill_them(text, expected):
    assert delivery.segments(text) == expected


@pytest.mark.parametrize(("said", "meant"), [
    ("STOP", "stop"), (" Stop. ", "stop"), ("ＳＴＯＰ", "stop"), ("td", "stop"), ("退订", "stop"),
    ("please stop texting me", "stop"),
    ("START", "start"), ("恢复", "start"), ("help", "help"), ("INFO", "help"), ("thanks", None), ("", None),
    ("nonstop fun", None),
])  # fmt: skip
def test_answers_are_understood(said, meant):
    assert delivery.keyword(said) == meant

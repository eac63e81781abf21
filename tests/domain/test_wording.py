from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from statuspage.domain import wording
from statuspage.domain.notice import Draft, Facts
from statuspage.domain.wording import findings
from statuspage.scenarios import catalogue

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
BOTH = ("en", "zh-Hans")


def cases(lines):
    return lines.replace("\n", "|").split("|")


def draft(en="", zh="", **facts):
    """A draft without anything to remark, but for these bodies and facts."""
    good = {
        "components": {"transfers": "partial_outage"}, "scope": {"en": "about one in five", "zh-Hans": "约五分之一"},
        "not_affected": {"en": "Card payments work.", "zh-Hans": "银行卡支付正常。"}, "funds_safety": "unavailable_temporarily",
        "funds_basis": {"en": "ledger compared at 13:00", "zh-Hans": "13:00 核对账务"},
        "next_update_by": NOW + timedelta(hours=1),
        "advice_dont": {"en": ["Do not send again."], "zh-Hans": ["请勿重复转账。"]}, **facts,
    }  # fmt: skip
    titles = good.pop("titles", {"en": "Transfers fail", "zh-Hans": "转账失败"})
    bodies = {"en": en or "Since 13:20 transfers fail.", "zh-Hans": zh or "自13:20起转账失败。"}
    return Draft(Facts("incident", "investigating", titles, **good), bodies)


def graves(found):
    return [one.quote for one in found if one.is_grave]


def test_a_text_that_says_everything_has_no_remarks():
    assert findings(draft(), BOTH) == []


FRAUD = """Click here to restore your wallet|Please verify your password|see https://bit.ly/x|see bit.ly/x
Call us back at 400-123456|Enter your recovery phrase|Scan the QR code to claim it
within 24 hours or it is lost|Your account will be closed|You won a prize
confirm the code you received|tell us your seed|Send us your private key
Transfer your funds to the new address|reply with your code
点击链接恢复|请输入您的验证码|请提供身份证|请回拨 400123456|请将资金转至新地址|24小时内未验证将冻结|扫码领取
短链接 t.cn/abc|把助记词发给客服|请转到安全账户|账户将被冻结|领取空投"""


@pytest.mark.parametrize("text", cases(FRAUD))
def test_what_a_fraudster_would_write_is_grave(text):
    assert graves(findings(draft(en=text) if text.isascii() else draft(zh=text), BOTH))


ADVICE = """We will never ask you to enter your recovery phrase.|Never enter your recovery phrase anywhere.
Do not click links in messages.|Nobody from us will ask you to confirm your password.
QR payments fail: when you scan a code the app shows an error.|Your account is locked although nothing is wrong.
我们不会要求您提供验证码。|请勿点击短信中的链接。|切勿输入您的助记词。|扫码支付失败。|我们绝不会要求验证密码。
收款码扫码后未到账"""


@pytest.mark.parametrize("text", cases(ADVICE))
def test_advice_against_fraud_and_plain_facts_are_not(text):
    assert graves(findings(draft(en=text) if text.isascii() else draft(zh=text), BOTH)) == []


def test_a_denial_reaches_no_further_than_its_sentence():
    assert graves(findings(draft(en="This is not a drill. Enter your recovery phrase."), BOTH)) == [
        "Enter your recovery phrase"
    ]


@pytest.mark.parametrize(
    ("text", "quote"),
    [
        ("It will be fixed shortly.", "shortly"),
        ("We work on it as soon as possible.", "as soon as possible"),
        ("A minor issue.", "minor issue"),
        ("Errors are intermittent.", "intermittent"),
        ("There are technical difficulties.", "technical difficulties"),
        ("Please be patient.", "Please be patient"),
        ("我们会尽快处理。", "尽快"),
        ("系统繁忙。", "系统繁忙"),
        ("由于技术原因。", "技术原因"),
        ("网络波动。", "网络波动"),
        ("敬请谅解。", "敬请谅解"),
        ("请稍后再看。", "稍后"),
    ],
)
def test_vague_words_are_quoted(text, quote):
    found = findings(draft(en=text) if text.isascii() else draft(zh=text), BOTH)

    assert quote in [one.quote for one in found]
    assert not graves(found)


def test_some_users_wants_a_share_and_is_content_with_one():
    without = {"scope": {}}

    vague = findings(draft("Some users cannot pay.", "部分用户无法支付。", **without), BOTH)
    told = findings(draft("Some users cannot pay, about 20 %.", "部分用户无法支付，约20%。", **without), BOTH)
    assert {one.quote for one in vague} >= {"Some users", "部分用户"}
    assert {one.quote for one in told} == set()


@pytest.mark.parametrize(
    ("text", "quote"), [("Your funds are safe.", "funds are safe"), ("您的资金安全。", "资金安全")]
)
def test_funds_are_safe_needs_something_it_rests_on(text, quote):
    words = {"en": text} if text.isascii() else {"zh": text}

    assert graves(findings(draft(**words, funds_safety="unknown_checking"), BOTH)) == [quote]
    assert graves(findings(draft(**words), BOTH)) == []
    assert [one.where for one in findings(draft(funds_basis={}), BOTH) if one.is_grave] == ["funds_basis"]


@pytest.mark.parametrize(
    ("field", "where"),
    [("components", "components"), ("scope", "scope"), ("not_affected", "not_affected"), ("advice_dont", "advice_do")],
)
def test_what_a_reader_misses_most_is_asked_for(field, where):
    assert where in [one.where for one in findings(draft(**{field: {}}), BOTH)]
    assert "next" in [one.where for one in findings(draft(next_update_by=None), BOTH)]


def test_languages_that_name_different_times_are_shown_apart():
    found = findings(
        draft("Fixed by 14:30, 1,284 payments.", "预计14:50修复，1284笔付款，3月10日。", next_update_by=NOW), BOTH
    )

    assert [(one.where, one.values) for one in found] == [("bodies.zh-Hans", {"numbers": "10, 14:30, 14:50"})]
    assert findings(draft("Fixed by 14:30.", "预计14:30修复。"), BOTH) == []


def test_grave_remarks_come_first():
    found = findings(draft("Shortly. Click here.", next_update_by=None), BOTH)

    assert [one.is_grave for one in found] == sorted((one.is_grave for one in found), reverse=True)


SCENARIOS = catalogue().scenarios


@pytest.mark.parametrize("name", [getattr(item, "id", item) for item in SCENARIOS])
def test_our_own_templates_hold_nothing_grave_in_any_update(name):
    scenario = catalogue().scenario(name)

    for index in range(len(scenario.steps)):
        assert graves(findings(scenario.draft(NOW, catalogue().sample_vars, index), BOTH)) == []


@given(st.text(max_size=300), st.text(max_size=300))
def test_no_text_breaks_the_linter(en, zh):
    found = findings(draft(en, zh), BOTH)

    assert all(one.message and one.where for one in found)


@pytest.mark.parametrize(
    "pattern", ["1", "a small ", "enter your ", "资金", "call us ", "拨打", "never ", "within 1", "not "]
)
def test_a_long_text_does_not_keep_the_linter_busy(pattern):
    text = (pattern * 100_000)[:100_000]

    found = findings(draft(text, text), BOTH)  # a quadratic pattern runs into the suite's time limit here

    assert all(one.message for one in found)


PLANTED = [
    ("denials are not heard", "if not _DENIED.search", "if True or not _DENIED.search"),
    ("everything is denied", r"[^.!?;。！？；]*$", r".*$"),
    ("thousands are cut", r"(?<=\d),(?=\d{3})|", ""),
    ("grave ones come last", "key=lambda one: not one.is_grave", "key=lambda one: one.is_grave"),
    ("checking is as good as checked", 'draft.facts.funds_safety == "unknown_checking"', "False"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new"), [bug[1:] for bug in PLANTED], ids=[bug[0] for bug in PLANTED])
def test_a_planted_bug_is_found(planted, monkeypatch, old, new):
    monkeypatch.setitem(globals(), "findings", planted(wording, old, new).findings)

    def everything():
        for text in cases(ADVICE):
            test_advice_against_fraud_and_plain_facts_are_not(text)
        test_a_denial_reaches_no_further_than_its_sentence()
        test_languages_that_name_different_times_are_shown_apart()
        test_grave_remarks_come_first()
        test_funds_are_safe_needs_something_it_rests_on("Your funds are safe.", "funds are safe")

    with pytest.raises(AssertionError):
        everything()

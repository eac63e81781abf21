"""What must not be handed in is found however it is written, and what people do write about a wallet is let through."""

from __future__ import annotations

import re
from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mnemonic import Mnemonic

from statuspage.domain.secret_shapes import CARD, CODE, HIDDEN, IDENTITY, KEY, PHRASE, masked, secrets_in

LANGUAGES = ("english", "chinese_simplified", "chinese_traditional", "japanese", "korean", "spanish", "french", "italian",
             "portuguese", "czech", "turkish", "russian")  # fmt: skip
ENTROPY = st.sampled_from((16, 20, 24, 28, 32)).flatmap(lambda size: st.binary(min_size=size, max_size=size))
CHINESE = Mnemonic("chinese_simplified")
ENGLISH = Mnemonic("english")
HARMLESS = (
    "Transfers to a friend fail since this morning; the app says insufficient balance, but there is enough and I paid the fee.",
    "The balance shows zero after the update to 5.2.0 on Android 14. It was right yesterday at 13:20. Error code 500123.",
    "I tried it three times with Wi-Fi and twice with mobile data, then restarted the phone, and nothing changed about it.",
    "Sent 1,250.50 USDT on 2026-11-22 13:20:45, pending for 2 hours, gas 21000, nonce 118, block 21345678.",
    "转账一直失败，提示系统繁忙，请稍后再试。我已经换了网络，也重启了手机，还是不行，时间是2026年11月22日13点20分。",
    "我没有助记词怎么恢复账户，现在转账一直失败，客服也联系不上，请问什么时候可以修好。",
    "收不到验证码，60秒后重发也没有，已经试了3次。错误代码：500123。",
    "密码错误10023，忘记密码后无法登录，提示 otp missing",
    "The password is wrong it says, although I did not change it.",
    "余额显示0.00，实际应该是 12345.67 元，昨天还正常。",
    "1000000000000000000 wei were sent at 1763790000000",
    "",
)


@pytest.mark.parametrize("text", HARMLESS)
def test_what_people_write_about_a_wallet_is_let_through(text):
    assert secrets_in(text) == ()


@pytest.mark.parametrize("language", LANGUAGES)
@settings(max_examples=15)
@given(ENTROPY)
def test_a_recovery_phrase_is_found_in_every_language_and_length(language, entropy):
    phrase = Mnemonic(language).to_mnemonic(entropy)

    assert PHRASE in secrets_in(f"it does not work {phrase} help!")


@settings(max_examples=60)
@given(ENTROPY, st.sampled_from((" ", ", ", "\n", " 1. ", "-", " | ", "\u3000", "…", " \u200b")),
       st.sampled_from((str, str.upper, str.title)))
def test_a_phrase_is_found_however_its_words_are_set_apart(entropy, gap, case):
    words = ENGLISH.to_mnemonic(entropy).split()

    assert PHRASE in secrets_in(case(gap.join(words)))


@settings(max_examples=60)
@given(ENTROPY, st.integers(0, 11))
def test_a_phrase_with_one_word_misspelt_or_only_the_beginnings_of_its_words_is_still_one(entropy, place):
    words = ENGLISH.to_mnemonic(entropy).split()

    assert PHRASE in secrets_in(" ".join(word[:4] for word in words))
    assert PHRASE in secrets_in(" ".join([*words[:place], "qwrt", *words[place + 1 :]]))


@settings(max_examples=60)
@given(ENTROPY)
def test_a_chinese_phrase_without_gaps_is_found_on_its_own_and_after_its_name(entropy):
    run = CHINESE.to_mnemonic(entropy).replace(" ", "")

    assert PHRASE in secrets_in(run)
    assert PHRASE in secrets_in(f"你好，{run}。转账失败")
    assert PHRASE in secrets_in(f"我的助记词是{run}")


@settings(max_examples=100)
@given(st.binary(min_size=32, max_size=32), st.sampled_from(("", "0x")), st.integers(0, 63))
def test_a_private_key_in_hex_is_found_also_with_a_break_in_it(key, before, place):
    text = key.hex()

    assert secrets_in(f"key {before}{text}") == secrets_in(f"{before}{text[:place]} {text[place:]}") == (KEY,)


@pytest.mark.parametrize("text", [
    "5HueCGU8rMjxEXxiPuD5BDku4MkFqeZyd4dZ1jvhTVqvbTLvyTJ", "L4rK1yDtCWekvXuE6oXD9jCYfFNV2cWRpVuPLBcCU2z8TrisoyY1",
    "xprv9s21ZrQH143K3QTDL4LXw2F7HEK3wJUD2nW2nRk4stbPy6cq3jPPqjiChkVvvNKmPGJxWUtg6LnF5kejMRNNU3TGtRBeJgk33yuGBxrMPHi",
    "4MzFPSzbRwLbyrZ3Wb6sQ7JdQ1NfR3n8XJjGjRzVtqZt5dZ9bQyKpYwHnQx1mCq8VbFkT2uDgWc7yXrJ4sLhNaEe",
    "-----BEGIN EC PRIVATE KEY----- MHQ", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIiwibmFtZSI6IkpvaG4ifQ.SflKxwRJSMeKKF2Q",
])  # fmt: skip
def test_keys_in_their_other_forms_are_found(text):
    assert KEY in secrets_in(f"it says {text}")


def luhn(digits):
    """`digits` with the check digit that makes it a card number."""
    doubled = [int(one) for one in digits][::-1]
    total = sum(sum(divmod(one * 2, 10)) if place % 2 == 0 else one for place, one in enumerate(doubled))
    return digits + str(-total % 10)


CARDS = st.tuples(st.sampled_from(("4", "51", "62", "37", "2221")), st.integers(13, 19)).flatmap(
    lambda one: st.integers(0, 10 ** (one[1] - 1 - len(one[0])) - 1).map(
        lambda rest: luhn(f"{one[0]}{rest:0{one[1] - 1 - len(one[0])}d}")
    )
)


@settings(max_examples=150)
@given(CARDS, st.sampled_from(("", " ", "-", ".", "，")), st.sampled_from(("", "卡号", "card: ", "x")))
def test_a_card_number_is_found_however_its_digits_are_grouped(number, gap, before):
    groups = [number[place : place + 4] for place in range(0, len(number), 4)]

    assert CARD in secrets_in(f"{before}{gap.join(groups)} 12/27 123")


@settings(max_examples=60)
@given(CARDS)
def test_digits_of_other_scripts_and_marks_that_nobody_sees_hide_no_card(number):
    wide = "".join(chr(ord(one) + 0xFEE0) for one in number)
    arabic = "".join(chr(0x660 + int(one)) for one in number)

    assert CARD in secrets_in(wide)
    assert CARD in secrets_in(arabic)
    assert CARD in secrets_in("\u200b".join(number))


@settings(max_examples=60)
@given(st.dates(date(1900, 1, 1), date(2099, 12, 31)), st.integers(110000, 659999), st.integers(0, 999))
def test_a_resident_identity_number_is_found_and_one_with_a_wrong_check_is_not(day, place, number):
    digits = f"{place}{day:%Y%m%d}{number:03d}"
    total = sum(2 ** (17 - index) % 11 * int(digit) for index, digit in enumerate(digits))
    check = "0123456789X"[(12 - total) % 11]
    wrong = "0123456789"[(int(digits[-1]) + 1) % 10]

    assert IDENTITY in secrets_in(f"身份证{digits}{check.lower()}")
    assert IDENTITY in secrets_in(f"{digits[:6]} {digits[6:14]} {digits[14:]}{check}")
    assert IDENTITY not in secrets_in(f"身份证{digits[:-1]}{wrong}{check}")


@pytest.mark.parametrize("text", [
    "验证码是 123456", "验证码：1234", "支付密码123456", "the OTP is 482913", "verification code: 4829", "PIN 4829", "cvv 123",
    "password: hunter2", "密码：abc12345", "one-time password 99120",
])  # fmt: skip
def test_codes_and_passwords_with_their_names_are_found(text):
    assert CODE in secrets_in(text)


def test_what_tells_who_wrote_is_masked_and_the_rest_stays_as_it_was_written():
    text = ("Call +852 5123 4567 or 138-0013-8000, mail li.wei+x@wallet.example, handle @li_wei, since 2026-11-22 13:20, to "
            "0x52908400098527886E0F7030069857D2E4169EE7 or TXYZopYRdj2D9XRtbG411XZZ3kM5VkAeBf, see https://x.example/a?b=1 "
            "“转账”失败，金额1,000元，v5.2.0")  # fmt: skip

    found = masked(text)

    assert found == (f"Call {HIDDEN} or {HIDDEN}, mail {HIDDEN}, handle {HIDDEN}, since 2026-11-22 13:20, to "
                     f"{HIDDEN} or {HIDDEN}, see {HIDDEN} “转账”失败，金额1,000元，v5.2.0")  # fmt: skip


@settings(max_examples=100)
@given(st.text(max_size=40), st.integers(10_000_000, 99_999_999), st.text(max_size=40))
def test_no_long_number_survives_the_mask_whatever_stands_around_it(before, number, after):
    assert str(number) not in re.sub(r"\D", "", masked(f"{before} {number} {after}"))


@settings(max_examples=150)
@given(st.text())
def test_any_text_can_be_looked_at_and_masking_twice_changes_nothing(text):
    once = masked(text)

    assert isinstance(secrets_in(text), tuple)
    assert masked(once) == once

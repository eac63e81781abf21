"""A reader finds a text however it was typed, on both databases."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import literal, select

from statuspage.store.folding import fold, may_hold


def finds(conn, text, word):
    return bool(conn.scalar(select(may_hold(conn, literal(text), fold(word)))))


@pytest.mark.parametrize(
    ("text", "word"),
    [("ＵＳＤＴ充值延迟", "usdt"), ("USDT 充值", "ｕｓｄｔ"), ("Café", "CAFÉ"), ("Cafe\u0301", "café"), ("Straße", "STRASSE"),
     ("ｶﾞｽ", "ガス"), ("（维护）", "(维护)"), ("50% off", "50%"), ("a_b", "A_B"), ("[x]*?", "[x]*?")],
)  # fmt: skip
def test_what_reads_the_same_is_found(any_database, text, word):
    with any_database.read() as conn:
        assert fold(word) in fold(text)
        assert finds(conn, text, word)


@pytest.mark.parametrize(("text", "word"), [("充值延迟", "提现"), ("transfers", "transferring"), ("100", "50%"), ("ab", "a_b")])
def test_what_has_none_of_its_letters_in_another_form_is_not_looked_at(any_database, text, word):
    with any_database.read() as conn:
        assert not finds(conn, text, word)


# Full-width and half-width forms, letters with case and accents, kana, Han.
LETTERS = st.one_of(*(st.characters(min_codepoint=low, max_codepoint=high) for low, high in [
    (0x20, 0x7E), (0xC0, 0xD6), (0xE0, 0xF6), (0x300, 0x308), (0x391, 0x3C9), (0x3041, 0x30FA), (0x4E00, 0x9FA5),
    (0xFF01, 0xFF5E), (0xFF66, 0xFF9F),
]))  # fmt: skip
TEXT = st.text(LETTERS, min_size=1, max_size=20)


@given(text=TEXT, data=st.data())
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_nothing_that_holds_the_word_is_missed(sqlite_database, text, data):
    start = data.draw(st.integers(0, len(text) - 1))
    word = fold(text[start : data.draw(st.integers(start + 1, len(text)))])
    with sqlite_database.read() as conn:
        assert not word or word not in fold(text) or finds(conn, text, word)

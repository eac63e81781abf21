"""A reader finds a text however it was typed, on both databases."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import literal, select

from statuspage.store.folding import fold, holds, read_loosely, words_of


def finds(db, kept, typed):
    with db.read() as conn:
        return all(conn.execute(select(*holds(conn, literal(kept), typed))).one())


def kept(*texts):
    return words_of("N-4K7Q", {}, [({str(place): text for place, text in enumerate(texts)}, {})])


@pytest.mark.parametrize(
    ("text", "typed"),
    [("ＵＳＤＴ充值延迟", "usdt"), ("USDT 充值", "ｕｓｄｔ"), ("Café", "CAFÉ"), ("Cafe\u0301", "café"), ("Straße", "STRASSE"),
     ("ｶﾞｽ", "ガス"), ("（维护）", "(维护)"), ("50% off", "50%"), ("a_b", "A_B"), ("[x]*?", "[x]*?"), ('say "yes"', '"YES"'),
     ("C:\\temp", "c:\\t"), ("it's", "IT'S"), ("step ①", "1"), ("ﬁx", "FIX"), ("nul\0nul", "l\0n"), ("half \ud83d", "\ufffd"),
     ("the last words of it", "of words last")],
)  # fmt: skip
def test_what_reads_the_same_is_found(any_database, text, typed):
    assert finds(any_database, kept(text), typed)


@pytest.mark.parametrize(
    ("text", "typed"),
    [("充值延迟", "提现"), ("transfers", "transferring"), ("100", "50%"), ("ab", "a_b"), ("ab", "a%b"), ("ab", "a*b"),
     ("ab", "a?b"), ("a\\b", "a\\\\b"), ("first last", "first word"), ("first last", "tl")],
)  # fmt: skip
def test_what_does_not_is_not(any_database, text, typed):
    assert not finds(any_database, kept(text), typed)


def test_words_may_lie_in_several_texts_but_none_across_two(any_database):
    assert finds(any_database, kept("first", "last"), "last first")
    assert not finds(any_database, kept("first", "last"), "stla")


def test_a_search_looks_for_six_words_and_no_more(any_database):
    assert finds(any_database, kept("a b c d e f"), "a b c d e f missing")


def test_ten_megabytes_are_looked_through(any_database):
    assert finds(any_database, kept("迟" * 3_400_000 + " needle"), "NEEDLE")


# Full-width and half-width forms, letters with case and accents, kana, Han, and all the others.
LETTERS = st.one_of(*(st.characters(min_codepoint=low, max_codepoint=high) for low, high in [
    (0x20, 0x7E), (0xC0, 0xD6), (0xE0, 0xF6), (0x300, 0x308), (0x391, 0x3C9), (0x3041, 0x30FA), (0x4E00, 0x9FA5),
    (0xFF01, 0xFF5E), (0xFF66, 0xFF9F), (0, 0x10FFFF),
]))  # fmt: skip
TEXT = st.text(LETTERS, min_size=1, max_size=20)


@given(texts=st.lists(TEXT, max_size=3), typed=TEXT)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_found_is_exactly_what_holds_every_word(any_database, texts, typed):
    expected = all(any(word in fold(text) for text in ("N-4K7Q", *texts)) for word in fold(typed).split()[:6])

    assert finds_if_asked(any_database, kept(*texts), typed) == expected


@given(text=TEXT, data=st.data())
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_part_of_what_is_kept_is_found(any_database, text, data):
    start = data.draw(st.integers(0, len(fold(text)) - 1))
    typed = fold(text)[start : data.draw(st.integers(start + 1, len(fold(text))))]

    assert finds_if_asked(any_database, kept(text), typed) or fold(typed) not in fold(text)


def finds_if_asked(db, kept_words, typed):
    return not fold(typed).split() or finds(db, kept_words, typed)


def test_the_words_of_a_notice_are_its_number_titles_scope_and_what_its_updates_said():
    facts = {"titles": {"en": "Now", "zh-Hans": "现在"}, "scope": {"en": "Some users"}, "remedy": {"en": "hidden"}}
    first = {"titles": {"en": "Then"}, "scope": {"en": "hidden as well"}}

    words = words_of("N-4K7Q", facts, [({"en": "It FAILS."}, first), ({"en": "It works."}, facts)])

    assert words == "n-4k7q\nnow\n现在\nsome users\nit fails.\nthen\nit works."


@pytest.mark.parametrize("damaged", [None, [], 7, "text", {"titles": 1}, {"titles": {"en": 2}}, {"scope": ["en"]}])
def test_of_what_is_damaged_the_rest_is_kept(damaged):
    assert words_of("N-4K7Q", damaged, [(damaged, damaged), ({"en": "whole"}, {})]) == "n-4k7q\nwhole"


@pytest.mark.parametrize("text", ["{broken", "", None, "[" * 200_000, "\ud800"])
def test_a_column_that_does_not_parse_has_no_value(text):
    assert read_loosely(text) is None

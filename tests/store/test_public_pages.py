"""The archive is searched by what its notices say, whoever wrote them and whenever, on both databases."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import event, text

from bench import _past
from statuspage.actions import drafts
from statuspage.actions import notices as actions
from statuspage.actions.context import Actor, Context
from statuspage.domain.notice import Draft
from statuspage.store import console, public_pages
from statuspage.store.public_pages import FOUND, Question
from tests.builders import KEYS, NOW, Wallet, draft, small_wallet

LI = Actor("Li Wei", "admin")


@pytest.fixture
def wallet(any_database):
    return small_wallet(any_database)


def pages(wallet, asked, size=20):
    """Titles of what is found, a list for each page."""
    out, before = [], None
    while len(out) < size:
        with wallet.db.read() as conn:
            found = public_pages.search(conn, asked, "Asia/Shanghai", before)
        out.append([one.facts.titles["en"] for one in found.notices])
        before = found.before
        if before is None:
            break
    return out


def titles(wallet, words):
    return [title for page in pages(wallet, Question(words)) for title in page]


def in_console(wallet, words):
    with wallet.db.read() as conn:
        return [one.facts.titles["en"] for one in console.search_notices(conn, words=words, kind="")]


def test_what_actions_write_is_found_after_each_of_their_steps(wallet):
    ctx = Context(wallet.db, KEYS, lambda: NOW)
    first = draft("Transfers fail", "Alpha", scope={"en": "Some of Kowloon"})
    made = actions.declare(ctx, LI, first)
    assert titles(wallet, "alpha transfers kowloon") == ["Transfers fail"]

    second = draft("Transfers wait", "Beta", status="monitoring", scope={"en": "All of Lantau"})
    actions.update(ctx, LI, made.public_id, second)
    actions.resolve(ctx, LI, made.public_id, {"en": "Gamma", "zh-Hans": "已恢复"})

    for words in ("alpha", "beta", "gamma 已恢复", "lantau", "FAIL", made.number.lower(), made.number[2:]):
        assert titles(wallet, words) == ["Transfers wait"], words
    assert titles(wallet, "kowloon") == []  # what an earlier scope said is history's, and no reader sees it


def test_a_draft_is_found_by_operators_only_until_it_is_published(wallet):
    ctx = Context(wallet.db, KEYS, lambda: NOW)
    made = actions.declare(ctx, LI, Draft(draft("Hidden").facts, {"en": "Quiet words", "zh-Hans": "安静"}, visibility="draft"))

    assert (titles(wallet, "quiet"), in_console(wallet, "QUIET hidden")) == ([], ["Hidden"])
    drafts.publish(ctx, LI, made.public_id)
    assert titles(wallet, "quiet") == ["Hidden"]


def test_a_discarded_draft_and_one_without_a_time_are_not_found(wallet):
    ctx = Context(wallet.db, KEYS, lambda: NOW)
    made = actions.declare(ctx, LI, Draft(draft("Hidden").facts, {"en": "One", "zh-Hans": "一"}, visibility="draft"))
    drafts.discard(ctx, LI, made.public_id)
    wallet.notice(draft("Hidden as well"), published_at=None)

    assert titles(wallet, "hidden") == []


@pytest.mark.parametrize("words", ["titles", "en", "incident", "started_at", "third_party", "{", '"', "\\", ":", "hidden"])
def test_names_of_facts_and_what_readers_never_see_are_not_searched(wallet, words):
    wallet.notice(draft("A", "B", cause="third_party", remedy={"en": "Hidden"}), number="N-2222")

    assert titles(wallet, words) == in_console(wallet, words) == []


def test_a_word_of_any_characters_is_only_a_word(wallet):
    wallet.notice(draft('50% of a_b "said" C:\\x'))

    for words in ("50%", "a_b", '"said"', "c:\\x"):
        assert len(titles(wallet, words)) == len(in_console(wallet, words)) == 1, words
    for words in ("5%f", "a%b", "_f", "nul\0", "'; --", "\ud83d"):
        assert titles(wallet, words) == in_console(wallet, words) == [], words


def test_pages_follow_each_other_by_when_it_began_whatever_was_planned_only(wallet):
    for number in range(FOUND + 5):
        at = NOW - timedelta(hours=number)
        begun = {"started_at": at} if number % 3 else {"started_at": None, "scheduled_for": at if number % 2 else None}
        wallet.notice(draft(f"Fault {number}", **begun), at=at)

    first, second = pages(wallet, Question("fault"))

    assert [len(first), len(second)] == [FOUND, 5]
    assert first + second == [f"Fault {number}" for number in range(FOUND + 5)]


def test_a_whole_page_and_no_more_has_no_next(wallet):
    for number in range(FOUND):
        wallet.notice(draft(f"Fault {number}", started_at=NOW - timedelta(hours=number)))

    assert [len(page) for page in pages(wallet, Question("fault"))] == [FOUND]


def test_a_damaged_update_costs_its_own_words_only(wallet):
    ctx = Context(wallet.db, KEYS, lambda: NOW)
    made = actions.declare(ctx, LI, draft("Alpha", "First"))
    with wallet.db.write() as conn:
        conn.execute(text("UPDATE notice_updates SET bodies = '{broken', facts = '7'"))

    actions.update(ctx, LI, made.public_id, draft("Alpha", "Second"))

    assert titles(wallet, "second") == ["Alpha"]
    assert titles(wallet, "first") == []


@pytest.mark.parametrize("columns", [{"visibility": "draft"}, {"published_at": None}, {"kind": "odd"}])
def test_a_notice_that_is_not_shown_takes_no_place_of_another(wallet, columns):
    for number in range(FOUND + 1):
        wallet.notice(draft(f"Hidden {number}"), **columns)
    wallet.notice(draft("Fault", started_at=NOW - timedelta(days=1)))

    assert pages(wallet, Question()) == [["Fault"]]


def test_a_search_reads_whole_only_what_it_shows_and_sorts_nothing_that_began(sqlite_database):
    wallet = Wallet(sqlite_database).page().component("login", watched=False)
    with wallet.db.write() as conn:
        _past.add_notices(conn, KEYS, ["login"], 300, NOW, timedelta(days=300))
    said = []
    event.listen(wallet.db._reader, "before_cursor_execute", lambda _c, _cursor, sql, given, *_: said.append((sql, given)))

    with wallet.db.read() as conn:
        public_pages.search(conn, Question("transfers"), "UTC")
        asked = [one for one in said if one[0].startswith("SELECT")]
        plans = [[row[3] for row in conn.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}", given)] for sql, given in asked[:2]]

    assert plans[0] == ["SEARCH notices USING INDEX ix_notices_started_at (started_at>?)"]
    assert plans[1][0] == "SEARCH notices USING INDEX ix_notices_started_at (started_at=?)"
    assert [len(given) for sql, given in asked if "FROM notice_updates" in sql] == [FOUND]

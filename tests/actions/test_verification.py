"""A log in which somebody changed, dropped or moved anything is found: at a glance at start, wholly by doctor."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import text

from statuspage import settings
from statuspage.actions import verification
from statuspage.actions.context import Context
from statuspage.worker import scheduler
from tests.builders import KEYS, NOW, draft, small_wallet


@pytest.fixture
def wallet(sqlite_database):
    made = small_wallet(sqlite_database)
    for number in range(5):
        made.notice(draft(f"Notice {number}", f"Text {number}"), at=NOW - timedelta(hours=9 - number))
    return made


@pytest.fixture
def ctx(wallet):
    return Context(wallet.db, KEYS, lambda: NOW)


TAMPERING = {
    "one letter of a payload": "UPDATE log SET payload = replace(payload, 'Notice 2', 'Notice 7') WHERE n = 3",
    "a payload and its hash": "UPDATE log SET payload = replace(payload, 'Notice 2', 'Notice 7'), hash = 'x' WHERE n = 3",
    "a row dropped": "DELETE FROM log WHERE n = 3",
    "the first row dropped": "DELETE FROM log WHERE n = 1",
    "two rows swapped": "UPDATE log SET n = CASE n WHEN 2 THEN -3 WHEN 3 THEN -2 END WHERE n IN (2, 3)",
    "the end cut off": "DELETE FROM log WHERE n = 5",
    "a signature": "UPDATE log SET signature = (SELECT signature FROM log WHERE n = 2) WHERE n = 3",
}


@pytest.mark.parametrize("how", TAMPERING)
@pytest.mark.parametrize("look", [verification.glance, verification.verify])
def test_tampering_is_found(wallet, ctx, tmp_path, how, look):
    verification.remember(ctx, tmp_path)
    head = verification.remembered(tmp_path)
    assert look(ctx, head=head).is_whole

    with wallet.db.write() as conn:
        conn.execute(text("PRAGMA defer_foreign_keys = ON"))
        conn.execute(text(TAMPERING[how]))
        conn.execute(text("UPDATE log SET n = -n WHERE n < 0"))

    assert not look(ctx, head=head).is_whole


@pytest.mark.parametrize("how", ["one letter of a payload", "a row dropped", "the first row dropped", "two rows swapped"])
def test_a_glance_finds_old_tampering_among_more_rows_than_it_verifies_signatures_of(wallet, ctx, how, monkeypatch):
    monkeypatch.setattr(verification, "_NEWEST", 1)
    with wallet.db.write() as conn:
        conn.execute(text(TAMPERING[how]))
        conn.execute(text("UPDATE log SET n = -n WHERE n < 0"))

    assert not verification.glance(ctx).is_whole


@pytest.mark.parametrize(
    "how",
    [
        "UPDATE notice_updates SET bodies = replace(bodies, 'Text 2', 'Text 7')",
        "UPDATE notice_updates SET facts = replace(facts, 'Notice 2', 'Notice 7')",
        "UPDATE notice_updates SET status = 'resolved' WHERE id = 3",
        "UPDATE notice_updates SET bodies = '{broken' WHERE id = 3",
        "UPDATE log_bodies SET body = 'Text 7' WHERE body = 'Text 2'",
    ],
)
def test_what_the_page_shows_is_compared_with_what_was_signed(wallet, ctx, how):
    with wallet.db.write() as conn:
        conn.execute(text(how))

    found = verification.verify(ctx)

    assert (found.broken_at, found.reason in {"shown", "body"}) == (3, True)


def test_a_withdrawn_text_is_no_fault(wallet, ctx):
    with wallet.db.write() as conn:
        conn.execute(text("UPDATE log_bodies SET withdrawn_at = 1 WHERE body = 'Text 2'"))
        conn.execute(text("UPDATE notice_updates SET bodies = '{}' WHERE id = 3"))

    assert verification.verify(ctx).is_whole


def test_the_start_looks_remembers_the_end_and_raises_an_alarm(wallet, ctx, tmp_path, caplog):
    found = settings.load({"STATUSPAGE_DATA": str(tmp_path)})
    scheduler._remember_log(ctx, found)
    assert verification.remembered(tmp_path)[0] == 5
    with wallet.db.write() as conn:
        conn.execute(text("DELETE FROM log WHERE n = 5"))

    scheduler._remember_log(ctx, found)
    scheduler._check_log(ctx, found)

    assert "broken at entry 5" in caplog.text
    assert verification.remembered(tmp_path)[0] == 5
    assert {"log", "log_head"} <= {job.name for job in scheduler.JOBS}

"""What readers report moves the pages of its symptom and nothing else, however much of it comes."""

from __future__ import annotations

import time
from datetime import timedelta

import pytest
from sqlalchemy import delete, insert

from statuspage.domain.reports import hour_of
from statuspage.publish import publisher as publisher_module
from statuspage.store.schema.reports import report_hours, report_signals
from tests.builders import NOW

SLOW = {f"{language}/check/slow.html" for language in ("en", "zh-Hans")}
START = {f"{language}/check.html" for language in ("en", "zh-Hans")}


@pytest.fixture
def touched(wallet, clock, publish, folder, monkeypatch):
    """Publish once more; the names of the pages (not their blind twins) that were written anew."""
    monkeypatch.setattr(publisher_module, "LIVE_S", 0)

    def run(**later):
        files = [path for path in (folder / "pages").rglob("*.html") if ".blind." not in path.name]
        before = {path: path.stat().st_mtime_ns for path in files}
        time.sleep(0.02)
        clock.forward(**later)
        wallet.beat(clock.at)
        publish()
        return {path.relative_to(folder / "pages").as_posix() for path, at in before.items() if path.stat().st_mtime_ns != at}

    return run


def rises(wallet, symptom):
    with wallet.db.write() as conn:
        conn.execute(insert(report_signals).values(symptom=symptom, since_at=NOW, count=24, usual=2, peak=24))


def test_a_rise_and_its_end_touch_the_page_of_the_symptom_and_the_list(wallet, publish, touched, read):
    publish()
    rises(wallet, "slow")

    assert touched(seconds=5) == SLOW | START
    assert "More readers than usual" in read("en/check/slow.html")
    assert touched(seconds=5) == set()

    with wallet.db.write() as conn:
        conn.execute(delete(report_signals))
    assert touched(seconds=5) == SLOW | START
    assert "More readers than usual" not in read("en/check/slow.html")


def test_a_new_hour_draws_the_trend_of_what_was_reported_and_a_day_later_takes_it_away(wallet, publish, touched, read):
    publish()
    with wallet.db.write() as conn:
        conn.execute(insert(report_hours).values(symptom="slow", hour=hour_of(NOW), count=24))

    assert touched(seconds=5) == set()
    assert touched(hours=1) >= SLOW
    assert "at most 24" in read("en/check/slow.html")

    touched(hours=24)
    assert "at most 24" not in read("en/check/slow.html")


def test_an_end_that_nobody_saw_is_made_good_after_a_restart(wallet, publish, publisher, read, clock):
    with wallet.db.write() as conn:
        conn.execute(insert(report_hours).values(symptom="slow", hour=hour_of(NOW), count=24))
    rises(wallet, "slow")
    publish()
    with wallet.db.write() as conn:
        conn.execute(delete(report_signals))
    clock.at += timedelta(seconds=5)
    wallet.beat(clock.at)
    publisher._hour, publisher._rising, publisher._manifest = None, frozenset(), None  # as a new process begins

    publish()

    assert "More readers than usual" not in read("en/check/slow.html")
    assert "Others report it too" not in read("en/check.html")

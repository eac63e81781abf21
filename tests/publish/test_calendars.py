"""Calendars, read back by an independent reader's rules: stable UIDs, rising SEQUENCE, CANCELLED instead of gone."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from icalendar import Calendar

from statuspage.publish import calendars, topics
from statuspage.publish.snapshot import Snapshot
from statuspage.store import public
from tests.builders import NOW, draft

WINDOW = {"scheduled_for": NOW + timedelta(days=1), "scheduled_until": NOW + timedelta(days=1, hours=2)}
PLANNED = {"kind": "maintenance", "status": "scheduled", "impact": "maintenance", **WINDOW}


def calendar_of(wallet, file="calendar.ics", topic=topics.EVERYTHING, language="en", now=NOW):
    with wallet.db.read() as conn:
        held = Snapshot(conn, public.load(conn, now))
        return calendars.calendar(held.view, topic, language, file, topics.notices(held, topic))


def events(body):
    """Events of a calendar that keeps to RFC 5545 as far as lines go: CRLF, folded at 75 octets."""
    lines = body.split(b"\r\n")
    assert lines[-1] == b""
    assert all(len(line) <= 75 and b"\n" not in line and b"\r" not in line for line in lines)
    return Calendar.from_ical(body).events


def test_maintenance_is_an_event_with_its_window_in_utc(wallet):
    public_id = wallet.notice(draft("Ledger upgrade", components={"transfers": "under_maintenance"}, **PLANNED))
    wallet.notice(draft("Transfers fail"))

    (event,) = events(calendar_of(wallet))

    assert event["UID"] == f"{public_id}@status.wallet.example"
    assert (event.start, event.end) == (WINDOW["scheduled_for"], WINDOW["scheduled_until"])
    assert event["DTSTART"].to_ical() == b"20261123T054200Z"
    assert (event["STATUS"], event["SEQUENCE"]) == ("CONFIRMED", 0)
    assert event["SUMMARY"] == "[Scheduled] Ledger upgrade"
    assert event["URL"] == f"https://status.wallet.example/en/incidents/{public_id}"
    assert "Transfers" in event["DESCRIPTION"]


def test_a_change_raises_the_sequence_and_what_is_called_off_stays_as_cancelled(wallet):
    public_id = wallet.notice(draft("Upgrade", **PLANNED), at=NOW - timedelta(hours=2))
    first = events(calendar_of(wallet))[0]
    later = {**PLANNED, "scheduled_for": NOW + timedelta(days=2), "scheduled_until": NOW + timedelta(days=2, hours=1)}
    wallet.add_update(public_id, draft("Upgrade", **later), at=NOW - timedelta(hours=1))
    moved = events(calendar_of(wallet))[0]
    wallet.add_update(public_id, draft("Upgrade", **{**later, "status": "cancelled"}), at=NOW)

    (off,) = events(calendar_of(wallet))

    assert first["UID"] == moved["UID"] == off["UID"]
    assert [one["SEQUENCE"] for one in (first, moved, off)] == [0, 1, 2]
    assert moved.start == NOW + timedelta(days=2)
    assert off["STATUS"] == "CANCELLED"


def test_other_notices_have_a_calendar_of_their_own_and_an_open_one_has_no_end(wallet):
    wallet.notice(draft("Over", status="resolved", started_at=NOW - timedelta(hours=5), resolved_at=NOW - timedelta(hours=4)))
    wallet.suspected(["login"])
    wallet.notice(draft("Upgrade", **PLANNED))

    over, suspected = events(calendar_of(wallet, "notices.ics"))

    assert over.end - over.start == timedelta(hours=1)
    assert "DTEND" not in suspected
    assert (over["STATUS"], suspected["STATUS"]) == ("CONFIRMED", "TENTATIVE")


def test_a_components_calendar_holds_its_own_windows_only(wallet):
    wallet.notice(draft("Ledger", components={"transfers": "under_maintenance"}, **PLANNED))
    wallet.notice(draft("Sign-in", components={"login": "under_maintenance"}, **PLANNED))

    found = events(calendar_of(wallet, topic=topics.Topic("/components/login", "login"), language="zh-Hans"))

    assert [event["SUMMARY"] for event in found] == ["【已计划】Sign-in"]


def test_the_same_facts_give_the_same_bytes_at_any_time(wallet):
    wallet.notice(draft("Upgrade", **PLANNED))

    assert calendar_of(wallet) == calendar_of(wallet, now=NOW + timedelta(days=3))


@pytest.mark.parametrize("resolved_in_s", [0, -60])
def test_an_end_that_is_not_after_the_start_is_left_out(wallet, resolved_in_s):
    wallet.notice(draft("Odd", status="resolved", resolved_at=NOW + timedelta(seconds=resolved_in_s)))

    (event,) = events(calendar_of(wallet, "notices.ics"))

    assert "DTEND" not in event


@given(title=st.text(st.characters(codec=None), max_size=80), body=st.text(st.characters(codec=None), max_size=80))
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_any_text_gives_a_calendar_that_parses_and_no_line_of_its_own(wallet, title, body):
    with wallet.db.read() as conn:
        view = public.load(conn, NOW)
    if not view.notices:
        wallet.notice(draft("placeholder", **PLANNED))
        with wallet.db.read() as conn:
            view = public.load(conn, NOW)
    notice = view.notices[0]
    update = replace(notice.updates[0], bodies={"en": body}, facts=replace(notice.facts, titles={"en": title}))

    found = events(calendars.of_notice(view, replace(notice, updates=(update,)), "en"))

    assert [event["UID"] for event in found] == [f"{notice.public_id}@status.wallet.example"]
    assert {name for event in found for name in event} == {
        "UID", "DTSTAMP", "CREATED", "LAST-MODIFIED", "SEQUENCE", "DTSTART", "DTEND", "SUMMARY", "DESCRIPTION", "URL", "STATUS",
        "TRANSP", "CATEGORIES",
    }  # fmt: skip


def test_a_line_break_in_a_title_cannot_become_a_property(wallet):
    wallet.notice(draft("Upgrade\r\nATTENDEE:mailto:a@evil.example", **PLANNED))

    (event,) = events(calendar_of(wallet))

    assert "ATTENDEE" not in event
    assert "ATTENDEE" in event["SUMMARY"]

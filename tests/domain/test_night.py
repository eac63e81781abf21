"""When a phone may ring."""

from datetime import UTC, datetime, time
from zoneinfo import ZoneInfo

import pytest

from statuspage.domain import night
from statuspage.domain.night import Night


def said(event="declared", impact="critical", kind="incident", funds="unknown_checking", changes=None):
    facts = {"kind": kind, "impact": impact, "funds_safety": funds}
    return {"event": event, "facts": facts, "changes": changes or {}}


def at(text):
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(("payload", "urgent"), [
    (said(), True),
    (said(impact="major"), True),
    (said("confirmed"), True),
    (said(impact="minor"), False),
    (said(kind="maintenance", impact="maintenance"), False),
    (said(kind="advisory", impact="none"), False),
    (said("resolved"), False),
    (said("reminder", kind="maintenance"), False),
    (said(kind="security", impact="none"), True),
    (said("resolved", kind="security"), False),
    (said("updated"), False),
    (said("updated", changes={"transfers": ["partial_outage", "major_outage"]}), True),
    (said("updated", changes={"transfers": ["major_outage", "partial_outage"]}), False),
    (said("updated", impact="minor", changes={"transfers": ["operational", "degraded"]}), False),
    (said("updated", impact="minor", funds="at_risk_act_now"), True),
    (said(kind="advisory", impact="none", funds="loss_confirmed"), False),
])  # fmt: skip
def test_only_what_cannot_wait_is_urgent(payload, urgent):
    assert night.is_urgent(payload) is urgent


@pytest.mark.parametrize(("utc", "zone", "expected"), [
    ("2026-03-01T12:00", "Asia/Shanghai", None),
    ("2026-03-01T13:59", "Asia/Shanghai", None),
    ("2026-03-01T14:00", "Asia/Shanghai", "2026-03-02T00:00"),
    ("2026-03-01T23:59", "Asia/Shanghai", "2026-03-02T00:00"),
    ("2026-03-02T00:00", "Asia/Shanghai", None),
    ("2026-03-28T23:00", "Europe/London", "2026-03-29T07:00"),  # the clocks change in that night
])  # fmt: skip
def test_a_night_is_the_readers_own(utc, zone, expected):
    until = night.quiet_until(at(utc), ZoneInfo(zone), Night(), "", is_urgent=False)

    assert until == (expected and at(expected))


@pytest.mark.parametrize(("begins", "ends", "utc", "expected"), [
    (time(0), time(6), "2026-03-01T03:00", "2026-03-01T06:00"),
    (time(0), time(6), "2026-03-01T06:00", None),
    (time(22), time(22), "2026-03-01T23:00", None),
    (time(23, 30), time(7, 15), "2026-03-01T23:29", None),
    (time(23, 30), time(7, 15), "2026-03-01T23:30", "2026-03-02T07:15"),
])  # fmt: skip
def test_a_night_may_be_short_or_none(begins, ends, utc, expected):
    until = night.quiet_until(at(utc), ZoneInfo("UTC"), Night(begins, ends), "", is_urgent=False)

    assert until == (expected and at(expected))


@pytest.mark.parametrize(("wakes", "choice", "urgent", "rings"), [
    (True, "", True, True), (True, "", False, False), (False, "", True, False), (False, "urgent", True, True),
    (False, "urgent", False, False), (True, "none", True, False), (False, "all", False, True),
])  # fmt: skip
def test_the_reader_decides_and_else_the_operator(wakes, choice, urgent, rings):
    until = night.quiet_until(at("2026-03-01T23:00"), ZoneInfo("UTC"), Night(wakes=wakes), choice, is_urgent=urgent)

    assert (until is None) is rings


def test_what_was_configured_is_read_and_the_rest_stands_by_itself():
    assert Night.read(None) == Night()
    assert Night.read({"from": "23:30", "until": "06:00", "wake": False}) == Night(time(23, 30), time(6), wakes=False)


@pytest.mark.parametrize(("person", "page", "zone"), [
    ("Asia/Tokyo", "Asia/Shanghai", "Asia/Tokyo"), ("UTC", "Asia/Shanghai", "Asia/Shanghai"),
    ("", "Asia/Shanghai", "Asia/Shanghai"),
    ("Nowhere/None", "nonsense", "UTC"), ("../etc", "UTC", "UTC"),
])  # fmt: skip
def test_a_zone_that_nobody_named_is_the_pages(person, page, zone):
    assert night.zone_of(person, page) == ZoneInfo(zone)

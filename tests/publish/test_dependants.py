"""One change renders what depends on it and nothing else: counted, path by path."""

from __future__ import annotations

from datetime import timedelta

import pytest

from statuspage.publish import publisher as publisher_module
from tests.builders import NOW, draft

LANGUAGES = ("en", "zh-Hans")
FEEDS = {"history.rss", "history.atom", "feed.json", "notices.rss", "notices.atom", "notices.json"}


@pytest.fixture
def rendered(publish, monkeypatch):
    """Publish all there is; then `rendered()` gives the paths that the next cycles ask the site for."""
    publish()
    asked = []
    call = publisher_module.call
    monkeypatch.setattr(publisher_module, "call", lambda site, path: asked.append(path) or call(site, path))

    def found():
        asked.clear()
        publish()
        return set(asked)

    return found


def feeds_in(paths):
    found = {path for path in paths if path.rsplit("/", 1)[-1] in FEEDS or path.endswith(".ics")}
    return found - {"/app/notices.json"}


def below(*prefixes, files=FEEDS):
    return {f"/{language}{prefix}/{file}" for language in LANGUAGES for prefix in prefixes for file in files}


def test_a_notice_touches_the_feeds_of_its_kind_and_components_and_no_other(wallet, rendered):
    public_id = wallet.notice(draft("Sign-in fails", components={"login": "major_outage"}))

    expected = below("", "/kinds/incident", "/components/login")
    calendars = below("", "/components/login", files={"notices.ics"}) | below(f"/incidents/{public_id}", files={"calendar.ics"})
    assert feeds_in(rendered()) == expected | calendars


def test_a_components_status_touches_no_feed(wallet, rendered):
    wallet.status("login", "degraded")

    assert feeds_in(rendered()) == set()


def test_a_components_status_touches_its_badges_and_the_pages_as_far_as_somebody_has_asked_for_them(wallet, publisher, rendered):
    asked = ["/badge/login/status.svg", "/en/badge/_/shields.json", "/badge/transfers/status.svg", "/badge/login/uptime.svg"]
    for path in asked:
        publisher.want(path)
    rendered()
    wallet.status("login", "degraded")

    badges = {path for path in rendered() if "/badge/" in path}
    assert badges == {"/badge/login/status.svg", "/en/badge/_/shields.json"}


def test_every_change_of_the_present_touches_banner_and_in_app_notices(wallet, rendered):
    wallet.status("login", "degraded")

    assert {"/en/embed", "/zh-Hans/embed", "/app/notices.json", "/app/notices-all.json"} <= rendered()


def test_a_new_day_touches_uptime_badges_and_a_new_hour_those_of_response_times(wallet, publisher, publish, rendered, clock):
    for path in ("/badge/login/uptime.svg", "/badge/login/response.svg", "/badge/login/status.svg"):
        publisher.want(path)
    rendered()

    clock.forward(hours=1)
    publisher._as_of = publisher._lived = float("-inf")
    assert {path for path in rendered() if "/badge/" in path} == {"/badge/login/response.svg"}

    clock.forward(days=1)
    publisher._as_of = publisher._lived = float("-inf")
    assert {path for path in rendered() if "/badge/" in path} == {"/badge/login/response.svg", "/badge/login/uptime.svg"}


def test_maintenance_touches_the_calendar_of_maintenance_only(wallet, rendered):
    planned = {"scheduled_for": NOW + timedelta(days=1), "scheduled_until": NOW + timedelta(days=1, hours=1)}
    wallet.notice(draft("Upgrade", kind="maintenance", status="scheduled", impact="maintenance", **planned))

    found = rendered()

    assert "/en/calendar.ics" in found
    assert "/en/notices.ics" not in found


def test_a_feed_on_disk_goes_when_its_component_does_and_when_a_notice_is_withdrawn_it_is_made_anew(
    wallet, publish, publisher, rendered, read, folder
):
    public_id = wallet.notice(draft("Sign-in fails", components={"login": "major_outage"}))
    publish()
    assert "Sign-in fails" in read("en/components/login/history.atom")

    with wallet.db.write() as conn:
        conn.exec_driver_sql("UPDATE notices SET visibility = 'draft'")
        wallet._changed(conn, notices=[public_id])
    publish()

    assert "Sign-in fails" not in read("en/components/login/history.atom")
    assert not (folder / f"pages/en/incidents/{public_id}/calendar.ics").exists()

    with wallet.db.write() as conn:
        conn.exec_driver_sql("UPDATE components SET archived_at = 1 WHERE id = 'login'")
        wallet._changed(conn, page=True)
    publish()

    assert not (folder / "pages/en/components/login/history.atom").exists()
    assert not (folder / "pages/en/components/login.html").exists()


def test_a_feed_that_somebody_asked_for_becomes_a_file_and_is_kept_up_to_date(wallet, publish, publisher, rendered, read):
    publisher.want("/en/components/transfers/history.atom")
    publish()
    assert "<entry>" not in read("en/components/transfers/history.atom")

    wallet.notice(draft("Transfers fail", components={"transfers": "major_outage"}))
    publish()

    assert "Transfers fail" in read("en/components/transfers/history.atom")

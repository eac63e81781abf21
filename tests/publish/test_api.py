"""Statuspage's public JSON: its shape, field order and words; our own only in x_wallet."""

from __future__ import annotations

from datetime import timedelta

from statuspage.publish import api
from statuspage.store import public
from tests.builders import NOW, draft

COMPONENT = ["id", "name", "status", "created_at", "updated_at", "position", "description", "showcase", "start_date", "group_id",
             "page_id", "group", "only_show_if_degraded"]  # fmt: skip
INCIDENT = ["id", "name", "status", "created_at", "updated_at", "monitoring_at", "resolved_at", "impact", "shortlink",
            "started_at", "page_id", "incident_updates", "components"]  # fmt: skip
UPDATE = ["id", "status", "body", "incident_id", "created_at", "updated_at", "display_at", "affected_components",
          "deliver_notifications", "custom_tweet", "tweet_id"]  # fmt: skip


def view_of(wallet):
    with wallet.db.read() as conn:
        return public.load(conn, NOW)


def test_the_summary_has_statuspages_keys_in_its_order(wallet):
    wallet.scenario("transfers-failing", steps=2, began_at=NOW - timedelta(minutes=30))
    wallet.scenario("core-upgrade", steps=1, began_at=NOW + timedelta(days=2))

    found = api.summary(view_of(wallet))

    assert list(found) == ["page", "components", "incidents", "scheduled_maintenances", "status", "x_wallet"]
    assert list(found["page"]) == ["id", "name", "url", "time_zone", "updated_at"]
    group, component = found["components"][0], found["components"][1]
    assert list(component) == [*COMPONENT, "x_wallet"]
    assert list(group) == [*COMPONENT, "components", "x_wallet"]
    assert list(found["incidents"][0]) == [*INCIDENT, "x_wallet"]
    assert list(found["incidents"][0]["incident_updates"][0]) == [*UPDATE, "x_wallet"]
    assert list(found["scheduled_maintenances"][0]) == [*INCIDENT, "scheduled_for", "scheduled_until", "x_wallet"]


def test_a_group_stands_before_its_components_and_has_the_worst_of_their_statuses(wallet):
    wallet.status("balances", "partial_outage")

    found = api.components(view_of(wallet))

    groups = [one for one in found if one["group"]]
    assert [one["status"] for one in groups] == ["partial_outage", "operational"]
    assert groups[0]["components"] == [one["id"] for one in found[1:4]]
    assert {one["group_id"] for one in found[1:4]} == {groups[0]["id"]}


def test_times_are_utc_with_milliseconds_and_ids_twelve_letters_and_digits(wallet):
    wallet.notice(draft())

    found = api.incident(view_of(wallet), view_of(wallet).notices[0])

    assert found["created_at"] == "2026-11-22T05:42:00.000Z"
    assert len(found["id"]) == 12
    assert found["id"].isalnum()


def test_updates_are_newest_first_and_name_group_and_component(wallet):
    wallet.scenario("transfers-failing", steps=3, began_at=NOW - timedelta(minutes=60))

    found = api.summary(view_of(wallet))["incidents"][0]

    assert [one["status"] for one in found["incident_updates"]] == ["monitoring", "identified", "investigating"]
    assert found["monitoring_at"] == found["incident_updates"][0]["display_at"]
    affected = found["incident_updates"][0]["affected_components"][0]
    assert affected["name"] == "资金收付 - 转账"
    assert affected["new_status"] == "partial_outage"


def test_unknown_never_counts_as_working_and_our_word_is_kept(wallet):
    wallet.status("login", "unknown")

    found = api.summary(view_of(wallet))

    login = next(one for one in found["components"] if one["x_wallet"]["id"] == "login")
    assert (login["status"], login["x_wallet"]["status"]) == ("degraded_performance", "unknown")
    assert found["status"] == {"indicator": "minor", "description": "Status Unknown"}


def test_what_only_a_machine_says_is_investigating_and_marked(wallet):
    wallet.suspected(["transfers"])
    wallet.status("transfers", "major_outage")

    found = api.summary(view_of(wallet))

    assert found["incidents"][0]["status"] == "investigating"
    assert found["incidents"][0]["x_wallet"]["suspected"] is True
    assert found["incidents"][0]["x_wallet"]["funds"]["state"] == "unknown_checking"
    assert found["incidents"][0]["x_wallet"]["eta"] == {"at": None, "confidence": "none"}
    assert found["x_wallet"]["verdict"] == "suspected"


def test_resolved_ones_leave_the_summary_and_stay_in_incidents(wallet):
    wallet.scenario("tron-node-behind", began_at=NOW - timedelta(days=1))

    view = view_of(wallet)

    assert api.summary(view)["incidents"] == []
    found = api.DOCUMENTS["incidents"](view)["incidents"][0]
    assert found["status"] == "resolved"
    assert found["resolved_at"] is not None


def test_maintenance_is_a_world_of_its_own(wallet):
    wallet.scenario("core-upgrade", steps=1, began_at=NOW + timedelta(days=2))
    wallet.scenario("core-upgrade", steps=2, began_at=NOW - timedelta(minutes=30))

    view = view_of(wallet)

    assert api.DOCUMENTS["incidents"](view)["incidents"] == []
    assert len(api.DOCUMENTS["scheduled-maintenances"](view)["scheduled_maintenances"]) == 2
    upcoming = api.DOCUMENTS["scheduled-maintenances/upcoming"](view)["scheduled_maintenances"]
    active = api.DOCUMENTS["scheduled-maintenances/active"](view)["scheduled_maintenances"]
    assert [one["status"] for one in (*upcoming, *active)] == ["scheduled", "in_progress"]
    assert {one["impact"] for one in (*upcoming, *active)} == {"maintenance"}
    assert upcoming[0]["started_at"] == upcoming[0]["created_at"]


def test_a_maintenance_that_waits_for_a_block_names_it_and_everything_else_does_not(wallet):
    begins_at = NOW + timedelta(days=2)
    planned = {"kind": "maintenance", "status": "scheduled", "impact": "maintenance", "scheduled_for": begins_at}
    wallet.notice(draft(**planned, at_block=25_000_000, at_network="ethereum"))
    wallet.notice(draft(**planned))
    wallet.notice(draft())
    view = view_of(wallet)

    found = [api.incident(view, notice) for notice in view.notices]

    block = {"network": "ethereum", "height": 25_000_000, "estimated_at": "2026-11-24T05:42:00.000Z"}
    assert sorted((str(one["x_wallet"]["at_block"]) for one in found), key=len) == ["None", "None", str(block)]
    [waiting] = [one for one in found if one["x_wallet"]["at_block"]]
    assert waiting["scheduled_for"] == block["estimated_at"]
    assert list(waiting) == [*INCIDENT, "scheduled_for", "scheduled_until", "x_wallet"]


def test_incidents_and_maintenances_hold_fifty_each(wallet):
    for number in range(55):
        wallet.notice(draft(f"Notice {number}"), at=NOW - timedelta(hours=number))
        wallet.notice(
            draft(kind="maintenance", status="completed", impact="maintenance", scheduled_for=NOW, resolved_at=NOW),
            at=NOW - timedelta(hours=number),
        )

    view = view_of(wallet)

    assert [one["name"] for one in api.DOCUMENTS["incidents"](view)["incidents"]] == [f"Notice {number}" for number in range(50)]
    assert len(api.DOCUMENTS["scheduled-maintenances"](view)["scheduled_maintenances"]) == 50


def test_an_advisory_is_an_incident_in_statuspages_words(wallet):
    wallet.scenario("btc-congestion", steps=1, began_at=NOW - timedelta(minutes=5))

    found = api.summary(view_of(wallet))["incidents"][0]

    assert found["status"] == "identified"
    assert found["x_wallet"]["kind"] == "advisory"
    assert found["x_wallet"]["status"] == "active"


def test_the_signature_of_the_newest_update_is_named(wallet):
    wallet.scenario("transfers-failing", steps=2, began_at=NOW - timedelta(minutes=30))

    found = api.summary(view_of(wallet))["incidents"][0]["x_wallet"]["signature"]

    assert found["n"] == 2
    assert found["path"] == "/log/2"


def test_updated_at_moves_with_every_public_change(wallet):
    before = api.page(view_of(wallet))["updated_at"]
    wallet.now += timedelta(minutes=1)
    wallet.status("login", "degraded")

    assert api.page(view_of(wallet))["updated_at"] > before

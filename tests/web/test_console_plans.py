"""Advisories, drafts, security notices, maintenance windows and "run now" from the console, over real HTTP."""

import pytest
from console_desk import Desk, count, open_notices, send, written
from sqlalchemy import select, update

from statuspage.store import notices
from statuspage.store.operators import audit as audit_rows
from statuspage.store.schema.people import approvals
from statuspage.store.schema.runtime import run_requests


@pytest.fixture
def desk(sqlite_database, free_port):
    found = Desk(sqlite_database, free_port())
    found.hire("lin", "responder")
    yield found
    found.close()


@pytest.fixture
def lin(desk):
    return desk.signed_in("lin")


def test_an_advisory_is_an_announcement_without_an_outage(desk, lin):
    page = lin.get("/declare?kind=advisory")
    fields = lin.fields(page).with_(
        titles__en="New app release",
        titles__zh_Hans="新版应用",
        bodies__en="Please update.",
        bodies__zh_Hans="请更新。",
    )

    send(lin, "/declare", fields)
    (found,) = open_notices(desk)

    assert found.kind == "advisory"
    assert found.status == "active"
    assert found.impact == "none"


def test_a_draft_is_nobody_s_business_until_it_is_published(desk, lin):
    saved = send(lin, "/declare", written(lin.get("/declare"), lin, component="transfers"), do="draft")
    (found,) = open_notices(desk)
    lin.get(f"/notices/{found.public_id}")
    lin.post(f"/notices/{found.public_id}/publish")

    assert "said=saved" in saved.url
    assert found.visibility == "draft"
    assert open_notices(desk)[0].visibility == "public"


def test_a_security_notice_needs_a_second_person(desk, lin):
    desk.hire("wei", "responder")
    page = lin.get("/declare?kind=security")
    send(lin, "/declare", written(page, lin))
    (found,) = open_notices(desk)
    lin.get(f"/notices/{found.public_id}")
    alone = lin.post(f"/notices/{found.public_id}/approve")
    still = open_notices(desk)[0].visibility
    wei = desk.signed_in("wei")
    wei.get(f"/notices/{found.public_id}")
    wei.post(f"/notices/{found.public_id}/approve")

    assert found.visibility == "draft"
    assert alone.status_code == 403
    assert still == "draft"
    assert open_notices(desk)[0].visibility == "public"


def test_who_wrote_the_last_words_of_a_security_notice_does_not_approve_them(desk, lin):
    desk.hire("wei", "responder")
    send(lin, "/declare", written(lin.get("/declare?kind=security"), lin))
    (found,) = open_notices(desk)
    wei = desk.signed_in("wei")
    path = f"/notices/{found.public_id}"
    edited = wei.fields(wei.get(f"{path}/update")).with_(bodies__en="Wei's own words.", bodies__zh_Hans="另写的内容。")
    send(wei, f"{path}/update", edited)
    wei.get(path)

    refused = wei.post(f"{path}/approve")

    assert refused.status_code == 403
    assert open_notices(desk)[0].visibility == "draft"


def test_broken_glass_publishes_and_is_kept(desk, lin):
    send(lin, "/declare", written(lin.get("/declare?kind=security"), lin))
    (found,) = open_notices(desk)
    lin.get(f"/notices/{found.public_id}")
    lin.post(f"/notices/{found.public_id}/approve", reason="Nobody else answers the phone")
    with desk.ctx.db.read() as connection:
        row = connection.execute(select(approvals)).one()
        (audited,) = [one for one in audit_rows(connection) if one.action == "notice.approve"]

    assert open_notices(desk)[0].visibility == "public"
    assert (row.decided_by, row.break_glass) == ("lin", "Nobody else answers the phone")
    assert audited.details == {"break_glass": "Nobody else answers the phone"}
    assert "Nobody else answers the phone" in lin.get(f"/notices/{found.public_id}").text


def _window(lin, **more):
    return lin.fields(lin.get("/maintenance/new")).with_(
        component="payments", titles__en="Ledger upgrade", titles__zh_Hans="账务升级",
        bodies__en="Payments pause from {start} to {end}.", bodies__zh_Hans="{start}至{end}暂停支付。", **more,
    )  # fmt: skip


def test_a_window_is_announced_in_the_page_s_own_zone(desk, lin):
    send(lin, "/maintenance/new", _window(lin, scheduled_for="2026-11-24T02:00", scheduled_until="2026-11-24T04:00"))
    (found,) = open_notices(desk)
    with desk.ctx.db.read() as connection:
        said = notices.last_update(connection, found.id)

    assert found.kind == "maintenance"
    assert found.scheduled_for.isoformat() == "2026-11-23T18:00:00+00:00"
    assert found.remind_before_s == (86400, 3600)
    assert said.bodies["en"] == "Payments pause from 02:00 to 04:00."


def test_windows_that_overlap_are_shown_before_the_second_is_announced(desk, lin):
    times = {"scheduled_for": "2026-11-24T02:00", "scheduled_until": "2026-11-24T04:00"}
    send(lin, "/maintenance/new", _window(lin, **times))
    warned = send(lin, "/maintenance/new", _window(lin, **times))
    between = count(desk)
    send(lin, "/maintenance/new", lin.fields(warned).with_(overlap="on"))

    assert warned.status_code == 409
    assert "Ledger upgrade" in warned.text
    assert between == 1
    assert count(desk) == 2


def test_a_window_is_started_extended_and_completed_by_hand(desk, lin):
    send(lin, "/maintenance/new", _window(lin, scheduled_for="2026-11-22T14:00", scheduled_until="2026-11-22T15:00"))
    (found,) = open_notices(desk)
    seen = []
    for step in ("in_progress", "extend", "completed"):
        version = lin.get(f"/notices/{found.public_id}") and open_notices(desk)[0].version
        lin.post(f"/notices/{found.public_id}/window", do=step, minutes="60", version=version, notify="on")
        with desk.ctx.db.read() as connection:
            now = notices.by_public_id(connection, found.public_id)
        seen.append((now.status, now.scheduled_until.isoformat()))

    assert seen == [
        ("in_progress", "2026-11-22T07:00:00+00:00"),
        ("in_progress", "2026-11-22T08:00:00+00:00"),
        ("completed", "2026-11-22T08:00:00+00:00"),
    ]


def test_run_now_leaves_a_request_for_the_worker_and_shows_its_answer(desk, lin):
    lin.get("/monitors/transfers-api")
    waiting = lin.post("/monitors/transfers-api/run")
    lin.post("/monitors/transfers-api/run")
    with desk.ctx.db.write() as connection:
        asked = connection.execute(select(run_requests)).all()
        result = {"outcome": "down", "message": "connection refused", "duration_ms": 3.2}
        connection.execute(update(run_requests).values(done_at=desk.clock.at, result=result))
    shown = lin.get("/monitors/transfers-api")

    assert 'http-equiv="refresh"' in waiting.text
    assert len(asked) == 1
    assert "connection refused" in shown.text
    assert 'http-equiv="refresh"' not in shown.text


def test_what_people_type_is_never_markup(desk, lin):
    nasty = '"><script>alert(1)</script><img src=x onerror=alert(1)>'
    fields = written(
        lin.get("/declare"), lin, component="transfers", titles__en=nasty, bodies__en=nasty, scope__en=nasty
    )
    send(lin, "/declare", fields)
    public_id = open_notices(desk)[0].public_id

    for path in (
        "/",
        "/notices",
        f"/notices/{public_id}",
        f"/notices/{public_id}/update",
        "/notices?q=%22%3E%3Cscript%3E",
    ):
        page = lin.get(path).text

        assert "<script>alert" not in page
        assert "<img" not in page

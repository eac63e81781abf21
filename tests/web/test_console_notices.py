"""Declaring, confirming, updating and closing from the console, over real HTTP and as a browser without script does it."""

import threading

import pytest
from console_desk import WORDS, Desk, count, open_notices, send, written
from sqlalchemy import text

from statuspage.actions import notices as notice_actions
from statuspage.actions.context import Actor
from statuspage.store import notices
from statuspage.store.schema.notices import notice_updates


@pytest.fixture
def desk(sqlite_database, free_port):
    found = Desk(sqlite_database, free_port())
    found.hire("lin", "responder")
    yield found
    found.close()


@pytest.fixture
def lin(desk):
    return desk.signed_in("lin")


def test_declaring_from_nothing_takes_what_fails_words_and_one_press(desk, lin):
    page = lin.get("/declare")

    answer = send(lin, "/declare", written(page, lin, component="transfers", severity="major_outage"))
    found = open_notices(desk)[0]

    assert answer.url.endswith(f"/notices/{found.public_id}?said=published")
    assert found.facts.components == {"transfers": "major_outage"}
    assert found.confirmed_at
    assert found.facts.funds_safety == "unknown_checking"
    assert found.facts.eta_at is None
    assert (found.next_update_by - desk.clock.at).total_seconds() == 1800


def test_times_in_the_text_are_those_that_were_chosen(desk, lin):
    page = lin.get("/declare")
    send(lin, "/declare", written(page, lin, component="transfers", next="15"))
    with desk.ctx.db.read() as connection:
        said = notices.last_update(connection, open_notices(desk)[0].id)

    promised = said.facts.next_update_by.astimezone(__import__("zoneinfo").ZoneInfo("Asia/Shanghai")).strftime("%H:%M")

    assert f"Next update by {promised}." in said.bodies["en"]
    assert f"不晚于{promised}更新" in said.bodies["zh-Hans"]


def test_a_placeholder_that_nobody_filled_is_not_published(desk, lin):
    page = lin.get("/declare")

    answer = send(
        lin, "/declare", written(page, lin, component="transfers", bodies__en="About {count} transfers fail by {eta}.")
    )

    assert answer.status_code == 400
    assert open_notices(desk) == []
    assert "About {count} transfers fail by {eta}." in answer.text


def test_a_failing_monitor_fills_the_form_and_never_says_that_money_is_safe(desk, lin):
    desk.probe.sees("down", "transfers-api", times=3)
    page = lin.get("/declare?monitor=transfers-api")
    fields = lin.fields(page)

    assert ("component", "transfers") in fields
    assert fields.get("severity") == "major_outage"
    assert fields.get("funds") == "unknown_checking"
    assert fields.get("eta") == "none"
    assert fields.get("started_at") == "2026-11-22T13:01"
    assert fields.get("titles.en") == "Some transfers are failing"
    assert fields.get("titles.zh-Hans") == "部分转账失败"
    assert "HTTP 503" in page.text


def test_confirming_what_machines_opened_is_the_same_notice(desk, lin):
    desk.probe.sees("down", "transfers-api", times=3)
    suspected = open_notices(desk)[0]
    first_screen = lin.get("/").text
    page = lin.get(f"/notices/{suspected.public_id}/update")

    send(lin, f"/notices/{suspected.public_id}/update", lin.fields(page))
    (confirmed,) = open_notices(desk)

    assert f"/notices/{suspected.public_id}/update" in first_screen
    assert suspected.confirmed_at is None
    assert confirmed.public_id == suspected.public_id
    assert confirmed.confirmed_at
    assert confirmed.facts.titles["en"] == "Some transfers are failing"
    assert confirmed.facts.funds_safety == "unknown_checking"


def test_a_false_alarm_is_closed_in_words_that_say_so(desk, lin):
    desk.probe.sees("down", "transfers-api", times=3)
    (suspected,) = open_notices(desk)
    path = f"/notices/{suspected.public_id}/update"

    send(lin, path, lin.fields(lin.get(f"{path}?to=resolved")))
    with desk.ctx.db.read() as connection:
        said = notices.last_update(connection, suspected.id)

    assert said.status == "resolved"
    assert "false alarm" in said.bodies["en"]
    assert "误报" in said.bodies["zh-Hans"]


def test_the_same_form_sent_twice_is_one_notice(desk, lin):
    fields = written(lin.get("/declare"), lin, component="transfers")
    first = send(lin, "/declare", fields)
    desk.clock.pass_(seconds=2)

    second = send(lin, "/declare", fields)

    assert first.url == second.url
    assert count(desk) == 1


def test_the_same_form_sent_at_once_by_an_impatient_thumb_is_one_notice(desk, lin):
    fields = written(lin.get("/declare"), lin, component="transfers")
    ends = []
    threads = [threading.Thread(target=lambda: ends.append(send(lin, "/declare", fields).url)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(ends) == 4
    assert len(set(ends)) == 1
    assert count(desk) == 1


def test_a_form_sent_again_with_other_words_is_not_swallowed(desk, lin):
    fields = written(lin.get("/declare"), lin, component="transfers")
    send(lin, "/declare", fields)

    answer = send(lin, "/declare", fields.with_(bodies__en="Every transfer fails."))

    assert answer.status_code == 409
    assert "Every transfer fails." in answer.text
    assert count(desk) == 1


def test_looking_publishes_nothing_and_counts_segments_and_people(desk, lin):
    answer = send(lin, "/declare", written(lin.get("/declare"), lin, component="transfers"), do="preview")

    assert answer.status_code == 200
    assert count(desk) == 0
    assert "/ 160" in answer.text
    assert "【演示钱包】" in answer.text
    assert "page and feeds" in answer.text


def test_the_live_preview_answers_with_the_same_texts(desk, lin):
    fields = written(lin.get("/declare"), lin, component="transfers")

    answer = send(lin, "/preview", fields.with_(bodies__en="Please be patient, funds are safe."), do="").json()

    assert {one["language"] for one in answer["texts"]} == {"en", "zh-Hans"}
    assert {one["quote"] for one in answer["findings"]} >= {"Please be patient", "funds are safe"}
    assert count(desk) == 0


def test_enter_in_a_text_field_only_looks(lin):
    page = lin.get("/declare").text

    first_button = page[page.index('class="notice-form"') :].split("<button", 1)[1].split(">", 1)[0]

    assert 'value="preview"' in first_button


def test_a_database_locked_by_somebody_else_refuses_visibly_and_keeps_every_word(desk, lin):
    fields = written(
        lin.get("/declare"), lin, component="transfers", scope__en="one in five", advice_do__en="Wait.\nAsk us."
    )
    with desk.ctx.db._writer.connect() as other, other.begin():
        other.execute(text("UPDATE meta SET name = name"))
        answer = send(lin, "/declare", fields)
    nothing = count(desk)
    again = send(lin, "/declare", [*_kept_fields(lin, answer)])

    assert answer.status_code == 503
    assert nothing == 0
    assert WORDS["bodies.zh-Hans"] in answer.text
    assert answer.elapsed.total_seconds() < 6
    assert again.status_code == 200
    (found,) = open_notices(desk)
    assert found.facts.advice_do["en"] == ["Wait.", "Ask us."]
    assert found.facts.scope["en"] == "one in five"


def _kept_fields(browser, answer):
    """The refused page's form is an ordinary one."""
    answer._content = answer.text.replace('class="stack card"', 'class="notice-form"').encode()
    return browser.fields(answer)


def test_a_colleague_who_was_faster_is_shown_and_nothing_is_lost(desk, lin):
    send(lin, "/declare", written(lin.get("/declare"), lin, component="transfers"))
    (found,) = open_notices(desk)
    path = f"/notices/{found.public_id}/update"
    mine = lin.fields(lin.get(path)).with_(status="identified", bodies__en="My words.", bodies__zh_Hans="我的话。")
    theirs = {"en": "Their words.", "zh-Hans": "他们的话。"}
    draft = notice_actions.Draft(found.facts, theirs)
    notice_actions.update(desk.ctx, Actor("wei", "responder"), found.public_id, draft, expected_version=1)

    refused = send(lin, path, mine)
    version_before = open_notices(desk)[0].version
    accepted = send(lin, path, lin.fields(refused))

    assert refused.status_code == 409
    assert "Their words." in refused.text
    assert "My words." in refused.text
    assert version_before == 2
    assert accepted.status_code == 200
    assert open_notices(desk)[0].version == 3


def test_an_update_sent_twice_is_one_update(desk, lin):
    send(lin, "/declare", written(lin.get("/declare"), lin, component="transfers"))
    (found,) = open_notices(desk)
    path = f"/notices/{found.public_id}/update"
    fields = lin.fields(lin.get(path)).with_(bodies__en="We found it.", bodies__zh_Hans="已找到原因。")
    send(lin, path, fields)
    desk.clock.pass_(seconds=3)

    again = send(lin, path, fields)

    assert again.url.endswith("said=updated")
    assert count(desk, notice_updates) == 2


def test_resolving_lets_the_components_go(desk, lin):
    send(lin, "/declare", written(lin.get("/declare"), lin, component="transfers"))
    (found,) = open_notices(desk)
    path = f"/notices/{found.public_id}/update"
    page = lin.get(f"{path}?to=resolved")
    fields = lin.fields(page).with_(bodies__en="Everything works again.", bodies__zh_Hans="已全部恢复。")

    send(lin, path, fields)
    with desk.ctx.db.read() as connection:
        after = notices.by_public_id(connection, found.public_id)

    assert fields.get("status") == "resolved"
    assert after.status == "resolved"
    assert after.facts.components == {}
    assert open_notices(desk) == []


def test_one_component_can_work_again_before_the_other(desk, lin):
    send(lin, "/declare", written(lin.get("/declare"), lin, component=["transfers", "balances"]))
    (found,) = open_notices(desk)
    path = f"/notices/{found.public_id}/update"
    fields = lin.fields(lin.get(path)).with_(
        c__balances="operational", c__transfers="degraded", bodies__en="Half.", bodies__zh_Hans="一半。"
    )

    send(lin, path, fields)

    assert open_notices(desk)[0].facts.components == {"transfers": "degraded"}


def test_a_touched_notice_whose_monitors_recovered_waits_for_its_person(desk, lin):
    desk.probe.sees("down", "transfers-api", times=3)
    path = f"/notices/{open_notices(desk)[0].public_id}/update"
    send(lin, path, lin.fields(lin.get(path)))
    desk.probe.sees("up", "transfers-api", times=3)

    first_screen = lin.get("/").text

    assert "Monitors have recovered: is it over?" in first_screen
    assert len(open_notices(desk)) == 1

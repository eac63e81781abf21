"""What the console shows of a monitor's judgement: that it flaps, and what its regions say together."""

import re

import pytest
from console_desk import Desk
from sqlalchemy import update
from stage import Probe

from statuspage.actions import checks
from statuspage.clock import to_ms
from statuspage.store.monitors import open_run_requests
from statuspage.store.schema.catalogue import monitors


@pytest.fixture
def desk(sqlite_database, free_port):
    found = Desk(sqlite_database, free_port())
    found.hire("wei", "admin", language="zh-Hans")
    found.hire("lin", "admin")
    yield found
    found.close()


def test_a_flapping_monitor_is_marked_in_the_list_and_explained_on_its_page(desk):
    lin, wei = desk.signed_in("lin"), desk.signed_in("wei")
    assert "flapping" not in lin.get("/monitors").text.lower()
    for _ in range(3):
        desk.probe.sees("down", "transfers-api", times=3)
        desk.probe.sees("up", "transfers-api", times=2)

    shown, chinese = lin.get("/monitors/transfers-api").text, wei.get("/monitors/transfers-api").text

    assert "Flapping since" in shown
    assert "its notice stays open" in shown
    assert "状态反复" in chinese
    assert "flapping" in lin.get("/monitors").text
    assert "状态反复" in wei.get("/monitors").text


def test_regions_that_disagree_are_told_with_what_they_say_together(desk):
    with desk.ctx.db.write() as connection:
        connection.execute(update(monitors).where(monitors.c.id == "transfers-api").values(quorum="any"))
    desk.probe = Probe(desk.ctx, desk.clock)
    desk.probe.sees("up", "transfers-api", times=2)
    desk.probe.sees("up", "transfers-api", times=2, region="hk")
    desk.probe.sees("down", "transfers-api", times=3, region="hk")

    shown = desk.signed_in("lin").get("/monitors/transfers-api").text

    assert 'All regions together: <b class="major">' in shown
    assert shown.count("<section><h2>") >= 2


def test_the_servers_own_region_has_the_name_it_was_given(sqlite_database, free_port):
    desk = Desk(sqlite_database, free_port(), region="tokyo")
    desk.hire("lin", "admin")
    try:
        desk.probe.sees("up", "transfers-api", region="hk")
        desk.probe.sees("down", "transfers-api", times=3)
        lin = desk.signed_in("lin")
        lin.post("/monitors/transfers-api/run")
        with desk.ctx.db.read() as connection:
            [asked] = open_run_requests(connection)
        checks.answer_run_request(desk.ctx, asked["id"], desk.probe.result("down", "transfers-api", to_ms(desk.clock())))
        desk.probe.ticks(minutes=5)  # nothing is heard from anywhere

        shown, listed = lin.get("/monitors/transfers-api").text, lin.get("/monitors").text
    finally:
        desk.close()

    assert "<h2>tokyo: " in shown
    assert "tokyo: <b" in shown.split("Changes of state")[1]
    assert " · tokyo" in listed
    assert '"region": "tokyo"' in shown
    assert re.findall(r".{20}\blocal\b.{20}", shown + listed) == []

"""A silent agent on the first screen of the console."""

import pytest
from console_desk import Desk

from statuspage.actions import agents
from statuspage.actions.context import COMMAND_LINE
from statuspage.store import agents as store


@pytest.fixture
def desk(sqlite_database, free_port):
    found = Desk(sqlite_database, free_port())
    found.hire("wei", "admin", language="zh-Hans")
    found.hire("lin", "admin")
    yield found
    found.close()


def test_a_silent_agent_is_named_until_it_is_heard_of_or_revoked(desk):
    agents.add(desk.ctx, COMMAND_LINE, "hk-1", "hk")
    agents.add(desk.ctx, COMMAND_LINE, "sg-1", "sg")
    lin, wei = desk.signed_in("lin"), desk.signed_in("wei")

    fresh = lin.get("/").text
    with desk.ctx.db.write() as conn:
        store.change(conn, "sg-1", seen_at=desk.clock())
    desk.clock.pass_(minutes=4)
    english, chinese = lin.get("/").text, wei.get("/").text
    with desk.ctx.db.write() as conn:
        store.change(conn, "sg-1", seen_at=desk.clock())
    agents.revoke(desk.ctx, COMMAND_LINE, "hk-1")
    quiet = lin.get("/").text

    assert "Agent " not in fresh + quiet
    assert "Agent hk-1 in hk has never been heard of." in english
    assert "Agent sg-1 in sg has not been heard of since" in english
    assert "hk 的探测点 hk-1 尚未上线" in chinese
    assert "All quiet" not in english

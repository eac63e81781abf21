"""A hard fork: announced with an estimated time, corrected, begun at its block."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select, update
from stage import NAMES

from statuspage import i18n
from statuspage.actions import block_windows, configured_windows, maintenance
from statuspage.channels import webhook
from statuspage.channels.message import Message
from statuspage.clock import iso
from statuspage.publish import api, calendars, entries
from statuspage.store import networks, public
from statuspage.store import notices as store
from statuspage.store.schema import catalogue, delivery, runtime
from statuspage.templating import environment
from statuspage.web.site import context

HEIGHT = 25_000_000
WINDOW = {
    "id": "fork", "name": {"en": "Network upgrade", "zh-Hans": "网络升级"}, "components": ["transfers"], "lasts_s": 3600,
    "at_block": {"chain": "ethereum", "height": HEIGHT}, "remind_before_s": [86_400, 3600],
}  # fmt: skip
EVERYTHING = [f"{name}-api" for name in NAMES] + ["payments-flow"]


@pytest.fixture
def chain(wallet, probe, clock):
    """The first monitor compares Ethereum's endpoints; a poll says how high the chain is."""
    with wallet.db.write() as conn:
        mine = catalogue.monitors.c.id == "transfers-api"
        options = {"block_s": 12, "family": "evm"}
        conn.execute(update(catalogue.monitors).where(mine).values(kind="chain", target="ethereum", options=options))
        conn.execute(runtime.meta.insert().values(name="maintenance", value=[WINDOW]))
    probe.restart()

    def poll(height, **passed):
        clock.pass_(**passed)
        probe.sees("up", *EVERYTHING)
        probe.sees("up", "transfers-api", evidence={"state": "OK", "tip": height, "endpoints": []})
        configured_windows.plan_ahead(wallet)
        maintenance.tick(wallet)

    return poll


def notice(ctx):
    with ctx.db.read() as conn:
        found = [each for each in store.latest(conn, 10) if each.kind == "maintenance"]
    return found[0] if found else None


def events(ctx):
    with ctx.db.read() as conn:
        return [row[0]["event"] for row in conn.execute(select(delivery.outbox.c.payload).order_by(delivery.outbox.c.id))]


def bodies(ctx):
    with ctx.db.read() as conn:
        return store.last_update(conn, notice(ctx).id).bodies


def test_nothing_is_said_before_the_block_is_a_week_away(wallet, chain):
    chain(HEIGHT - 8 * 7200)

    assert notice(wallet) is None


def test_it_is_announced_once_with_its_height_and_about_a_time(wallet, chain, clock):
    for _ in range(3):
        chain(HEIGHT - 7200)

    found = notice(wallet)
    assert found.status == "scheduled"
    assert abs(found.scheduled_for - clock() - timedelta(days=1)) < timedelta(minutes=10)
    assert found.scheduled_for.minute % 5 == 0
    assert found.scheduled_until - found.scheduled_for == timedelta(hours=1)
    words = bodies(wallet)
    assert "begins at block 25,000,000 of ethereum, expected about" in words["en"]
    assert "ethereum 区块高度 25,000,000 时开始，预计约为" in words["zh-Hans"]
    assert events(wallet) == ["declared"]


def test_a_chain_that_slows_down_moves_the_time_now_and_then_without_a_message(wallet, chain, clock):
    chain(HEIGHT - 7200)
    first = notice(wallet)

    # Blocks every 15 s instead of 12: 24 hours become 30.
    for step in range(1, 25):
        chain(HEIGHT - 7200 + step * 240, hours=1)

    moved = notice(wallet)
    left_s = (7200 - 24 * 240) * 15
    assert abs((moved.scheduled_for - clock()).total_seconds() - left_s) < left_s * 0.07 + 600
    assert first.scheduled_for < moved.scheduled_for
    assert 2 <= moved.version <= 8
    assert set(events(wallet)) == {"declared", "reminder"}


def test_it_begins_at_its_block_and_not_at_its_hour(wallet, chain, clock):
    chain(HEIGHT - 100)
    announced = notice(wallet)

    chain(HEIGHT - 1, minutes=27)
    assert clock() > announced.scheduled_for
    assert notice(wallet).status == "scheduled"
    chain(HEIGHT)

    found = notice(wallet)
    assert found.status == "in_progress"
    assert found.started_at == clock()
    assert found.scheduled_until == clock() + timedelta(hours=1)
    assert "later than announced" not in bodies(wallet)["en"]


def test_it_begins_early_when_the_chain_is_early(wallet, chain, clock):
    chain(HEIGHT - 100)
    announced = notice(wallet)

    chain(HEIGHT + 3, minutes=5)

    assert clock() < announced.scheduled_for
    assert notice(wallet).status == "in_progress"


def test_a_blind_hour_leaves_it_to_the_clock(wallet, chain, clock):
    chain(HEIGHT - 100)
    clock.pass_(minutes=59)
    maintenance.tick(wallet)
    assert notice(wallet).status == "scheduled"

    clock.pass_(minutes=2)
    maintenance.tick(wallet)

    assert notice(wallet).status == "in_progress"


def test_a_fork_that_is_past_when_it_is_configured_is_not_announced(wallet, chain):
    chain(HEIGHT + 1)

    assert notice(wallet) is None


def test_it_ends_like_any_other_window(wallet, chain):
    chain(HEIGHT - 100)
    chain(HEIGHT, minutes=20)

    chain(HEIGHT + 330, minutes=62)

    assert notice(wallet).status == "completed"


def test_the_newest_evidence_of_a_chain_can_be_read(wallet, chain):
    chain(HEIGHT - 100)

    with wallet.db.read() as conn:
        found = networks.latest(conn, ["transfers-api", "login-api"])
        head = networks.heads(conn)["ethereum"]
    assert list(found) == ["transfers-api"]
    assert found["transfers-api"]["tip"] == head.height == HEIGHT - 100


def test_without_such_windows_nothing_waits(wallet):
    with wallet.db.read() as conn:
        assert block_windows.arrivals(conn, wallet.now()) == {}


def test_machines_are_told_which_block_of_which_network_and_when_it_is_expected(wallet, chain):
    chain(HEIGHT - 1000, seconds=1)
    found = notice(wallet)
    with wallet.db.read() as conn:
        view = public.load(conn, wallet.now())
        [payload] = [row[0] for row in conn.execute(select(delivery.outbox.c.payload)) if row[0]["kind"] == "maintenance"]
    told = Message(key="k", kind="notice_update", channel="webhook", audience="public", language="en", payload=payload, urgency=1,
                   created_at=wallet.now(), expires_at=wallet.now(), manage_url="")  # fmt: skip

    seen = next(one for one in view.notices if one.kind == "maintenance")
    expected = {"network": "ethereum", "height": HEIGHT, "estimated_at": iso(found.scheduled_for)}
    assert api.incident(view, seen)["x_wallet"]["at_block"] == expected
    assert webhook.body(told, wallet.now())["x_wallet"]["at_block"] == expected
    assert found.facts.to_json()["at_network"] == "ethereum"
    assert "at_network" not in replace(found.facts, at_block=None, at_network="").to_json()


def test_wherever_the_time_is_said_it_is_said_to_be_an_estimate_with_its_block(wallet, chain):
    chain(HEIGHT - 1000, seconds=1)
    found = notice(wallet)
    assert found.facts.at_block == HEIGHT
    assert found.facts.to_json()["at_block"] == HEIGHT
    assert "at_block" not in replace(found.facts, at_block=None).to_json()
    with wallet.db.read() as conn:
        view = public.load(conn, wallet.now())
    seen = next(one for one in view.notices if one.kind == "maintenance")
    said = {
        language: [
            context.window(seen, "Asia/Shanghai", language),
            dict(entries.facts(view, language, seen, seen.updates[0]))[i18n.gettext(language, "Window")],
            calendars.of_notice(view, seen, language).decode().replace("\r\n ", "").replace("\\,", ","),
            environment(language).get_template("messages/sms.txt").render(
                facts=found.facts, zone="Asia/Shanghai", kind="notice", event="created", brevity=0, title="T", host="h",
                number="N-1",
            ),
        ]
        for language in ("en", "zh-Hans")
    }  # fmt: skip

    assert all("about " in text and "from block 25,000,000" in text for text in said["en"]), said["en"]
    assert all("约 " in text and "自区块 25,000,000 起" in text for text in said["zh-Hans"]), said["zh-Hans"]
    assert all("STATUS:TENTATIVE" in said[language][2] for language in said)

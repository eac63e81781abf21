"""The demo page's past: complete, marked, signed in order, told to nobody, and in agreement with itself."""

import json
import time
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, select
from stage import add_monitor, furnish

from statuspage.actions import demo_data, demo_history, notices, rollups
from statuspage.actions.context import COMMAND_LINE, Context
from statuspage.clock import to_ms
from statuspage.domain import lifecycle, rollup, signing, uptime
from statuspage.domain.notice import Draft, Facts
from statuspage.errors import InvalidInput, Unavailable
from statuspage.keys import Keys
from statuspage.scenarios import catalogue as words
from statuspage.store import checks as check_store
from statuspage.store.schema import catalogue, checks, delivery
from statuspage.store.schema import notices as tables
from statuspage.store.schema.people import audit_log

NOW = datetime(2026, 11, 22, 5, 42, tzinfo=UTC)
SHOWN = ("transfers", "online_payments", "balances", "tx_history", "login", "otp_delivery", "bank_cards", "account_info",
         "chain_eth", "chain_bsc", "chain_polygon")  # fmt: skip

STEPS = sum(len(words().scenario(name).steps) for name, _, _ in demo_data.STORY)
WATCHED = ("online_payments", "transfers", "login")


@pytest.fixture
def ctx(sqlite_database, clock):
    """On SQLite alone: what is special here runs on PostgreSQL in one test at the end."""
    clock.at = NOW
    return Context(sqlite_database, Keys(b"\x01" * 32, b"\x02" * 32, b"\x03" * 32), clock)


def build(ctx):
    """A page with components of the demo wallet, some of them watched."""
    with ctx.db.write() as conn:
        for no, name in enumerate(SHOWN, 1):
            conn.execute(catalogue.components.insert().values(
                id=name, public_id=f"component{no:03d}", names=words().components[name][1], descriptions={}, position=no,
                weight="normal", symptoms=[], template="", baseline="operational", status="operational", status_at=NOW,
                source="file", created_at=NOW, updated_at=NOW,
            ))  # fmt: skip
        for no, name in enumerate(WATCHED, 1):
            add_monitor(conn, f"{name}-api", name, no, NOW)
    return ctx


@pytest.fixture
def page(ctx):
    return build(ctx)


@pytest.fixture
def seeded(page):
    assert demo_data.seed(page, NOW)
    return page


def everything(ctx, table):
    with ctx.db.read() as conn:
        return conn.execute(select(table).order_by(*table.primary_key)).mappings().all()


def test_a_dozen_notices_are_past_marked_and_over(seeded):
    found = everything(seeded, tables.notices)

    assert len(found) == 12
    assert {row["kind"] for row in found} == {"incident", "maintenance", "security"}
    assert all(row["demo"] and row["backfilled"] and row["visibility"] == "public" for row in found)
    assert all(lifecycle.is_final(row["kind"], row["status"]) and row["resolved_at"] < NOW for row in found)
    assert min(row["created_at"] for row in found) > NOW - timedelta(days=90)
    assert not [row for row in found if row["resolved_at"] < row["started_at"]]


def test_every_update_is_at_its_time_and_has_no_unfilled_placeholder(seeded):
    updates = everything(seeded, tables.notice_updates)

    assert len(updates) == STEPS
    assert [row["display_at"] for row in updates] == sorted(row["display_at"] for row in updates)
    told = json.dumps([(row["bodies"], row["facts"]) for row in updates], ensure_ascii=False)
    assert "{" not in told.replace('{"', "").replace("{}", "")
    assert all(row["bodies"]["en"] and row["bodies"]["zh-Hans"] for row in updates)
    assert not [row for row in updates if row["notify"]]


def test_the_log_is_one_signed_chain_in_order_of_time(seeded):
    rows = everything(seeded, tables.log)
    public = signing.public_key(seeded.keys.signing)

    said = {row["id"]: row["display_at"] for row in everything(seeded, tables.notice_updates)}
    times = [said[row["update_id"]] for row in sorted(rows, key=lambda row: row["n"])]
    assert len(rows) == len(said)
    assert times == sorted(times)
    previous = signing.GENESIS
    for row in sorted(rows, key=lambda row: row["n"]):
        assert row["prev_hash"] == previous
        assert signing.hash_of(row["payload"]) == row["hash"]
        assert signing.verify(public, row["payload"], row["signature"])
        previous = row["hash"]


def test_nobody_is_told_and_no_component_changes_today(seeded):
    assert everything(seeded, delivery.outbox) == []
    assert {row["status"] for row in everything(seeded, catalogue.components)} == {"operational"}


def test_ninety_days_of_uptime_agree_with_the_notices(seeded):
    with seeded.db.read() as conn:
        days = check_store.uptime_days(conn, (NOW - timedelta(days=95)).date())

    assert {len(found) for found in days.values()} == {90}
    payments = next(row for row in everything(seeded, tables.notices) if row["facts"]["template"] == "duplicate-charge")
    lost = uptime.total(days["online_payments"].values()).major
    assert lost == (payments["resolved_at"] - payments["started_at"]).total_seconds() == 240 * 60
    assert uptime.level(days["online_payments"][payments["started_at"].date()]) == "major"
    pause = next(row for row in everything(seeded, tables.notices) if row["facts"]["template"] == "core-upgrade")
    assert days["transfers"][pause["started_at"].date()].maintenance > 9000
    figures = [uptime.percent(uptime.total(found.values())) for found in days.values()]
    assert 9900 < min(figures) < max(figures) <= 10000


def test_reckoned_anew_from_status_changes_and_notices_every_day_is_the_same(seeded):
    with seeded.db.read() as conn:
        before = check_store.uptime_days(conn, (NOW - timedelta(days=95)).date())
    with seeded.db.write() as conn:
        conn.execute(checks.daily_uptime.delete())

    rollups.roll_days(seeded.db, NOW, "UTC")

    with seeded.db.read() as conn:
        assert check_store.uptime_days(conn, (NOW - timedelta(days=95)).date()) == before


def test_the_hour_blocks_tell_the_same_story_and_are_whole(seeded):
    incident = next(row for row in everything(seeded, tables.notices) if row["facts"]["template"] == "duplicate-charge")
    hour = to_ms(incident["started_at"]) // rollup.HOUR_MS + 1
    no = WATCHED.index("online_payments") + 1
    with seeded.db.read() as conn:
        blocks = {at: block for at, _, block in check_store.blocks(conn, no, 0, 10**7)}
        names = check_store.region_names(conn)

    assert (blocks[hour].down, blocks[hour].up) == (12, 0)
    assert set(blocks) == set(range(min(blocks), max(blocks) + 1))
    assert 89 * 24 < len(blocks) <= 90 * 24
    assert max(blocks) == to_ms(NOW) // rollup.HOUR_MS - 1
    for at in (hour, min(blocks), max(blocks)):
        rows = rollup.unpack(at, blocks[at].raw)
        assert rollup.block(at, rows) == blocks[at]
        assert all(row[0] // rollup.HOUR_MS == at for row in rows)
    assert list(names.values()) == ["local"]


def test_seeding_again_changes_nothing(seeded):
    before = [everything(seeded, table) for table in (tables.log, checks.daily_uptime, audit_log)]

    assert not demo_data.seed(seeded, NOW + timedelta(days=3))

    assert [everything(seeded, table) for table in (tables.log, checks.daily_uptime, audit_log)] == before


@pytest.mark.parametrize("survives", [0, 4, 12])
def test_a_start_that_was_killed_half_way_goes_on_and_tells_nothing_twice(page, monkeypatch, survives):
    write, opened = page.db.write, []

    @contextmanager
    def dies():
        with write() as conn:
            yield conn
            opened.append(1)
            if len(opened) > survives:
                raise Unavailable("killed before the commit")

    with monkeypatch.context() as patch:
        patch.setattr(page.db, "write", dies)
        with pytest.raises(Unavailable):
            demo_data.seed(page, NOW)

    assert demo_data.seed(page, NOW + timedelta(minutes=5))
    updates = everything(page, tables.notice_updates)
    assert len(everything(page, tables.notices)) == 12
    assert [row["display_at"] for row in updates] == sorted(row["display_at"] for row in updates)
    assert len(updates) == len(everything(page, tables.log)) == STEPS
    with page.db.read() as conn:
        no = checks.hour_blocks.c.monitor_no
        counts = dict(conn.execute(select(no, func.count()).group_by(no)).all())
    assert len(counts) == len(WATCHED)
    assert len(set(counts.values())) == 1


def test_made_up_history_never_stands_beside_true_history(page):
    facts = Facts("incident", "investigating", {"en": "Real", "zh-Hans": "真实"})
    notices.declare(page, COMMAND_LINE, Draft(facts, {"en": "Real.", "zh-Hans": "真实。"}))

    with pytest.raises(InvalidInput, match="notices of its own"):
        demo_data.seed(page, NOW)

    assert everything(page, checks.daily_uptime) == []


def test_without_a_configuration_there_is_nothing_to_make_up(ctx):
    with pytest.raises(InvalidInput, match="configuration"):
        demo_data.seed(ctx, NOW)


def test_a_page_with_other_components_gets_the_notices_without_claims(ctx):
    furnish(ctx)

    assert demo_data.seed(ctx, NOW)

    assert len(everything(ctx, tables.notices)) == 12
    claimed = {name for row in everything(ctx, tables.notice_updates) for name in row["facts"]["components"]}
    assert claimed == {"transfers", "balances", "login"}


def test_the_same_page_is_made_every_time_and_within_five_seconds(page):
    began = time.process_time()

    demo_data.seed(page, NOW)

    assert time.process_time() - began < 5
    again = demo_history.Past(NOW, demo_data.ZoneInfo("UTC"), demo_data.troubles(NOW, demo_data.ZoneInfo("UTC"), SHOWN))
    with page.db.read() as conn:
        statement = select(catalogue.component_status_changes).where(catalogue.component_status_changes.c.component_id == "login")
        stored = [(row.at, row.new) for row in conn.execute(statement.order_by(catalogue.component_status_changes.c.at))]
    assert stored == again.changes("login")


def test_postgresql_holds_the_same_past(ctx, page, postgres_database):
    other = build(Context(postgres_database, ctx.keys, ctx.now))

    for one in (page, other):
        demo_data.seed(one, NOW)

    for table in (checks.daily_uptime, checks.hour_blocks, checks.regions):
        assert everything(page, table) == everything(other, table)
    for row, same in zip(everything(page, tables.notice_updates), everything(other, tables.notice_updates), strict=True):
        assert (row["display_at"], row["bodies"], row["facts"]) == (same["display_at"], same["bodies"], same["facts"])

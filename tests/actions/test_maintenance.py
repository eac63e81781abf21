from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select
from stage import LIN, NAMES, incident

from statuspage.actions import configured_windows, maintenance, notices
from statuspage.domain.notice import Draft, Facts
from statuspage.errors import InvalidInput
from statuspage.store import notices as store
from statuspage.store.schema import catalogue, delivery, runtime

WORDS = {"en": "We upgrade the ledger.", "zh-Hans": "我们升级账务系统。"}
EVERYTHING = [f"{name}-api" for name in NAMES] + ["payments-flow"]


def window(clock, *, after=timedelta(hours=2), lasts=timedelta(hours=1), components=("transfers",)):
    starts = clock() + after
    facts = Facts(
        "maintenance", "scheduled", {"en": "Ledger upgrade", "zh-Hans": "账务升级"}, scheduled_for=starts,
        scheduled_until=starts + lasts, components=dict.fromkeys(components, "under_maintenance"),
    )  # fmt: skip
    return Draft(facts, WORDS)


def notice(ctx):
    with ctx.db.read() as conn:
        return store.latest(conn, 1)[0]


def events(ctx):
    with ctx.db.read() as conn:
        return [row[0]["event"] for row in conn.execute(select(delivery.outbox.c.payload).order_by(delivery.outbox.c.id))]


def status_of(ctx, component):
    with ctx.db.read() as conn:
        return conn.execute(select(catalogue.components.c.status).where(catalogue.components.c.id == component)).scalar_one()


def test_a_window_reminds_starts_and_ends_by_itself_each_once(wallet, probe, clock):
    maintenance.schedule(wallet, LIN, window(clock), remind_before_s=(3600,))

    for _ in range(60):
        clock.pass_(minutes=5)
        probe.sees("up", *EVERYTHING)
        maintenance.tick(wallet)

    assert events(wallet) == ["declared", "reminder", "updated", "resolved"]
    assert notice(wallet).status == "completed"
    assert status_of(wallet, "transfers") == "operational"


def test_the_component_is_under_maintenance_only_within_the_window(wallet, probe, clock):
    maintenance.schedule(wallet, LIN, window(clock))
    assert status_of(wallet, "transfers") == "operational"

    clock.pass_(hours=2, seconds=1)
    maintenance.tick(wallet)

    assert status_of(wallet, "transfers") == "under_maintenance"


def test_a_public_notice_is_not_hidden_by_maintenance(wallet, probe, clock):
    maintenance.schedule(wallet, LIN, window(clock, after=timedelta(seconds=1)))
    clock.pass_(seconds=2)
    maintenance.tick(wallet)

    notices.declare(wallet, LIN, incident(components={"transfers": "partial_outage"}))

    assert status_of(wallet, "transfers") == "partial_outage"


def test_an_overrun_asks_once_and_does_not_call_itself_done(wallet, probe, clock):
    maintenance.schedule(wallet, LIN, window(clock), remind_before_s=())
    clock.pass_(hours=2, minutes=1)
    maintenance.tick(wallet)
    probe.sees("down", "transfers-api", times=3)
    clock.pass_(hours=1)

    for _ in range(3):
        maintenance.tick(wallet)

    assert events(wallet) == ["declared", "updated", "overrun"]
    assert notice(wallet).status == "in_progress"


def test_an_overrun_that_recovers_ends_by_itself(wallet, probe, clock):
    maintenance.schedule(wallet, LIN, window(clock), remind_before_s=())
    clock.pass_(hours=2, minutes=1)
    maintenance.tick(wallet)
    probe.sees("down", "transfers-api", times=3)
    clock.pass_(hours=1)
    maintenance.tick(wallet)

    probe.sees("up", "transfers-api", times=2)
    maintenance.tick(wallet)

    assert notice(wallet).status == "completed"


def test_a_start_missed_by_a_stopped_process_is_announced_as_late(wallet, probe, clock):
    maintenance.schedule(wallet, LIN, window(clock), remind_before_s=())
    clock.pass_(hours=2, minutes=30)

    maintenance.tick(wallet)

    with wallet.db.read() as conn:
        assert "later than announced" in store.last_update(conn, 1).bodies["en"]


def test_reminders_missed_together_are_said_once(wallet, probe, clock):
    maintenance.schedule(wallet, LIN, window(clock), remind_before_s=(7000, 3600, 600))
    clock.pass_(minutes=115)

    maintenance.tick(wallet)
    maintenance.tick(wallet)

    assert events(wallet) == ["declared", "reminder"]


@pytest.mark.parametrize("after", [timedelta(hours=-3)])
def test_a_window_that_is_over_is_refused(wallet, clock, after):
    with pytest.raises(InvalidInput) as refused:
        maintenance.schedule(wallet, LIN, window(clock, after=after))

    assert refused.value.field == "scheduled_until"


def test_a_window_without_components_is_refused(wallet, clock):
    with pytest.raises(InvalidInput):
        maintenance.schedule(wallet, LIN, window(clock, components=()))


def test_overlapping_windows_of_a_component_are_found(wallet, clock):
    maintenance.schedule(wallet, LIN, window(clock))
    with wallet.db.read() as conn:
        at = clock() + timedelta(hours=2, minutes=30)
        hits = maintenance.overlapping(conn, at, at + timedelta(hours=1), {"transfers"})
        misses = maintenance.overlapping(conn, at, at + timedelta(hours=1), {"login"})

    assert (len(hits), misses) == (1, [])


def test_an_overdue_promise_wakes_the_on_call_once(wallet, clock):
    notices.declare(wallet, LIN, incident(next_update_by=clock() + timedelta(minutes=30)))
    clock.pass_(minutes=31)

    maintenance.nag(wallet)
    maintenance.nag(wallet)

    assert events(wallet) == ["declared", "overdue"]


PLAN = {"name": {"en": "Nightly", "zh-Hans": "夜间维护"}, "components": ["transfers"], "starts": "2026-11-01T02:00",
        "lasts_s": 3600, "repeats": "FREQ=DAILY", "time_zone": "Asia/Shanghai"}  # fmt: skip


def test_configured_windows_are_announced_ahead_once_each(wallet):
    with wallet.db.write() as conn:
        conn.execute(runtime.meta.insert().values(name="maintenance", value=[PLAN]))

    for _ in range(2):
        configured_windows.plan_ahead(wallet)

    with wallet.db.read() as conn:
        starts = [found.scheduled_for for found in store.open_notices(conn)]
    assert starts == [datetime(2026, 11, 22, 18, tzinfo=UTC) + timedelta(days=day) for day in range(7)]


@pytest.mark.parametrize(
    ("zone", "local", "expected"),
    [
        ("Europe/Tallinn", "2026-03-29T03:30", datetime(2026, 3, 29, 1, 30, tzinfo=UTC)),  # skipped by the clocks
        ("Europe/Tallinn", "2026-10-25T03:30", datetime(2026, 10, 25, 0, 30, tzinfo=UTC)),  # happens twice: the first
    ],
)
def test_a_clock_change_moves_a_start_forward_or_keeps_the_first(zone, local, expected):
    plan = {**PLAN, "time_zone": zone, "starts": local, "repeats": None}

    found = list(configured_windows.occurrences(plan, expected - timedelta(days=2), expected + timedelta(days=2), zone))

    assert found == [expected]

"""Reports are counted once per network, symptom and hour; a rise is a signal; alone they never make a notice."""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import func, insert, select
from stage import LIN, Clock, Probe, furnish, incident

from statuspage.actions import notices as notice_actions
from statuspage.actions import reports
from statuspage.actions.context import Context
from statuspage.actions.limits import Limit, TooOften
from statuspage.domain.reports import Report, hour_of
from statuspage.keys import Keys
from statuspage.store import notices
from statuspage.store import reports as store
from statuspage.store.schema.delivery import outbox
from statuspage.store.schema.notices import changes
from statuspage.store.schema.notices import notices as notices_table
from statuspage.store.schema.reports import report_hours
from statuspage.store.schema.reports import reports as reports_table
from statuspage.store.schema.runtime import rate_buckets

TRANSFERS = Report("transfer_failed", "transfers", "5.2.0", "ios", "", "stays pending")


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def ctx(any_database, clock):
    return furnish(Context(any_database, Keys(b"\x01" * 32, b"\x02" * 32, b"\x03" * 32), clock))


def send(ctx, networks, symptom="transfer_failed", *, offset=0):
    """That many networks report it."""
    for one in range(offset, offset + networks):
        reports.take_report(ctx, Report(symptom), f"10.{one // 256}.{one % 256}.0/24")


def count(ctx, table):
    with ctx.db.read() as conn:
        return conn.scalar(select(func.count()).select_from(table))


def by_hour(ctx):
    with ctx.db.read() as conn:
        return store.hours(conn, 0)


def supports(ctx):
    with ctx.db.read() as conn:
        opened = [found.id for found in notices.open_notices(conn)]
        return [found for rows in store.supports(conn, opened).values() for found in rows]


def paged(ctx):
    """What the on-call was told."""
    with ctx.db.read() as conn:
        return list(conn.execute(select(outbox).where(outbox.c.kind == "page_oncall").order_by(outbox.c.id)).mappings())


def test_a_report_is_stored_with_its_words_and_without_a_word_on_who_sent_it(ctx, clock):
    assert reports.take_report(ctx, TRANSFERS, "10.0.0.0/24")

    with ctx.db.read() as conn:
        (row,) = store.written(conn, clock.at - timedelta(hours=1))
        whole = str(list(conn.execute(select(reports_table)).mappings())) + str(list(conn.execute(select(rate_buckets))))
    assert dict(row) == {"hour": hour_of(clock.at), "symptom": "transfer_failed", "at": clock.at, "component_id": "transfers",
                         "version": "5.2.0", "platform": "ios", "region": "", "text": "stays pending"}  # fmt: skip
    assert "10.0.0" not in whole


def test_a_network_counts_once_per_symptom_and_hour_and_pressing_again_costs_it_nothing(ctx, clock):
    pressed = [reports.take_report(ctx, TRANSFERS, "10.0.0.0/24") for _ in range(9)]
    other = reports.take_report(ctx, Report("slow"), "10.0.0.0/24")
    clock.pass_(hours=1)
    later = reports.take_report(ctx, TRANSFERS, "10.0.0.0/24")

    hour = hour_of(clock.at)
    assert (pressed, other, later) == ([True, *[False] * 8], True, True)
    assert by_hour(ctx) == {"transfer_failed": {hour - 1: 1, hour: 1}, "slow": {hour - 1: 1}}


def test_racing_presses_of_one_network_are_one_report(ctx):
    with ThreadPoolExecutor(6) as pool:
        counted = list(pool.map(lambda _: reports.take_report(ctx, TRANSFERS, "10.0.0.0/24"), range(12)))

    assert counted.count(True) == 1
    assert sum(by_hour(ctx)["transfer_failed"].values()) == 1


def test_a_network_sends_five_an_hour_and_no_more(ctx, clock):
    symptoms = ("transfer_failed", "slow", "login_failed", "otp_missing", "app_crash", "balance_wrong")
    for symptom in symptoms[:5]:
        reports.take_report(ctx, Report(symptom), "10.0.0.0/24")

    with pytest.raises(TooOften):
        reports.take_report(ctx, Report(symptoms[5]), "10.0.0.0/24")
    assert count(ctx, reports_table) == 5
    clock.pass_(minutes=13)
    assert reports.take_report(ctx, Report(symptoms[5]), "10.0.0.0/24")


def test_a_flood_from_everywhere_fills_the_disk_only_so_far(ctx, monkeypatch):
    monkeypatch.setattr(reports, "EVERYBODY", Limit("report-all", 20, 3600))
    send(ctx, 20)

    for network in range(20, 60):
        with pytest.raises(TooOften):
            send(ctx, 1, offset=network)

    assert (count(ctx, reports_table), count(ctx, report_hours), count(ctx, rate_buckets)) == (20, 1, 21)


def test_single_reports_go_after_some_days_and_hourly_counts_after_eight_weeks(ctx, clock):
    send(ctx, 3)
    clock.pass_(days=15)
    send(ctx, 2)

    assert reports.forget(ctx, 14) == 3
    assert (count(ctx, reports_table), count(ctx, report_hours)) == (2, 2)

    clock.pass_(days=60)
    reports.forget(ctx, 14)
    assert (count(ctx, reports_table), count(ctx, report_hours)) == (0, 0)


def test_one_becoming_three_is_no_signal_and_twenty_four_are(ctx, clock):
    send(ctx, 3)
    assert reports.watch(ctx) == {}

    send(ctx, 21, offset=3)
    found = reports.watch(ctx)["transfer_failed"]

    assert (found.count, found.usual, found.peak, found.since_at) == (24, 0, 24, clock.at)


def test_what_is_usual_at_this_hour_of_the_week_raises_nothing(ctx, clock):
    hour = hour_of(clock.at)
    with ctx.db.write() as conn:
        conn.execute(insert(report_hours), [{"symptom": "transfer_failed", "hour": hour - week * 168 + beside, "count": 80}
                                            for week in range(1, 9) for beside in (-1, 0, 1)])  # fmt: skip
    send(ctx, 24)
    assert reports.watch(ctx) == {}

    send(ctx, 24, offset=24)
    assert reports.watch(ctx)["transfer_failed"].usual == 20


def test_a_signal_stays_while_reports_come_and_goes_with_them(ctx, clock):
    send(ctx, 12)
    began = clock.at
    reports.watch(ctx)
    clock.pass_(minutes=14)
    send(ctx, 5, offset=50)
    assert reports.watch(ctx)["transfer_failed"].peak == 17

    clock.pass_(minutes=2)  # only the five are left in the window
    lower = reports.watch(ctx)["transfer_failed"]
    clock.pass_(minutes=14)

    assert (lower.count, lower.peak, lower.since_at) == (5, 17, began)
    assert reports.watch(ctx) == {}
    with ctx.db.read() as conn:
        assert store.signals(conn) == {}


def test_reports_alone_never_open_a_notice_nor_change_what_the_public_reads(ctx, clock):
    before = count(ctx, changes)
    for turn in range(6):
        clock.pass_(minutes=5)
        send(ctx, 10, offset=10 * turn)
        assert reports.watch(ctx)["transfer_failed"].count >= 10

    assert count(ctx, notices_table) == 0
    assert count(ctx, changes) == before


def test_a_suspicion_of_monitors_is_supported_and_stays_one(ctx, clock):
    probe = Probe(ctx, clock)
    probe.sees("down", "transfers-api", times=3)
    send(ctx, 24)
    send(ctx, 20, "otp_missing", offset=100)
    reports.watch(ctx)

    (found,) = supports(ctx)
    with ctx.db.read() as conn:
        (notice,) = notices.open_notices(conn)
    assert (found.symptom, found.peak, found.usual) == ("transfer_failed", 24, 0)
    assert (notice.is_suspected, notice.version) == (True, 1)


def test_reports_keep_no_suspicion_open_once_monitors_recover(ctx, clock):
    probe = Probe(ctx, clock)
    probe.sees("down", "transfers-api", times=3)
    send(ctx, 24)
    reports.watch(ctx)

    probe.sees("up", "transfers-api", times=2)

    with ctx.db.read() as conn:
        assert notices.open_notices(conn) == []


def test_what_a_person_has_declared_needs_no_support(ctx):
    notice_actions.declare(ctx, LIN, incident())
    send(ctx, 24)

    reports.watch(ctx)

    assert supports(ctx) == []


def test_what_rises_is_remembered_beside_the_notice_when_it_has_fallen(ctx, clock):
    Probe(ctx, clock).sees("down", "transfers-api", times=3)
    send(ctx, 10)
    reports.watch(ctx)
    began = clock.at
    clock.pass_(minutes=2)
    send(ctx, 10, offset=10)
    reports.watch(ctx)
    clock.pass_(minutes=40)
    reports.watch(ctx)

    (found,) = supports(ctx)
    assert (found.peak, found.since_at, found.last_at) == (20, began, began + timedelta(minutes=2))


def test_a_rise_pages_the_on_call_once_with_numbers_and_without_a_word_that_readers_wrote(ctx, clock):
    reports.take_report(ctx, TRANSFERS, "10.9.9.0/24")
    send(ctx, 23)
    for _ in range(3):
        clock.pass_(minutes=1)
        send(ctx, 2, offset=100 + 2 * clock.at.minute)
        reports.watch(ctx)

    (row,) = paged(ctx)
    assert (row["notice_id"], row["audiences"], row["channels"], row["urgency"]) == (None, ["oncall"], [], 0)
    said = row["payload"]
    assert (said["event"], said["symptom"], said["count"], said["usual"], said["window_min"]) == (
        "reports", "transfer_failed", 26, 0, 15,
    )  # fmt: skip
    assert said["names"]["en"] == "A transfer fails"
    assert not {"stays pending", "5.2.0", "10.9.9"} & set(str(said).split("'"))
    assert "pending" not in str(said)


def test_each_symptom_pages_by_itself(ctx):
    send(ctx, 24)
    send(ctx, 24, "otp_missing", offset=100)

    reports.watch(ctx)

    assert {row["payload"]["symptom"] for row in paged(ctx)} == {"transfer_failed", "otp_missing"}


def test_a_rise_that_comes_back_within_two_hours_wakes_nobody_and_one_that_lasts_does(ctx, clock, monkeypatch):
    def rises(offset, networks=10):
        send(ctx, networks, offset=offset)
        assert "transfer_failed" in reports.watch(ctx)

    rises(0, 24)
    clock.pass_(minutes=40)
    assert reports.watch(ctx) == {}  # over
    clock.pass_(minutes=40)
    rises(100, 24)
    assert len(paged(ctx)) == 1

    for turn in range(2, 6):  # it lasts until the quiet is over
        clock.pass_(minutes=13)
        rises(100 * turn)
    assert len(paged(ctx)) == 2

    monkeypatch.setattr(reports, "QUIET", timedelta(minutes=10))
    clock.pass_(minutes=13)
    rises(600)
    assert len(paged(ctx)) == 2  # the same rise, however long it lasts


def test_what_a_notice_tells_of_pages_nobody_even_for_a_while_after(ctx, clock):
    ref = notice_actions.declare(ctx, LIN, incident())
    send(ctx, 24)
    reports.watch(ctx)
    notice_actions.resolve(ctx, LIN, ref.public_id, {"en": "It works again.", "zh-Hans": "已经恢复。"})
    clock.pass_(minutes=10)
    reports.watch(ctx)
    assert paged(ctx) == []

    clock.pass_(minutes=25)
    send(ctx, 24, offset=100)  # readers go on reporting what is said to be over
    reports.watch(ctx)

    assert len(paged(ctx)) == 1


def test_a_suspicion_has_paged_the_on_call_already(ctx, clock):
    Probe(ctx, clock).sees("down", "transfers-api", times=3)
    before = len(paged(ctx))
    send(ctx, 24)

    reports.watch(ctx)

    assert len(paged(ctx)) == before == 1


def test_no_report_is_logged(ctx, caplog):
    caplog.set_level(logging.DEBUG)

    reports.take_report(ctx, TRANSFERS, "10.0.0.0/24")
    reports.watch(ctx)

    assert "stays pending" not in caplog.text
    assert "10.0.0" not in caplog.text

from __future__ import annotations

import random
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from types import SimpleNamespace
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, event, insert, select, text

from statuspage.actions import rollups
from statuspage.clock import from_ms, to_ms
from statuspage.domain import rollup, uptime
from statuspage.domain.rollup import HOUR_MS, OUTCOMES
from statuspage.domain.uptime import Seconds
from statuspage.store import checks
from statuspage.store.database import Database
from statuspage.store.schema import metadata
from statuspage.store.schema.catalogue import component_status_changes, components
from statuspage.store.schema.checks import check_results, daily_uptime, hour_blocks, rollup_marks
from statuspage.store.schema.notices import notice_components, notices

NOW = datetime(2026, 3, 10, 12, 30, tzinfo=UTC)
HOUR = to_ms(NOW) // HOUR_MS
ZONE = "Asia/Shanghai"
SHANGHAI = ZoneInfo(ZONE)


def write(db, rows):
    with db.write() as conn:
        checks.insert_results(conn, rows)


def fill(db, hours=range(HOUR - 30, HOUR + 1), numbers=(1, 2, 3), regions=("local", "hk"), every_ms=600_000, seed=1):
    """Results of some monitors; the same for the same seed. Returns what was written."""
    rng = random.Random(seed)  # noqa: S311 - repeatable
    rows = [
        (no, hour * HOUR_MS + offset + no, region, rng.choice(OUTCOMES), float(rng.randrange(2000)))
        for hour in hours for no in numbers for region in regions for offset in range(0, HOUR_MS, every_ms)
        if hour * HOUR_MS + offset <= to_ms(NOW)
    ]  # fmt: skip
    write(db, rows)
    return rows


def contents(db):
    """All blocks, and all raw rows."""
    with db.read() as conn:
        rolled = conn.execute(select(hour_blocks).order_by(*hour_blocks.primary_key.columns)).all()
        raw = conn.execute(select(check_results).order_by(*check_results.primary_key.columns)).all()
    return [tuple(row) for row in rolled], [tuple(row) for row in raw]


def unrolled(db):
    """Every result that the blocks hold, as raw rows."""
    with db.read() as conn:
        found = conn.execute(select(hour_blocks)).all()
    return sorted(
        (row.monitor_no, at, row.region_no, outcome, ms)
        for row in found
        for at, outcome, ms in rollup.unpack(row.hour, row.raw)
    )


@pytest.fixture(autouse=True)
def breath_s(monkeypatch):
    """The longest pause after a transaction, as shipped; none is made, as nobody waits for his turn in these tests."""
    shipped = rollups._BREATH_S
    monkeypatch.setattr(rollups, "_BREATH_S", 0.0)
    return shipped


# -- hours --


def test_hours_that_are_over_become_blocks_that_hold_every_result(any_database):
    fill(any_database)

    written = rollups.roll_hours(any_database, NOW)

    _, raw = contents(any_database)
    assert unrolled(any_database) == [row for row in raw if row[1] < HOUR * HOUR_MS]
    assert written == 30 * 3 * 2


def test_counts_of_blocks_are_those_of_the_raw_rows(any_database):
    fill(any_database)

    rollups.roll_hours(any_database, NOW)

    with any_database.read() as conn:
        rolled = conn.execute(
            text("select sum(up), sum(degraded), sum(down), sum(unknown), sum(latency_sum_ms) from hour_blocks")
        ).one()
    _, raw = contents(any_database)
    over = [row for row in raw if row[1] < HOUR * HOUR_MS]
    assert list(map(int, rolled)) == [
        *(sum(row[3] == no for row in over) for no in range(4)),
        sum(row[4] for row in over if row[3] <= 1),
    ]


def test_after_each_transaction_whoever_waits_to_write_gets_as_long_a_turn(sqlite_database, breath_s, monkeypatch):
    fill(sqlite_database)
    clock, pauses = iter(range(10_000)), []
    monkeypatch.setattr(rollups, "_BREATH_S", breath_s)
    monkeypatch.setattr(rollups, "time", SimpleNamespace(monotonic=lambda: next(clock) / 20, sleep=pauses.append))
    commits = []
    event.listen(sqlite_database._writer, "commit", commits.append)

    rollups.roll_hours(sqlite_database, NOW)

    assert len(pauses) == len(commits) > 30
    assert {round(pause, 2) for pause in pauses} == {0.05}


def test_an_hour_is_left_alone_until_its_last_probes_have_ended(any_database):
    write(any_database, [(1, HOUR * HOUR_MS, "local", "up", 1)])
    end_at = from_ms((HOUR + 1) * HOUR_MS)

    assert rollups.roll_hours(any_database, end_at + timedelta(minutes=1, seconds=59)) == 0
    assert rollups.roll_hours(any_database, end_at + timedelta(minutes=2)) == 1


def test_rolling_twice_changes_nothing(any_database):
    fill(any_database)
    rollups.roll_hours(any_database, NOW)
    before = contents(any_database)

    assert rollups.roll_hours(any_database, NOW) == 0
    assert contents(any_database) == before


def test_nothing_to_roll_is_no_error(any_database):
    assert rollups.roll_hours(any_database, NOW) == 0
    assert rollups.forget(any_database, NOW) == rollups.Forgotten(0, 0)
    assert rollups.roll_days(any_database, NOW, ZONE) == 0


def test_after_a_pause_of_months_only_hours_with_results_cost_anything(sqlite_database, monkeypatch):
    fill(sqlite_database, hours=[HOUR - 24 * 200], numbers=[1], regions=["local"])
    rollups.roll_hours(sqlite_database, from_ms((HOUR - 24 * 199) * HOUR_MS))
    fill(sqlite_database, hours=[HOUR - 2, HOUR - 1], numbers=[1], regions=["local"])
    rolled = []
    real = rollups._roll_hour
    monkeypatch.setattr(rollups, "_roll_hour", lambda db, hour, numbers: rolled.append(hour) or real(db, hour, numbers))

    rollups.roll_hours(sqlite_database, NOW)

    assert rolled[-2:] == [HOUR - 2, HOUR - 1]
    assert len(rolled) <= 4
    assert unrolled(sqlite_database) == contents(sqlite_database)[1]


def test_results_that_come_late_are_added_to_their_block(any_database):
    rows = fill(any_database)
    early, late = rows[::2], rows[1::2]
    with any_database.write() as conn:
        conn.execute(delete(check_results))
    write(any_database, early)
    rollups.roll_hours(any_database, NOW)
    write(any_database, late)

    rollups.roll_hours(any_database, NOW)

    _, raw = contents(any_database)
    assert unrolled(any_database) == [row for row in raw if row[1] < HOUR * HOUR_MS]
    with any_database.read() as conn:
        assert checks.late_marks(conn) == []


def test_results_that_come_after_their_neighbours_were_forgotten_are_added_too(any_database):
    rows = fill(any_database, hours=range(HOUR - 200, HOUR - 190), numbers=[1], regions=["local"])
    everything = contents(any_database)[1]
    with any_database.write() as conn:
        conn.execute(delete(check_results))
    write(any_database, rows[::2])
    rollups.roll_hours(any_database, NOW)
    rollups.forget(any_database, NOW)
    assert contents(any_database)[1] == []
    write(any_database, rows[1::2])

    rollups.forget(any_database, NOW)

    assert unrolled(any_database) == everything
    assert contents(any_database)[1] == []


def test_a_result_of_1970_does_not_keep_the_roll_up_busy(any_database):
    fill(any_database)
    rollups.roll_hours(any_database, NOW)
    write(any_database, [(1, 5, "local", "up", 1)])
    began = time.monotonic()

    rollups.roll_hours(any_database, NOW)
    rollups.forget(any_database, NOW)

    assert time.monotonic() - began < 20
    assert not [row for row in unrolled(any_database) if row[1] == 5]


@settings(max_examples=25, suppress_health_check=list(HealthCheck))
@given(
    st.lists(
        st.tuples(st.integers(1, 3), st.integers((HOUR - 6) * HOUR_MS, to_ms(NOW)), st.sampled_from(["a", "b"]),
                  st.sampled_from(OUTCOMES), st.integers(0, 60_000)), max_size=60,
    ),
    st.lists(st.tuples(st.integers(0, 60), st.integers(0, 8)), max_size=5),
)  # fmt: skip
def test_whatever_arrives_in_whatever_order_blocks_and_raw_agree_in_the_end(sqlite_database, rows, steps):
    quick(sqlite_database)
    with sqlite_database.write() as conn:
        for table in (check_results, hour_blocks, rollup_marks):
            conn.execute(delete(table))
    sent = 0
    for until, back in steps:
        write(sqlite_database, rows[sent:until])
        sent = max(sent, until)
        rollups.roll_hours(sqlite_database, NOW - timedelta(hours=back))
    write(sqlite_database, rows[sent:])
    rollups.roll_hours(sqlite_database, NOW)
    everything = contents(sqlite_database)[1]

    assert unrolled(sqlite_database) == [row for row in everything if row[1] < HOUR * HOUR_MS]
    rollups.forget(sqlite_database, NOW, raw_days=0)
    assert contents(sqlite_database)[1] == [row for row in everything if row[1] >= HOUR * HOUR_MS]
    assert unrolled(sqlite_database) == [row for row in everything if row[1] < HOUR * HOUR_MS]


# -- forgetting --


def test_forgetting_deletes_what_is_old_and_keeps_what_is_not(any_database):
    fill(any_database, hours=range(HOUR - 24 * 5, HOUR + 1, 4), numbers=[1, 2], regions=["local"])
    everything = contents(any_database)[1]
    rollups.roll_hours(any_database, NOW)

    gone = rollups.forget(any_database, NOW, raw_days=3, block_days=4)

    rolled, raw = contents(any_database)
    assert raw == [row for row in everything if row[1] >= (HOUR - 72) * HOUR_MS]
    assert {row[1] for row in rolled} == set(range(HOUR - 96, HOUR, 4))
    assert gone == rollups.Forgotten(len(everything) - len(raw), 2 * 6)


def test_nothing_is_forgotten_that_no_block_holds(any_database):
    fill(any_database, hours=range(HOUR - 24 * 5, HOUR - 24 * 4, 5))
    before = contents(any_database)

    rollups.forget(any_database, NOW, raw_days=1)

    assert contents(any_database) == before


def test_a_result_that_slipped_past_the_roll_up_is_put_into_its_block_before_it_goes(any_database):
    fill(any_database, hours=range(HOUR - 24 * 5, HOUR - 24 * 5 + 3), numbers=[1])
    everything = contents(any_database)[1]
    with any_database.write() as conn:
        conn.execute(delete(check_results).where(check_results.c.region_no == 1))
    rollups.roll_hours(any_database, NOW)
    with any_database.write() as conn:  # as a transaction that was open while the hour was rolled up would
        missing = [row for row in everything if row[2] == 1]
        conn.execute(insert(check_results), [dict(zip(check_results.c.keys(), row, strict=True)) for row in missing])

    rollups.forget(any_database, NOW)

    assert contents(any_database)[1] == []
    assert unrolled(any_database) == everything


def test_results_of_a_monitor_that_was_removed_are_forgotten_as_well(any_database):
    fill(any_database, hours=range(HOUR - 24 * 5, HOUR - 24 * 4, 5), numbers=[77])
    rollups.roll_hours(any_database, NOW)

    assert rollups.forget(any_database, NOW, block_days=1).results > 0
    assert contents(any_database) == ([], [])


# -- killed in the middle --


def quick(db):
    """Commits without waiting for the disk: what is killed here is our process, not the machine."""
    event.listen(db._writer, "connect", lambda dbapi, _record: dbapi.execute("PRAGMA synchronous=OFF"))
    return db


class Killed(BaseException):
    pass


class Fragile:
    """A database that dies at the n-th write transaction: before it commits, or right after."""

    def __init__(self, db, at, *, after_commit):
        self._db, self._left, self._after_commit = db, at, after_commit
        self.read = db.read

    @contextmanager
    def write(self):
        self._left -= 1
        with self._db.write() as conn:
            yield conn
            if self._left == 0 and not self._after_commit:
                raise Killed
        if self._left == 0 and self._after_commit:
            raise Killed


def arrange(db):
    fill(
        db,
        hours=[*range(HOUR - 80, HOUR - 76), *range(HOUR - 2, HOUR)],
        numbers=range(1, 4),
        regions=["local"],
        every_ms=1_800_000,
    )
    with db.write() as conn:
        checks.set_mark(conn, checks.HOURS, HOUR - 79)
    fill(db, hours=[HOUR - 80], numbers=[2], regions=["hk"])
    people(db)


def everything(db):
    rollups_run(db)
    with db.read() as conn:
        days = [tuple(row) for row in conn.execute(select(daily_uptime).order_by(*daily_uptime.primary_key.columns))]
        marks = sorted(tuple(row) for row in conn.execute(select(rollup_marks)))
    return contents(db), days, marks


def rollups_run(db):
    rollups.roll_hours(db, NOW)
    rollups.roll_days(db, NOW, ZONE)
    rollups.forget(db, NOW)


@pytest.mark.repeats
def test_killed_at_any_transaction_the_result_is_the_same(tmp_path, monkeypatch):
    monkeypatch.setattr(rollups, "_MONITORS", 2)
    monkeypatch.setattr(rollups, "_COMPONENTS", 1)

    def fresh(name):
        shutil.copyfile(tmp_path / "template.db", tmp_path / name)
        return quick(Database(f"sqlite:///{tmp_path / name}", readers=1))

    template = quick(Database(f"sqlite:///{tmp_path / 'template.db'}"))
    with template.write() as conn:
        metadata.create_all(conn)
    arrange(template)
    raw = contents(template)[1]
    template.close()
    whole = fresh("whole")
    expected, kills = everything(whole), 0
    assert unrolled(whole) == raw
    # Killed before the commit of one transaction or after that of the one before it, the file is the same: all of the one kind,
    # and some of the other, which show that what was begun is gone.
    for after_commit, step in ((False, 5), (True, 1)):
        for at in range(1, 200, step):
            db = fresh(f"{after_commit}{at}")
            try:
                rollups_run(Fragile(db, at, after_commit=after_commit))
            except Killed:
                kills += 1
                assert everything(db) == expected, (at, after_commit)
                db.close()
            else:
                break

    assert kills > 25


@pytest.mark.repeats
def test_killed_by_the_system_the_result_is_the_same(tmp_path):
    path = tmp_path / "killed.db"
    db = quick(Database(f"sqlite:///{path}"))
    with db.write() as conn:
        metadata.create_all(conn)
    fill(db, hours=range(HOUR - 100, HOUR), numbers=range(1, 5), regions=["local"])
    raw = contents(db)[1]
    program = textwrap.dedent(f"""
        from statuspage.actions import rollups
        from statuspage.clock import from_ms
        from statuspage.store.database import Database
        db, now = Database("sqlite:///{path}"), from_ms({to_ms(NOW)})
        print("begin", flush=True)
        rollups.roll_hours(db, now)
        rollups.forget(db, now, raw_days=0)
    """)
    codes = set()
    for delay_s in (0.02, 0.1, 0.2, 0.3):
        child = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE)
        child.stdout.readline()
        time.sleep(delay_s)
        child.kill()
        codes.add(child.wait())
        child.stdout.close()

    rollups.roll_hours(db, NOW)
    rollups.forget(db, NOW, raw_days=0)

    assert -signal.SIGKILL in codes
    assert unrolled(db) == raw
    assert contents(db)[1] == []
    db.close()


# -- days --


def component(
    db, component_id, *, created_at=NOW - timedelta(days=10), status="operational", start_date=None, archived_at=None
):
    with db.write() as conn:
        conn.execute(insert(components).values(
            id=component_id, public_id=component_id, names={}, descriptions={}, position=1, weight="normal", symptoms=[],
            template="", baseline="operational", status=status, status_at=created_at, source="file", start_date=start_date,
            created_at=created_at, updated_at=created_at, archived_at=archived_at,
        ))  # fmt: skip


def change(db, component_id, at, old, new):
    with db.write() as conn:
        conn.execute(insert(component_status_changes).values(
            component_id=component_id, old=old, new=new, source="monitor", reason="", actor="", at=at
        ))  # fmt: skip
        conn.execute(components.update().where(components.c.id == component_id).values(status=new, status_at=at))


def maintenance(
    db, component_id, *, published_at, began_at, until, ended_at=None, status="completed", visibility="public"
):
    with db.write() as conn:
        key = conn.execute(insert(notices).values(
            public_id=f"m{to_ms(began_at)}", number=f"N-{to_ms(began_at) % 9999}", kind="maintenance", status=status,
            visibility=visibility, source="operator", facts={}, impact="maintenance", touched=True, demo=False, backfilled=False,
            created_at=published_at, published_at=published_at, updated_at=published_at,
            started_at=began_at, resolved_at=ended_at,
            scheduled_for=began_at, scheduled_until=until, remind_before_s=[], reminded=[], created_by="", version=1,
        ).returning(notices.c.id)).scalar_one()  # fmt: skip
        conn.execute(
            insert(notice_components).values(notice_id=key, component_id=component_id, status="under_maintenance")
        )


def people(db):
    component(db, "pay")
    component(db, "login", created_at=NOW - timedelta(days=3))
    for back in range(60, 0, -7):
        change(db, "pay", NOW - timedelta(hours=back), "operational", "major_outage")
        change(db, "pay", NOW - timedelta(hours=back - 2), "major_outage", "operational")


def days_of(db, component_id):
    with db.read() as conn:
        return checks.uptime_days(conn, date(2000, 1, 1)).get(component_id, {})


def local(day, hour=0, minute=0):
    return datetime(2026, 3, day, hour, minute, tzinfo=SHANGHAI).astimezone(UTC)


def test_days_are_those_of_the_pages_zone_and_add_up_to_the_whole(any_database):
    people(any_database)

    rollups.roll_days(any_database, NOW, ZONE)

    days = days_of(any_database, "pay")
    first, last = (NOW - timedelta(days=10)).astimezone(SHANGHAI).date(), NOW.astimezone(SHANGHAI).date()
    assert sorted(days) == [first + timedelta(days=back) for back in range((last - first).days + 1)]
    assert uptime.total(days.values()) == Seconds(up=10 * 86_400 - 9 * 7200, major=9 * 7200)
    assert uptime.total(days_of(any_database, "login").values()) == Seconds(up=3 * 86_400)


def test_an_outage_across_midnight_is_split_between_the_days(any_database):
    component(any_database, "pay", created_at=local(1))
    change(any_database, "pay", local(8, 23), "operational", "major_outage")
    change(any_database, "pay", local(9, 2), "major_outage", "operational")

    rollups.roll_days(any_database, NOW, ZONE)

    days = days_of(any_database, "pay")
    assert days[date(2026, 3, 8)] == Seconds(up=23 * 3600, major=3600)
    assert days[date(2026, 3, 9)] == Seconds(up=22 * 3600, major=7200)


def test_run_every_minute_the_days_are_those_of_one_run_at_the_end(sqlite_database, tmp_path):
    once = quick(Database(f"sqlite:///{tmp_path / 'once.db'}"))
    quick(sqlite_database)
    with once.write() as conn:
        metadata.create_all(conn)
    for db in (sqlite_database, once):
        component(db, "pay", created_at=local(8, 1))
        component(db, "login", created_at=local(8, 1), status="unknown")
    at, steps = local(8, 1), {
        100: ("pay", "operational", "major_outage"), 150: ("pay", "major_outage", "operational"),
        1400: ("login", "unknown", "operational"), 1379: ("pay", "operational", "partial_outage"),
    }  # fmt: skip
    for minute in range(0, 2000, 29):
        for step in sorted(step for step in steps if minute <= step < minute + 29):
            for db in (sqlite_database, once):
                change(db, steps[step][0], at + timedelta(minutes=step), *steps[step][1:])
        rollups.roll_days(sqlite_database, at + timedelta(minutes=minute + 29), ZONE)
    rollups.roll_days(once, at + timedelta(minutes=minute + 29), ZONE)

    for name in ("pay", "login"):
        assert days_of(sqlite_database, name) == days_of(once, name)
    once.close()


def test_a_change_written_later_for_a_day_that_is_final_corrects_that_day(any_database):
    component(any_database, "pay", created_at=local(1))
    rollups.roll_days(any_database, NOW, ZONE)
    change(any_database, "pay", local(4, 10), "operational", "major_outage")
    change(any_database, "pay", local(4, 11), "major_outage", "operational")

    rollups.roll_days(any_database, NOW, ZONE)

    assert days_of(any_database, "pay")[date(2026, 3, 4)] == Seconds(up=23 * 3600, major=3600)


def test_a_second_run_at_the_same_moment_writes_nothing(any_database):
    people(any_database)
    assert rollups.roll_days(any_database, NOW, ZONE) > 0

    assert rollups.roll_days(any_database, NOW, ZONE) == 0


def test_only_todays_row_of_each_component_is_written_a_minute_later(any_database):
    people(any_database)
    rollups.roll_days(any_database, NOW, ZONE)

    assert rollups.roll_days(any_database, NOW + timedelta(minutes=1), ZONE) == 2


@pytest.mark.parametrize(
    ("published", "until", "ended", "status", "expected"),
    [
        (local(8), local(9, 4), local(9, 4), "completed", Seconds(up=22 * 3600, maintenance=7200)),
        (local(8), local(9, 4), local(9, 3), "completed", Seconds(up=22 * 3600, maintenance=3600, major=3600)),
        (local(8), local(9, 3), local(9, 4), "completed", Seconds(up=22 * 3600, maintenance=3600, major=3600)),
        (local(8), local(9, 3, 56), local(9, 4), "completed", Seconds(up=22 * 3600, maintenance=7200)),
        (local(9, 2), local(9, 4), local(9, 4), "completed", Seconds(up=22 * 3600, major=7200)),
        (local(9, 5), local(9, 4), local(9, 4), "completed", Seconds(up=22 * 3600, major=7200)),
        (local(8), local(9, 4), None, "in_progress", Seconds(up=22 * 3600, maintenance=7200)),
        (local(8), local(9, 4), None, "scheduled", Seconds(up=22 * 3600, major=7200)),
        (local(8), local(9, 4), local(9, 1), "cancelled", Seconds(up=22 * 3600, major=7200)),
    ],
)
def test_only_maintenance_announced_before_it_began_leaves_the_denominator(
    any_database, published, until, ended, status, expected
):
    component(any_database, "pay", created_at=local(1))
    maintenance(
        any_database, "pay", published_at=published, began_at=local(9, 2), until=until, ended_at=ended, status=status
    )
    change(any_database, "pay", local(9, 2), "operational", "under_maintenance")
    change(any_database, "pay", local(9, 4), "under_maintenance", "operational")

    rollups.roll_days(any_database, NOW, ZONE)

    assert days_of(any_database, "pay")[date(2026, 3, 9)] == expected


def test_maintenance_that_is_not_public_excuses_nothing(any_database):
    component(any_database, "pay", created_at=local(1))
    maintenance(
        any_database,
        "pay",
        published_at=local(8),
        began_at=local(9, 2),
        until=local(9, 4),
        ended_at=local(9, 4),
        visibility="draft",
    )
    change(any_database, "pay", local(9, 2), "operational", "under_maintenance")

    rollups.roll_days(any_database, NOW, ZONE)

    assert days_of(any_database, "pay")[date(2026, 3, 9)].maintenance == 0


def test_time_before_the_start_date_does_not_count(any_database):
    component(any_database, "pay", created_at=local(1), start_date="2026-03-08")
    rollups.roll_days(any_database, NOW, ZONE)

    assert sorted(days_of(any_database, "pay")) == [date(2026, 3, 8), date(2026, 3, 9), date(2026, 3, 10)]


def test_a_start_date_before_there_was_anything_invents_no_days(any_database):
    component(any_database, "pay", created_at=local(9), start_date="2026-01-01")
    rollups.roll_days(any_database, NOW, ZONE)

    assert sorted(days_of(any_database, "pay")) == [date(2026, 3, 9), date(2026, 3, 10)]


def test_imported_history_reaches_back_before_the_component_was_created(any_database):
    component(any_database, "pay", created_at=local(9))
    rollups.roll_days(any_database, NOW, ZONE)
    change(any_database, "pay", local(7, 12), "unknown", "operational")

    rollups.roll_days(any_database, NOW, ZONE)

    days = days_of(any_database, "pay")
    assert sorted(days) == [date(2026, 3, 7), date(2026, 3, 8), date(2026, 3, 9), date(2026, 3, 10)]
    assert days[date(2026, 3, 7)] == Seconds(up=12 * 3600)


def test_archived_components_get_no_more_days(any_database):
    component(any_database, "pay", archived_at=NOW - timedelta(days=1))

    assert rollups.roll_days(any_database, NOW, ZONE) == 0


def test_days_are_kept_when_raw_results_and_blocks_are_forgotten(any_database):
    people(any_database)
    fill(any_database, hours=range(HOUR - 24 * 5, HOUR, 9))
    rollups.roll_hours(any_database, NOW)
    rollups.roll_days(any_database, NOW, ZONE)
    before = days_of(any_database, "pay")

    rollups.forget(any_database, NOW, raw_days=0, block_days=0)
    rollups.roll_days(any_database, NOW, ZONE)

    assert contents(any_database) == ([], [])
    assert days_of(any_database, "pay") == before


# -- size --


@pytest.mark.repeats
def test_thirty_days_of_one_result_a_minute_take_at_most_six_bytes_each(sqlite_database):
    quick(sqlite_database)
    rng = random.Random(3)  # noqa: S311 - repeatable
    start = HOUR - 24 * 30
    rows = []
    for minute in range(30 * 24 * 60):
        is_down = rng.random() < 0.002
        at_ms = start * HOUR_MS + minute * 60_000 + 5_000 + round(rng.gauss(0, 4))
        rows.append(
            (1, at_ms, "local", "down" if is_down else "up", 10_000.0 if is_down else 120 * rng.lognormvariate(0, 0.25))
        )
    write(sqlite_database, rows)
    rollups.roll_hours(sqlite_database, NOW)
    rollups.forget(sqlite_database, NOW, raw_days=0)

    with sqlite_database.write() as conn:
        size = conn.execute(text("select sum(pgsize) from dbstat where name = 'hour_blocks'")).scalar_one()
    sys.stdout.write(f"\nhistory: {size / len(rows):.2f} bytes per result over 30 days\n")
    assert contents(sqlite_database)[1] == []
    assert size / len(rows) <= 6

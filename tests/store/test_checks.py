from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import event, insert, select

from statuspage.clock import to_ms
from statuspage.domain import rollup
from statuspage.domain.rollup import HOUR_MS
from statuspage.domain.uptime import Seconds
from statuspage.errors import InvalidInput
from statuspage.store import checks
from statuspage.store.schema.catalogue import components, monitors
from statuspage.store.schema.checks import monitor_states, regions

AT = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
HOUR = to_ms(AT) // HOUR_MS
START = HOUR * HOUR_MS


def write(db, rows):
    with db.write() as conn:
        checks.insert_results(conn, rows)


def stored(db, monitor_no=1):
    with db.read() as conn:
        return checks.results(conn, monitor_no, 0, 2**50)


def component(conn, component_id):
    conn.execute(
        insert(components).values(
            id=component_id, public_id=component_id, names={}, descriptions={}, position=1, weight="normal", symptoms=[],
            template="", baseline="operational", status="operational", status_at=AT, source="file", created_at=AT, updated_at=AT,
        )
    )  # fmt: skip


def test_results_come_back_in_order_with_their_regions_numbers(any_database):
    write(
        any_database,
        [
            (1, START + 60_000, "hk", "down", 10_000.4),
            (1, START, "local", "up", 12.6),
            (2, START, "local", "unknown", 0),
        ],
    )

    with any_database.read() as conn:
        names = checks.region_names(conn)
    by_name = [(names[region], *row) for region, row in stored(any_database)]
    assert by_name == [("local", START, 0, 13), ("hk", START + 60_000, 2, 10_000)]
    assert [row for _, row in stored(any_database, 2)] == [(START, 3, 0)]


def test_the_same_results_handed_in_again_change_nothing(any_database):
    rows = [(1, START + second * 1000, "local", "up", 5) for second in range(50)]
    write(any_database, rows)
    write(any_database, [*rows[25:], (1, START + 99_000, "local", "degraded", 7)])

    assert len(stored(any_database)) == 51


def test_regions_keep_their_numbers(any_database):
    for names in (["a"], ["b", "a"], ["c"], ["a", "b", "c"]):
        write(any_database, [(1, START, name, "up", 1) for name in names])

    with any_database.read() as conn:
        assert sorted(conn.execute(select(regions.c.no, regions.c.name)).all()) == [(0, "a"), (1, "b"), (2, "c")]


def test_agents_that_report_for_the_first_time_at_once_get_numbers_of_their_own(postgres_database):
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda name: write(postgres_database, [(1, START, name, "up", 1)]), ["hk", "sg", "fra", "iad"]))

    with postgres_database.read() as conn:
        names = checks.region_names(conn)
    assert sorted(names.values()) == ["fra", "hk", "iad", "sg"]
    assert len(stored(postgres_database)) == 4


def test_nothing_to_write_costs_no_statement(sqlite_database):
    statements = []
    event.listen(sqlite_database._writer, "before_cursor_execute", lambda *call: statements.append(call[2]))

    write(sqlite_database, [])

    assert [text for text in statements if "BEGIN" not in text] == []


def test_a_batch_costs_the_same_statements_whatever_its_size(sqlite_database):
    write(sqlite_database, [(1, START, "local", "up", 1)])
    statements = []
    event.listen(sqlite_database._writer, "before_cursor_execute", lambda *call: statements.append(call[2]))

    write(sqlite_database, [(no, START + 1000, "local", "up", 1) for no in range(2000)])

    assert len([text for text in statements if "BEGIN" not in text]) == 3


def test_an_outcome_outside_the_vocabulary_is_refused_whole(any_database):
    with pytest.raises(InvalidInput, match="outcome must be one of"):
        write(any_database, [(1, START, "local", "up", 1), (1, START + 1, "local", "UP", 1)])

    assert stored(any_database) == []


@pytest.mark.parametrize(("took", "kept"), [(-5, 0), (0.4, 0), (10**12, 2**31 - 1)])
def test_durations_are_kept_within_what_the_column_holds(any_database, took, kept):
    write(any_database, [(1, START, "local", "up", took)])

    assert stored(any_database) == [(0, (START, 0, kept))]


def test_results_of_an_hour_already_rolled_up_are_noted_with_their_earliest_hour(any_database):
    with any_database.write() as conn:
        checks.set_mark(conn, checks.HOURS, HOUR)
    write(any_database, [(1, START, "local", "up", 1), (2, START - 1, "local", "up", 1)])
    write(any_database, [(2, START - 5 * HOUR_MS, "local", "up", 1), (7, START - 2 * HOUR_MS, "local", "up", 1)])
    write(any_database, [(2, START - 3 * HOUR_MS, "local", "up", 1)])

    with any_database.read() as conn:
        assert checks.late_marks(conn) == [(2, HOUR - 5), (7, HOUR - 2)]


def test_marks_are_set_changed_and_cleared(any_database):
    with any_database.write() as conn:
        assert checks.mark(conn, "x") is None
        checks.set_mark(conn, "x", 5)
        checks.set_mark(conn, "x", 9)
        assert checks.mark(conn, "x") == 9
        checks.clear_mark(conn, "x")
        assert checks.mark(conn, "x") is None


def test_blocks_replace_those_that_are_there(any_database):
    first = rollup.block(HOUR, [(START, 0, 5)])
    second = rollup.block(HOUR, [(START, 0, 5), (START + 1, 2, 900)])
    with any_database.write() as conn:
        checks.put_blocks(conn, [(1, HOUR, 0, first), (1, HOUR + 1, 0, first), (2, HOUR, 0, first)])
        checks.put_blocks(conn, [(1, HOUR, 0, second)])
        checks.put_blocks(conn, [])

    with any_database.read() as conn:
        assert checks.blocks(conn, 1, HOUR, HOUR + 1) == [(HOUR, 0, second)]
        assert [hour for hour, _, _ in checks.blocks(conn, 1, 0, 10**6)] == [HOUR, HOUR + 1]
        assert checks.monitor_numbers(conn, blocks=True) == [1, 2]
        assert checks.monitor_numbers(conn) == []


def test_a_chart_joins_blocks_and_the_raw_tail_and_shows_gaps_as_gaps(any_database):
    write(
        any_database,
        [(1, START + hour * HOUR_MS, region, "up", 100 + hour) for hour in (0, 1, 3) for region in ("a", "b")],
    )
    with any_database.write() as conn:
        rolled = [row for _, row in checks.results(conn, 1, START, START + HOUR_MS)][:1]
        checks.put_blocks(conn, [(1, HOUR, region, rollup.block(HOUR, rolled)) for region in (0, 1)])
        checks.set_mark(conn, checks.HOURS, HOUR + 1)

    with any_database.read() as conn:
        points = checks.series(conn, 1, AT, AT + timedelta(hours=4))
        coarse = checks.series(conn, 1, AT, AT + timedelta(hours=3, minutes=1), step_hours=3)
        whole = checks.totals(conn, 1, AT, AT + timedelta(hours=4))
    assert [(point.at_ms, point.totals.checks) for point in points] == [
        (START, 2), (START + HOUR_MS, 2), (START + 2 * HOUR_MS, 0), (START + 3 * HOUR_MS, 2),
    ]  # fmt: skip
    assert [point.totals.checks for point in coarse] == [4, 2]
    assert (whole.checks, whole.latency_min_ms, whole.latency_max_ms) == (6, 100, 103)
    assert points[2].totals.percentile_ms(0.5) is None


def test_a_chart_of_a_monitor_without_results_is_empty(any_database):
    with any_database.read() as conn:
        points = checks.series(conn, 1, AT, AT + timedelta(hours=2))
        assert [point.totals.checks for point in points] == [0, 0]
        assert checks.totals(conn, 1, AT, AT).checks == 0


def test_the_days_of_all_components_come_in_one_query(any_database):
    with any_database.write() as conn:
        for component_id in ("a", "b"):
            component(conn, component_id)
        days = [
            (name, date(2026, 2, 27) + timedelta(days=back), Seconds(up=back, major=1))
            for name in "ab"
            for back in range(3)
        ]
        checks.put_days(conn, days)
        checks.put_days(conn, [("a", date(2026, 2, 28), Seconds(unknown=7))])
    statements = []
    event.listen(any_database._reader, "before_cursor_execute", lambda *call: statements.append(call[2]))

    with any_database.read() as conn:
        found = checks.uptime_days(conn, date(2026, 2, 28))
        only = checks.uptime_days(conn, date(2026, 2, 28), ["b"])

    assert found == {
        "a": {date(2026, 2, 28): Seconds(unknown=7), date(2026, 3, 1): Seconds(up=2, major=1)},
        "b": {date(2026, 2, 28): Seconds(up=1, major=1), date(2026, 3, 1): Seconds(up=2, major=1)},
    }
    assert only == {"b": found["b"]}
    assert len([text for text in statements if text.lstrip().startswith("SELECT")]) == 2


def test_states_are_written_in_one_go_new_or_changed(any_database):
    row = {
        "monitor_id": "m", "region": "local", "state": "up", "since_at": AT, "streak_outcome": "up", "streak": 1, "streak_at": AT,
        "last_at": AT, "last_ms": 5, "error_class": "", "message": "", "evidence": {},
    }  # fmt: skip
    with any_database.write() as conn:
        component(conn, "a")
        conn.execute(insert(monitors).values(
            id="m", no=1, component_id="a", names={}, kind="http", target="", options={}, interval_ms=1, timeout_ms=1, retry_ms=1,
            failures=1, successes=1, when_down="major_outage", publish="draft", supplier="", allow_networks=[], paused=False,
            source="file", created_at=AT, updated_at=AT,
        ))  # fmt: skip
        checks.save_states(conn, [row, {**row, "region": "hk"}])
        checks.save_states(conn, [{**row, "state": "down", "evidence": {"phases": {"dns": 1}}}])
        checks.save_states(conn, [])

    with any_database.read() as conn:
        found = {row.region: (row.state, row.evidence) for row in conn.execute(select(monitor_states))}
    assert found == {"local": ("down", {"phases": {"dns": 1}}), "hk": ("up", {})}


def test_forgetting_takes_what_is_older_of_one_monitor_only(any_database):
    write(any_database, [(no, START + hour * HOUR_MS, "local", "up", 1) for no in (1, 2) for hour in range(4)])
    one = rollup.block(HOUR, [(START, 0, 5)])
    with any_database.write() as conn:
        checks.put_blocks(conn, [(no, HOUR + hour, 0, one) for no in (1, 2) for hour in range(4)])
        assert checks.delete_results(conn, 1, START + 2 * HOUR_MS) == 2
        assert checks.delete_blocks(conn, 1, HOUR + 3) == 3
        raw, rolled = checks.counts(conn, 1, HOUR + 4)

    assert [at for _, (at, _, _) in stored(any_database)] == [START + 2 * HOUR_MS, START + 3 * HOUR_MS]
    assert len(stored(any_database, 2)) == 4
    assert raw == {(HOUR + 2, 0): 1, (HOUR + 3, 0): 1}
    assert rolled == {(HOUR + 3, 0): 1}

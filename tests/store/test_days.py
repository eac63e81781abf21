"""Daily uptime as the page reads it: whole days counted, the others fetched, gaps kept."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from sqlalchemy import event, insert

from statuspage.domain.uptime import Seconds
from statuspage.store import checks, public_rows
from statuspage.store.schema.catalogue import components

AT = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
FIRST = date(2026, 3, 1)
WHOLE = Seconds(up=86_400)


def written(db, days):
    """`days`: (component, days after the first, seconds)."""
    with db.write() as conn:
        for component_id in sorted({each[0] for each in days}):
            conn.execute(insert(components).values(
                id=component_id, public_id=component_id, names={}, descriptions={}, position=1, weight="normal", symptoms=[],
                template="", baseline="operational", status="operational", status_at=AT, source="file", created_at=AT,
                updated_at=AT,
            ))  # fmt: skip
        checks.put_days(conn, [(component_id, FIRST + timedelta(days=after), row) for component_id, after, row in days])


def read(db, since=FIRST):
    with db.read() as conn:
        return public_rows.load_days(conn, since.isoformat())


def test_every_day_comes_as_it_was_written(any_database):
    partial = Seconds(up=80_000, partial=6_400)
    days = [("steady", after, WHOLE) for after in range(5)]
    days += [("shaky", after, partial if after == 2 else WHOLE) for after in range(5)]
    days += [("young", 4, Seconds(up=100, unknown=7))]
    days += [("gappy", after, partial if after == 4 else WHOLE) for after in (0, 1, 4)]
    written(any_database, days)

    found = read(any_database)

    expected = {}
    for component_id, after, row in days:
        expected.setdefault(component_id, {})[FIRST + timedelta(days=after)] = row
    assert found == expected
    assert all(list(rows) == sorted(rows) for rows in found.values())


def test_days_before_are_left_out(any_database):
    written(any_database, [("steady", after, WHOLE) for after in range(5)] + [("gone", 0, WHOLE)])

    found = read(any_database, FIRST + timedelta(days=3))

    assert found == {"steady": {FIRST + timedelta(days=3): WHOLE, FIRST + timedelta(days=4): WHOLE}}


def test_the_days_that_were_not_whole_are_found_by_their_index(sqlite_database):
    written(sqlite_database, [("steady", after, WHOLE) for after in range(400)])
    asked = []
    event.listen(sqlite_database._reader, "before_cursor_execute", lambda *given: asked.append((given[2], given[3])))

    read(sqlite_database, FIRST + timedelta(days=310))

    with sqlite_database.read() as conn:
        statement, values = next(each for each in asked if "up_s <> 86400" in each[0])
        plan = [row[3] for row in conn.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values)]
    assert any("USING INDEX ix_daily_uptime_not_whole" in line for line in plan), plan

"""The benchmarks' past is written in bulk: it must be what actions would have written, row for row."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from bench import _past
from statuspage.actions import notices as actions
from statuspage.actions.context import Actor, Context
from statuspage.domain import signing
from statuspage.domain.notice import Draft
from statuspage.store import notices as store
from statuspage.store import public
from statuspage.store.database import Database
from statuspage.store.schema import metadata
from statuspage.store.schema.checks import daily_uptime
from statuspage.store.schema.notices import changes, log, log_bodies, notice_components, notice_updates, notices
from statuspage.store.schema.runtime import keys
from tests.builders import KEYS, NOW, Wallet

NAMES = ["transfers", "login", "balances"]
YEAR = timedelta(days=365)
# Drawn at random, or made of what is.
DRAWN = {"public_id", "number", "id", "notice", "update", "prev", "prev_hash", "hash", "signature"}


@pytest.fixture
def databases(tmp_path):
    made = [Database(f"sqlite:///{tmp_path}/{name}.db") for name in ("bulk", "one-by-one")]
    for db in made:
        with db.write() as conn:
            metadata.create_all(conn)
        wallet = Wallet(db).page()
        for name in NAMES:
            wallet.component(name, watched=False)  # what no monitor judges goes back to operational
    yield made
    for db in made:
        db.close()


def act(db, steps):
    """One notice through actions, at the times of its course."""
    (at, facts, bodies), *rest = steps
    actor, moment = Actor(_past.AUTHOR, "admin"), [at]
    ctx = Context(db, KEYS, lambda: moment[0])
    made = actions.declare(ctx, actor, Draft(facts, bodies, notify=False))
    for at, facts, bodies in rest:
        moment[0] = at
        actions.update(ctx, actor, made.public_id, Draft(facts, bodies, notify=False))


def rows_of(db, table, since=0):
    with db.read() as conn:
        found = [dict(row) for row in conn.execute(select(table).order_by(*table.primary_key)).mappings()]
    return [plain(row) for row in found if row.get("seq", since + 1) > since]


def plain(row):
    out = {key: value for key, value in row.items() if key not in DRAWN}
    if "words" in out:
        first, _, rest = out["words"].partition("\n")
        out["words"] = (first == row["number"].lower(), rest)
    if "payload" in out:
        said = json.loads(out["payload"])
        out["payload"] = {**said, "prev": "", "snapshot": {k: v for k, v in said["snapshot"].items() if k not in DRAWN}}
    if "what" in out:
        out["what"] = {**out["what"], "notices": len(out["what"].get("notices", ()))}
    return out


def test_notices_written_in_bulk_are_those_that_actions_write_one_by_one(databases):
    bulk, single = databases
    with bulk.write() as conn:
        before = store.last_change(conn)
        _past.add_notices(conn, KEYS, NAMES, 9, NOW, YEAR)
    for steps in _past.lives(NAMES, 9, NOW, YEAR):
        act(single, steps)

    for table in (notices, notice_components, notice_updates, log, log_bodies, keys):
        assert rows_of(bulk, table) == rows_of(single, table), table.name
    assert rows_of(bulk, changes, before) == rows_of(single, changes, before)


def test_the_log_of_the_past_holds_and_is_continued_by_the_present(databases):
    bulk, _ = databases
    with bulk.write() as conn:
        _past.add_notices(conn, KEYS, NAMES, 5, NOW - YEAR, YEAR)
        _past.add_notices(conn, KEYS, NAMES, 4, NOW, YEAR)
    act(bulk, _past.course(100, "login", NOW))

    with bulk.read() as conn:
        public_keys = {row["id"]: row["public_key"] for row in public.signing_keys(conn)}
        rows = store.log_rows(conn)
    assert len(rows) == 10 * 2
    assert signing.verify_chain([LogRow(row) for row in rows], public_keys) is None


class LogRow:
    def __init__(self, row):
        self.__dict__.update(row)


def test_years_of_daily_uptime_lie_before_the_quarter_that_they_repeat(databases):
    bulk, _ = databases
    with bulk.write() as conn:
        first = conn.execute(select(func.min(daily_uptime.c.day))).scalar_one()
        bad = conn.execute(select(func.count()).where(daily_uptime.c.up_s < 86_400)).scalar_one()
        _past.add_years(conn, first, 2)

    with bulk.read() as conn:
        days = conn.execute(select(func.count()).where(daily_uptime.c.component_id == "login")).scalar_one()
        different = conn.execute(select(func.count(func.distinct(daily_uptime.c.day)))).scalar_one()
        repeated = conn.execute(select(func.count()).where(daily_uptime.c.up_s < 86_400)).scalar_one()
    assert days == different == 90 * 9
    assert repeated == bad * 9

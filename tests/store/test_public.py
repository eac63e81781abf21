"""The one public projection, on both databases."""

from __future__ import annotations

import time
from datetime import timedelta

import pytest
from sqlalchemy import event, text

from statuspage.store import public
from statuspage.store.public_views import PublicView
from statuspage.store.watch import watch
from tests.builders import NOW, Wallet, draft, small_wallet


@pytest.fixture
def wallet(any_database):
    return small_wallet(any_database)


def load(wallet, now=NOW) -> PublicView:
    with wallet.db.read() as conn:
        return public.load(conn, now)


def test_it_holds_groups_components_days_and_the_last_check(wallet):
    view = load(wallet)

    assert [(group.id, len(group.components)) for group in view.groups] == [("money", 3), ("data", 3)]
    assert len(view.by_id["transfers"].days) == 90
    assert view.checked_at == NOW - timedelta(seconds=12)
    assert view.verdict.level == "ok"


def test_open_upcoming_active_and_past_are_told_apart(wallet):
    going_on = wallet.scenario("transfers-failing", steps=2, began_at=NOW - timedelta(minutes=30))
    upcoming = wallet.scenario("core-upgrade", steps=1, began_at=NOW + timedelta(days=2))
    active = wallet.scenario("core-upgrade", steps=2, began_at=NOW - timedelta(minutes=30))
    past = wallet.scenario("tron-node-behind", began_at=NOW - timedelta(days=4))
    wallet.scenario("tron-node-behind", began_at=NOW - timedelta(days=20))

    view = load(wallet)

    assert [notice.public_id for notice in view.open] == [going_on]
    assert [notice.public_id for notice in view.upcoming] == [upcoming]
    assert [notice.public_id for notice in view.active] == [active]
    assert [notice.public_id for notice in view.past] == [past]


def test_the_worst_notice_stands_first_and_advisories_last(wallet):
    wallet.notice(draft("An advisory", kind="advisory", status="active", impact="critical"))
    wallet.notice(draft("A small one", impact="minor"))
    wallet.notice(draft("A large one", impact="critical"))
    wallet.notice(draft("A middling one", impact="major"))
    wallet.suspected(["login"])

    assert [notice.facts.titles["en"] for notice in load(wallet).open] == [
        "A large one", "A middling one", "We see a problem with Sign-in", "A small one", "An advisory",
    ]  # fmt: skip


@pytest.mark.parametrize("visibility", ["draft", "scheduled"])
def test_what_is_not_published_is_nowhere_in_it(wallet, visibility):
    public_id = wallet.notice(draft("Hidden words"), visibility=visibility)

    with wallet.db.read() as conn:
        everything = (public.load(conn, NOW), public.load_history(conn, "2026-11", "UTC"), public.load_component(conn, "login"))
        assert public.load_notice(conn, public_id) is None
    assert "Demo Wallet" in repr(everything)
    assert "Hidden words" not in repr(everything)


def test_neither_authors_nor_operators_are_in_it(wallet):
    wallet.notice(draft(components={"transfers": "major_outage"}))

    assert "Li Wei" not in repr(load(wallet))
    assert "test" not in {word.strip("'\",()") for word in repr(load(wallet)).split()}


def test_a_scheduled_row_marked_public_by_mistake_without_a_time_stays_hidden(wallet):
    public_id = wallet.notice(draft())
    with wallet.db.write() as conn:
        conn.execute(text("UPDATE notices SET published_at = NULL"))

    with wallet.db.read() as conn:
        assert public.load_notice(conn, public_id) is None


@pytest.mark.parametrize("broken", ["{", "[]", "7", "null", '{"kind": 1}', '{"kind": "incident", "status": "x", "titles": "no"}'])
def test_damaged_facts_cost_their_notice_its_details_only(wallet, broken):
    damaged = wallet.notice(draft("Damaged"))
    good = wallet.notice(draft("Good"))
    with wallet.db.write() as conn:
        conn.execute(text("UPDATE notices SET facts = :broken WHERE public_id = :id"), {"broken": broken, "id": damaged})

    view = load(wallet)

    by_id = {notice.public_id: notice for notice in view.open}
    assert by_id[damaged].is_damaged
    assert by_id[damaged].facts.titles == {"en": by_id[damaged].number}
    assert by_id[good].facts.titles["en"] == "Good"


@pytest.mark.parametrize("column", ["names", "descriptions"])
def test_a_damaged_component_keeps_its_id_and_the_others_their_names(wallet, column):
    with wallet.db.write() as conn:
        conn.execute(text(f"UPDATE components SET {column} = '[broken' WHERE id = 'transfers'"))  # noqa: S608 - names above

    view = load(wallet)

    assert view.by_id["login"].names["en"] == "Sign-in"
    assert len(view.components) == 6
    if column == "names":
        assert view.by_id["transfers"].names == {"en": "transfers"}


def test_a_status_nobody_knows_is_unknown_and_never_green(wallet):
    with wallet.db.write() as conn:
        conn.execute(text("UPDATE components SET status = 'splendid' WHERE id = 'login'"))

    assert load(wallet).by_id["login"].status == "unknown"
    assert load(wallet).verdict.level == "unknown"


def test_signatures_stand_beside_their_updates(wallet):
    wallet.scenario("transfers-failing", steps=3, began_at=NOW - timedelta(hours=1))

    updates = load(wallet).open[0].updates

    assert [(update.sequence, update.signature.n) for update in updates] == [(3, 3), (2, 2), (1, 1)]


def test_history_goes_by_local_months_and_names_its_neighbours(wallet):
    # 2026-10-31 16:30 UTC is already November in Shanghai.
    edge = wallet.notice(draft("Edge", started_at=NOW.replace(month=10, day=31, hour=16, minute=30)))
    wallet.notice(draft("Summer", started_at=NOW.replace(month=7, day=3)))

    with wallet.db.read() as conn:
        november = public.load_history(conn, "2026-11", "Asia/Shanghai")
        october = public.load_history(conn, "2026-10", "Asia/Shanghai")

    assert [notice.public_id for notice in november.notices] == [edge]
    assert (november.older, november.newer) == ("2026-07", None)
    assert (october.notices, october.older, october.newer) == ((), "2026-07", "2026-11")


@pytest.mark.parametrize("month", ["", "2026", "2026-13", "2026-1", "2026-11-01", "20261101", "x"])
def test_what_is_no_month_is_refused(wallet, month):
    with wallet.db.read() as conn, pytest.raises(ValueError, match=r".*"):
        public.load_history(conn, month, "UTC")


def test_changes_are_added_up_since_a_sequence(wallet):
    with wallet.db.read() as conn:
        before = public.changes_since(conn, 0)
    wallet.status("login", "degraded")
    public_id = wallet.notice(draft(components={"transfers": "degraded"}))

    with wallet.db.read() as conn:
        found = public.changes_since(conn, before.seq)

    assert (found.notices, set(found.components), found.page) == ((public_id,), {"login", "transfers"}, False)
    assert before.page


def test_a_change_that_cannot_be_read_counts_as_everything(wallet):
    with wallet.db.write() as conn:
        conn.execute(text("UPDATE changes SET what = 'x'"))

    with wallet.db.read() as conn:
        assert public.changes_since(conn, 0).page


def test_the_number_of_queries_does_not_grow_with_what_is_shown(wallet):
    counted = []
    engine = wallet.db._reader
    event.listen(engine, "before_cursor_execute", lambda *_args: counted.append(1))
    load(wallet)
    few = len(counted)
    counted.clear()
    more = Wallet(wallet.db)
    for number in range(20):
        more.component(f"more_{number}", "data")
        more.notice(draft(f"Notice {number}", components={f"more_{number}": "degraded"}))

    load(wallet)

    assert len(counted) <= few + 2


def test_blinded_nothing_works_and_what_is_broken_stays_broken(wallet):
    wallet.status("transfers", "major_outage")

    blind = load(wallet).blinded()

    assert {component.id: component.status for component in blind.components}["transfers"] == "major_outage"
    assert "operational" not in {component.status for component in blind.components}
    assert blind.verdict.level == "down"
    assert load(wallet).is_blind is False


def test_a_commit_of_another_connection_is_noticed_once(wallet):
    commits = watch(wallet.db)
    while commits.has_changed():
        pass
    assert not commits.has_changed()

    wallet.status("login", "degraded")

    give_up = time.monotonic() + 5
    while not (noticed := commits.has_changed()) and time.monotonic() < give_up:
        time.sleep(0.01)
    assert noticed
    assert not commits.has_changed()
    commits.close()

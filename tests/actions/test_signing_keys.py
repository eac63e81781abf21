"""Replacing the signing key: announced under the old one's signature, then put in place; what the old one signed stays valid."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select

from statuspage import keys as key_files
from statuspage.actions import publication, signing_keys, verification
from statuspage.actions.context import Context
from statuspage.domain import signing
from statuspage.errors import Conflict, NotFound
from statuspage.store import pages
from statuspage.store.schema.runtime import keys
from tests.builders import KEYS, NOW, draft, small_wallet


@pytest.fixture
def wallet(sqlite_database):
    return small_wallet(sqlite_database)


@pytest.fixture
def clock():
    return {"now": NOW}


@pytest.fixture
def ctx(wallet, clock):
    return Context(wallet.db, KEYS, lambda: clock["now"])


def rows(wallet):
    with wallet.db.read() as conn:
        return {row.id: row for row in conn.execute(select(keys))}, pages.load_meta(conn, signing_keys.ENDORSEMENTS)


def test_the_next_key_is_published_with_the_present_ones_signature_and_signs_nothing_yet(wallet, ctx, tmp_path):
    wallet.notice(draft())
    found = signing_keys.announce(ctx, tmp_path, timedelta(days=7))

    known, endorsed = rows(wallet)
    one = endorsed[found.id]
    assert signing.verify(known[one["by"]].public_key, one["statement"], one["signature"])
    assert found.public_key in one["statement"]
    assert known[found.id].valid_from == NOW + timedelta(days=7)
    assert {row.valid_until for row in known.values()} == {None}
    with pytest.raises(Conflict):
        signing_keys.announce(ctx, tmp_path, timedelta(days=7))


def test_it_is_put_in_place_on_its_day_and_then_the_old_one_ends_with_its_signatures_valid(wallet, ctx, clock, tmp_path):
    (tmp_path / "signing.key").write_text(KEYS.signing.hex())
    wallet.notice(draft("Old"))
    found = signing_keys.announce(ctx, tmp_path, timedelta(days=7))
    with pytest.raises(Conflict):
        signing_keys.switch(ctx, tmp_path)
    clock["now"] = wallet.now = NOW + timedelta(days=8)
    publication.announce_key(ctx)  # still the old key in this process: the announced one has not been replaced by it
    assert rows(wallet)[0][found.id].valid_until is None

    assert signing_keys.switch(ctx, tmp_path) == found.id

    fresh = Context(wallet.db, replace(KEYS, signing=key_files.read(tmp_path / "signing.key")), ctx.now)
    with wallet.db.write() as conn:
        assert publication.ensure_key(conn, fresh.keys, clock["now"]) == found.id
    known, _ = rows(wallet)
    old = signing.key_id(signing.public_key(KEYS.signing))
    assert known[old].valid_until == clock["now"]
    assert known[found.id].valid_until is None
    assert (tmp_path / f"signing.{old}.old.key").exists()
    assert verification.verify(fresh).is_whole


def test_without_an_announcement_there_is_nothing_to_switch_to(ctx, tmp_path):
    with pytest.raises(NotFound):
        signing_keys.switch(ctx, tmp_path)

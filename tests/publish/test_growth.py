"""What one change costs grows with what changed: not with old notices, other components, or the years that lie behind."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from sqlalchemy import event, select

from bench import _past
from statuspage import settings
from statuspage.publish import publisher as publisher_module
from statuspage.publish.files import Folder, Manifest
from statuspage.publish.publisher import Publisher
from statuspage.store import notices as notice_store
from statuspage.store import public_pages
from statuspage.store.database import Database
from statuspage.store.schema import metadata
from statuspage.store.schema.notices import notices
from statuspage.web.site import Services, create_site
from tests.builders import FUNCTIONS, KEYS, NOW, ZONE, draft, small_wallet

YEAR = timedelta(days=365)
# Tables that grow for as long as the page lives.
GROWING = ("log", "log_bodies", "notice_updates", "notice_components", "changes", "outbox", "component_status_changes",
           "daily_uptime", "hour_blocks", "check_results", "transitions")  # fmt: skip


@pytest.fixture
def opened(tmp_path):
    """A page that is on disk so far, with so many old notices and further components: (wallet, publisher, paths asked for)."""
    kept = []

    def make(old, more_components=0, site=None):
        folder = tmp_path / f"with-{old}"
        folder.mkdir()
        db = Database(f"sqlite:///{folder}/growth.db")
        kept.append(db)
        with db.write() as conn:
            metadata.create_all(conn)
        wallet = small_wallet(db)
        for number in range(more_components):
            wallet.component(f"function_{number}", "data", days=1)
        with db.write() as conn:
            _past.add_notices(conn, KEYS, FUNCTIONS, old, NOW - timedelta(hours=2), timedelta(days=5 * 365))
            seq = notice_store.last_change(conn)
        site, asked = site or create_site(Services(db, settings.load({}), lambda: NOW)), []
        publisher = Publisher(db, lambda environ, start: asked.append(environ["PATH_INFO"]) or site(environ, start),
                              folder / "public", lambda: NOW)  # fmt: skip
        kept.append(publisher)
        day = NOW.astimezone(ZONE).date().isoformat()
        published = Manifest(seq, publisher._look(), day, "https://status.wallet.example", ["zh-Hans", "en"])
        files = Folder(folder / "public")
        kept.append(files)
        files.save_manifest(published)
        return wallet, publisher, asked

    yield make
    for one in reversed(kept):
        one.close()


def echo(environ, start_response):
    """A site whose every page is its own address."""
    start_response("200 OK", [])
    return [environ["PATH_INFO"].encode()]


def drained(publisher):
    counts = publisher.run_once()
    written = counts.written
    while counts.pending:
        counts = publisher.run_once()
        written += counts.written
    return written


def nameless(paths, public_id):
    """The paths with the new notice's own id, number and log entry left out."""
    return {re.sub(r"(/log/)\d+|(/n/)N-\w+", r"\1\2", path.replace(public_id, "ID")) for path in paths}


def test_one_change_renders_the_same_pages_and_files_at_many_old_notices_and_components_as_at_few(opened):
    found = []
    for old, more in ((3, 0), (300, 30)):
        wallet, publisher, asked = opened(old, more, echo)  # what is rendered is asked here, not how
        public_id = wallet.notice(draft("Sign-in fails", components={"login": "major_outage"}))
        written = drained(publisher)
        found.append((nameless(asked, public_id), written))

    (few_paths, few_written), (many_paths, many_written) = found
    assert few_paths == many_paths
    assert few_written == many_written > 50


def test_a_change_ends_what_is_rendered_in_the_background(opened, monkeypatch):
    monkeypatch.setattr(publisher_module, "SLICE_S", 60.0)
    late = []

    def interrupted(environ, start_response):
        if environ["PATH_INFO"].endswith("/history") and not late:  # among what follows the news
            late.append(wallet.notice(draft("Transfers fail", components={"transfers": "major_outage"})))
        return echo(environ, start_response)

    wallet, publisher, _ = opened(3, site=interrupted)
    wallet.notice(draft("Sign-in fails", components={"login": "major_outage"}))

    counts = publisher.run_once()

    assert late
    assert counts.pending > 0
    assert drained(publisher) > 0
    assert (publisher._folder.pages / "en" / "incidents" / f"{late[0]}.html").exists()


def test_no_statement_of_a_publication_walks_through_a_table_that_grows_for_ever(opened):
    wallet, publisher, _ = opened(20)
    said = {}
    event.listen(wallet.db._reader, "before_cursor_execute",
                 lambda _c, _cursor, sql, given, *_: said.setdefault(sql, given))  # fmt: skip
    wallet.notice(draft("Sign-in fails", components={"login": "major_outage"}))
    drained(publisher)

    walks = []
    with wallet.db.read() as conn:
        for sql, given in list(said.items()):
            if sql.lstrip().upper().startswith(("SELECT", "WITH")):
                plan = [row[3] for row in conn.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}", given)]
                is_bounded = "LIMIT" in sql and not any("TEMP B-TREE" in step for step in plan)  # in order, and stops there
                walks += [] if is_bounded else [(step, sql) for step in plan if is_walk(step)]

    assert len(said) > 20
    assert walks == [], walks


def is_walk(step):
    """Whether a step of SQLite's plan reads a whole growing table; `notices` only by an index that nearly all share."""
    if step.endswith("ix_notices_visibility_resolved (visibility=?)"):
        return True
    return step.split()[0] == "SCAN" and step.split()[1] in GROWING


def test_statistics_read_again_only_what_has_another_update_and_say_the_same_as_if_all_were_read(opened):
    wallet, _, _ = opened(40)
    public_id = wallet.notice(draft("Sign-in fails", components={"login": "major_outage"}))
    with wallet.db.read() as conn:
        before = public_pages.load_faults(conn, NOW - YEAR, {})
        row_id = conn.execute(select(notices.c.id).where(notices.c.public_id == public_id)).scalar_one()
    wallet.add_update(public_id, draft("Sign-in fails", status="resolved", resolved_at=NOW))

    read = []
    event.listen(wallet.db._reader, "before_cursor_execute",
                 lambda _c, _cursor, sql, given, *_: read.append(given) if "FROM notice_updates" in sql else None)  # fmt: skip
    with wallet.db.read() as conn:
        after = public_pages.load_faults(conn, NOW - YEAR, before)
        told = list(read)
        everything = public_pages.load_faults(conn, NOW - YEAR, {})

    assert set(told) == {(row_id,)}
    assert list(after.items()) == list(everything.items())
    assert before[row_id][1].resolved_at is None
    assert after[row_id][1].resolved_at == NOW

"""The publisher's loop: at once for a commit of this process, soon for one of another, and alive only while it works."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from sqlalchemy import text

from statuspage import clock, settings
from statuspage.actions.context import Context
from statuspage.publish.publisher import Publisher
from statuspage.store import public
from statuspage.web.site import Services, create_site
from statuspage.worker import publisher as publishing
from tests.builders import KEYS, Wallet, draft, small_wallet

ELSEWHERE = """
import sys
from statuspage.store.database import Database
from tests.builders import Wallet, draft
Wallet(Database(sys.argv[1])).notice(draft("Told by another process"))
"""


@pytest.fixture
def wallet(any_database):
    made = small_wallet(any_database)
    made.now = clock.now()
    return made.beat()


@pytest.fixture
def index(wallet, tmp_path):
    """Text of the published index, while the loop runs."""
    publisher = Publisher(wallet.db, create_site(Services(wallet.db, settings.load({}))), tmp_path / "public")
    ctx = Context(wallet.db, KEYS)
    stop, wake = threading.Event(), threading.Event()
    wallet.db.on_commit(wake.set)
    loop = threading.Thread(target=publishing.run, args=(ctx, publisher, stop, wake))
    loop.start()
    page = tmp_path / "public" / "pages" / "en" / "index.html"
    until(lambda: page.exists() and page.with_name("verify.html").exists(), 30)
    yield lambda: page.read_text(encoding="utf-8")
    stop.set()
    wake.set()
    loop.join(20)
    publisher.close()
    assert not loop.is_alive()


def until(is_so, seconds):
    give_up = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < give_up, "waited in vain"
        time.sleep(0.02)


def test_a_commit_of_this_process_is_published(wallet, index):
    wallet.notice(draft("Told at once"))

    until(lambda: "Told at once" in index(), 15)


def test_a_commit_of_another_process_is_published(wallet, index):
    root = Path(__file__).parents[2]

    subprocess.run([sys.executable, "-c", ELSEWHERE, wallet.db.url], check=True, cwd=root, env={"PYTHONPATH": str(root)})

    until(lambda: "Told by another process" in index(), 15)


def test_the_heartbeat_is_written_after_work(wallet, index):
    def beats():
        with wallet.db.read() as conn:
            return public.load_heartbeats(conn)

    until(lambda: "publisher" in beats(), 15)


def test_the_very_first_files_of_a_page_that_nobody_watches_are_not_blind(sqlite_database, tmp_path):
    wallet = Wallet(sqlite_database).page()
    publisher = Publisher(wallet.db, create_site(Services(wallet.db, settings.load({}))), tmp_path, clock.now)
    stop = threading.Event()
    publish, seen = publisher.run_once, []

    def once():
        counts = publish()
        seen.append(json.loads((tmp_path / "pages" / "live.json").read_bytes()))
        stop.set()
        return counts

    publisher.run_once = once
    publishing.run(Context(wallet.db, KEYS), publisher, stop, threading.Event())
    publisher.close()

    assert [live["checked_at"] is not None for live in seen] == [True]


@pytest.mark.parametrize("any_database", ["sqlite"], indirect=True)  # where a vanished table is taken for an outage
def test_the_loop_survives_a_database_that_does_not_answer(wallet, index, caplog):
    with wallet.db.write() as conn:
        conn.execute(text("ALTER TABLE changes RENAME TO hidden"))
    until(lambda: "nothing published" in caplog.text, 15)
    with wallet.db.write() as conn:
        conn.execute(text("ALTER TABLE hidden RENAME TO changes"))

    wallet.notice(draft("Told after the fault"))

    until(lambda: "Told after the fault" in index(), 15)

"""Committed changes become files: the right ones, whole, in order, also across a SIGKILL."""

from __future__ import annotations

import gzip
import json
import os
import signal
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path

import brotli
import pytest
from sqlalchemy import text

from statuspage.errors import Unavailable
from statuspage.publish import publisher as publisher_module
from statuspage.publish.publisher import Publisher
from tests.builders import NOW, draft


def plain_bytes(folder):
    """Everything published, in one piece."""
    files = [path for path in (folder / "pages").rglob("*") if path.is_file() and path.suffix not in {".gz", ".br"}]
    return b"".join(path.read_bytes() for path in files)


@pytest.mark.usefixtures("nothing_published")
def test_the_first_cycle_publishes_every_page_in_every_language(publish, folder):
    publish()

    names = {path.relative_to(folder / "pages").as_posix() for path in (folder / "pages").rglob("*") if path.is_file()}
    for language in ("en", "zh-Hans"):
        for page in ("index", "history", "uptime", "verify", "components/transfers"):
            assert {f"{language}/{page}.html", f"{language}/{page}.blind.html"} <= names
    assert {"live.json", "live.blind.json", "api/v2/summary.json", "zh-Hans/history.atom", "log.json", "key.json"} <= names


@pytest.mark.usefixtures("nothing_published")
def test_compressed_forms_hold_the_same_page(publish, folder):
    publish()

    page = folder / "pages" / "zh-Hans" / "index.html"
    assert gzip.decompress(page.with_name("index.html.gz").read_bytes()) == page.read_bytes()
    assert brotli.decompress(page.with_name("index.html.br").read_bytes()) == page.read_bytes()


def test_a_declared_notice_is_on_page_feed_and_json_of_the_same_cycle(wallet, publish, read):
    publish()
    public_id = wallet.notice(draft("Transfers fail", components={"transfers": "major_outage"}))
    wallet.status("transfers", "major_outage")

    publish()

    assert "Transfers fail" in read("en/index.html")
    assert "Transfers fail" in read(f"en/incidents/{public_id}.html")
    assert "Transfers fail" in read("en/history/2026-11.html")
    assert "Transfers fail" in read("en/history.atom")
    assert "Transfers fail" in read("en/components/transfers/history.rss")
    assert json.loads(read("api/v2/incidents/unresolved.json"))["incidents"][0]["id"] == public_id
    assert json.loads(read("live.json"))["verdict"] == "down"


def test_a_change_renders_only_what_depends_on_it(wallet, publish, read, folder):
    publish()
    before = {path: path.stat().st_mtime_ns for path in (folder / "pages").rglob("*.html")}
    time.sleep(0.02)
    wallet.notice(draft("Sign-in fails", components={"login": "major_outage"}))

    publish()

    touched = {path.relative_to(folder / "pages").as_posix() for path, at in before.items() if path.stat().st_mtime_ns != at}
    assert "en/index.html" in touched
    assert "en/components/login.html" in touched
    assert "en/components/transfers.html" not in touched
    assert "en/uptime.html" not in touched


def test_the_pages_of_symptoms_follow_their_components_and_no_others(wallet, publish, folder):
    publish()
    before = {path: path.stat().st_mtime_ns for path in (folder / "pages" / "en" / "check").glob("*.html")}
    time.sleep(0.02)
    wallet.notice(draft("Codes are late", components={"otp_delivery": "degraded"}))
    wallet.status("otp_delivery", "degraded")

    publish()

    touched = {path.name for path, at in before.items() if path.stat().st_mtime_ns != at}
    assert len(before) == 2 * 17  # each with its blind twin
    assert "otp_missing.html" in touched
    assert touched <= {f"{key}{twin}.html" for key in ("otp_missing", "suspicious_message") for twin in ("", ".blind")}
    assert "We know of no fault" not in (folder / "pages/en/check/otp_missing.blind.html").read_text()


def test_a_cycle_without_news_renders_nothing(publish, publisher):
    publish()

    assert publisher.run_once().rendered == 0


@pytest.mark.usefixtures("nothing_published")
def test_drafts_and_scheduled_notices_leave_no_trace(wallet, publish, folder):
    wallet.notice(draft("A secret draft"), visibility="draft")
    wallet.notice(draft("Planned for tomorrow"), visibility="scheduled", publish_at=NOW + timedelta(days=1))

    publish()

    everything = plain_bytes(folder)
    assert b"Everything works" in everything
    assert b"A secret draft" not in everything
    assert b"Planned for tomorrow" not in everything


@pytest.mark.usefixtures("nothing_published")
def test_no_author_ever_reaches_a_file(wallet, publish, folder):
    wallet.notice(draft(components={"transfers": "major_outage"}))

    publish()

    everything = plain_bytes(folder)
    assert b"Transfers fail" in everything
    assert b"Li Wei" not in everything


def test_a_withdrawn_notice_loses_its_page(wallet, publish, read, folder):
    public_id = wallet.notice(draft())
    publish()
    assert (folder / "pages" / f"en/incidents/{public_id}.html").exists()

    with wallet.db.write() as conn:
        conn.execute(text("UPDATE notices SET visibility = 'draft'"))
        wallet._changed(conn, notices=[public_id])
    publish()

    assert not (folder / "pages" / f"en/incidents/{public_id}.html").exists()
    assert not (folder / "pages" / f"en/incidents/{public_id}.html.br").exists()
    assert "Transfers fail" not in read("en/index.html")


def test_live_json_follows_the_checker_without_a_public_change(wallet, publish, publisher, read, monkeypatch):
    publish()
    version = json.loads(read("live.json"))["version"]
    monkeypatch.setattr(publisher_module, "LIVE_S", 0.0)
    wallet.beat(NOW + timedelta(seconds=30))

    publisher.run_once()

    assert json.loads(read("live.json")) == {"version": version, "checked_at": "2026-11-22T05:42:30.000Z", "verdict": "ok"}


@pytest.mark.usefixtures("nothing_published")
def test_blind_twins_say_that_we_cannot_see_and_nothing_works(wallet, publish, read):
    wallet.notice(draft("Balances are wrong", components={"balances": "major_outage"}))
    wallet.status("balances", "major_outage")

    publish()

    twin = read("en/index.blind.html")
    assert "We cannot see at the moment." in twin
    assert "The last known state is from 22 Nov 2026, 13:41 UTC+8." in twin
    assert "Operational" not in twin
    assert "Balances are wrong" in twin
    assert "more affected" not in twin
    assert "operational" not in {part["status"] for part in json.loads(read("api/v2/components.blind.json"))["components"]}
    assert json.loads(read("live.blind.json"))["blind"] is True


def test_a_new_local_day_shifts_the_bars(wallet, publish, publisher, read, clock):
    publish()
    before = read("en/components/transfers.html")
    clock.forward(days=1)
    publisher._lived = float("-inf")

    publish()

    assert read("en/components/transfers.html") != before


def test_a_page_asked_for_by_a_reader_becomes_a_file(wallet, publish, publisher, folder):
    old = wallet.notice(draft(started_at=NOW - timedelta(days=200)))
    publish()
    page = folder / "pages" / "en" / "history" / "2026-05.html"
    page.unlink()

    publisher.want("/en/history/2026-05")
    publish()

    assert old in page.read_text()


def test_a_new_look_renders_everything_again_and_a_change_goes_first(wallet, publish, publisher, folder, monkeypatch, read):
    publish()
    for path in (folder / "pages").rglob("*.html"):
        path.write_text("old")
    monkeypatch.setattr(publisher_module, "SLICE_S", 0.0)
    monkeypatch.setattr("statuspage.publish.assets.look_hash", lambda: "another")
    monkeypatch.setattr(publisher._folder, "_digests", {})
    wallet.notice(draft("News of today"))

    counts = publisher.run_once()

    assert counts.pending > 0
    assert "News of today" in read("en/index.html")
    assert read("en/uptime.html") == "old"
    publish()
    assert "Days are those of the page" in read("en/uptime.html")


@pytest.mark.usefixtures("nothing_published")
def test_a_damaged_notice_costs_its_own_details_only(wallet, publish, read, caplog):
    damaged = wallet.notice(draft("Cannot be read"))
    wallet.notice(draft("Can be read"))
    with wallet.db.write() as conn:
        conn.execute(text("UPDATE notices SET facts = '{broken' WHERE public_id = :id"), {"id": damaged})
        conn.execute(text("UPDATE notice_updates SET bodies = '[1]' WHERE notice_id = 1"))

    counts = publish()

    assert counts.failed == 0
    assert "Can be read" in read("en/index.html")
    assert "The details of this notice cannot be shown at the moment." in read("en/index.html")
    assert "Can be read" in read("en/history.atom")
    assert "damaged row" in caplog.text


def test_a_page_that_cannot_be_rendered_stays_as_it_was_and_holds_nothing_back(wallet, publish, publisher, read, monkeypatch):
    publish()
    before = read("en/components/transfers.html")
    monkeypatch.setattr("statuspage.web.site.pages.component", lambda *_: 1 / 0)
    wallet.notice(draft("Still told", components={"transfers": "major_outage"}))

    counts = publish()

    assert counts.failed == 4  # two languages, each with its twin
    assert read("en/components/transfers.html") == before
    assert "Still told" in read("en/index.html")
    assert publisher.run_once().seq == counts.seq


def test_while_the_database_does_not_answer_the_files_stay(wallet, publish, publisher, read, monkeypatch):
    publish()
    before = read("en/index.html")
    with wallet.db.write() as conn:
        conn.execute(text("ALTER TABLE changes RENAME TO hidden"))

    with pytest.raises(Unavailable):
        publisher.run_once()

    assert read("en/index.html") == before


KILLED = """
import os, sys
sys.path.insert(0, {root!r})
from pathlib import Path
from statuspage import settings
from statuspage.publish import files
from statuspage.publish.publisher import Publisher
from statuspage.store.database import Database
from statuspage.web.site import Services, create_site
from tests.builders import NOW

count, limit = 0, int(sys.argv[2])
real = Path.replace

def replace(self, target):
    global count
    count += 1
    if count == limit:
        os.kill(os.getpid(), 9)
    return real(self, target)

Path.replace = replace
files.ThreadPoolExecutor = lambda *a, **k: type("Inline", (), {{"map": staticmethod(map), "shutdown": lambda self: None}})()
db = Database("sqlite:///" + sys.argv[1])
publisher = Publisher(db, create_site(Services(db, settings.load({{}}), lambda: NOW)), Path(sys.argv[3]), lambda: NOW)
while publisher.run_once().pending:
    pass
print(count)
"""


@pytest.mark.parametrize("point", [1, 2, 5, 9, 14, 20, 33, 47])
def test_killed_at_any_replacement_every_file_is_whole_and_the_next_start_catches_up(
    point, wallet, publish, publisher, folder, tmp_path, site, clock
):
    publish()
    publisher.close()
    old = {path: path.read_bytes() for path in (folder / "pages").rglob("*") if path.is_file()}
    public_id = wallet.notice(draft("After the crash", components={"transfers": "major_outage"}))
    root = str(Path(__file__).parents[2])
    script = tmp_path / "killed.py"
    script.write_text(KILLED.format(root=root))

    killed = subprocess.run(
        [sys.executable, str(script), str(tmp_path / "statuspage.db"), str(point), str(folder)],
        capture_output=True, text=True, check=False, env={"PATH": os.environ["PATH"]},
    )  # fmt: skip

    assert killed.returncode == -signal.SIGKILL, killed.stdout + killed.stderr
    for path in (folder / "pages").rglob("*"):
        if path.is_file() and path.suffix != ".new" and path.read_bytes() != old.get(path):
            unpack = {".gz": gzip.decompress, ".br": brotli.decompress}.get(path.suffix, bytes)
            assert unpack(path.read_bytes()).rstrip().endswith((b"</html>", b"}", b"</feed>", b"</rss>")), path
    again = Publisher(wallet.db, site, folder, clock)
    while again.run_once().pending:
        pass
    again.close()
    assert "After the crash" in (folder / "pages/en/index.html").read_text()
    assert "After the crash" in (folder / f"pages/en/incidents/{public_id}.html").read_text()
    assert gzip.decompress((folder / "pages/en/index.html.gz").read_bytes()) == (folder / "pages/en/index.html").read_bytes()
    assert json.loads((folder / "manifest.json").read_text())["pending"] == []

"""The fast path over real sockets: files without a database, the right form for each reader, blind twins, room kept free."""

from __future__ import annotations

import gzip
import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import brotli
import pytest
from waitress.server import create_server

from statuspage import settings
from statuspage.errors import Unavailable
from statuspage.publish.publisher import Publisher
from statuspage.store.database import Database
from statuspage.web import fastpath
from statuspage.web.fastpath import FastPath
from statuspage.web.site import Services, create_site
from tests.builders import NOW, Wallet, draft, small_wallet

THREADS = 6


class Clock:
    def __init__(self):
        self.at = NOW

    def __call__(self):
        return self.at


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture(scope="module")
def past(_sqlite_template, tmp_path_factory):
    """The database and the published files of a small wallet, made once: each test works on a copy."""
    folder = tmp_path_factory.mktemp("past")
    shutil.copyfile(_sqlite_template, folder / "statuspage.db")
    db = Database(f"sqlite:///{folder / 'statuspage.db'}")
    site = create_site(Services(small_wallet(db).db, settings.load({}), Clock()))
    publisher = Publisher(db, site, folder / "public", Clock())
    while publisher.run_once().pending:
        pass
    publisher.close()
    db.close()
    return folder


@pytest.fixture
def wallet(past, tmp_path):
    shutil.copytree(past, tmp_path, dirs_exist_ok=True)
    db = Database(f"sqlite:///{tmp_path / 'statuspage.db'}")
    yield Wallet(db)
    db.close()


@pytest.fixture
def site(wallet, clock):
    return create_site(Services(wallet.db, settings.load({}), clock))


@pytest.fixture
def publisher(wallet, site, tmp_path, clock):
    made = Publisher(wallet.db, site, tmp_path / "public", clock)
    while made.run_once().pending:
        pass
    yield made
    made.close()


def serve(app, threads=THREADS):
    server = create_server(app, host="127.0.0.1", port=0, threads=threads)
    server.adj.asyncore_loop_timeout = 0.05  # it would see only after a second that it was closed

    def run():
        with suppress(OSError):  # its own socket, closed under its select by the end of the test
            server.run()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return server, thread


@pytest.fixture
def fast(site, publisher, tmp_path, clock, monkeypatch):
    monkeypatch.setattr(fastpath, "_LOOK_S", 0.0)
    monkeypatch.setattr(fastpath, "_TRUST_S", 0.0)  # two requests of a test are closer together than any reader's
    return FastPath(site, tmp_path / "public", threads=THREADS, want=publisher.want, now=clock)


@pytest.fixture
def port(fast):
    server, thread = serve(fast)
    yield server.effective_port
    server.close()
    thread.join(5)


def get(port, path, method="GET", **headers):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request(method, path, headers={name.replace("_", "-"): value for name, value in headers.items()})
    response = connection.getresponse()
    body = response.read()
    connection.close()
    return response.status, response.headers, body


def test_each_reader_gets_the_form_and_language_he_asked_for(port):
    plain = get(port, "/", Accept_Language="en")[2]
    status, headers, packed = get(port, "/", Accept_Language="en", Accept_Encoding="gzip, br")

    assert b"Everything works" in plain
    assert (status, headers["Content-Encoding"]) == (200, "br")
    assert brotli.decompress(packed) == plain
    assert gzip.decompress(get(port, "/", Accept_Language="en", Accept_Encoding="gzip")[2]) == plain
    assert get(port, "/", Accept_Language="en", Accept_Encoding="br;q=0, gzip;q=0")[2] == plain
    assert "一切正常" in get(port, "/", Accept_Language="zh-TW")[2].decode()
    assert get(port, "/en/", Accept_Language="zh")[2] == plain


def test_conditional_requests_and_head(port):
    _, headers, _ = get(port, "/live.json")

    assert get(port, "/live.json", If_None_Match=headers["ETag"])[0] == 304
    assert get(port, "/live.json", If_None_Match=f'"x", W/{headers["ETag"]}')[0] == 304
    assert get(port, "/live.json", If_None_Match='"x"')[0] == 200
    status, head, body = get(port, "/live.json", method="HEAD")
    assert (status, head["Content-Length"], body) == (200, headers["Content-Length"], b"")


def dated(tmp_path, name, ago_s=60):
    """The file as if it had been written that long ago."""
    at = time.time() - ago_s
    for path in (tmp_path / "public" / "pages").glob(f"{name}*"):
        os.utime(path, (at, at))


def settled(fast):
    """A fast path that has stood for an hour."""
    fast._eyes.turned_s -= 3600


def test_data_say_since_when_they_are_so_and_a_tag_wins_over_a_date(fast, port, tmp_path):
    settled(fast)
    files = {"/history.atom": "zh-Hans/history.atom", "/en/feed.json": "en/feed.json", "/live.json": "live.json",
             "/api/v2/summary.json": "api/v2/summary.json", "/app/notices.json?lang=en": "app/"}  # fmt: skip
    for path, name in files.items():
        dated(tmp_path, name)
        status, headers, _ = get(port, path)
        since, long_ago = headers["Last-Modified"], "Sun, 22 Nov 2020 05:42:00 GMT"

        assert status == 200, path
        assert get(port, path, If_Modified_Since=since)[0] == 304, path
        assert get(port, path, If_Modified_Since=long_ago)[0] == 200, path
        assert get(port, path, If_Modified_Since="yesterday")[0] == 200, path
        assert get(port, path, If_None_Match=headers["ETag"], If_Modified_Since=long_ago)[0] == 304, path
        assert get(port, path, If_None_Match='"old"', If_Modified_Since=since)[0] == 200, path


def test_what_was_written_a_moment_ago_has_no_date_yet_since_it_may_be_written_again_within_its_second(fast, port, tmp_path):
    settled(fast)
    dated(tmp_path, "zh-Hans/history.atom", ago_s=0)

    status, headers, _ = get(port, "/history.atom", If_Modified_Since="Tue, 22 Nov 2039 05:42:00 GMT")

    assert status == 200
    assert headers["Last-Modified"] is None
    assert headers["ETag"]


def test_a_blind_twin_is_news_although_its_file_is_as_old_as_the_other(fast, clock, port, tmp_path):
    settled(fast)
    dated(tmp_path, "live.")
    since = get(port, "/live.json")[1]["Last-Modified"]

    clock.at += timedelta(seconds=100)
    status, headers, body = get(port, "/live.json", If_Modified_Since=since)

    assert (status, json.loads(body)["blind"]) == (200, True)
    assert headers["Last-Modified"] is None


def test_each_encoding_has_its_own_strong_etag(port):
    etags = {get(port, "/en/", Accept_Encoding=form)[1]["ETag"] for form in ("identity", "gzip", "br")}

    assert len(etags) == 3
    assert not any(etag.startswith("W/") for etag in etags)


def test_a_publication_is_seen_at_once(wallet, publisher, port):
    assert b"Transfers fail" not in get(port, "/en/")[2]
    before = get(port, "/en/")[1]["ETag"]
    wallet.notice(draft("Transfers fail", components={"transfers": "major_outage"}))

    publisher.run_once()

    assert b"Transfers fail" in get(port, "/en/")[2]
    assert get(port, "/en/", If_None_Match=before)[0] == 200


def test_files_and_flask_send_the_same_page_and_headers(fast, site, port):
    client = site.test_client()
    for path in ("/en/", "/en/history", "/api/v2/summary.json", "/live.json", "/history.atom", "/log.json"):
        status, headers, body = get(port, path)
        live = client.get(path)
        assert (status, body) == (200, live.data), path
        for name in ("Content-Type", "Content-Security-Policy", "ETag", "Cache-Control", "Referrer-Policy"):
            assert headers[name] == live.headers[name], (path, name)


def test_no_published_page_touches_the_database(wallet, port, monkeypatch):
    monkeypatch.setattr(wallet.db, "read", lambda: 1 / 0)

    for path in ("/", "/en/", "/zh-Hans/history", "/en/components/login", "/live.json", "/api/v2/status.json", "/history.rss"):
        assert get(port, path)[0] == 200, path


@pytest.mark.parametrize(
    "path",
    ["/../manifest.json", "/en/../../manifest.json", "/%2e%2e/manifest.json", "/en/index.blind.html", "/en/nowhere.blind",
     "/en//", "/\x00", "/pages/en/index.html", "/en/index.html", "/live.json.gz", "/live.blind.json",
     "//evil.example/", "/" + "a" * 3000],
)  # fmt: skip
def test_nothing_but_pages_is_reached(port, path):
    with socket.create_connection(("127.0.0.1", port), timeout=5) as raw:
        raw.sendall(f"GET {path} HTTP/1.0\r\nHost: x\r\n\r\n".encode())
        answer = raw.makefile("rb").read()

    assert re.match(rb"HTTP/1\.[01] 4\d\d", answer), answer[:300]
    assert b'"seq"' not in answer


def test_queries_mean_nothing_but_on_the_history(port):
    assert b"Everything works" in get(port, "/en/?utm_source=x")[2]
    status, headers, _ = get(port, "/en/history?page=2")
    assert (status, headers["Location"]) == (302, "/en/history/2026-10")


def test_after_ninety_seconds_without_a_check_the_blind_twin_is_served(port, clock):
    clock.at = NOW + timedelta(seconds=77)  # the last check was 12 s before NOW
    assert b"Everything works" in get(port, "/en/")[2]

    clock.at = NOW + timedelta(seconds=79)

    assert b"We cannot see at the moment." in get(port, "/en/")[2]
    assert b"Everything works" not in get(port, "/en/")[2]
    assert json.loads(get(port, "/live.json")[2]) | {"version": ""} == {
        "version": "", "checked_at": "2026-11-22T05:41:48.000Z", "verdict": "unknown", "blind": True,
    }  # fmt: skip
    assert json.loads(get(port, "/api/v2/status.json")[2])["x_wallet"]["blind"] is True


def test_the_first_files_of_a_new_page_are_not_taken_for_what_was_left_of_an_old_one(fast, port, tmp_path, monkeypatch):
    monkeypatch.setattr(fastpath, "_LOOK_S", 60.0)
    live = tmp_path / "public/pages/live.json"
    aside = live.rename(tmp_path / "live.json")
    get(port, "/live.json")

    aside.rename(live)

    assert json.loads(get(port, "/live.json")[2])["verdict"] == "ok"
    assert b"Everything works" in get(port, "/en/")[2]


def test_a_wall_clock_set_back_does_not_open_the_eyes(port, clock, monkeypatch):
    get(port, "/en/")
    clock.at = NOW - timedelta(days=1)
    beginning = time.monotonic()
    monkeypatch.setattr(fastpath.time, "monotonic", lambda: beginning + 91)

    assert b"We cannot see at the moment." in get(port, "/en/")[2]


def test_eyes_open_again_with_the_next_check(wallet, publisher, port, clock, monkeypatch):
    clock.at = NOW + timedelta(seconds=200)
    assert b"We cannot see" in get(port, "/en/")[2]
    wallet.beat(NOW + timedelta(seconds=199))
    monkeypatch.setattr("statuspage.publish.publisher.LIVE_S", 0.0)

    publisher.run_once()

    assert b"Everything works" in get(port, "/en/")[2]


def test_without_live_json_nothing_is_said_to_work(port, tmp_path):
    for path in (tmp_path / "public" / "pages").glob("live.*"):
        path.unlink()

    assert b"We cannot see at the moment." in get(port, "/en/")[2]


def test_an_unpublished_page_is_rendered_and_then_kept(wallet, publisher, port, tmp_path):
    public_id = wallet.notice(draft("Old news", started_at=NOW - timedelta(days=400)))
    publisher.run_once()
    page = tmp_path / "public" / "pages" / "en" / "incidents" / f"{public_id}.html"
    page.unlink()

    assert b"Old news" in get(port, f"/en/incidents/{public_id}")[2]
    publisher.run_once()

    assert "Old news" in page.read_text()


def test_what_is_not_there_is_not_kept(publisher, port):
    assert get(port, "/en/incidents/aaaaaaaaaaaa")[0] == 404

    assert publisher.run_once().rendered == 0


@pytest.mark.usefixtures("publisher")
def test_slow_forms_leave_room_for_the_page(wallet, tmp_path, clock):
    go = threading.Event()
    site = create_site(Services(wallet.db, settings.load({}), clock))
    site.add_url_rule("/slow", "slow", lambda: (go.wait(20), "late")[1])
    server, thread = serve(FastPath(site, tmp_path / "public", threads=THREADS, now=clock))
    slow = [threading.Thread(target=get, args=(server.effective_port, "/slow"), daemon=True) for _ in range(THREADS - 4)]
    for one in slow:
        one.start()
    time.sleep(0.3)
    try:
        status, headers, body = get(server.effective_port, "/slow", Accept_Language="en")
        assert (status, headers["Retry-After"], headers["Cache-Control"]) == (503, "5", "no-store")
        assert b"This page cannot be made at the moment" in body
        began = time.monotonic()
        assert b"Everything works" in get(server.effective_port, "/en/")[2]
        assert time.monotonic() - began < 2.8
    finally:
        go.set()
        for one in slow:
            one.join(5)
        server.close()
        thread.join(5)


def test_a_reader_who_never_reads_holds_no_slot(fast, port):
    stuck = []
    for _ in range(30):
        raw = socket.create_connection(("127.0.0.1", port))
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
        raw.sendall(b"GET /en/incidents/aaaaaaaaaaaa HTTP/1.1\r\nHost: x\r\n\r\n")
        stuck.append(raw)
    time.sleep(0.5)

    assert get(port, "/healthz")[0] in {200, 503}
    assert b"Everything works" in get(port, "/en/")[2]
    for raw in stuck:
        raw.close()


FREEZER = """
import sqlite3, sys, time
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN IMMEDIATE")
connection.execute("UPDATE components SET position = position")
print("holding", flush=True)
time.sleep(60)
"""


def test_with_the_database_frozen_the_page_is_served_and_says_how_old_it_is(wallet, port, clock, tmp_path):
    holder = subprocess.Popen([sys.executable, "-c", FREEZER, str(tmp_path / "statuspage.db")], stdout=subprocess.PIPE)
    holder.stdout.readline()
    os.kill(holder.pid, signal.SIGSTOP)
    try:
        with pytest.raises(Unavailable):
            wallet.beat(NOW)
        began = time.monotonic()
        for _ in range(20):
            assert get(port, "/en/")[0] == 200
        assert time.monotonic() - began < 5
        clock.at = NOW + timedelta(minutes=3)
        time.sleep(0.25)  # the eyes look every 0.2 s
        assert b"The last known state is from 22 Nov 2026, 13:41 UTC+8." in get(port, "/en/")[2]
    finally:
        holder.kill()
        holder.wait()
        holder.stdout.close()


def test_the_memory_of_pages_has_a_limit(fast, port, monkeypatch):
    monkeypatch.setattr(fastpath, "_MEMORY_BYTES", 30_000)

    for path in ("/en/", "/zh-Hans/", "/en/history", "/en/uptime", "/en/verify", "/en/components/login"):
        assert get(port, path)[0] == 200

    assert fast._memory_bytes <= 30_000
    assert fast._memory_bytes == sum(len(page.body) for page in fast._memory.values())


def test_nothing_of_a_file_is_mixed_while_it_is_replaced(port, tmp_path):
    page = Path(tmp_path / "public" / "pages" / "en" / "index.html")
    versions = [f"<html>{letter * 60_000}</html>".encode() for letter in "ab"]
    stop = threading.Event()

    def replace():
        turn = 0
        while not stop.is_set():
            new = page.with_name("index.html.new")
            new.write_bytes(versions[turn % 2])
            new.replace(page)
            turn += 1

    writer = threading.Thread(target=replace)
    writer.start()
    try:
        bodies = {get(port, "/en/")[2] for _ in range(150)}
    finally:
        stop.set()
        writer.join()
    assert bodies <= set(versions) | {body for body in bodies if b"Everything works" in body}
    assert bodies & set(versions)


def test_an_apps_question_is_answered_from_a_file_in_memory_alone(wallet, publisher, tmp_path, clock, monkeypatch):
    wallet.notice(draft("Sign-in fails", affected_versions="5.2.0", fixed_versions="5.2.1"))
    publisher.run_once()
    monkeypatch.setattr(fastpath, "_LOOK_S", 0.0)
    fast = FastPath(lambda *_: pytest.fail("asked the application"), tmp_path / "public", now=clock)

    def ask(query, **more):
        answer = []
        environ = {"REQUEST_METHOD": "GET", "PATH_INFO": "/app/notices.json", "QUERY_STRING": query, **more}
        body = b"".join(fast(environ, lambda status, headers: answer.extend((status, dict(headers)))))
        return answer[0], answer[1], json.loads(body or "null")

    status, headers, found = ask("lang=en&version=5.2.0")
    assert [one["title"] for one in found["notices"]] == ["Sign-in fails"]
    assert (status, headers["Access-Control-Allow-Origin"]) == ("200 OK", "*")
    assert ask("lang=en&version=5.2.0", HTTP_IF_NONE_MATCH=headers["ETag"])[0] == "304 Not Modified"
    assert ask("lang=en&version=5.2.1")[2]["notices"] == []
    assert ask("")[2]["language"] == "zh-Hans"
    assert ask("&&&=%ff%00&lang=" + "x" * 5000)[2]["notices"]

    clock.at = NOW + timedelta(seconds=79)  # we have not checked for more than 90 s
    blind = ask("lang=en")[2]
    assert blind["blind"] is True
    assert blind["verdict"] != "ok"

"""A real hub on loopback is told of each feed that changed, once; what it did not take is told again."""

from __future__ import annotations

import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs

import pytest

from probes import guard
from statuspage import clock, settings
from statuspage.actions.context import Context
from statuspage.channels.safehttp import GuardedSession
from statuspage.publish.feeds import FILES
from statuspage.publish.publisher import Publisher
from statuspage.web.fastpath import FastPath
from statuspage.web.site import Services, create_site
from statuspage.worker import publisher as publishing
from statuspage.worker import websub
from statuspage.worker.websub import Hub
from tests.builders import KEYS, draft, small_wallet


class Peer:
    """A hub that keeps what it was sent and answers with the next of `answers`, 202 when there is none left."""

    def __init__(self):
        self.got, self.answers = [], []
        peer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                said = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
                code = peer.answers.pop(0) if peer.answers else 202
                peer.got.append((code, said))
                self.send_response(code)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/"
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def feeds(self, code=202):
        return [said["hub.url"][0] for answered, said in self.got if answered == code]

    def close(self):
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def peer():
    made = Peer()
    yield made
    made.close()


@pytest.fixture
def running(peer, monkeypatch):
    """Start the loop of a hub; stopped at the end."""
    monkeypatch.setattr(websub, "FIRST_PAUSE_S", 0.05)
    stop, threads = threading.Event(), []

    def start(address=peer.url, policy=None):
        session = GuardedSession(policy or guard.operator_policy(("127.0.0.0/8",)), deadline_s=2)
        hub = Hub(address, session, clock.now)
        threads.append(threading.Thread(target=hub.run, args=(stop,)))
        threads[-1].start()
        return hub

    yield start
    stop.set()
    for thread in threads:
        thread.join(10)
        assert not thread.is_alive()


def until(is_so, seconds=10):
    give_up = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < give_up, "waited in vain"
        time.sleep(0.02)


def test_each_changed_feed_is_told_in_the_hubs_own_words(peer, running):
    running().tell(["https://page.example/en/history.atom", "https://page.example/en/feed.json"])

    until(lambda: len(peer.got) == 2)
    assert peer.got[0][1] == {"hub.mode": ["publish"], "hub.url": ["https://page.example/en/history.atom"]}
    assert peer.feeds() == ["https://page.example/en/history.atom", "https://page.example/en/feed.json"]


def test_what_the_hub_did_not_take_is_told_again(peer, running):
    peer.answers[:] = [503, 500]

    running().tell(["https://page.example/en/history.atom"])

    until(peer.feeds)
    assert [code for code, _ in peer.got] == [503, 500, 202]


def test_a_hub_that_the_guard_refuses_is_not_dialled_and_the_loop_lives(peer, running, caplog):
    hub = running(policy=guard.VISITOR)

    hub.tell(["https://page.example/en/history.atom"])

    until(lambda: "will not hear" in caplog.text)
    assert peer.got == []


def test_without_a_hub_nothing_is_kept(peer):
    hub = Hub("", GuardedSession(guard.VISITOR), clock.now)

    hub.tell(["https://page.example/en/history.atom"])

    assert hub._next() is None


def test_a_published_notice_reaches_the_hub_and_only_the_feeds_that_tell_of_it(sqlite_database, tmp_path, peer, running):
    wallet = small_wallet(sqlite_database)
    chosen = settings.load({"STATUSPAGE_WEBSUB_HUB": peer.url})
    publisher = Publisher(wallet.db, create_site(Services(wallet.db, chosen)), tmp_path / "public", look=peer.url)
    while publisher.run_once().pending:
        pass
    hub, stop, wake = running(), threading.Event(), threading.Event()
    loop = threading.Thread(target=publishing.run, args=(Context(wallet.db, KEYS), publisher, stop, wake, hub.tell))
    loop.start()

    wallet.notice(draft("Sign-in fails", components={"login": "major_outage"}))
    wake.set()

    expected = {f"https://status.wallet.example/{language}{prefix}/{file}" for language in ("en", "zh-Hans")
                for prefix in ("", "/components/login", "/kinds/incident")
                for file in FILES}  # fmt: skip
    try:
        until(lambda: expected <= set(peer.feeds()))
    finally:
        stop.set()
        wake.set()
        loop.join(20)
        publisher.close()
    calendars = {feed for feed in peer.feeds() if feed.endswith(".ics")}
    assert set(peer.feeds()) - calendars == expected


def test_the_served_file_names_hub_and_feed_in_its_headers(sqlite_database, tmp_path, peer):
    wallet = small_wallet(sqlite_database)
    site = create_site(Services(wallet.db, settings.load({"STATUSPAGE_WEBSUB_HUB": peer.url})))
    publisher = Publisher(wallet.db, site, tmp_path / "public", look=peer.url)
    while publisher.run_once().pending:
        pass
    publisher.close()
    fast = FastPath(lambda *_: pytest.fail("asked the application"), tmp_path / "public", hub=peer.url)
    answers = []

    for path in ("/history.atom", "/en/feed.json", "/live.json"):
        environ = {"REQUEST_METHOD": "GET", "PATH_INFO": path}
        fast(environ, lambda status, headers: answers.append((status, dict(headers))))

    link = f'<{peer.url}>; rel="hub", <https://status.wallet.example/%s>; rel="self"'
    assert [headers.get("Link") for _, headers in answers] == [link % "zh-Hans/history.atom", link % "en/feed.json", None]
    assert answers[1][1]["Content-Type"] == "application/feed+json; charset=utf-8"

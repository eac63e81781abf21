"""The banner on another site in a real browser: a strict policy there, nothing stored, and a frame that only this page allows."""

from __future__ import annotations

import shutil
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from playwright.sync_api import sync_playwright

from statuspage import clock, settings
from statuspage.web.site import Services, create_site
from tests.builders import draft

FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync"]  # fmt: skip


def serve(handler):
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    return server, f"http://127.0.0.1:{server.server_port}"


@pytest.fixture
def status_page(wallet):
    """The site behind a plain server, as its own origin."""
    application = create_site(Services(wallet.db, settings.load({}), clock.now)).test_client()

    class Page(BaseHTTPRequestHandler):
        def do_GET(self):
            answer = application.get(self.path)
            self.send_response(answer.status_code)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(answer.data)

        def log_message(self, *_):
            pass

    server, url = serve(Page)
    yield url
    server.shutdown()
    server.server_close()


@pytest.fixture
def other_site(status_page):
    """A wallet's own site, whose policy allows the status page what docs/api.md asks for and nothing else."""

    class Site(BaseHTTPRequestHandler):
        def do_GET(self):
            policy = f"default-src 'none'; script-src {status_page}; connect-src {status_page}; frame-src {status_page}"
            inner = {
                "/script": f'<p>Shop</p><script src="{status_page}/embed.js" async data-lang="en"></script>',
                "/frame": f'<iframe src="{status_page}/en/embed" title="Status" width="500" height="120"></iframe>',
                "/framed-page": f'<iframe src="{status_page}/en/" title="Status"></iframe>',
            }.get(self.path, "")
            body = f"<!doctype html><html lang=en><title>Shop</title><body>{inner}</body></html>".encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Security-Policy", policy)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server, url = serve(Site)
    yield url
    server.shutdown()
    server.server_close()


@pytest.fixture
def tab():
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        page = chromium.new_page()
        page.complaints = []
        page.on("console", lambda said: page.complaints.append(said.text) if said.type in {"error", "warning"} else None)
        page.on("pageerror", lambda error: page.complaints.append(str(error)))
        yield page
        chromium.close()


def test_script_and_frame_say_what_is_open_and_the_page_itself_cannot_be_framed(wallet, status_page, other_site, tab):
    wallet.notice(draft("Transfers <b>fail</b>", components={"transfers": "major_outage"}))

    tab.goto(f"{other_site}/script")
    tab.get_by_text("Transfers <b>fail</b>").wait_for(timeout=10_000)
    link = tab.get_by_role("link", name="Transfers <b>fail</b>")
    assert link.get_attribute("href").startswith("https://status.wallet.example/en/incidents/")
    assert tab.evaluate("[document.cookie, localStorage.length, sessionStorage.length]") == ["", 0, 0]
    tab.get_by_role("button", name="Dismiss").click()
    assert tab.get_by_text("Transfers <b>fail</b>").count() == 0
    assert [text for text in tab.complaints if "favicon" not in text] == []

    tab.goto(f"{other_site}/frame")
    frame = tab.frame_locator("iframe")
    frame.get_by_text("Transfers <b>fail</b>").wait_for(timeout=10_000)
    style = frame.locator("main").evaluate("one => getComputedStyle(one).borderInlineStartStyle")
    assert style == "solid"  # its style sheet was let through
    assert [text for text in tab.complaints if "favicon" not in text] == []

    tab.goto(f"{other_site}/framed-page")
    tab.wait_for_timeout(300)
    assert any("frame-ancestors" in text for text in tab.complaints)

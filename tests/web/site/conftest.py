"""The public site on a small wallet."""

from __future__ import annotations

import shutil
import threading
from contextlib import ExitStack, contextmanager, suppress

import pytest
from playwright.sync_api import sync_playwright
from waitress.server import create_server

from statuspage import settings
from statuspage.web.site import Services, create_site
from tests.builders import NOW

FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync"]  # fmt: skip


@pytest.fixture(scope="module")
def browser():
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        yield chromium
        chromium.close()


@contextmanager
def _serving(application):
    server = create_server(application, host="127.0.0.1", port=0, threads=4)
    server.adj.asyncore_loop_timeout = 0.05  # it would see only after a second that it was closed

    def run():
        with suppress(OSError):  # its own socket, closed under its select by the end of the test
            server.run()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.effective_port}"
    server.close()
    thread.join(5)


@pytest.fixture
def serve():
    """A function that serves a WSGI application over HTTP until the test ends; it gives the address."""
    with ExitStack() as servers:
        yield lambda application: servers.enter_context(_serving(application))


@pytest.fixture
def wallet(small_sqlite_wallet):
    return small_sqlite_wallet


@pytest.fixture
def site(wallet):
    return create_site(Services(wallet.db, settings.load({}), lambda: NOW))


@pytest.fixture
def client(site):
    return site.test_client()

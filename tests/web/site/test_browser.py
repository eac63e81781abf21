"""The page in a real browser: news without a reload, complete without script, nothing blocked by its own policy, any width."""

from __future__ import annotations

import shutil
import threading
from contextlib import suppress
from datetime import timedelta

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import sync_playwright
from waitress.server import create_server

from statuspage import clock, settings
from statuspage.publish.publisher import Publisher
from statuspage.web.fastpath import FastPath
from statuspage.web.site import Services, create_site
from tests.builders import draft, small_wallet

FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync"]  # fmt: skip


@pytest.fixture(scope="module")
def browser():
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture
def wallet(sqlite_database):
    made = small_wallet(sqlite_database)
    made.now = clock.now()
    return made.beat()


@pytest.fixture
def publisher(wallet, tmp_path):
    made = Publisher(wallet.db, create_site(Services(wallet.db, settings.load({}))), tmp_path / "public")
    while made.run_once().pending:
        pass
    yield made
    made.close()


@pytest.fixture
def base(publisher, wallet, tmp_path):
    site = create_site(Services(wallet.db, settings.load({})))
    server = create_server(FastPath(site, tmp_path / "public", threads=8), host="127.0.0.1", port=0, threads=8)

    def run():
        with suppress(OSError):  # its own socket, closed under its select by the end of the test
            server.run()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.effective_port}"
    server.close()
    thread.join(5)


@pytest.fixture
def tab(browser):
    context = browser.new_context(viewport={"width": 1280, "height": 900}, locale="en-GB")
    page = context.new_page()
    page.complaints = []
    page.on("console", lambda message: page.complaints.append(message.text) if message.type in {"error", "warning"} else None)
    page.on("pageerror", lambda error: page.complaints.append(str(error)))
    yield page
    context.close()


def break_transfers(wallet):
    wallet.notice(draft("Transfers fail", components={"transfers": "major_outage"}, started_at=wallet.now))
    wallet.status("transfers", "major_outage")


def test_news_appear_without_a_reload_and_what_was_unfolded_stays_so(wallet, publisher, base, tab):
    began_at = wallet.now - timedelta(minutes=20)
    public_id = wallet.scenario("transfers-failing", steps=3, began_at=began_at, components_map={"balances": "degraded"})
    while publisher.run_once().pending:
        pass
    tab.goto(f"{base}/en/")
    tab.locator("summary").click()
    tab.evaluate("window.notReloaded = true")
    break_transfers(wallet)
    publisher.run_once()

    # The script looks again when the reader comes back to the tab; waiting for its interval would take up to 15 s.
    tab.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    tab.wait_for_selector("text=Transfers: not working since")

    assert tab.evaluate("window.notReloaded") is True
    assert tab.locator(f"#old-{public_id}").evaluate("one => one.open") is True
    assert tab.title().startswith("Transfers: not working since")
    assert "icon-down-" in tab.locator("link[rel=icon]").get_attribute("href")
    assert tab.complaints == []


def test_the_script_tells_how_long_ago_we_checked(base, tab):
    tab.goto(f"{base}/en/")

    tab.wait_for_function("/^checked \\d+ (second|minute)s? ago$/.test(document.querySelector('[data-checked]').textContent)")


def test_a_page_that_goes_blind_says_so_by_itself_and_recovers(wallet, publisher, base, tab, tmp_path):
    tab.goto(f"{base}/en/")
    wallet.beat(wallet.now - timedelta(minutes=5))
    wallet.status("login", "operational")
    publisher.run_once()
    tab.wait_for_timeout(300)

    tab.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    tab.wait_for_selector("text=We cannot see at the moment.")
    assert tab.locator("text=Operational").count() == 0
    wallet.beat(clock.now())
    wallet.status("login", "degraded")
    publisher.run_once()
    tab.wait_for_timeout(300)
    tab.evaluate("document.dispatchEvent(new Event('visibilitychange'))")

    tab.wait_for_selector("text=We cannot see at the moment.", state="detached")


def test_without_script_the_page_is_complete(wallet, publisher, base, browser):
    break_transfers(wallet)
    publisher.run_once()
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()

    page.goto(f"{base}/zh-Hans/")

    words = page.inner_text("body")
    context.close()
    for part in ("转账无法使用", "我的钱安全吗？", "下次更新" if "下次更新" in words else "预计恢复", "过去 14 天", "历史公告"):
        assert part in words


@pytest.mark.parametrize("language", ["en", "zh-Hans"])
@pytest.mark.parametrize("width", [320, 360, 768, 1280])
def test_nothing_is_wider_than_the_screen_and_nothing_is_blocked(wallet, publisher, base, tab, language, width):
    break_transfers(wallet)
    wallet.scenario("core-upgrade", steps=1, began_at=wallet.now + timedelta(days=2))
    while publisher.run_once().pending:
        pass
    tab.set_viewport_size({"width": width, "height": 800})

    for path in ("/", "/history", "/components/transfers", "/uptime", "/verify"):
        tab.goto(f"{base}/{language}{path}")
        assert tab.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
    assert tab.complaints == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_barrier_for_assistive_technology(wallet, publisher, base, browser, scheme):
    break_transfers(wallet)
    wallet.suspected(["login"], since=wallet.now)
    public_id = wallet.scenario("transfers-failing", began_at=wallet.now - timedelta(days=3))
    while publisher.run_once().pending:
        pass
    context = browser.new_context(color_scheme=scheme, viewport={"width": 390, "height": 800}, bypass_csp=True)
    page = context.new_page()

    found = []
    for path in ("/en/", "/zh-Hans/", f"/en/incidents/{public_id}", "/en/components/transfers", "/en/history", "/en/uptime"):
        page.goto(base + path)
        results = Axe().run(page, options={"runOnly": ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa"]})
        found += [(path, one["id"], [node["html"][:120] for node in one["nodes"]]) for one in results.response["violations"]]

    context.close()
    assert found == []


def test_targets_are_large_enough_for_a_thumb(wallet, publisher, base, browser):
    break_transfers(wallet)
    publisher.run_once()
    context = browser.new_context(viewport={"width": 360, "height": 800}, has_touch=True)
    page = context.new_page()

    page.goto(f"{base}/en/")
    small = page.eval_on_selector_all(
        ".button, .mast nav a, summary",
        "all => all.filter(one => one.offsetHeight && one.offsetHeight < 44).map(one => one.textContent)",
    )

    context.close()
    assert small == []


def test_only_this_server_is_asked_and_only_for_a_few_files(base, tab):
    asked = []
    tab.on("request", lambda request: asked.append(request.url))

    tab.goto(f"{base}/en/")
    tab.wait_for_timeout(500)

    assert len(asked) <= 6, asked
    assert all(url.startswith(base) for url in asked)

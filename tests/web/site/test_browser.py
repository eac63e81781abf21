"""The page in a real browser: news without a reload, complete without script, no barrier."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import insert

from statuspage import clock, settings
from statuspage.clock import to_ms
from statuspage.domain import rollup
from statuspage.publish.publisher import Publisher
from statuspage.store import checks
from statuspage.store.schema.runtime import meta
from statuspage.web.fastpath import FastPath
from statuspage.web.site import Services, create_site
from tests.builders import draft, small_wallet
from tests.stage import add_monitor


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
def base(publisher, wallet, serve, tmp_path):
    site = create_site(Services(wallet.db, settings.load({})))
    return serve(FastPath(site, tmp_path / "public"))


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


def look_again(tab):
    """As a reader who comes back to the tab; returns once live.json was asked for."""
    with tab.expect_response("**/live.json", timeout=5000):
        tab.evaluate("document.dispatchEvent(new Event('visibilitychange'))")


def is_green(tab):
    """Whether anything of the present still looks as if it worked; legends, advice and days of the past keep their colour."""
    return tab.evaluate("""() => Boolean(document.querySelector(".verdict .ok, .title .ok, .answer-now.ok, .state.ok, td.ok"))
        || document.querySelector("link[rel=icon]").getAttribute("href").includes("icon-ok")
        || [document.title, ...[...document.querySelectorAll(".verdict, .title, .answer-now, .rows")].map(one => one.innerText)]
            .some(words => /Everything works|Operational|We know of no fault/.test(words))""")


def wait_for_blind(tab):
    tab.wait_for_selector(".blind >> text=We cannot see at the moment", timeout=5000)


def test_a_page_that_nobody_answers_for_turns_into_its_blind_twin_and_back(base, tab):
    twins = {"/": "We cannot see at the moment whether everything works", "/en/components/login": "Cannot tell",
             "/en/check/login_failed": "We cannot tell at the moment whether it is us."}  # fmt: skip
    tab.clock.install()
    for path, said in twins.items():
        tab.goto(f"{base}{path}")
        assert is_green(tab)
        with tab.expect_response("**/*.blind", timeout=5000) as twin:
            look_again(tab)
        twin.value.finished()
        tab.route("**/*", lambda route: route.abort("connectionrefused"))

        tab.clock.fast_forward(120_000)
        wait_for_blind(tab)

        assert not is_green(tab), path
        assert said in tab.inner_text("main")
        assert tab.inner_text(".blind").count("The last known state is from ") == 1
        tab.unroute("**/*")
        tab.clock.fast_forward(6_000)
        tab.wait_for_selector(".blind", state="detached", timeout=5000)
        assert is_green(tab), path


def test_a_page_that_never_got_its_twin_keeps_no_green_either_and_a_known_outage_stays_one(wallet, publisher, base, tab):
    wallet.status("login", "major_outage")
    wallet.notice(draft("Sign-in fails", components={"login": "major_outage"}, started_at=wallet.now))
    publisher.run_once()
    tab.clock.install()
    for path, title in (("/en/", "Sign-in: not working since"), ("/en/components/transfers", "Transfers")):
        tab.goto(f"{base}{path}")
        tab.route("**/*", lambda route: route.abort("connectionrefused"))

        tab.clock.fast_forward(120_000)
        wait_for_blind(tab)

        assert not is_green(tab), path
        assert "Everything else works" not in tab.inner_text("main")
        assert tab.title().startswith(title)
        tab.unroute("**/*")


def test_a_mirror_that_is_served_without_being_renewed_is_not_believed(base, tab):
    tab.goto(f"{base}/en/")
    old = (clock.now() - timedelta(minutes=5)).isoformat()
    version = tab.evaluate("document.documentElement.dataset.version")
    tab.route("**/live.json", lambda route: route.fulfill(json={"version": version, "checked_at": old, "verdict": "ok"}))

    look_again(tab)
    wait_for_blind(tab)

    assert not is_green(tab)
    assert "icon-unknown" in tab.locator("link[rel=icon]").get_attribute("href")
    assert tab.title().startswith("We cannot see at the moment")
    tab.unroute("**/live.json")
    look_again(tab)
    tab.wait_for_selector(".blind", state="detached", timeout=5000)


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


def troubled(wallet):
    """Trouble, suspicion, maintenance to come, networks and response times: a page for each kind; their paths."""
    break_transfers(wallet)
    wallet.suspected(["login"], since=wallet.now)
    public_id = wallet.scenario("transfers-failing", began_at=wallet.now - timedelta(days=3))
    wallet.scenario("core-upgrade", steps=1, began_at=wallet.now + timedelta(days=2))
    wallet.component("chain_polygon", "data", chain="polygon", status="degraded")
    hour = to_ms(wallet.now) // rollup.HOUR_MS
    with wallet.db.write() as conn:
        conn.execute(insert(meta).values(name="chains", value={"polygon": {"capabilities": ["send", "receive", "fees"]}}))
        add_monitor(conn, "transfers-api", "transfers", 7, wallet.now)
        blocks = [rollup.block(one, [(one * rollup.HOUR_MS, 0, 80 + one % 7)]) for one in range(hour - 24, hour)]
        checks.put_blocks(conn, [(7, hour - 24 + index, 0, one) for index, one in enumerate(blocks)])
        checks.set_mark(conn, checks.HOURS, hour)
    return (
        "/", "/check", "/check/transfer_failed", "/check/funds_missing", f"/incidents/{public_id}", "/components/transfers",
        "/networks/polygon", "/maintenance", "/statistics", "/history", "/search?q=transfers", "/uptime", "/verify", "/help",
        "/privacy", "/nothing-here",
    )  # fmt: skip


def test_the_reader_learns_from_his_own_device_which_host_answers(wallet, browser, serve):
    wallet_host = serve(lambda _environ, start: (start("200 OK", []), [b"ok"])[1])
    found = settings.load({"STATUSPAGE_BROWSER_TEST_URL": f"{wallet_host}/health"})
    page_host = serve(create_site(Services(wallet.db, found)))
    context = browser.new_context(locale="en-GB")
    page = context.new_page()
    page.goto(f"{page_host}/en/check/slow")
    page.click("text=Test now")
    page.wait_for_selector("text=Both answered: this page in", timeout=10_000)
    page.route("**/health", lambda route: route.abort("connectionrefused"))
    page.click("text=Test now")

    page.wait_for_selector("text=Only this page answered.", timeout=10_000)
    context.close()


def test_a_link_to_a_folded_part_unfolds_it_and_news_leave_what_is_read_alone(base, tab):
    tab.goto(f"{base}/en/check/transfer_failed")
    tab.locator("#q-account summary").click()
    tab.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    tab.wait_for_timeout(300)

    assert tab.locator("#q-account").evaluate("one => one.open")
    tab.evaluate("location.hash = '#emergency'")
    tab.wait_for_function("document.querySelector('#danger').open")
    assert tab.complaints == []


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

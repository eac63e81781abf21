"""The console on the phone of whoever is on call: nothing wider than the screen, nothing too small for a thumb, no barrier."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from console_desk import WORDS, Desk, open_notices

from statuspage.actions import maintenance
from statuspage.actions.context import COMMAND_LINE
from statuspage.domain.notice import Draft, Facts

PAGES = ("/", "/notices", "/monitors", "/monitors/transfers-api", "/deliveries", "/subscriptions", "/operators", "/audit",
         "/account", "/declare", "/declare?kind=security", "/maintenance/new")  # fmt: skip
SMALL = """all => all.filter(one => one.offsetHeight && (one.offsetHeight < 44 || one.offsetWidth < 44))
  .map(one => `${one.textContent.trim() || one.name} ${one.offsetWidth}x${one.offsetHeight}`)"""


@pytest.fixture
def desk(sqlite_database, free_port):
    """Transfers fail, announced by machines; a window is planned."""
    found = Desk(sqlite_database, free_port())
    found.hire("wei", "admin", language="zh-Hans")
    found.hire("lin", "admin")
    found.probe.sees("down", "transfers-api", times=3)
    at = found.clock.at
    facts = Facts(
        "maintenance", "scheduled", {"en": "Ledger upgrade", "zh-Hans": "账务系统升级"},
        components={"balances": "under_maintenance"}, scheduled_for=at.replace(day=28), scheduled_until=at.replace(day=29),
    )  # fmt: skip
    maintenance.schedule(found.ctx, COMMAND_LINE, Draft(facts, {"en": "Balances pause.", "zh-Hans": "余额暂停显示。"}), ())
    yield found
    found.close()


@pytest.fixture
def phone(desk, browser):
    """A function that signs an operator in on a small phone."""
    contexts = []

    def sign_in(name, **options):
        size = {"width": 360, "height": 740}
        context = browser.new_context(viewport=size, has_touch=True, is_mobile=True, bypass_csp=True, **options)
        contexts.append(context)
        session = desk.signed_in(name)
        context.add_cookies([{"name": one.name, "value": one.value, "url": desk.url} for one in session.cookies])
        return context.new_page()

    yield sign_in
    for context in contexts:
        context.close()


def everywhere(desk):
    notice = next(one for one in open_notices(desk) if one.kind == "incident").public_id
    window = next(one for one in open_notices(desk) if one.kind == "maintenance").public_id
    return (*PAGES, f"/notices/{notice}", f"/notices/{notice}/update", f"/notices/{window}")


@pytest.mark.timeout(120)
@pytest.mark.parametrize("name", ["wei", "lin"])
def test_nothing_is_wider_than_the_screen_nor_too_small_for_a_thumb(desk, phone, name):
    page = phone(name)

    wide, small = [], []
    for path in everywhere(desk):
        page.goto(desk.url + path)
        if page.evaluate("document.documentElement.scrollWidth") > 360:
            wide.append(path)
        small += [(path, one) for one in page.eval_on_selector_all(".button, .chips label, summary, .bar .check", SMALL)]

    assert (wide, small) == ([], [])


@pytest.mark.timeout(120)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_barrier_for_assistive_technology(desk, phone, scheme):
    page = phone("wei", color_scheme=scheme)

    found = []
    # Those on the way of an alarm, and the one with the densest table.
    for path in [path for path in everywhere(desk) if path in {"/", "/audit", "/declare"} or path.endswith("/update")]:
        page.goto(desk.url + path)
        results = Axe().run(page, options={"runOnly": ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa"]})
        found += [(path, one["id"], [node["html"][:140] for node in one["nodes"]][:3]) for one in results.response["violations"]]

    assert found == []


@pytest.mark.timeout(60)
def test_an_outage_is_declared_by_one_thumb_and_the_coming_window_reads_as_one_line(desk, phone):
    page = phone("wei")
    page.goto(f"{desk.url}/")

    title = page.locator("text=账务系统升级").bounding_box()
    page.locator("a[href^='/declare']").first.tap()
    page.locator(".chips label", has_text="余额显示").tap()
    for name, words in WORDS.items():
        page.fill(f'[name="{name}"]', words)
    page.wait_for_selector("[data-sms='zh-Hans'] [data-count]:has-text('/')")
    page.locator(".bar button[value=publish]").tap()
    page.wait_for_url("**/notices/*")

    assert title["height"] < title["width"]
    assert "转账失败" in page.inner_text("h1")

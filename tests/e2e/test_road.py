"""The whole road in a real browser: a wallet is watched, breaks, and everyone who should know knows."""

import re

import feedparser
import pytest
from installation import Installation, Receiver

PHONE = "+85251234567"
WORDS = {
    "en": {
        "suspected": "We see a problem with Transfers",
        "confirmed": "Some transfers are failing", "fixed": "Transfers work again.",
        "recovered": "monitors have recovered", "checking": "Not known yet, being checked",
    },
    "zh-Hans": {
        "suspected": "我们发现转账可能异常", "confirmed": "部分转账失败", "fixed": "转账已恢复。",
        "recovered": "监测已恢复", "checking": "尚不确定，正在核实",
    },
}  # fmt: skip


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    found = Installation(tmp_path_factory.mktemp("road"), demo=True)
    found.start(wait_s=90)
    yield found
    found.cli("demo", "heal")
    assert found.stop() == 0


@pytest.fixture(scope="module")
def receiver(home):
    found = Receiver()
    home.cli("subscribers", "add-webhook", found.url)
    yield found
    found.close()


@pytest.fixture(scope="module")
def on_call(home, browser):
    """The on-call's browser, signed in with the link that the start printed."""
    context = browser.new_context(viewport={"width": 390, "height": 800})
    page = context.new_page()
    page.goto(home.sign_in_link())
    page.click("main button")
    page.wait_for_url(f"{home.console}/")
    yield page
    context.close()


def verdict(home):
    return home.get("/live.json").json()["verdict"]


def peace(home):
    home.cli("demo", "heal")
    home.wait_for(lambda: not home.get("/api/v2/incidents/unresolved.json").json()["incidents"], within_s=60)
    home.wait_for(lambda: verdict(home) == "ok", within_s=60)


def printed(home):
    file = home.folder / "var" / "console-messages.log"
    return file.read_text(encoding="utf-8") if file.exists() else ""


def unresolved(home):
    return home.get("/api/v2/incidents/unresolved.json").json()["incidents"]


def feed_titles(home, language):
    return [entry.title for entry in feedparser.parse(home.get(f"/{language}/history.atom").content).entries]


def subscribe_by_sms(home, browser, language):
    """A reader subscribes with a number of their own per language; the code is on the console, the twin of a phone."""
    number = PHONE[:-1] + ("7" if language == "en" else "8")
    page = browser.new_page()
    page.goto(f"{home.page}/{language}/subscribe")
    page.fill("input[name=phone]", number)
    page.click("#by-sms button")
    page.wait_for_selector("input[name=code]")
    code = home.wait_for(lambda: re.findall(r"confirm to .*?\]: .*?(?<!\d)(\d{6})(?!\d)", printed(home)), within_s=15)[-1]
    page.fill("input[name=code]", code)
    page.click("main form button")
    page.wait_for_load_state()
    page.close()


@pytest.mark.timeout(300)
@pytest.mark.parametrize("language", ["zh-Hans", "en"])
def test_a_touched_outage_from_first_failure_to_last_word(home, receiver, on_call, browser, language):
    words = WORDS[language]
    peace(home)
    subscribe_by_sms(home, browser, language)
    reader = browser.new_page()
    reader.goto(f"{home.page}/{language}/")
    without_script = browser.new_context(java_script_enabled=False).new_page()
    heard = len(receiver.got)
    texted = printed(home).count("notice_update")

    # It breaks: the page says so by itself, suspected; machines and the on-call hear it, no phone does.
    home.cli("demo", "break", "transfers")
    reader.wait_for_selector(f"text={words['suspected']}", timeout=45_000)
    [incident] = unresolved(home)
    assert incident["x_wallet"]["suspected"] is True
    assert any(words["suspected"] in title for title in feed_titles(home, language))
    assert words["checking"] in reader.inner_text("main")
    without_script.goto(f"{home.page}/{language}/")
    assert words["suspected"] in without_script.inner_text("main")
    home.wait_for(lambda: len(receiver.got) > heard)
    number = incident["x_wallet"]["number"]
    home.wait_for(lambda: "page_oncall" in printed(home) and number in printed(home))
    assert printed(home).count("notice_update") == texted

    # The on-call opens it from the first screen; the form is filled from the scenario; they confirm; now phones ring.
    on_call.goto(f"{home.console}/")
    on_call.click(f'button[name=language][value="{language}"]')
    on_call.click(f'a[href*="/notices/{incident["id"]}/update"]')
    assert on_call.input_value(f'[name="titles.{language}"]') == words["confirmed"]
    on_call.click("button[name=do][value=publish]")
    on_call.wait_for_url(re.compile(rf"/notices/{incident['id']}"))
    reader.wait_for_selector(f"article.notice :text('{words['confirmed']}')", timeout=30_000)
    home.wait_for(lambda: printed(home).count("notice_update") > texted)
    home.wait_for(lambda: unresolved(home)[0]["x_wallet"]["suspected"] is False)

    # It is mended: a notice that a person touched says that the monitors recovered, and waits.
    home.cli("demo", "heal")
    reader.wait_for_selector(f"text=/{words['recovered']}/i", timeout=45_000)
    assert [one["id"] for one in unresolved(home)] == [incident["id"]]

    # The last word is a person's.
    on_call.goto(f"{home.console}/notices/{incident['id']}/update?status=resolved")
    on_call.check('[name=status][value="resolved"]', force=True)
    for tag in ("en", "zh-Hans"):
        on_call.fill(f'[name="bodies.{tag}"]', WORDS[tag]["fixed"])
    on_call.click("button[name=do][value=publish]")
    home.wait_for(lambda: not unresolved(home))
    home.wait_for(lambda: any(words["confirmed"] in title for title in feed_titles(home, language)[:1]))
    without_script.goto(f"{home.page}/{language}/incidents/{incident['id']}")
    assert words["fixed"] in without_script.inner_text("main")
    assert home.cli("notice", "verify", number)["whole"]
    reader.close()


@pytest.mark.timeout(180)
def test_an_untouched_outage_ends_by_itself(home, receiver):
    peace(home)
    home.cli("demo", "break", "balances")
    [incident] = home.wait_for(lambda: unresolved(home), within_s=45)

    home.cli("demo", "heal")
    home.wait_for(lambda: not unresolved(home), within_s=45)

    def said():
        return home.get(f"/api/v2/incidents/{incident['id']}.json").json()["incident"]

    home.wait_for(lambda: said()["status"] == "resolved")  # one file after the other
    assert said()["resolved_at"]


@pytest.mark.timeout(180)
def test_everything_at_once_is_one_notice(home, receiver):
    peace(home)
    before = printed(home).count("page_oncall")

    home.cli("demo", "break", "everything")
    home.wait_for(lambda: unresolved(home) and len(unresolved(home)[0]["components"]) > 8, within_s=60)

    assert len(unresolved(home)) == 1
    assert printed(home).count("page_oncall") - before <= 2
    peace(home)


@pytest.mark.timeout(120)
def test_an_advisory_and_a_window_are_announced_from_the_console(home, on_call):
    peace(home)
    on_call.goto(f"{home.console}/declare?kind=advisory")
    for tag, title in (("en", "Fake support calls"), ("zh-Hans", "谨防冒充客服")):
        on_call.fill(f'[name="titles.{tag}"]', title)
        on_call.fill(f'[name="bodies.{tag}"]', title)
    on_call.click("button[name=do][value=publish]")

    home.wait_for(lambda: "Fake support calls" in home.get("/en/").text)
    home.cli(
        "maintenance", "schedule", "--component", "transfers", "--starts", "2027-01-05T02:00", "--lasts", "60",
        "--title-en", "Ledger upgrade", "--title-zh", "账务升级", "--body-en", "Transfers pause.", "--body-zh", "转账暂停。",
    )  # fmt: skip
    home.wait_for(lambda: "账务升级" in home.get("/zh-Hans/").text)
    path = "/api/v2/scheduled-maintenances/upcoming.json"  # pages come first, then feeds and JSON
    [window] = home.wait_for(lambda: home.get(path).json()["scheduled_maintenances"])
    assert window["status"] == "scheduled"

"""The door of the console: who may pass, from where, with which session. Over real HTTP."""

import re

import pytest
import requests
from console_desk import PASSWORD, Desk

from statuspage import settings
from statuspage.actions import operators
from statuspage.actions.context import COMMAND_LINE
from statuspage.errors import SettingsError
from statuspage.web.console import access
from statuspage.web.console.app import create_console
from statuspage.web.console.services import Address, Services

PEOPLE = {"mei": "viewer", "lin": "responder", "wei": "admin"}
RANK = [None, "viewer", "responder", "admin"]


@pytest.fixture
def desk(sqlite_database, free_port):
    found = Desk(sqlite_database, free_port())
    yield found
    found.close()


@pytest.fixture
def staff(desk):
    """A browser for nobody and for one operator of each role."""
    for name, role in PEOPLE.items():
        desk.hire(name, role)
    return {None: desk.browser(), **{role: desk.signed_in(name) for name, role in PEOPLE.items()}}


def _addresses(app):
    """Every (endpoint, method, address) that the application routes, with something in the place of each variable."""
    for rule in app.url_map.iter_rules():
        path = re.sub(r"<[^>]+>", "console.css" if rule.endpoint == "static" else "nothing-there", rule.rule)
        for method in rule.methods - {"HEAD", "OPTIONS"}:
            yield rule.endpoint, method, path


def test_every_route_has_a_row_in_the_access_table_and_every_row_a_route(desk):
    routed = {rule.endpoint for rule in desk.app.url_map.iter_rules()}

    assert routed == set(access.ACCESS)


@pytest.mark.repeats
def test_every_route_answers_every_role_as_the_table_says(desk, staff):
    wrong = []
    for endpoint, method, path in _addresses(desk.app):
        needed = access.ACCESS[endpoint]
        if needed in {access.ANYONE, access.SIGNED_IN}:
            continue
        for role, browser in staff.items():
            ask = browser.get if method == "GET" else browser.post
            answer = ask(path, **({"allow_redirects": False} if method == "GET" else {"follow": False}))
            may = RANK.index(role) >= RANK.index(needed)
            refused = answer.status_code == 403 or answer.headers.get("Location") == "/sign-in"
            if may == refused:
                wrong.append((method, path, role, answer.status_code))

    assert not wrong


def test_a_route_without_a_row_is_shut(desk, staff, monkeypatch):
    monkeypatch.delitem(access.ACCESS, "notices.index")

    assert staff["admin"].get("/notices").status_code == 404


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Origin": "null"},
        {"Origin": "https://evil.example"},
        {"Origin": "http://127.0.0.1:1"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "own", "Sec-Fetch-Site": "cross-site"},
    ],
)
def test_a_form_from_another_page_is_refused_even_with_the_right_token(desk, staff, headers):
    browser = staff["admin"]
    browser.get("/operators")
    sent = {name: desk.url if value == "own" else value for name, value in headers.items()}

    answer = browser.post("/operators", headers=sent, name="mallory", role="admin", language="en")

    assert answer.status_code == 403
    assert "mallory" not in answer.text
    with desk.ctx.db.read() as connection:
        assert operators.store.operator(connection, "mallory") is None


def test_a_form_without_the_session_s_token_is_refused(desk, staff):
    browser = staff["admin"]
    for token in ("", "x" * 43):
        answer = browser.post("/operators", csrf=token, name="mallory", role="admin", language="en")

        assert answer.status_code == 403

    with desk.ctx.db.read() as connection:
        assert operators.store.operator(connection, "mallory") is None


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "localhost@evil.example"])
def test_another_host_name_is_refused(desk, host):
    answer = requests.get(desk.url + "/sign-in", headers={"Host": host}, timeout=10)

    assert answer.status_code == 400
    assert "evil" not in answer.text


def test_every_answer_carries_the_headers(desk, staff):
    for path in ("/sign-in", "/", "/declare", "/nowhere", "/healthz", "/static/console.css"):
        headers = staff["admin"].get(path).headers

        assert "default-src 'none'" in headers["Content-Security-Policy"]
        assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
        assert "unsafe" not in headers["Content-Security-Policy"]
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "same-origin"
        assert (headers["Cache-Control"] == "no-store") == (not path.startswith("/static"))


def test_no_page_has_inline_script_or_style(desk, staff):
    desk.probe.sees("down", "transfers-api", times=3)
    for path in (
        "/sign-in",
        "/",
        "/declare?monitor=transfers-api",
        "/maintenance/new",
        "/account",
        "/operators",
        "/audit",
    ):
        page = staff["admin"].get(path).text

        assert not re.search(r"<style|\sstyle=|\son[a-z]+=|<script(?![^>]*\bsrc=)", page)


def test_the_cookie_is_locked_up_as_far_as_the_address_allows(desk, sqlite_database):
    desk.hire("lin", "admin")
    answer = desk.browser().post("/sign-in", name="lin", password=PASSWORD, follow=False)
    on_loopback = answer.headers["Set-Cookie"]
    behind_tls = create_console(
        Services(desk.ctx, settings.load({"STATUSPAGE_CONSOLE_URL": "https://console.wallet.example"}))
    ).test_client()
    secure = behind_tls.post(
        "/sign-in", base_url="https://console.wallet.example", headers={"Origin": "https://console.wallet.example"},
        data={"name": "lin", "password": PASSWORD},
    ).headers["Set-Cookie"]  # fmt: skip

    assert on_loopback.startswith("statuspage-console-session=")
    assert "HttpOnly" in on_loopback
    assert "SameSite=Lax" in on_loopback
    assert "Secure" not in on_loopback
    assert secure.startswith("__Host-session=")
    assert "Secure" in secure
    assert "Path=/" in secure
    assert "Domain" not in secure


@pytest.mark.parametrize("url", ["http://console.wallet.example", "http://10.0.0.5:8002", "ftp://x", "console"])
def test_plain_http_beyond_this_machine_does_not_start(url):
    with pytest.raises(SettingsError, match="STATUSPAGE_CONSOLE_URL"):
        Address.parse(url)


def test_signing_in_needs_both_factors(desk):
    desk.hire("lin", "admin")
    browser = desk.browser()
    halfway = browser.post("/sign-in", name="lin", password=PASSWORD)
    before = browser.get("/")
    wrong = browser.post("/sign-in/code", code="000000")
    after = browser.post("/sign-in/code", code=desk.code("lin"))

    assert halfway.url.endswith("/sign-in/code")
    assert before.url.endswith("/sign-in/code")
    assert wrong.status_code == 403
    assert after.url == desk.url + "/"
    assert after.status_code == 200


def test_an_operator_without_a_second_factor_is_led_to_set_one_up_and_nowhere_else(desk):
    token = operators.create_first(desk.ctx, "lin")
    browser = desk.browser()
    browser.get(f"/sign-in/link?token={token}")
    first = browser.post("/sign-in/link", token=token)
    elsewhere = browser.get("/declare")
    secret = re.sub(r"\s|<[^>]+>", "", re.search(r'<p class="secret"[^>]*>(.*?)</p>', first.text).group(1))
    desk.secrets["lin"] = secret
    codes = browser.post("/account/two-factor", code=desk.code("lin"))
    inside = browser.get("/")

    assert first.url.endswith("/account/two-factor")
    assert elsewhere.url.endswith("/account/two-factor")
    assert len(re.findall(r"<li><code>", codes.text)) == 10
    assert inside.url == desk.url + "/"


def test_looking_at_a_sign_in_link_does_not_use_it_up(desk):
    token = operators.create_first(desk.ctx, "lin")
    for _ in range(20):
        assert desk.browser().get(f"/sign-in/link?token={token}").status_code == 200

    assert desk.browser().post("/sign-in/link", token=token).status_code == 200
    assert desk.browser().get(f"/sign-in/link?token={token}").status_code == 410


def test_the_demo_lets_its_operator_in_by_link_alone(sqlite_database, free_port):
    demo = Desk(sqlite_database, free_port(), is_demo=True)
    token = operators.create_first(demo.ctx, "admin")
    browser = demo.browser()

    inside = browser.post("/sign-in/link", token=token)
    demo.close()

    assert inside.url == demo.url + "/"
    assert "Demo Wallet" in inside.text or "演示钱包" in inside.text


def test_a_link_never_replaces_an_authenticator_that_is_set_up(sqlite_database, free_port):
    demo = Desk(sqlite_database, free_port(), is_demo=True)
    demo.hire("lin", "admin")
    browser = demo.browser()
    token = operators.new_sign_in_link(demo.ctx, COMMAND_LINE, "lin")

    halfway = browser.post("/sign-in/link", token=token)
    demo.close()

    assert halfway.url.endswith("/sign-in/code")


def test_after_signing_out_the_cookie_is_worthless(desk):
    desk.hire("lin", "admin")
    browser = desk.signed_in("lin")
    browser.get("/")
    kept = dict(browser.cookies)
    answer = browser.post("/sign-out", follow=False)
    thief = desk.browser()
    thief.cookies.update(kept)

    assert "Clear-Site-Data" in answer.headers
    assert thief.get("/").url.endswith("/sign-in")


def test_ending_every_other_session_works_at_once(desk):
    desk.hire("lin", "admin")
    here, there = desk.signed_in("lin"), desk.signed_in("lin")
    here.get("/account")
    here.post("/account/sessions")

    assert there.get("/").url.endswith("/sign-in")
    assert here.get("/").url == desk.url + "/"


def test_a_session_that_ended_meanwhile_keeps_what_was_typed(desk):
    desk.hire("lin", "admin")
    browser = desk.signed_in("lin")
    browser.get("/declare")
    desk.clock.pass_(minutes=31)

    answer = browser.post("/declare", **{"titles.en": "Transfers fail since the last release"})

    assert answer.status_code == 403
    assert "Transfers fail since the last release" in answer.text


def test_guessing_is_answered_with_429_and_when_to_come_back(desk):
    desk.hire("lin", "admin")
    answers = [desk.browser().post("/sign-in", name="lin", password="a guess of many") for _ in range(11)]

    assert [answer.status_code for answer in answers] == [403] * 10 + [429]
    assert int(answers[-1].headers["Retry-After"]) > 0


def test_a_form_that_is_too_big_is_refused(desk, staff):
    answer = staff["admin"].post("/declare", **{"bodies.en": "x" * 300_000})

    assert answer.status_code == 413


def test_the_language_is_the_operator_s_wherever_they_sign_in(desk):
    desk.hire("lin", "admin")
    browser = desk.signed_in("lin")
    browser.get("/")
    browser.post("/language", language="zh-Hans", back="//evil.example")
    elsewhere = desk.signed_in("lin").get("/")

    assert '<html lang="zh-Hans">' in elsewhere.text
    assert "正在发生" in elsewhere.text

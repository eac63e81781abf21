"""No page stands in the way of assistive technology: axe on every route that answers with a page, so that none is forgotten."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from axe_playwright_python.sync_playwright import Axe
from sqlalchemy import insert

from statuspage import app, clock, settings
from statuspage.actions.context import Context
from statuspage.store.schema.runtime import meta
from tests.builders import KEYS, draft, small_wallet

PREFIX = "/<lang:language>"
FILE = re.compile(r"\.\w+$|/badge/")  # feeds, calendars, badges: no pages
# Only what is wrong is told in full: to describe every part that is right takes longer than to look at it.
STANDARDS = {"runOnly": ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa", "best-practice"], "resultTypes": ["violations"]}
# What stands for a variable part of an address; a route with another part fails the test until it is named here.
PARTS = {"symptom_id": "transfer_failed", "component_id": "transfers", "chain": "polygon"}
QUERIES = {"/search": "?q=transfers", "/subscribe/confirm": "?request=none", "/subscribe/manage": "?id=none&token=none"}
LEADS_ELSEWHERE = {"/n/<number>"}
BESIDE = ("/check/funds_missing", "/nothing-here", "/broken")  # an emergency, and pages that say why there is none

# The banner in a frame renews itself without script (what is real time may, WCAG 2.2.1), and its heading would be one of the page
# around it.
ACCEPTED = {("/embed", "meta-refresh"), ("/embed", "page-has-heading-one")}


@pytest.fixture
def wallet(sqlite_database):
    """Trouble, a suspicion, maintenance to come and a network: each kind of card is on some page."""
    made = small_wallet(sqlite_database, custody="both", official={"domains": ["wallet.example"], "sms_senders": ["#Demo"]})
    made.now = clock.now()
    made.component("chain_polygon", "data", chain="polygon", status="degraded")
    with made.db.write() as conn:
        conn.execute(insert(meta).values(name="chains", value={"polygon": {"capabilities": ["send", "receive", "fees"]}}))
        conn.execute(insert(meta).values(name="channels", value={"sms": {"countries": ["HK"]}, "webhook": {}}))
    made.suspected(["login"], since=made.now)
    made.scenario("core-upgrade", steps=1, began_at=made.now + timedelta(days=2))
    made.bad_day("transfers", 3, major_s=600)
    return made.beat()


@pytest.fixture
def site(wallet):
    made = app.create_public_site(settings.load({}), Context(wallet.db, KEYS, clock.now))

    @made.route("/<lang:language>/broken")
    def broken():
        raise RuntimeError

    return made


def paths(site, parts):
    """Every page there is, without its language."""
    rules = sorted(rule.rule.removeprefix(PREFIX) for rule in site.url_map.iter_rules()
                   if rule.rule.startswith(PREFIX) and "GET" in rule.methods and not FILE.search(rule.rule))  # fmt: skip
    known = [re.sub(r"<(\w+)>", lambda part: parts[part[1]], rule) + QUERIES.get(rule, "")
             for rule in rules if rule not in LEADS_ELSEWHERE and rule not in BESIDE]  # fmt: skip
    return [*known, *BESIDE]


@pytest.mark.parametrize(("language", "scheme"), [("en", "light"), ("zh-Hans", "dark")])
def test_no_page_has_a_barrier_for_assistive_technology(wallet, site, serve, browser, language, scheme):
    url = serve(site)
    public_id = wallet.notice(draft("Transfers fail", components={"transfers": "major_outage"}, started_at=wallet.now))
    wallet.status("transfers", "major_outage")
    parts = {**PARTS, "public_id": public_id, "month": wallet.now.strftime("%Y-%m")}
    context = browser.new_context(color_scheme=scheme, viewport={"width": 390, "height": 800}, bypass_csp=True)
    context.add_init_script(Axe().axe_script)
    page = context.new_page()

    found, seen = [], []
    for path in paths(site, parts):
        answer = page.goto(f"{url}/{language}{path}", wait_until="load", timeout=10_000)
        seen.append((answer.status, path))
        page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
        page.evaluate("document.querySelectorAll('tbody tr:nth-child(n + 5)').forEach(one => one.remove())")  # rows are alike
        wrong = page.evaluate("options => axe.run(options).then(results => results.violations)", STANDARDS)
        found += [(path, one["id"], [node["html"][:120] for node in one["nodes"]]) for one in wrong]

    context.close()
    assert [one for one in found if one[:2] not in ACCEPTED] == []
    assert len(seen) > 20
    assert {path for code, path in seen if code >= 400} <= {"/nothing-here", "/broken", "/subscribe/manage?id=none&token=none"}

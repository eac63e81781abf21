"""Chromium walks every page in each state and both languages, at two widths, light and dark, with and without script."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import timedelta

import pytest
from sqlalchemy import insert, text, update

from statuspage import app, clock, settings
from statuspage.actions.context import Context
from statuspage.clock import to_ms
from statuspage.domain import rollup
from statuspage.publish.snapshot import Snapshot, using
from statuspage.store import checks, public
from statuspage.store.schema.catalogue import components
from statuspage.store.schema.runtime import meta
from statuspage.templating_root import root
from tests.builders import KEYS, draft, small_wallet
from tests.stage import add_monitor

LANGUAGES = ("en", "zh-Hans")
# Pages that answer with an error by intention: the browser remarks on it.
REFUSED = re.compile(r"status of (404|410|500).*(/nothing-here|/broken|/subscribe/manage|/incidents/)")
NARROW, BROAD = 320, 1280
# Words that are the same in every language, and what a test's own data says in one.
SAME = {
    "Atom", "RSS", "JSON Feed", "API", "Webhook", "English", "SHA-256", "local", "ETH", "POL", "BSC", "Polygon", "wallet.example",
    "Polygon PoS", "transfers-api", "iPhone, iPad", "Android", "HarmonyOS",
}  # fmt: skip
# What one page shows at a width: measured in the page itself, in one go.
LOOK = """() => ({
    over: document.documentElement.scrollWidth - innerWidth,
    wide: [...document.querySelectorAll("main *")].filter(one => one.getBoundingClientRect().right > innerWidth + 1
        && !one.closest(".scroll, .vh, svg, pre")).slice(0, 3).map(one => one.outerHTML.slice(0, 120)),
    paper: getComputedStyle(document.body).backgroundColor,
})"""
# Everything that is read or spoken, but not code, nor what is marked as being in another language.
WORDS = """() => {
    const found = [], root = document.body, walk = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
    const said = words => { words = words.replace(/\\s+/g, " ").trim(); if (/[A-Za-z]{2}/.test(words)) found.push(words) };
    const apart = "code, pre, script, noscript, [hidden], body [lang], [translate=no], .proof dd";
    while (walk.nextNode()) if (!walk.currentNode.parentElement.closest(apart)) said(walk.currentNode.data);
    for (const name of ["aria-label", "title", "placeholder"])
        for (const one of root.querySelectorAll(`[${name}]`)) if (!one.closest("body [lang]")) said(one.getAttribute(name));
    return {words: found, title: document.title, heads: [...document.querySelectorAll("h1")].map(one => one.innerText.trim()),
        icon: (document.querySelector("link[rel=icon]") || {href: ""}).href, lang: document.documentElement.lang};
}"""

# Where the keyboard is among all that it can reach; -1: nowhere on the page.
FOCUSED = """() => {
    const all = [...document.querySelectorAll("a[href], button, summary, select, textarea, input, [tabindex='0']")]
        .filter(one => one.getClientRects().length && one.tabIndex >= 0);
    const here = document.activeElement, style = getComputedStyle(here), box = here.getBoundingClientRect();
    return {place: all.indexOf(here), all: all.length, first: all.findIndex(one => one.closest("main")),
        what: here.outerHTML.slice(0, 80), seen: box.bottom > 0 && box.top < innerHeight,
        ring: style.outlineStyle === "solid" && parseFloat(style.outlineWidth) >= 2};
}"""
FILLS = """() => Object.fromEntries([...document.querySelectorAll("[class^=b-]")].map(
    one => [one.getAttribute("class"), getComputedStyle(one).fill]))"""


@dataclass
class Walk:
    """The installation that is walked through; `blind` makes it answer as the files do that are served once nobody can see."""

    wallet: object
    url: str = ""
    blind: bool = False
    found: list = field(default_factory=list)
    paths: dict = field(default_factory=dict)


@pytest.fixture
def wallet(sqlite_database):
    made = small_wallet(sqlite_database, custody="both", official={"domains": ["wallet.example"], "sms_senders": ["#Demo"]})
    made.now = clock.now()
    made.component("chain_polygon", "data", chain="polygon")
    hour = to_ms(made.now) // rollup.HOUR_MS
    with made.db.write() as conn:
        conn.execute(insert(meta).values(name="chains", value={"polygon": {"capabilities": ["send", "receive", "fees"]}}))
        conn.execute(insert(meta).values(name="channels", value={"sms": {"countries": ["HK"]}, "webhook": {}}))
        add_monitor(conn, "transfers-api", "transfers", 7, made.now)
        blocks = [rollup.block(one, [(one * rollup.HOUR_MS, 0, 80 + one % 7)]) for one in range(hour - 24, hour)]
        checks.put_blocks(conn, [(7, hour - 24 + index, 0, one) for index, one in enumerate(blocks)])
        checks.set_mark(conn, checks.HOURS, hour)
    made.bad_day("transfers", 3, major_s=600)
    return made.beat()


@pytest.fixture
def walk(wallet, serve):
    found = settings.load({})
    site = app.create_public_site(found, Context(wallet.db, KEYS, clock.now))

    @site.route("/<lang:language>/broken")
    def broken():
        raise RuntimeError

    made = Walk(wallet)

    def answer(environ, start):
        if not made.blind:
            return site.wsgi_app(environ, start)
        with wallet.db.read() as conn, using(Snapshot(conn, public.load(conn, clock.now())).blinded()):
            return list(site.wsgi_app(environ, start))

    made.url = serve(answer)
    return made


def peace(walk):
    wallet = walk.wallet
    past = wallet.scenario("transfers-failing", began_at=wallet.now - timedelta(days=3))
    gone = wallet.notice(draft("Withdrawn"))
    with wallet.db.write() as conn:
        conn.execute(text("UPDATE notices SET visibility = 'draft' WHERE public_id = :gone"), {"gone": gone})
    wallet.scenario("core-upgrade", steps=1, began_at=wallet.now + timedelta(days=2))
    walk.paths = {"past": past, "gone": gone}


def suspicion(walk):
    walk.paths["open"] = walk.wallet.suspected(["transfers"], since=walk.wallet.now - timedelta(minutes=3))
    walk.wallet.status("transfers", "major_outage")


def outage(walk):
    close(walk)
    walk.paths["open"] = walk.wallet.scenario("transfers-failing", steps=2, began_at=walk.wallet.now - timedelta(minutes=24))


def maintenance(walk):
    close(walk)
    walk.wallet.status("transfers", "under_maintenance")
    walk.paths["open"] = walk.wallet.scenario("core-upgrade", steps=2, began_at=walk.wallet.now - timedelta(minutes=30))


def unknown(walk):
    close(walk)
    with walk.wallet.db.write() as conn:
        conn.execute(update(components).values(status="unknown"))


def blind(walk):
    with walk.wallet.db.write() as conn:
        conn.execute(update(components).values(status="operational"))
    walk.blind = True


def close(walk):
    """What was open is forgotten: a state of the walk does not lead to the next one."""
    with walk.wallet.db.write() as conn:
        conn.execute(text("UPDATE notices SET visibility = 'draft' WHERE public_id = :one"), {"one": walk.paths.pop("open")})


# state -> (what makes it, favicon, how the verdict begins in each language)
STATES = {
    "peace": (peace, "ok", "Everything works", "一切正常"),
    "suspicion": (suspicion, "suspected", "We see a problem with Transfers", "转账可能异常"),
    "outage": (outage, "down", "Transfers: not working since", "转账无法使用"),
    "maintenance": (maintenance, "maintenance", "Under maintenance: Transfers", "维护中：转账"),
    "unknown": (unknown, "unknown", "We cannot see", "目前无法判断"),
    "blind": (blind, "unknown", "We cannot see", "目前无法判断"),
}
# Pages that say how it is now are walked in every state, the others once, while something is wrong.
PRESENT = ("/", "/components/transfers", "/check/transfer_failed")
OTHERS = (
    "/networks/polygon", "/check", "/maintenance", "/check/funds_missing", "/history", "/search?q=transfers", "/statistics",
    "/uptime", "/verify", "/official", "/key", "/help", "/privacy", "/docs/api", "/subscribe", "/subscribe/confirm?request=none",
    "/subscribe/manage?id=none&token=none", "/report",
    "/nothing-here", "/broken",
)  # fmt: skip


def pages(walk, state):
    """Paths to walk in `state`, without the language."""
    open_ = [f"/incidents/{walk.paths['open']}"] if "open" in walk.paths else []
    old = [f"/incidents/{walk.paths['past']}", f"/incidents/{walk.paths['gone']}"]
    return [*PRESENT, *open_, *((*OTHERS, *old) if state == "outage" else ())]


def look_at(walk, tab, state, where):
    """One page at both widths, in the light and in the dark; what is wrong goes to `walk.found`, what it says is the answer."""
    mark = "&" if "?" in where else "?"
    tab.goto(f"{walk.url}{where}{mark}in={state}")  # a page may be kept for 10 s: never the one of the state before
    tab.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
    papers = set()
    for width, scheme in ((NARROW, "light"), (BROAD, "dark")):
        tab.set_viewport_size({"width": width, "height": 800})
        tab.emulate_media(color_scheme=scheme)
        seen = tab.evaluate(LOOK)
        papers.add(seen["paper"])
        if seen["over"] > 0 or seen["wide"]:
            walk.found.append((state, where, width, seen))
    page = tab.evaluate(WORDS)
    if len(papers) != 2:
        walk.found.append((state, where, "the same in the dark", papers))
    if len(page["heads"]) != 1 or page["lang"] != where.split("/")[1]:
        walk.found.append((state, where, page["heads"], page["lang"]))
    return page


def untranslated(pages_by_language):
    """What stands word for word on the page of either language, although it is words."""
    same = set.intersection(*(set(page["words"]) for page in pages_by_language)) - SAME
    return [one for one in same if not one.startswith(("N-", "#", "http", "/")) and not re.search(r"\d", one)]


def says(page, verdict, icon):
    """Heading, title and favicon tell the state."""
    return page["heads"][0].startswith(verdict) and page["title"].startswith(verdict) and f"/icon-{icon}-" in page["icon"]


@pytest.fixture
def tabs(browser):
    """One with script and one without; what they asked for, and what they complained about."""
    asked, complaints, opened = set(), [], []
    for has_script in (True, False):
        tab = browser.new_context(java_script_enabled=has_script, viewport={"width": NARROW, "height": 800}).new_page()
        tab.on("request", lambda request: asked.add(request.url))
        tab.on("console", lambda said: complaints.append(f"{said.type}: {said.text} {said.location['url']}"))
        tab.on("pageerror", lambda error: complaints.append(str(error)))
        opened.append(tab)
    yield *opened, asked, complaints
    for tab in opened:
        tab.context.close()


def test_every_page_fits_is_translated_shows_its_state_and_asks_nobody_else(walk, tabs):
    scripted, plain, asked, complaints = tabs
    for state, (arrange, icon, *verdicts) in STATES.items():
        arrange(walk)
        for path in pages(walk, state):
            both = [look_at(walk, scripted, state, f"/{language}{path}") for language in LANGUAGES]
            walk.found += [(state, path, "not translated", words) for words in untranslated(both)]
            if path == "/":
                both += [look_at(walk, plain, state, f"/{language}/") for language in LANGUAGES]
                walk.found += [(state, page) for page, said in zip(both, verdicts * 2, strict=True) if not says(page, said, icon)]

    assert walk.found == []
    assert [one for one in asked if not one.startswith(walk.url)] == []
    assert [one for one in complaints if not REFUSED.search(one)] == []


def test_the_keyboard_reaches_everything_in_its_order_and_shows_where_it_is(walk, tabs):
    peace(walk)
    suspicion(walk)
    tab, *_ = tabs
    tab.goto(f"{walk.url}/en/")
    tab.keyboard.press("Tab")
    skip = tab.locator(":focus")
    assert skip.inner_text() == "Skip to the content"
    assert skip.bounding_box()["x"] >= 0  # unseen until it is reached
    tab.keyboard.press("Enter")
    tab.keyboard.press("Tab")
    assert tab.evaluate("document.activeElement.closest('main') !== null")

    stops = [tab.evaluate(FOCUSED)]
    while stops[-1]["place"] >= 0 and len(stops) < 200:
        tab.keyboard.press("Tab")
        stops.append(tab.evaluate(FOCUSED))

    first, last = stops[0], stops.pop()
    assert last["place"] == -1  # past the end of the page, not caught in it
    assert [stop["place"] for stop in stops] == list(range(first["first"], first["all"]))
    assert [stop["what"] for stop in stops if not stop["ring"] or not stop["seen"]] == []


def test_marks_and_bars_stay_to_be_told_apart_where_the_reader_chose_the_colours(walk, browser):
    peace(walk)
    context = browser.new_context(forced_colors="active", viewport={"width": BROAD, "height": 900})
    tab = context.new_page()
    tab.goto(f"{walk.url}/en/")

    fills = tab.evaluate(FILLS)

    context.close()
    assert {"b-ok", "b-major"} <= set(fills)
    assert len(set(fills.values())) == len(fills), fills


def test_styles_name_no_side_of_the_screen():
    styles = "\n".join(one.read_text(encoding="utf-8") for one in (root() / "site" / "static").glob("*.css"))

    found = re.findall(r"[^{};]*\b(?:left|right)\b[^{};]*", styles)
    for four in re.finditer(r"(?:margin|padding|inset): ([^\s;}]+) ([^\s;}]+) ([^\s;}]+) ([^\s;}]+)", styles):
        found += [four[0]] if four[2] != four[4] else []

    assert found == []

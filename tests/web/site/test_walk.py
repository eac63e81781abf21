"""Every published page in each state and both languages, without script; Chromium on those that say how it is now, at several
widths, light and dark, with and without script.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import insert, update
from werkzeug.test import Client

from statuspage import app, clock, settings
from statuspage.actions.context import Context
from statuspage.clock import to_ms
from statuspage.domain import rollup
from statuspage.domain.notice import Draft
from statuspage.publish.files import Folder, name_of
from statuspage.publish.publisher import Publisher
from statuspage.publish.urls import is_published
from statuspage.store import checks
from statuspage.store.notices import by_public_id
from statuspage.store.schema.notices import notices
from statuspage.store.schema.runtime import meta
from statuspage.web.fastpath import FastPath
from tests.builders import FUNCTIONS, KEYS, PAGE, draft, small_wallet
from tests.pages import check
from tests.stage import add_monitor

LANGUAGES = ("en", "zh-Hans")
OWN = PAGE["url"]
# Pages that answer with an error by intention: the browser remarks on it.
REFUSED = re.compile(r"status of (404|410|500).*(/nothing-here|/broken|/subscribe/manage|/incidents/)")
NARROW, PHONE, BROAD = 320, 360, 1280
SOME = ((NARROW, "light"), (BROAD, "dark"))
# In an order in which each differs from the one before in one thing only: to change the width costs 50 ms.
ALL = ((NARROW, "light"), (NARROW, "dark"), (PHONE, "dark"), (PHONE, "light"), (BROAD, "light"), (BROAD, "dark"))
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
# Everything that has a state's colour, against the ground that it stands on: text 4.5 : 1, shapes and edges 3 : 1 (WCAG 1.4.3 and
# 1.4.11). The bars of 90 days are not among it: what they tell stands beside them in words.
COLOURS = """() => {
    const brush = document.createElement("canvas").getContext("2d", {willReadFrequently: true}), known = new Map();
    const painted = colour => {
        brush.clearRect(0, 0, 1, 1); brush.fillStyle = colour; brush.fillRect(0, 0, 1, 1);
        return [...brush.getImageData(0, 0, 1, 1).data];
    };
    const parts = colour => known.get(colour) || known.set(colour, painted(colour)).get(colour);
    const light = ([r, g, b]) => [r, g, b].map(one => one / 255)
        .map(one => one <= .04045 ? one / 12.92 : ((one + .055) / 1.055) ** 2.4)
        .reduce((sum, one, index) => sum + one * [.2126, .7152, .0722][index], 0);
    const ground = one => {
        const colour = parts(getComputedStyle(one).backgroundColor);
        return colour[3] === 255 || !one.parentElement ? colour : ground(one.parentElement);
    };
    const told = [...document.querySelectorAll("main :is(.ok, .degraded, .partial, .major, .work, .unknown)")]
        .filter(one => one.checkVisibility()).map(one => {
            const [dark, bright] = [light(parts(getComputedStyle(one).color)), light(ground(one))].sort((a, b) => a - b);
            const isText = [...one.childNodes].some(part => part.nodeType === 3 && part.data.trim());
            return {ratio: (bright + .05) / (dark + .05), least: isText ? 4.5 : 3, what: one.outerHTML.slice(0, 90)};
        });
    const words = [...document.querySelectorAll("main :is(.verdict h1, .rows .state)")].filter(one => one.checkVisibility());
    return {
        told: told.length, faint: told.filter(one => one.ratio < one.least), words: words.length,
        silent: words.filter(one => !one.innerText.trim()).map(one => one.outerHTML.slice(0, 90)),
    };
}"""
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
    """The installation that is walked through: its published files, and the program behind them for what is none.

    `late`: how long after the last check it is asked. `read`: what is wrong with a page, and its links, by its bytes.
    """

    wallet: object
    site: object
    folder: Path
    publisher: Publisher
    late: timedelta = timedelta(0)
    url: str = ""
    files: FastPath | None = None
    found: list = field(default_factory=list)
    paths: dict = field(default_factory=dict)
    read: dict = field(default_factory=dict)
    answered: dict = field(default_factory=dict)
    schemes: dict = field(default_factory=dict)

    def __call__(self, environ, start_response):
        return (self.files or self.site)(environ, start_response)

    def publish(self):
        self.wallet.beat(clock.now())  # a walk may take longer than a check is believed
        while self.publisher.run_once().pending:
            pass
        self.files = FastPath(self.site, self.folder, now=lambda: clock.now() + self.late)


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
def walk(wallet, serve, tmp_path):
    site = app.create_public_site(settings.load({}), Context(wallet.db, KEYS, clock.now))

    @site.route("/<lang:language>/broken")
    def broken():
        raise RuntimeError

    made = Walk(wallet, site, tmp_path / "public", Publisher(wallet.db, site.wsgi_app, tmp_path / "public"))
    made.url = serve(made)
    yield made
    made.publisher.close()


def peace(walk):
    wallet = walk.wallet
    past = wallet.scenario("transfers-failing", began_at=wallet.now - timedelta(days=3))
    gone = wallet.notice(draft("Withdrawn"))
    with wallet.db.write() as conn:
        conn.execute(update(notices).where(notices.c.public_id == gone).values(visibility="draft"))
    wallet.scenario("core-upgrade", steps=1, began_at=wallet.now + timedelta(days=2))
    walk.paths = {"past": past, "gone": gone}


def blind(walk):
    walk.late = timedelta(minutes=5)


def suspicion(walk):
    walk.late = timedelta(0)
    walk.paths["open"] = walk.wallet.suspected(["transfers"], since=walk.wallet.now - timedelta(minutes=3))
    walk.wallet.status("transfers", "major_outage")


def outage(walk):
    close(walk)
    walk.wallet.status("transfers", "major_outage")
    walk.paths["open"] = walk.wallet.scenario("transfers-failing", steps=2, began_at=walk.wallet.now - timedelta(minutes=24))


def maintenance(walk):
    close(walk)
    walk.wallet.status("transfers", "under_maintenance")
    walk.paths["open"] = walk.wallet.scenario("core-upgrade", steps=2, began_at=walk.wallet.now - timedelta(minutes=30))


def unknown(walk):
    close(walk)
    for component_id in (*FUNCTIONS, "chain_polygon"):
        walk.wallet.status(component_id, "unknown")


def close(walk):
    """What was open is over: a state of the walk does not lead to the next one."""
    wallet, public_id = walk.wallet, walk.paths.pop("open")
    with wallet.db.read() as conn:
        facts = by_public_id(conn, public_id).facts
    status = "completed" if facts.kind == "maintenance" else "resolved"
    over = replace(facts, status=status, components={}, resolved_at=wallet.now, confirmed_at=wallet.now, next_update_by=None)
    wallet.add_update(public_id, Draft(over, {"en": "It works again.", "zh-Hans": "已经恢复。"}))


# state -> (what makes it, favicon, how the verdict begins in each language)
STATES = {
    "peace": (peace, "ok", "Everything works", "一切正常"),
    "blind": (blind, "unknown", "We cannot see", "目前无法判断"),
    "suspicion": (suspicion, "suspected", "We see a problem with Transfers", "转账可能异常"),
    "outage": (outage, "down", "Transfers: not working since", "转账无法使用"),
    "maintenance": (maintenance, "maintenance", "Under maintenance: Transfers", "维护中：转账"),
    "unknown": (unknown, "unknown", "We cannot see", "目前无法判断"),
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


def look_at(walk, tab, state, where, looks=SOME):
    """One page at several widths, in the light and in the dark; what is wrong goes to `walk.found`, what it says is given."""
    mark = "&" if "?" in where else "?"
    # A page may be kept for 10 s: never the one of the state before.
    tab.goto(f"{walk.url}{where}{mark}in={state}", wait_until="domcontentloaded")
    tab.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
    papers = set()
    for width, scheme in looks if tab.viewport_size["width"] == NARROW else reversed(looks):
        if tab.viewport_size["width"] != width:
            tab.set_viewport_size({"width": width, "height": 800})
        if walk.schemes.get(tab) != scheme:
            tab.emulate_media(color_scheme=scheme)
            walk.schemes[tab] = scheme
        seen = tab.evaluate(LOOK)
        papers.add(seen["paper"])
        if seen["over"] > 0 or seen["wide"]:
            walk.found.append((state, where, width, seen))
        if looks is ALL:
            told = tab.evaluate(COLOURS)
            if told["told"] < len(FUNCTIONS) or told["words"] <= len(FUNCTIONS) or told["faint"] or told["silent"]:
                walk.found.append((state, where, width, scheme, told))
    page = tab.evaluate(WORDS)
    if len(papers) != 2:
        walk.found.append((state, where, "the same in the dark", papers))
    if len(page["heads"]) != 1 or page["lang"] != where.split("/")[1]:
        walk.found.append((state, where, page["heads"], page["lang"]))
    return page


def read(walk, path, body):
    """(what is wrong with a page, its links), read as a strict reader does; once, however many states it stays as it is."""
    key = hashlib.sha256(path.encode() + body).digest()
    if key not in walk.read:
        page = check(body.decode())
        missing = [link for link in page.links if link.startswith("#") and link[1:] not in page.ids]
        wrong = [] if page.language == path.split("/")[1] else [page.language]
        wrong += [name for name in ("title", "icon") if not getattr(page, name).strip()]
        wrong += [] if len(page.main.split()) > 4 else ["nothing in it"]
        walk.read[key] = [*wrong, *missing], {link.removeprefix(OWN).partition("#")[0] for link in page.links}
    return walk.read[key]


def read_everything(walk, state):
    """Every published page as it is answered in `state`, and wherever it leads on this site; paths of the pages."""
    client = Client(walk.files)
    paths = [path for path in Folder(walk.folder).known() if name_of(path).endswith(".html") and not path.startswith("/log/")]
    found = {path: client.get(path) for path in paths if not path.endswith("/embed")}  # a part of another page: test_embeds
    links = set()
    for path, answer in found.items():
        wrong, leads = read(walk, path, answer.data) if answer.status_code == 200 else ([answer.status_code], set())
        is_blind = b'class="blind"' in answer.data
        if wrong or is_blind != bool(walk.late):
            walk.found.append((state, path, wrong, is_blind))
        links |= leads
    for link in sorted(one for one in links if one.startswith("/")):
        kept = not is_published(link)  # forms and searches are there or not, whatever the state
        code = kept and walk.answered.get(link)
        walk.answered[link] = code = code or client.get(link, follow_redirects=True).status_code
        if code != 200:
            walk.found.append((state, link, "leads nowhere", code))
    return found.keys()


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
        walk.publish()
        known = read_everything(walk, state)
        here = {f"/{language}{path}" for language in LANGUAGES for path in PRESENT}
        walk.found += [(state, "not published", path) for path in here - known]
        for path in pages(walk, state):
            looks = ALL if path == "/" else SOME
            both = [look_at(walk, scripted, state, f"/{language}{path}", looks) for language in LANGUAGES]
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

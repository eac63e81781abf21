"""Browser notifications in a real browser, from the click to the notification that opens the notice.

Chromium gives out a subscription only through its maker's service, which tests may not reach. So `PushManager.subscribe` answers
with a subscription at a local push service, with real keys; what arrives there is decrypted and handed to the real service
worker by the DevTools protocol. All else is the product's own: page, script, service worker, deliverer, encryption.
"""

import base64
import json
import shutil
import ssl
import threading
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import http_ece
import pytest
import trustme
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from sqlalchemy import insert
from waitress.server import create_server

from statuspage import app, clock, settings
from statuspage.actions import notices
from statuspage.actions.context import Actor, Context
from statuspage.channels.message import Services
from statuspage.channels.printer import Printer
from statuspage.channels.safehttp import Sessions
from statuspage.domain import delivery
from statuspage.domain.notice import Draft
from statuspage.publish.publisher import Publisher
from statuspage.store.schema.runtime import meta
from statuspage.web.fastpath import FastPath
from statuspage.worker.deliverer import Deliverer
from tests.builders import KEYS, draft, small_wallet

FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync",
         "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"]  # fmt: skip
LIN = Actor("lin", "responder")
# What a browser's push service would have answered. The prompt is watched too: when, and whether a click led to it.
SUBSCRIBE = """
window.prompts = [];
const ask = Notification.requestPermission.bind(Notification);
Notification.requestPermission = () => { window.prompts.push(navigator.userActivation.isActive); return ask(); };
PushManager.prototype.subscribe = async (options) => {
  window.options = { visible: options.userVisibleOnly, key: [...options.applicationServerKey] };
  return { toJSON: () => (%s), unsubscribe: async () => true };
};
"""
WORDS = {
    "en": {
        "turned_on": "Notifications are on.", "hello": ["Demo Wallet: Notifications are on", "You will be told"],
        "news": ["Demo Wallet: Transfers fail", "We are looking at it."], "fixed": "Demo Wallet: Fixed: Transfers fail",
        "unreachable": "This browser's push service cannot be reached from here.",
    },
    "zh-Hans": {
        "turned_on": "通知已开启。", "hello": ["演示钱包: 通知已开启", "会通知您"],
        "news": ["演示钱包: 转账失败", "正在排查。"], "fixed": "演示钱包: 已恢复：转账失败",
        "unreachable": "此处无法连接到浏览器的推送服务",
    },
}  # fmt: skip


def b64(raw):
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


class PushService(ThreadingHTTPServer):
    """Keeps what it is handed, and decrypts it as the browser would."""

    daemon_threads = True

    def __init__(self, context):
        self.bodies = []
        self.key, self.auth = ec.generate_private_key(ec.SECP256R1()), b"a" * 16
        super().__init__(("127.0.0.1", 0), _Handler)
        self.host = f"127.0.0.1:{self.server_address[1]}"
        self.socket = context.wrap_socket(self.socket, server_side=True)
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    @property
    def subscription(self):
        point = self.key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        keys = {"p256dh": b64(point), "auth": b64(self.auth)}
        return json.dumps({"endpoint": f"https://{self.host}/push/one", "expirationTime": None, "keys": keys})

    def last(self):
        raw = http_ece.decrypt(self.bodies[-1], private_key=self.key, auth_secret=self.auth, version="aes128gcm")
        return raw.decode()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        self.server.bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(201)
        self.send_header("Location", "/message/1")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_arguments):
        """Quiet."""


class House:
    """Page, publisher and deliverer over one database, wired as the composition root does it, with `now` the real time."""

    def __init__(self, database, folder, push, ca_file, port):
        self.url = f"http://127.0.0.1:{port}"
        self.wallet = small_wallet(database, url=self.url)
        self.wallet.now = clock.now()
        self.wallet.beat()
        self.ctx = Context(database, KEYS)
        with database.write() as conn:
            conn.execute(insert(meta), [
                {"name": "channels", "value": {"webpush": {"contact": "mailto:ops@wallet.example", "hosts": [push.host]}}},
                {"name": "allow_networks", "value": ["127.0.0.0/8"]},
                {"name": "quiet_hours", "value": {"from": "00:00", "until": "00:00"}},  # whatever the time of day
            ])  # fmt: skip
        found = settings.load({"STATUSPAGE_DATA": str(folder)})
        site = app.create_public_site(found, self.ctx)
        self.publisher = Publisher(database, site.wsgi_app, found.public_dir)
        self.server = create_server(FastPath(site, found.public_dir, threads=8), host="127.0.0.1", port=port, threads=8)
        threading.Thread(target=self._serve, daemon=True).start()
        services = Services(
            Sessions(deadline_s=5, ca_file=ca_file), Printer(stream=None), str, KEYS.vapid, self.ctx.now
        )
        self.deliverer = Deliverer(self.ctx, services)

    def _serve(self):
        with suppress(OSError):  # its own socket, closed under its select by the end of the test
            self.server.run()

    def work(self):
        self.deliverer.run_once()
        while self.publisher.run_once().pending:
            pass

    def close(self):
        self.deliverer.close()
        self.publisher.close()
        self.server.close()


@pytest.fixture
def push(tmp_path):
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    server = PushService(context)
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def house(sqlite_database, tmp_path, push, free_port):
    found = House(sqlite_database, tmp_path / "var", push, str(tmp_path / "ca.pem"), free_port())
    found.work()
    yield found
    found.close()


@pytest.fixture(scope="module")
def profile(browser, tmp_path_factory):
    """A browser with a profile on disk: incognito contexts refuse the Push API. Each test has a port, an origin of its own."""
    folder = tmp_path_factory.mktemp("profile")
    context = browser.browser_type.launch_persistent_context(
        folder, executable_path=shutil.which("chromium"), args=FLAGS, viewport={"width": 390, "height": 800}
    )
    yield context
    context.close()


@pytest.fixture
def tab(profile):
    page = profile.new_page()
    yield page
    page.close()


class Worker:
    """The page's service worker, reached as the DevTools of the browser reach it."""

    def __init__(self, context, page, origin):
        self.context, self.page, self.origin = context, page, origin
        page.evaluate("""async () => {
          const { active } = await navigator.serviceWorker.ready;
          while (active.state !== "activated") await new Promise((go) => setTimeout(go, 20));
        }""")
        self.session = context.new_cdp_session(page)
        found = []
        self.session.on("ServiceWorker.workerRegistrationUpdated", lambda event: found.extend(event["registrations"]))
        self.session.send("ServiceWorker.enable")
        for _turn in range(100):
            if any(one["scopeURL"].startswith(origin) for one in found):
                break
            page.wait_for_timeout(50)
        self.id = next(one["registrationId"] for one in found if one["scopeURL"].startswith(origin))

    def push(self, data, title):
        """Hand `data` to the worker; the notifications on the screen once one of them says `title`.

        The protocol does not say when a fresh worker takes messages, and drops what comes too early: it is handed over again.
        """
        script = """async () => {
          const found = await (await navigator.serviceWorker.ready).getNotifications();
          return found.map(({ title, body, tag, lang, data }) => ({ title, body, tag, lang, data }));
        }"""
        for turn in range(100):
            if turn % 20 == 0:
                named = {"origin": self.origin, "registrationId": self.id, "data": data}
                self.session.send("ServiceWorker.deliverPushMessage", named)
            seen = self.page.evaluate(script)
            if any(one["title"] == title for one in seen):
                return seen
            self.page.wait_for_timeout(50)
        raise AssertionError(f"no notification says {title!r}: {seen}")

    def click(self, tag):
        """Click the notification `tag`; the address that was opened.

        No protocol clicks a notification, and without a person's click a worker may open nothing: `openWindow` is written down.
        """
        script = """async (tag) => {
          let opened = "";
          self.clients.openWindow = async (url) => { opened = url; return null; };
          const [notification] = (await self.registration.getNotifications()).filter((one) => one.tag === tag);
          self.dispatchEvent(new NotificationEvent("notificationclick", { notification }));
          for (let turn = 0; turn < 100 && !opened; turn += 1) await new Promise((go) => setTimeout(go, 20));
          return opened;
        }"""
        mine = next(one for one in self.context.service_workers if one.url.startswith(self.origin))
        return mine.evaluate(script, tag)


def resolved(found):
    return draft(
        status="resolved", titles={"en": "Transfers fail", "zh-Hans": "转账失败"}, resolved_at=found, components={}
    )


@pytest.mark.timeout(90)
@pytest.mark.parametrize("language", ["zh-Hans", "en"])
def test_a_reader_turns_notifications_on_and_is_told(house, push, profile, tab, language):
    words = WORDS[language]
    profile.grant_permissions(["notifications"], origin=house.url)
    tab.add_init_script(SUBSCRIBE % push.subscription)
    tab.goto(f"{house.url}/{language}/subscribe")
    tab.wait_for_selector("form[data-push]")
    assert tab.evaluate("window.prompts") == []  # nothing is asked for before a click

    tab.click("form[data-push] button")
    tab.wait_for_selector(f"[data-push-said]:has-text('{words['turned_on']}') a")

    key = base64.urlsafe_b64decode(delivery.push_public_key(KEYS.vapid) + "==")
    assert tab.evaluate("window.prompts") == [True]
    assert tab.evaluate("window.options") == {"visible": True, "key": list(key)}

    # The first message says that the way works; the second tells of an outage, the third replaces it.
    worker = Worker(profile, tab, house.url)
    house.work()
    title, body = words["hello"]
    [hello] = worker.push(push.last(), title)
    assert body in hello["body"]
    texts = {"titles": {"en": "Transfers fail", "zh-Hans": "转账失败"}, "components": {"transfers": "major_outage"}}
    made = draft(**texts, started_at=clock.now())
    ref = notices.declare(house.ctx, LIN, Draft(made.facts, {"en": "We are looking at it.", "zh-Hans": "正在排查。"}))
    house.work()
    title, body = words["news"]
    news = next(one for one in worker.push(push.last(), title) if one["title"] == title)
    path = f"/{language}/incidents/{ref.public_id}"
    assert news == {"title": title, "body": body, "tag": ref.public_id, "lang": language, "data": {"path": path}}

    opened = worker.click(ref.public_id)
    assert opened == house.url + path
    tab.goto(opened)
    assert tab.inner_text("h1") == title.partition(": ")[2]
    assert tab.get_attribute("html", "lang") == language

    worker.push(push.last(), title)
    notices.update(house.ctx, LIN, ref.public_id, resolved(clock.now()))
    house.work()
    shown = worker.push(push.last(), words["fixed"])
    assert [one["title"] for one in shown if one["tag"] == ref.public_id] == [words["fixed"]]


@pytest.mark.timeout(60)
@pytest.mark.parametrize("language", ["zh-Hans", "en"])
def test_a_browser_whose_push_service_does_not_answer_says_so_and_offers_the_rest(house, push, profile, tab, language):
    profile.grant_permissions(["notifications"], origin=house.url)
    tab.clock.install()
    tab.goto(f"{house.url}/{language}/subscribe")

    tab.click("form[data-push] button")
    tab.wait_for_function("navigator.serviceWorker.ready")
    tab.wait_for_timeout(300)
    for _turn in range(20):
        tab.clock.run_for(2_000)

    tab.wait_for_selector(f'[data-push-said]:has-text("{WORDS[language]["unreachable"]}")', timeout=10_000)
    assert tab.is_enabled("form[data-push] button")
    house.work()
    assert push.bodies == []


@pytest.mark.timeout(60)
def test_a_reader_who_says_no_is_told_where_to_change_it(house, push, tab):
    tab.goto(f"{house.url}/en/subscribe")

    tab.click("form[data-push] button")  # headless, the prompt is answered with no

    tab.wait_for_selector("[data-push-said]:has-text('This browser does not allow notifications from this page.')")
    assert tab.evaluate("navigator.serviceWorker.getRegistrations().then((all) => all.length)") == 0


@pytest.mark.timeout(60)
@pytest.mark.parametrize("data", ["", "not json", '{"title": "", "path": "https://evil.example/"}'])
def test_a_push_that_cannot_be_read_still_shows_something_and_never_leads_elsewhere(house, push, profile, tab, data):
    profile.grant_permissions(["notifications"], origin=house.url)
    tab.add_init_script(SUBSCRIBE % push.subscription)
    tab.goto(f"{house.url}/en/subscribe")
    tab.click("form[data-push] button")
    tab.wait_for_selector("[data-push-said] a")
    worker = Worker(profile, tab, house.url)

    shown = worker.push(data, "Status")

    assert [one["title"] for one in shown] == ["Status"]
    assert worker.click("status") == f"{house.url}/"

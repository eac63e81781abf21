"""The operators' desk of tests: the console served by waitress on a real port, and browsers that sign in by the real road."""

import re
import threading
from html import unescape

import pyotp
import requests
from sqlalchemy import func, insert, select, update
from stage import Clock, Probe, furnish
from waitress import wasyncore
from waitress.server import create_server

from statuspage import settings
from statuspage.actions import operators, sessions
from statuspage.actions.context import COMMAND_LINE, Context
from statuspage.keys import Keys
from statuspage.store import notices
from statuspage.store.schema import catalogue
from statuspage.store.schema.notices import notices as notices_table
from statuspage.store.schema.runtime import meta
from statuspage.web.console.app import create_console
from statuspage.web.console.services import Services

PAGE = {
    "name": {"en": "Demo Wallet", "zh-Hans": "演示钱包"}, "url": "https://status.wallet.example", "languages": ["zh-Hans", "en"],
    "time_zone": "Asia/Shanghai", "is_demo": False,
}  # fmt: skip
PASSWORD = "four unrelated words"
HERE = sessions.Client("127.0.0.0/24", "tests")


class Desk:
    """A console on a port of its own, over a wallet of four watched components. The clock is moved by hand."""

    def __init__(self, database, port, *, is_demo=False, clock=None, region="local"):
        self.clock = clock or Clock()
        self.ctx = Context(database, Keys(b"\x01" * 32, b"\x02" * 32, b"\x03" * 32), self.clock)
        furnish(self.ctx)
        with database.write() as connection:
            connection.execute(insert(meta).values(name="page", value={**PAGE, "is_demo": is_demo}))
            transfers = update(catalogue.components).where(catalogue.components.c.id == "transfers")
            connection.execute(transfers.values(template="transfers-failing"))
        self.probe = Probe(self.ctx, self.clock)
        self.probe.sees("up", "transfers-api", "balances-api", "login-api", "payments-api", "payments-flow", times=2)
        chosen = settings.load({"CONSOLE_PORT": str(port), "STATUSPAGE_REGION": region})
        self.app = create_console(Services(self.ctx, chosen, is_demo=is_demo))
        self.server = create_server(self.app, host="127.0.0.1", port=port, threads=4)
        self.url = f"http://127.0.0.1:{port}"
        self.secrets = {}
        threading.Thread(target=self.server.run, daemon=True).start()

    def close(self):
        # In the loop's own thread: a socket closed under its feet would be an error there. The server's own `close` also
        # closes its wake-up pipe twice, and the second time the number may be another desk's.
        self.server.trigger.pull_trigger(lambda: wasyncore.dispatcher.close(self.server))

    def hire(self, name, role="responder", language="en", password=PASSWORD):
        """An operator with password and authenticator."""
        if self.first():
            operators.create_first(self.ctx, name, language=language)
            if role != "admin":
                self._set_role(name, role)
        else:
            operators.create(self.ctx, COMMAND_LINE, name=name, role=role, language=language)
        who = type(COMMAND_LINE)(name, role)
        operators.set_password(self.ctx, who, password, keep_session="")
        self.secrets[name] = operators.begin_two_factor(self.ctx, who, "Demo Wallet").secret
        operators.confirm_two_factor(self.ctx, who, self.code(name))
        self.clock.pass_(seconds=31)  # a code counts once
        return name

    def first(self):
        with self.ctx.db.read() as connection:
            return operators.store.count(connection) == 0

    def _set_role(self, name, role):
        with self.ctx.db.write() as connection:
            connection.execute(update(operators.operators).where(operators.operators.c.name == name).values(role=role))

    def code(self, name):
        return pyotp.TOTP(self.secrets[name]).at(self.clock.at)

    def browser(self):
        return Browser(self)

    def signed_in(self, name):
        """A browser with a complete session of that operator."""
        browser = Browser(self)
        browser.post("/sign-in", name=name, password=PASSWORD)
        browser.post("/sign-in/code", code=self.code(name))
        self.clock.pass_(seconds=31)
        return browser


class Browser(requests.Session):
    """A browser as far as a form is concerned: it says where a form comes from, and sends every field that a page holds."""

    def __init__(self, desk):
        super().__init__()
        self.desk = desk
        self.trust_env = False
        self.csrf = ""

    def get(self, path, **options):
        return self._keep(super().get(self.desk.url + path, timeout=15, **options))

    def post(self, path, *, headers=None, follow=True, **fields):
        headers = {"Origin": self.desk.url, "Sec-Fetch-Site": "same-origin"} if headers is None else headers
        sent = {"csrf": self.csrf, **fields}
        return self._keep(
            super().post(self.desk.url + path, data=sent, headers=headers, timeout=15, allow_redirects=follow)
        )

    def _keep(self, response):
        found = re.search(r'name="csrf" value="([^"]+)"', response.text)
        self.csrf = found.group(1) if found else self.csrf
        return response

    def fields(self, response):
        """The fields of the page's big form as a browser would send them untouched."""
        form = re.search(r'<form method="post"[^>]*class="notice-form".*?</form>', response.text, re.DOTALL).group(0)
        out = []
        for tag in re.findall(r"<input[^>]*>", form):
            name, value = _attribute(tag, "name"), _attribute(tag, "value")
            kind = _attribute(tag, "type")
            if name and (kind not in {"checkbox", "radio"} or " checked" in tag):
                out.append((name, "on" if kind == "checkbox" and 'value="' not in tag else value))
        for head, text in re.findall(r"<textarea([^>]*)>(.*?)</textarea>", form, re.DOTALL):
            out.append((_attribute(head, "name"), unescape(text)))
        for head, options in re.findall(r"<select([^>]*)>(.*?)</select>", form, re.DOTALL):
            chosen = re.search(r'<option value="([^"]*)" selected', options) or re.search(
                r'<option value="([^"]*)"', options
            )
            out.append((_attribute(head, "name"), chosen.group(1)))
        return Fields(out)


class Fields(list):
    """Form fields in order; `with_` replaces."""

    def with_(self, **changes):
        gone = {name.replace("__", ".").replace("_Hans", "-Hans") for name in changes}
        kept = [(name, value) for name, value in self if name not in gone]
        new = []
        for name, value in changes.items():
            plain = name.replace("__", ".").replace("_Hans", "-Hans")
            new += [(plain, one) for one in value] if isinstance(value, list) else [(plain, value)]
        return Fields([*kept, *new])

    def get(self, name):
        return next((value for key, value in self if key == name), None)


def send(browser, path, fields, *, do="publish", follow=True):
    """Send a form's fields."""
    headers = {"Origin": browser.desk.url, "Sec-Fetch-Site": "same-origin"}
    body = [*fields, ("do", do)]
    return browser._keep(requests.Session.post(
        browser, browser.desk.url + path, data=body, headers=headers, timeout=15, allow_redirects=follow,
    ))  # fmt: skip


WORDS = {
    "titles.en": "Transfers fail", "titles.zh-Hans": "转账失败", "bodies.en": "Since {start} about one in five transfers fails. "
    "Next update by {next}.", "bodies.zh-Hans": "自{start}起，约五分之一的转账失败。不晚于{next}更新。",
}  # fmt: skip


def open_notices(desk):
    with desk.ctx.db.read() as connection:
        return notices.open_notices(connection)


def count(desk, table=notices_table):
    with desk.ctx.db.read() as connection:
        return connection.scalar(select(func.count()).select_from(table))


def written(page, lin, **more):
    changed = {name.replace(".", "__").replace("-", "_"): words for name, words in WORDS.items()}
    return lin.fields(page).with_(**{**changed, **more})


def _attribute(tag, name):
    found = re.search(rf'\b{name}="([^"]*)"', tag)
    return unescape(found.group(1)) if found else ""

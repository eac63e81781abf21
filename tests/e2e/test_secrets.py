"""Secrets of monitors, from wallet.yaml to everything we keep, show, send and log: nowhere, in no form.

The servers that are watched send back all they are sent, as hostile or careless ones do, and fail, so that all evidence is kept.
"""

from __future__ import annotations

import base64
import gzip
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import quote

import brotli
import pytest
import requests
from installation import Console, Installation, Receiver

SECRETS = {
    "PROBE_TOKEN": "tok-7f3a/+=b2c9d1 e8",
    "BASIC_PASSWORD": "pw:4b1d&9e%7c",
    "FLOW_SECRET": 'flow"5e\\8a1c',
    "REDIS_PASSWORD": "redis-0c77aa52",
    "RPC_KEY": "rpckey9d3e5f71b2a4",
    "UPSTREAM_TOKEN": "upstream-61f0c3",
    "FILE_SECRET": "from-a-file-a81b3c",
}
CONFIG = """
page:
  name: {en: Secret Wallet, zh-Hans: 机密钱包}
  url: https://status.wallet.example
  languages: [en, zh-Hans]
defaults: {interval: 1s, timeout: 1s, retry: 1s, confirm: {failures: 2, successes: 2}, publish: auto}
components:
  transfers: {name: {en: Transfers, zh-Hans: 转账}}
chains:
  ethereum:
    interval: 1s
    endpoints:
      - {url: "${env:RPC_URL}", role: own, headers: {X-Key: "${env:RPC_KEY}"}}
monitors:
  by-header:
    component: transfers
    http: {url: "URL/a", headers: {Authorization: "Bearer ${env:PROBE_TOKEN}", X-Other: "${env:PROBE_TOKEN}"}}
  by-basic: {component: transfers, http: {url: "URL/b", basic: {user: probe, password: "${env:BASIC_PASSWORD}"}}}
  by-file: {component: transfers, http: {url: "URL/c", body: "${file:FILE}", expect: {json: ["a == `1`"]}}}
  by-flow: {component: transfers, flow: [{post: "URL/d", json: {secret: "${env:FLOW_SECRET}"}, expect: {status: 201}}]}
  by-redis: {component: transfers, redis: {address: "127.0.0.1:PORT", password: "${env:REDIS_PASSWORD}"}}
  by-upstream: {component: transfers, upstream: {url: "URL/e", headers: {X-Key: "${env:UPSTREAM_TOKEN}"}}}
  by-job: {component: transfers, heartbeat: {every: 1h}}
allow_networks: [127.0.0.0/8]
webhooks: [{url: "HOOK"}]
"""


class Echo(BaseHTTPRequestHandler):
    """Fails, and says why by sending back everything it got, in its head and in its body."""

    seen: list[str]

    def _answer(self):
        got = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode("utf-8", "replace")
        text = json.dumps({"path": self.path, "headers": dict(self.headers), "body": got}, ensure_ascii=False)
        self.seen.append(text)
        self.send_response(500, "Refused")
        for name in ("Authorization", "X-Key", "X-Other"):
            if self.headers.get(name):
                self.send_header("X-Echo-" + name[:1], self.headers[name])
        body = (text + "\n" + got).encode()
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = _answer  # noqa: N815 - the library's names

    def log_message(self, *_):
        """Quiet."""


@pytest.fixture(scope="module")
def echo():
    handler = type("Handler", (Echo,), {"seen": []})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server, handler.seen
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def home(tmp_path_factory, echo):
    folder = tmp_path_factory.mktemp("secrets")
    server, _ = echo
    hook = Receiver()
    (folder / "secret").write_text(SECRETS["FILE_SECRET"] + "\n", encoding="utf-8")
    url = f"http://127.0.0.1:{server.server_port}"
    text = CONFIG.replace('"URL', f'"{url}').replace("PORT", str(server.server_port)).replace("HOOK", hook.url)
    text = text.replace("FILE}", f"{folder / 'secret'}}}")
    (folder / "wallet.yaml").write_text(text, encoding="utf-8")
    environment = {name: value for name, value in SECRETS.items() if name != "FILE_SECRET"}
    environment["RPC_URL"] = f"{url}/v3/{SECRETS['RPC_KEY']}"
    found = Installation(folder, config=folder / "wallet.yaml", STATUSPAGE_LOG_LEVEL="DEBUG", **environment)
    found.hook = hook
    found.start()
    yield found
    found.stop()
    hook.close()


def forms_of(secret):
    """Every way in which a secret may stand in a text."""
    quoted = quote(secret, safe="")
    plain = [secret, quoted, json.dumps(secret)[1:-1], secret.replace("&", "&amp;").replace('"', "&#34;")]
    packed = [base64.b64encode(text.encode()).decode() for text in (secret, f"probe:{secret}")]
    return {each.encode() for each in (*plain, *packed, secret.encode().hex())}


def every_file(folder):
    """Bytes of everything below the data folder and of the log, unpacked where packed."""
    for path in [folder / "serve.log", *sorted((folder / "var").rglob("*"))]:
        if path.is_file():
            raw = path.read_bytes()
            yield path.relative_to(folder).as_posix(), raw
            if path.suffix in (".gz", ".br"):
                yield f"{path.name} unpacked", gzip.decompress(raw) if path.suffix == ".gz" else brotli.decompress(raw)


def test_no_secret_is_kept_shown_sent_or_logged(home, echo):
    _, seen = echo
    monitors = ["by-header", "by-basic", "by-file", "by-flow", "by-redis", "by-upstream", "ethereum-own"]
    console = Console(home).sign_in()
    address = home.cli("heartbeat", "list")[0]["address"]
    assert requests.post(home.page + "/ping/" + address.rpartition("/")[2] + "/fail", data="password=hunter2-4711", timeout=5).ok
    for monitor in monitors:
        console.post(f"/monitors/{monitor}/run", console.form(f"/monitors/{monitor}"))
    each_page = [f"/monitors/{each}" for each in monitors]
    home.wait_for(lambda: all("Everything it saw" in console.get(path).text for path in each_page), within_s=30)
    home.wait_for(lambda: home.get("/api/v2/incidents/unresolved.json").json()["incidents"] and home.hook.got, within_s=30)
    pages = {path: console.get(path).content for path in ("/", "/monitors", "/audit", "/notices", *each_page)}
    pages |= {path: home.get(path).content for path in ("/en/", "/live.json", "/log.json", "/api/v2/summary.json")}
    said = {"plan": home.cli("config", "plan", str(home.folder / "wallet.yaml"), json_wanted=False).stdout.encode(),
            "doctor": home.cli("doctor", check=False, json_wanted=False).stdout.encode(),
            "hooks": b"".join(body for _, body in home.hook.got)}  # fmt: skip
    assert home.stop() == 0

    everything = {**dict(every_file(home.folder)), **pages, **said}
    found = {
        (where, name)
        for name, secret in {**SECRETS, "BODY": "hunter2-4711"}.items()
        for form in forms_of(secret)
        for where, raw in everything.items()
        if form in raw
    }
    assert found == set()
    assert {name for name, raw in everything.items() if address.rpartition("/")[2].encode() in raw} <= {"/monitors/by-job"}
    # The test would pass as well if nobody had used the secrets, or if nothing had been kept.
    heard = "\n".join(seen)
    for name, secret in SECRETS.items():
        basic = base64.b64encode(f"probe:{secret}".encode()).decode()
        twice = json.dumps(json.dumps(secret)[1:-1])[1:-1]
        assert name == "REDIS_PASSWORD" or any(form in heard for form in (secret, basic, twice)), name
    assert b"X-Echo" in b"".join(pages.values())
    assert b"***" in b"".join(raw for name, raw in everything.items() if name.endswith(("statuspage.db", "statuspage.db-wal")))

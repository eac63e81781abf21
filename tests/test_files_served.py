"""Real nginx and Caddy serve the mirrored folder: headers as ours, blind twins once we are silent, recovery without a human."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import threading
import time
from contextlib import suppress
from datetime import timedelta
from email.utils import formatdate
from pathlib import Path

import pytest
import requests
from waitress.server import create_server

from statuspage import clock, settings
from statuspage.publish import mirrors
from statuspage.publish.files import Folder
from statuspage.publish.publisher import Publisher
from statuspage.web.fastpath import FastPath
from statuspage.web.site import Services, create_site
from statuspage.web.site.headers import security
from tests.builders import draft, small_wallet

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"


class Program:
    """statuspage itself: publisher, mirror, and a server that can be stopped and started on one port."""

    def __init__(self, wallet, folder, port):
        self.wallet, self.folder, self.port = wallet, folder, port
        self.mirror = folder / "mirror"
        self.mirror.mkdir()
        self.site = create_site(Services(wallet.db, settings.load({})))
        self.publisher = Publisher(wallet.db, self.site, folder / "public")
        self.publish()
        self.server = self.thread = None

    def publish(self):
        while self.publisher.run_once().pending:
            pass
        mirrors.sync(self.folder / "public", self.mirror)

    def start(self):
        fast = FastPath(self.site, self.folder / "public")
        self.server = create_server(fast, host="127.0.0.1", port=self.port)
        self.server.adj.asyncore_loop_timeout = 0.05  # it would see only after a second that it was closed

        def run():
            with suppress(OSError):  # its own socket, closed under its select by `stop`
                self.server.run()

        self.thread = threading.Thread(target=run, daemon=True)
        self.thread.start()
        return self

    def stop(self):
        if self.server:
            for channel in list(self.server.active_channels.values()):
                channel.handle_close()  # a proxy keeps its connections
            self.server.close()
            self.thread.join(5)
            self.server = None

    def seconds_later(self, seconds):
        """What the folder says that long after the last check: markers of windows that are over then no longer help."""
        Folder(self.folder / "public").mark_fresh(clock.now() - timedelta(seconds=seconds))
        mirrors.sync(self.folder / "public", self.mirror)


@pytest.fixture
def program(sqlite_database, tmp_path, free_port):
    wallet = small_wallet(sqlite_database)
    wallet.now = clock.now()
    wallet.beat()
    made = Program(wallet, tmp_path, free_port())
    yield made.start()
    made.stop()
    made.publisher.close()


def start(command, port, **options):
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, **options)
    give_up = time.monotonic() + 20
    while time.monotonic() < give_up and server.poll() is None:
        with suppress(OSError):
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return server
        time.sleep(0.05)
    server.kill()
    return pytest.fail(f"{command[0]} did not start: {server.communicate()[1][-900:]}")


@pytest.fixture
def nginx(program, tmp_path, free_port):
    """The example as it stands, but for ports, paths and TLS."""
    port = free_port()
    text = (EXAMPLES / "nginx" / "files.conf").read_text()
    for pattern, instead in [
        (r"    listen \[::\]:.*\n", ""), (r"    ssl_certificate.*\n", ""),
        (r"listen 443 ssl http2;", f"listen 127.0.0.1:{port};"),
        (r"127\.0\.0\.1:8000", f"127.0.0.1:{program.port}"), (r"/srv/status", str(program.mirror)),
        (r"/var/cache/nginx", str(tmp_path)),
    ]:  # fmt: skip
        text, count = re.subn(pattern, instead, text)
        assert count, f"{pattern} is not in the example"
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    paths = "".join(f"{kind}_temp_path {tmp_path}/{kind}; " for kind in kinds)
    user = "user root;" if os.geteuid() == 0 else ""
    (tmp_path / "nginx.conf").write_text(
        f"{user} daemon off; worker_processes 1; pid {tmp_path}/pid; error_log stderr; events {{}} http {{ {paths} {text} }}"
    )
    server = start([shutil.which("nginx") or "/usr/sbin/nginx", "-p", str(tmp_path), "-c", str(tmp_path / "nginx.conf")], port)
    yield f"http://127.0.0.1:{port}"
    server.terminate()
    server.communicate(timeout=10)


def ask(url, path, method="get", **options):
    options.setdefault("headers", {"Accept-Language": "en"})
    return requests.request(method, url + path, timeout=10, allow_redirects=False, **options)


def test_nginx_serves_the_page_while_the_program_is_gone_turns_blind_and_recovers(program, nginx):
    public_id = program.wallet.notice(draft("Sign-in fails", components={"login": "major_outage"}))
    program.wallet.status("login", "major_outage")
    program.publish()
    told = json.loads((program.mirror / f"pages/incidents/{public_id}.json").read_text())
    number = told["incident"]["x_wallet"]["number"]
    program.stop()

    for path in ("/", "/en/", "/en/history", "/history", f"/en/incidents/{public_id}"):
        assert "Sign-in fails" in ask(nginx, path).text, path
    assert "We cannot see at the moment." in ask(nginx, "/en/index.blind").text
    assert ask(nginx, "/", headers={"Accept-Language": "zh-CN"}).text.count('lang="zh-Hans"')
    assert ask(nginx, "/live.json").json()["verdict"] == "down"
    assert ask(nginx, f"/n/{number}.json").json()["number"] == number
    assert "data-verify" in ask(nginx, f"/n/{number}").text
    assert ask(nginx, "/app/notices.json?lang=en").json()["blind"] is True
    assert "We cannot see at the moment." in ask(nginx, "/en/subscribe").text
    assert ask(nginx, "/en/subscribe").status_code == 503

    program.seconds_later(91)
    for path in ("/", "/en/", "/history", f"/en/incidents/{public_id}"):
        assert "We cannot see at the moment." in ask(nginx, path).text, path
    assert ask(nginx, "/live.json").json()["blind"] is True
    components = ask(nginx, "/api/v2/components.json").json()["components"]
    assert "operational" not in {one["status"] for one in components}
    assert "Sign-in fails" in ask(nginx, "/history.atom").text  # a record stays one

    program.start()
    program.wallet.beat(clock.now())
    program.publisher._lived = float("-inf")
    program.publish()
    assert "We cannot see at the moment." not in ask(nginx, "/en/").text
    assert ask(nginx, f"/n/{number}").headers["Location"] == f"/en/incidents/{public_id}"
    assert ask(nginx, "/app/notices.json?lang=en").json()["language"] == "en"
    assert "Yes, this number is ours" in ask(nginx, "/en/verify", "post", files={"said": (None, number)}).text


def test_nginx_sends_the_headers_and_types_that_the_program_sends(program, nginx):
    paths = ["/en/", "/live.json", "/api/v2/summary.json", "/history.atom", "/en/history.rss", "/feed.json", "/calendar.ics",
             "/embed.js", "/en/embed", "/log.json", "/key.json", "/app/notices.json", "/en/docs/api"]  # fmt: skip
    own = f"http://127.0.0.1:{program.port}"
    names = ("Content-Security-Policy", "Access-Control-Allow-Origin", "X-Content-Type-Options", "Referrer-Policy",
             "Cache-Control")  # fmt: skip

    for path in paths:
        there, here = ask(nginx, path), ask(own, path)
        assert (path, there.status_code, there.text) == (path, 200, here.text)
        assert {name: there.headers.get(name) for name in names} == {name: here.headers.get(name) for name in names}, path
        assert there.headers["Content-Type"].split(";")[0] == here.headers["Content-Type"].split(";")[0], path
        assert dict(security(path, hsts=False)).items() >= {(name, there.headers[name]) for name in names[:1]}
    for path in ("/en/check", "/check/slow"):
        asked = dict(security(path, hsts=False, may_ask="https://api.wallet.example/health"))
        assert ask(nginx, path).headers[names[0]] == asked[names[0]], path


def test_nginx_calls_a_file_unchanged_by_its_tag_alone_and_never_takes_a_page_for_its_twin(program, nginx):
    style = re.search(r'/static/site-[^"]+', ask(nginx, "/en/").text)[0]
    paths = ("/en/", "/", "/live.json", "/api/v2/summary.json", "/history.atom", "/en/feed.json", "/calendar.ics", style)
    first = {path: ask(nginx, path) for path in paths}
    assert [path for path, answer in first.items() if "Last-Modified" in answer.headers] == []
    tags = {path: {"Accept-Language": "en", "If-None-Match": answer.headers["ETag"]} for path, answer in first.items()}

    known = {path: ask(nginx, path, headers=tags[path]) for path in paths}
    later = {"If-Modified-Since": formatdate(time.time() + 60, usegmt=True)}
    dated = {path: ask(nginx, path, headers=later).status_code for path in paths}

    assert {(path, answer.status_code, answer.text) for path, answer in known.items()} == {(path, 304, "") for path in paths}
    assert dated == dict.fromkeys(paths, 200)
    program.seconds_later(91)
    assert "We cannot see at the moment." in ask(nginx, "/en/", headers=tags["/en/"]).text
    assert ask(nginx, "/live.json", headers=tags["/live.json"]).json()["blind"] is True


def test_caddy_serves_blind_twins_while_the_program_is_gone_and_recovers(program, tmp_path, free_port):
    port = free_port()
    text = (EXAMPLES / "caddy" / "files.Caddyfile").read_text()
    for pattern, instead in [
        (r"^status\.wallet\.example \{", f"http://127.0.0.1:{port} {{"), (r"127\.0\.0\.1:8000", f"127.0.0.1:{program.port}"),
        (r"/srv/status", str(program.mirror)), (r"lb_try_duration 3s", "lb_try_duration 200ms"),
    ]:  # fmt: skip
        text, count = re.subn(pattern, instead, text, flags=re.MULTILINE)
        assert count, f"{pattern} is not in the example"
    (tmp_path / "Caddyfile").write_text("{\n\tadmin off\n\tauto_https off\n}\n" + text)
    environment = {**os.environ, "HOME": str(tmp_path), "XDG_DATA_HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path)}
    command = [shutil.which("caddy"), "run", "--config", str(tmp_path / "Caddyfile"), "--adapter", "caddyfile"]
    server = start(command, port, env=environment)
    url = f"http://127.0.0.1:{port}"
    try:
        assert "Everything works" in ask(url, "/en/").text
        assert "We cannot see at the moment." in ask(url, "/en/index.blind").text
        program.stop()
        for path in ("/", "/en/", "/en/history", "/history", "/en/nowhere"):
            assert "We cannot see at the moment." in ask(url, path).text, path
        for path, may_ask in (("/en/check", True), ("/check/slow", True), ("/en/", False)):
            policy = ask(url, path).headers["Content-Security-Policy"]
            assert ("connect-src 'self' https://api.wallet.example;" in policy) == may_ask, path
        assert ask(url, "/live.json").json()["blind"] is True
        assert ask(url, "/api/v2/status.json").json()["x_wallet"]["blind"] is True
        program.start()
        assert "Everything works" in ask(url, "/en/").text
    finally:
        server.terminate()
        server.communicate(timeout=10)

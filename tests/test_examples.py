"""The proxy and service examples do what their comments say; nginx is started for real."""

from __future__ import annotations

import configparser
import os
import re
import socket
import ssl
import subprocess
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import trustme
import yaml

from statuspage.settings import SETTINGS

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
DRAIN_S = float(next(row.default for row in SETTINGS if row.attribute == "drain_s"))
KNOWN = {row.name for row in SETTINGS} | {f"{row.name}_FILE" for row in SETTINGS if row.secret}


class Page(BaseHTTPRequestHandler):
    """Answers as the page does: cacheable for a moment, and tells who it thinks is asking."""

    def do_GET(self):
        body = f"{self.path} for {self.headers['X-Forwarded-For']} at {self.headers['Host']}".encode()
        self.send_response(200)
        self.send_header("Cache-Control", "public, max-age=1, stale-if-error=3")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        pass


@contextmanager
def serving(port):
    server = ThreadingHTTPServer(("127.0.0.1", port), Page)
    threading.Thread(target=server.serve_forever, args=(0.05,)).start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture
def authority(tmp_path):
    ca = trustme.CA()
    for host in ("status.wallet.example", "console.wallet.example"):
        certificate = ca.issue_cert(host)
        certificate.cert_chain_pems[0].write_to_path(tmp_path / f"{host}.pem")
        certificate.private_key_pem.write_to_path(tmp_path / f"{host}.key")
    return ca


@pytest.fixture
def nginx(authority, tmp_path, free_port):
    """The example as it stands, but for ports and paths; gives (page's port, console's port, TLS port)."""
    page, console, plain, tls = (free_port() for _ in range(4))
    text = (EXAMPLES / "nginx" / "statuspage.conf").read_text()
    for pattern, instead in [
        (r"    listen \[::\]:.*\n", ""),
        (r"listen 80;", f"listen 127.0.0.1:{plain};"), (r"listen 443 ", f"listen 127.0.0.1:{tls} "),
        (r"127\.0\.0\.1:8000", f"127.0.0.1:{page}"), (r"127\.0\.0\.1:8002", f"127.0.0.1:{console}"),
        (r"/etc/ssl/", f"{tmp_path}/"), (r"/var/cache/nginx", str(tmp_path)),
    ]:  # fmt: skip
        text, count = re.subn(pattern, instead, text)
        assert count, f"{pattern} is not in the example"
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    paths = "".join(f"{kind}_temp_path {tmp_path}/{kind}; " for kind in kinds)
    user = "user root;" if os.geteuid() == 0 else ""
    (tmp_path / "nginx.conf").write_text(
        f"{user} daemon off; pid {tmp_path}/pid; error_log stderr; events {{}} http {{ {paths} {text} }}"
    )
    command = ["/usr/sbin/nginx", "-p", str(tmp_path), "-c", str(tmp_path / "nginx.conf")]
    server = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    wait_for(server, tls)
    yield page, console, tls
    server.terminate()
    server.communicate(timeout=10)


def wait_for(server, port):
    give_up = time.monotonic() + 10
    while time.monotonic() < give_up and server.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    server.kill()
    pytest.fail(f"nginx did not start: {server.communicate()[1]}")


def fetch(authority, host, port, path="/"):
    """Body of https://host/path from the proxy on loopback, the certificate checked."""
    context = ssl.create_default_context()
    authority.configure_trust(context)
    with (
        socket.create_connection(("127.0.0.1", port), timeout=5) as plain,
        context.wrap_socket(plain, server_hostname=host) as sock,
    ):
        sock.sendall(f"GET {path} HTTP/1.1\r\nHost: {host}\r\nX-Forwarded-For: 9.9.9.9\r\nConnection: close\r\n\r\n".encode())
        answer = b"".join(iter(lambda: sock.recv(65536), b""))
    return answer.decode().partition("\r\n\r\n")[2]


def test_nginx_appends_the_readers_address_as_the_one_trusted_hop(nginx, authority):
    page, _console, tls = nginx

    with serving(page):
        body = fetch(authority, "status.wallet.example", tls)

    assert body == "/ for 9.9.9.9, 127.0.0.1 at status.wallet.example"


def test_nginx_shows_the_last_page_while_statuspage_is_gone_and_not_for_longer_than_it_may(nginx, authority):
    page, _console, tls = nginx
    with serving(page):
        before = fetch(authority, "status.wallet.example", tls, "/history")

    time.sleep(2.5)  # longer than max-age, which nginx counts in whole seconds
    after = fetch(authority, "status.wallet.example", tls, "/history")

    assert before == after
    assert before.startswith("/history for ")
    time.sleep(3)  # longer than the page may be shown
    assert "502 Bad Gateway" in fetch(authority, "status.wallet.example", tls, "/history")


def test_nginx_never_shows_a_stored_console(nginx, authority):
    _page, console, tls = nginx
    with serving(console):
        before = fetch(authority, "console.wallet.example", tls)

    after = fetch(authority, "console.wallet.example", tls)

    assert before.endswith("at console.wallet.example")
    assert "502 Bad Gateway" in after


def test_services_wait_longer_for_the_end_than_the_program_needs():
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str
    unit.read(EXAMPLES / "systemd" / "statuspage.service")
    compose = yaml.safe_load((EXAMPLES / "compose" / "compose.yaml").read_text())

    assert int(unit["Service"]["TimeoutStopSec"]) > DRAIN_S
    assert int(compose["services"]["statuspage"]["stop_grace_period"].removesuffix("s")) > DRAIN_S


def test_examples_name_only_settings_that_exist():
    root = EXAMPLES.parent
    files = [path for path in [*EXAMPLES.rglob("*"), root / "Dockerfile", root / "fly.toml"] if path.is_file()]

    unknown = {
        f"{path.relative_to(root)}: {name}"
        for path in files
        for name in re.findall(r"\bSTATUSPAGE_[A-Z_]+", path.read_text(encoding="utf-8"))
        if name not in KNOWN
    }
    assert unknown == set()

"""Local peers for channels: a recording HTTP(S) server whose answers are scripted per request."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import trustme

from statuspage.channels.message import Message, Services
from statuspage.channels.printer import Printer
from statuspage.channels.safehttp import Sessions
from statuspage.clock import to_ms
from statuspage.domain.notice import Facts


class Recorder(ThreadingHTTPServer):
    """Keeps every request; `script` is called with (handler, request) and answers. Default: 200, empty."""

    daemon_threads = True

    def __init__(self, context=None):
        self.requests = []
        self.script = lambda handler, _request: answer(handler, 200)
        super().__init__(("127.0.0.1", 0), _Handler)
        if context:
            self.socket = context.wrap_socket(self.socket, server_side=True)
        self.scheme = "https" if context else "http"
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def handle_error(self, request, client_address):
        """Broken connections are what these tests make."""

    @property
    def url(self):
        return f"{self.scheme}://127.0.0.1:{self.server_address[1]}"

    def stop(self):
        self.shutdown()
        self.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        request = {"path": self.path, "headers": dict(self.headers), "body": body, "method": self.command}
        self.server.requests.append(request)
        self.server.script(self, request)

    do_GET = do_POST  # noqa: N815 - the name that http.server calls

    def log_message(self, *_arguments):
        """Quiet."""


def answer(handler, status, body=b"", headers=None):
    """A whole HTTP answer."""
    handler.send_response(status)
    for name, value in (headers or {}).items():
        handler.send_header(name, value)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)


@pytest.fixture
def reply():
    return answer


@pytest.fixture
def peer():
    server = Recorder()
    yield server
    server.stop()


@pytest.fixture
def authority(tmp_path):
    """A certificate authority, its file, and a server context for 127.0.0.1."""
    ca = trustme.CA()
    path = tmp_path / "ca.pem"
    ca.cert_pem.write_to_path(path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert("127.0.0.1", "localhost").configure_cert(context)
    return str(path), context


@pytest.fixture
def tls_peer(authority):
    server = Recorder(authority[1])
    yield server
    server.stop()


@pytest.fixture
def raw_peer():
    """A function that starts a TCP server which treats each connection with `behave(connection, stop)`; gives its URL."""
    stop = threading.Event()
    listeners = []

    def start(behave):
        listener = socket.create_server(("127.0.0.1", 0))
        listeners.append(listener)

        def serve():
            while not stop.is_set():
                try:
                    line, _peer = listener.accept()
                except OSError:
                    return
                threading.Thread(target=_quietly, args=(behave, line, stop), daemon=True).start()

        threading.Thread(target=serve, daemon=True).start()
        return f"http://127.0.0.1:{listener.getsockname()[1]}"

    yield start
    stop.set()
    for listener in listeners:
        listener.close()


def _quietly(behave, line, stop):
    try:
        with line:
            behave(line, stop)
    except OSError:
        pass


@pytest.fixture
def drip():
    """A behaviour: send `head`, then one byte of `tail` every 0.1 s."""

    def make(head, tail):
        def behave(line, stop):
            line.recv(65_536)
            line.sendall(head)
            while not stop.is_set():
                line.sendall(tail)
                time.sleep(0.1)

        return behave

    return make


NOW = datetime(2026, 11, 22, 5, 20, tzinfo=UTC)
PAGE = {
    "name": {"en": "Demo Wallet", "zh-Hans": "演示钱包"}, "url": "https://status.wallet.example", "time_zone": "Asia/Shanghai",
    "languages": ["zh-Hans", "en"], "public_id": "pagepagepage",
}  # fmt: skip
TRANSFERS = {"public_id": "comptransfer", "names": {"en": "Transfers", "zh-Hans": "转账"}, "status": "major_outage",
             "group_names": {"en": "Functions", "zh-Hans": "功能"}}  # fmt: skip


@pytest.fixture
def now():
    return NOW


@pytest.fixture
def payload():
    """A function that makes an outbox payload as actions/outbox.py writes it."""

    def make(event="confirmed", **facts):
        said = {
            "kind": "incident", "status": "investigating", "impact": "critical", "components": {"transfers": "major_outage"},
            "titles": {"en": "Some transfers are failing", "zh-Hans": "部分转账失败"}, "started_at": NOW - timedelta(minutes=5),
            "confirmed_at": NOW, "eta_at": NOW + timedelta(hours=1), "next_update_by": NOW + timedelta(minutes=30),
            "funds_safety": "unaffected_verified", **facts,
        }  # fmt: skip
        return {
            "event": event, "suspected": False, "public_id": "abcdefgh1234", "number": "N-4K7Q", "kind": said["kind"],
            "sequence": 2, "update_id": "updateupdate", "facts": Facts(**said).to_json(),
            "changes": {"transfers": ["operational", "major_outage"]},
            "bodies": {"en": "A **database** stopped. [more](https://x.example)", "zh-Hans": "一个数据库停止写入。"},
            "components": {"transfers": TRANSFERS}, "page": PAGE, "at": to_ms(NOW), "created_at": to_ms(NOW), "monitors": [],
            "backfilled": False,
        }  # fmt: skip

    return make


@pytest.fixture
def message(payload):
    """A function that makes a message; `facts` go into the payload's facts."""

    def make(channel="webhook", language="en", kind="notice_update", audience="public", event="confirmed", extra=None, **facts):
        data = payload(event, **facts) if kind in {"notice_update", "page_oncall"} else {"page": PAGE}
        return Message(
            key="outbox-7-3", kind=kind, channel=channel, audience=audience, language=language, payload={**data, **(extra or {})},
            urgency=1, created_at=NOW, expires_at=NOW + timedelta(hours=4), manage_url="https://status.wallet.example/subscribe/manage?x",
        )  # fmt: skip

    return make


@pytest.fixture
def rise():
    """What an outbox row says of readers' reports, as actions/outbox.py writes it."""
    return {"event": "reports", "symptom": "transfer_failed", "names": {"en": "A transfer fails", "zh-Hans": "转账失败"},
            "count": 24, "usual": 2, "window_min": 15, "since": to_ms(NOW), "at": to_ms(NOW), "facts": None}  # fmt: skip


@pytest.fixture
def services(authority):
    """A function that makes the services of channels; loopback may be dialled by operators' messages only."""

    def make(channels=None, now=lambda: NOW, **changes):
        named = {
            "sessions": Sessions(deadline_s=2, ca_file=authority[0]), "printer": Printer(stream=None),
            "resolve": lambda text: text, "vapid": b"\x01" * 32, "now": now,
            "channels": channels or {}, "allow_networks": ("127.0.0.0/8",), **changes,
        }  # fmt: skip
        return Services(**named)

    return make

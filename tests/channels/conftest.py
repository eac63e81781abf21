"""Local peers for channels: a recording HTTP(S) server whose answers are scripted per request."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import trustme


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

"""A port of the demo wallet that can be closed like that of a process that died, and opened again."""

from __future__ import annotations

import contextlib
import logging
import socket
import ssl
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer

from statuspage.demo.wallet import Reply, Request, Wallet

_LOG = logging.getLogger(__name__)
_MOST_BODY = 65536
_CLIENT_TIMEOUT_S = 15


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], wallet: Wallet, context: ssl.SSLContext | None) -> None:
        self.wallet = wallet
        self.context = context
        self._open: set[socket.socket] = set()
        self._open_lock = threading.Lock()
        super().__init__(address, _Handler)

    def server_bind(self) -> None:
        """Bind without the base class's look-up of our own name, which waits for a name server that may not be there."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), self.server_address[1]

    def get_request(self) -> tuple[socket.socket, tuple[str, int]]:
        """Accept. The handshake waits for the first read, in the connection's own thread: a slow client holds nobody up."""
        connection, address = super().get_request()
        connection.settimeout(_CLIENT_TIMEOUT_S)
        if self.context is not None:
            connection = self.context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
        with self._open_lock:
            self._open.add(connection)
        return connection, address

    def shutdown_request(self, request: socket.socket | tuple[bytes, socket.socket]) -> None:
        """Close one connection and forget it."""
        if isinstance(request, socket.socket):
            with self._open_lock:
                self._open.discard(request)
        super().shutdown_request(request)

    def drop_connections(self) -> None:
        """Break every open connection, as the end of a process would; a kept-alive one must not outlive its port."""
        with self._open_lock:
            held = list(self._open)
        for connection in held:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: socket.socket | tuple[bytes, socket.socket], client_address: tuple[str, int]) -> None:  # noqa: ARG002
        """A client that went away is no error of ours."""
        error = sys.exception()
        if not isinstance(error, OSError):
            _LOG.error("demo wallet: a connection failed", exc_info=error)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "DemoWallet"
    sys_version = ""
    server: _Server

    def do_GET(self) -> None:
        self._serve("GET")

    def do_HEAD(self) -> None:
        self._serve("GET")

    def do_POST(self) -> None:
        self._serve("POST")

    def _serve(self, method: str) -> None:
        length = self.headers.get("Content-Length", "0")
        if not length.isdigit() or int(length) > _MOST_BODY or self.headers.get("Transfer-Encoding"):
            self.close_connection = True
            self._send(Reply(413, b'{"error": "send a body of at most 64 KiB with Content-Length"}'))
            return
        body = self.rfile.read(int(length))
        headers = {name.lower(): value for name, value in self.headers.items()}
        try:
            reply = self.server.wallet.answer(method, self.path.partition("?")[0], Request(headers, body))
        except Exception:  # noqa: BLE001 - logged, and told to the caller
            # The front door stays up when a function breaks, and says what a web server says: a page, not JSON.
            _LOG.warning("demo wallet: %s %s failed", method, self.path.partition("?")[0], exc_info=True)
            reply = Reply(500, b"<html><body><h1>Internal Server Error</h1></body></html>", "text/html; charset=utf-8")
        self._send(reply)

    def _send(self, reply: Reply) -> None:
        self.send_response(reply.status)
        self.send_header("Content-Type", reply.content_type)
        self.send_header("Content-Length", str(len(reply.body)))
        self.send_header("Cache-Control", "no-store")
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(reply.body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name of the base class
        _LOG.debug(format, *args)


class Listener:
    """One address; `port` is fixed by the first `open`, so that a port given as 0 comes back as the same one."""

    def __init__(self, wallet: Wallet, host: str, port: int) -> None:
        self._wallet = wallet
        self._host = host
        self._context: ssl.SSLContext | None = None
        self._server: _Server | None = None
        self._thread: threading.Thread | None = None
        self.port = port

    @property
    def is_open(self) -> bool:
        """True while the port accepts connections."""
        return self._server is not None

    def use(self, context: ssl.SSLContext) -> None:
        """Serve TLS with `context` from the next connection on; those that exist are dropped."""
        self._context = context
        if self._server is not None:
            self._server.context = context
            self._server.drop_connections()

    def open(self) -> None:
        """Start to accept. Raises OSError when the port is taken."""
        if self._server is not None:
            return
        self._server = _Server((self._host, self.port), self._wallet, self._context)
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), name=f"demo-{self.port}", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Refuse new connections and break the existing ones."""
        server, thread = self._server, self._thread
        if server is None or thread is None:
            return
        self._server = None
        server.shutdown()
        server.server_close()
        server.drop_connections()
        thread.join(5)

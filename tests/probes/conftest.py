"""Real servers for the probes: a canary, a name server, and whatever a test wants to be answered."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Self

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset
import pytest

from probes.registry import PROBES
from probes.result import CheckResult
from probes.run import Run
from probes.spec import ProbeSpec
from probes.transfer import Client

LOCAL = ("127.0.0.0/8", "::1/128")


@dataclass
class Server:
    """A TCP server that hands each connection to `answer` on a thread of its own."""

    answer: Callable[[socket.socket], None]
    host: str = "127.0.0.1"
    connections: int = 0
    requests: list[bytes] = field(default_factory=list)

    def __enter__(self) -> Self:
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        self._listener = socket.create_server((self.host, 0), family=family, backlog=256)
        self.port = self._listener.getsockname()[1]
        self._open: set[socket.socket] = set()
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}/"

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            self._open.add(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            self.answer(connection)
        self._open.discard(connection)

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in list(self._open):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


def read_request(connection: socket.socket) -> bytes:
    """One HTTP request, head and body."""
    data = b""
    while b"\r\n\r\n" not in data:
        piece = connection.recv(65536)
        if not piece:
            return data
        data += piece
    head, _, body = data.partition(b"\r\n\r\n")
    length = 0
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            length = int(line.split(b":")[1])
    while len(body) < length:
        body += connection.recv(65536)
    return head + b"\r\n\r\n" + body


@pytest.fixture
def serve() -> Iterator[Callable[..., Server]]:
    """`serve(answer)` starts a server; `serve(b"...")` one that answers each request with these bytes."""
    with contextlib.ExitStack() as stack:

        def start(answer: Callable[[socket.socket], None] | bytes, host: str = "127.0.0.1") -> Server:
            if not isinstance(answer, bytes):
                return stack.enter_context(Server(answer, host))

            def fixed(connection: socket.socket) -> None:
                server.requests.append(read_request(connection))
                connection.sendall(answer)

            server = Server(fixed, host)
            return stack.enter_context(server)

        yield start


def http_answer(body: bytes = b"ok", status: str = "200 OK", *headers: str) -> bytes:
    """A whole HTTP answer."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Connection: close", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


@pytest.fixture
def answer() -> Callable[..., bytes]:
    return http_answer


@pytest.fixture(name="read_request")
def read_request_() -> Callable[[socket.socket], bytes]:
    return read_request


class NameServer:
    """A DNS server on UDP. `records[name, type]` is a list of texts; `turns` has one such list for each query in turn.

    A name in `silent` is never answered, one in `broken` gets SERVFAIL, any other NXDOMAIN. `state` "silent" or "broken" is
    that for every name: a resolver that has lost the world.
    """

    def __init__(self) -> None:
        self.records: dict[tuple[str, str], list[str]] = {}
        self.turns: dict[tuple[str, str], list[list[str]]] = {}
        self.silent: set[str] = set()
        self.broken: set[str] = set()
        self.silent_kinds: set[str] = set()
        self.state = ""
        self.asked: list[tuple[str, str]] = []
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def close(self) -> None:
        self._socket.close()

    def _serve(self) -> None:
        while True:
            try:
                data, client = self._socket.recvfrom(4096)
                query = dns.message.from_wire(data)
                reply = self._reply(query)
                if reply is not None:
                    self._socket.sendto(reply.to_wire(), client)
            except OSError:
                return

    def _reply(self, query: dns.message.Message) -> dns.message.Message | None:
        question = query.question[0]
        name = question.name.to_text().rstrip(".").lower()
        kind = dns.rdatatype.to_text(question.rdtype)
        self.asked.append((name, kind))
        if name in self.silent or self.state == "silent" or kind in self.silent_kinds:
            return None
        reply = dns.message.make_response(query)
        reply.flags |= dns.flags.RA
        if name in self.broken or self.state == "broken":
            reply.set_rcode(dns.rcode.SERVFAIL)
            return reply
        turns = self.turns.get((name, kind))
        texts = (turns.pop(0) if len(turns) > 1 else turns[0]) if turns else self.records.get((name, kind), [])
        alias = self.records.get((name, "CNAME"), [])
        if alias and kind != "CNAME":
            reply.answer.append(dns.rrset.from_text(question.name, 60, "IN", "CNAME", *alias))
            target = alias[0].rstrip(".").lower()
            texts = self.records.get((target, kind), [])
            if texts:
                reply.answer.append(dns.rrset.from_text(alias[0], 60, "IN", kind, *texts))
        elif texts:
            reply.answer.append(dns.rrset.from_text(question.name, 60, "IN", kind, *texts))
        elif not any(known == name for known, _ in (*self.records, *self.turns)):
            reply.set_rcode(dns.rcode.NXDOMAIN)
        return reply


@pytest.fixture
def name_server() -> Iterator[NameServer]:
    server = NameServer()
    yield server
    server.close()


@pytest.fixture
def until() -> Callable[..., None]:
    """`until(condition, seconds)` waits for a condition, and fails the test when it does not come true."""

    def wait(condition: Callable[[], object], seconds: float = 5.0) -> None:
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, f"not true within {seconds} s"
            time.sleep(0.01)

    return wait


def run_probe(
    kind: str,
    target: str,
    options: dict[str, Any] | None = None,
    *,
    timeout_s: float = 2.0,
    networks: tuple[str, ...] = LOCAL,
    nameservers: tuple[str, ...] = (),
    detail: bool = False,
) -> CheckResult:
    """One run, as the engine makes it, of options that were found right."""
    assert PROBES[kind].validate(target, options or {}) == []
    spec = ProbeSpec("m", kind, target, options or {}, timeout_s=timeout_s, allow_networks=networks)

    async def run() -> CheckResult:
        client = Client(nameservers)
        place = Run(spec, client, detail=detail)
        place.begin(time.time_ns() // 1_000_000, 0.0)
        try:
            return await PROBES[kind].load().check(spec, place)
        except Exception as error:  # noqa: BLE001 - as the engine does
            return place.failure(error)
        finally:
            await client.close()

    return asyncio.run(run())


@pytest.fixture
def probe() -> Callable[..., CheckResult]:
    return run_probe

"""HTTP transfers on one event loop: libcurl's multi interface, a pool of easy handles, the guard on every socket.

Costs decide the shape: making an easy handle and setting its options is a fifth of a probe, so handles are kept by the
kind of request they were made for (their profile), and a probe sets only URL, deadline and addresses.
"""

from __future__ import annotations

import os
import socket
import ssl
import time
from dataclasses import dataclass, field
from typing import Any

import pycurl  # type: ignore[import-untyped]

from probes.guard import Policy, Url, is_allowed
from probes.multi import Multi, make_multi
from probes.resolve import Resolver

MAX_BODY = 64 * 1024
MAX_HEAD = 32 * 1024
USER_AGENT = "wallet-statuspage-probe/1"
_IDLE_HANDLES = 64  # for each profile
_PROFILES = 32
_BOTH = pycurl.PROTO_HTTP | pycurl.PROTO_HTTPS
PRIOR_KNOWLEDGE = "2 in the clear"  # an http_version that no option offers: HTTP/2 without TLS, as gRPC speaks it
_VERSIONS = {
    "1.1": pycurl.CURL_HTTP_VERSION_1_1,
    "2": pycurl.CURL_HTTP_VERSION_2TLS,
    PRIOR_KNOWLEDGE: pycurl.CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE,
}


_ALWAYS = ["Accept-Encoding: identity", "Expect:"]


@dataclass(frozen=True, slots=True)
class Request:
    """What to send, and how much of the answer to read. `headers` as `Name: value`."""

    url: Url
    method: str = "GET"
    headers: tuple[str, ...] = ()
    body: bytes | None = None
    max_body: int = MAX_BODY
    certificates: bool = False  # read the server's chain; costs about 100 us
    ca_file: str | None = None
    http_version: str = "2"
    connect_only: bool = False  # end after the TLS handshake
    insecure: bool = False  # look at a chain that was refused; never for a verdict
    ip_version: int | None = None  # 4 or 6: dial addresses of this family only
    dial: str | None = None  # an address to dial instead of the host's own

    text: str = field(init=False, repr=False, compare=False)
    lines: list[str] = field(init=False, repr=False, compare=False)
    profile: tuple[object, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Derive what each transfer needs: the URL's text, all header lines, and which pooled handles fit."""
        object.__setattr__(self, "text", str(self.url))
        object.__setattr__(self, "lines", [*_ALWAYS, *self.headers] if self.headers else _ALWAYS)
        shape = (self.method, self.body is not None, self.certificates, self.ca_file)
        object.__setattr__(self, "profile", (*shape, self.http_version, self.connect_only, self.insecure))


def system_ca_file() -> str | None:
    """The bundle OpenSSL would use here; the bundled libcurl knows no path of this system."""
    paths = ssl.get_default_verify_paths()
    for candidate in (os.environ.get("SSL_CERT_FILE"), paths.cafile, "/etc/ssl/certs/ca-certificates.crt"):
        if candidate and os.path.exists(candidate):  # noqa: PTH110 - a path of OpenSSL's, handed on as it is
            return candidate
    return None


class Transfer:
    """One pooled easy handle, which serves requests of one profile, and what the last of them brought."""

    def __init__(self, request: Request, ca_file: str | None) -> None:
        self.curl: Any = pycurl.Curl()
        self.profile = request.profile
        self._lines: list[str] | None = None
        self._sockets: list[socket.socket] = []
        self._policy: Policy | None = None
        self._max_body = MAX_BODY
        self._head_size = 0
        self._is_tls = False
        self.status = 0  # of the answer, 0 for none
        self.head: list[bytes] = []
        self.body = bytearray()
        self.body_capped = False
        self.head_capped = False
        self.dialled = ""
        self.refused = ""
        self._prepare(request, ca_file)

    def _prepare(self, request: Request, ca_file: str | None) -> None:
        curl = self.curl
        for option, value in (
            (pycurl.NOSIGNAL, 1),
            (pycurl.PROTOCOLS, _BOTH),
            (pycurl.REDIR_PROTOCOLS, _BOTH),
            (pycurl.FOLLOWLOCATION, 0),
            (pycurl.PROXY, ""),
            (pycurl.NOPROXY, "*"),
            (pycurl.FRESH_CONNECT, 1),
            (pycurl.FORBID_REUSE, 1),
            (pycurl.SSL_VERIFYPEER, 0 if request.insecure else 1),
            (pycurl.SSL_VERIFYHOST, 0 if request.insecure else 2),
            (pycurl.SSL_SESSIONID_CACHE, 0),
            (pycurl.HTTP09_ALLOWED, 0),
            (pycurl.HTTP_CONTENT_DECODING, 0),
            (pycurl.PATH_AS_IS, 1),
            (pycurl.USERAGENT, USER_AGENT),
            (pycurl.HTTP_VERSION, _VERSIONS[request.http_version]),
            (pycurl.CONNECT_ONLY, int(request.connect_only)),
            (pycurl.OPT_CERTINFO, int(request.certificates)),
            (pycurl.WRITEFUNCTION, self._on_body),
            (pycurl.HEADERFUNCTION, self._on_head),
            (pycurl.OPENSOCKETFUNCTION, self._on_socket),
        ):
            curl.setopt(option, value)
        if ca_file is not None:
            curl.setopt(pycurl.CAINFO, ca_file)
        if request.body is not None:
            curl.setopt(pycurl.POSTFIELDS, request.body)
        if request.method == "HEAD":
            curl.setopt(pycurl.NOBODY, 1)
        elif request.method != "GET" or request.body is not None:
            curl.setopt(pycurl.CUSTOMREQUEST, request.method)

    def apply(self, request: Request, policy: Policy, addresses: list[str], left_s: float) -> None:
        """Make the handle ready for a request of its profile, to be dialled at `addresses` only."""
        curl = self.curl
        self._policy = policy
        self._max_body = request.max_body
        self._head_size = 0
        self.head = []
        self.body = bytearray()
        self.body_capped = self.head_capped = False
        self.dialled = self.refused = ""
        url = request.url
        self._is_tls = url.scheme == "https"
        curl.setopt(pycurl.URL, request.text)
        if request.body is not None:
            curl.setopt(pycurl.POSTFIELDS, request.body)
        if self._lines is not request.lines:
            self._lines = request.lines
            curl.setopt(pycurl.HTTPHEADER, request.lines)
        # 300 s is libcurl's own limit for connecting; the deadline below it is the one that counts.
        curl.setopt(pycurl.TIMEOUT_MS, max(1, int(left_s * 1000)))
        if addresses != [url.host]:
            curl.setopt(pycurl.RESOLVE, [f"{url.host}:{url.port}:{','.join(map(_bracketed, addresses))}"])

    def _on_socket(self, _purpose: int, address: tuple[int, int, int, tuple[str, int]]) -> socket.socket | int:
        ip = address[3][0]
        if self._policy is None or not is_allowed(ip, self._policy):
            self.refused = ip
            return int(pycurl.SOCKET_BAD)
        self.dialled = ip
        # libcurl gets a duplicate; ours is closed in end(), since leaving it to the collector costs a warning's text.
        connection = socket.socket(address[0], address[1], address[2])
        self._sockets.append(connection)
        return connection

    def end(self) -> None:
        """Read the status and close our half of the duplicated sockets."""
        self.status = self.curl.getinfo(pycurl.RESPONSE_CODE)
        for connection in self._sockets:
            connection.close()
        self._sockets.clear()

    def _on_head(self, line: bytes) -> int | None:
        size = self._head_size = self._head_size + len(line)
        if size > MAX_HEAD:
            self.head_capped = True
            return -1
        head = self.head
        if head and line[:5] == b"HTTP/":
            head.clear()  # an interim answer (100, 103) came first
        head.append(line)
        return None  # all of it

    def _on_body(self, data: bytes) -> int:
        room = self._max_body - len(self.body)
        if len(data) > room:
            self.body += data[:room]
            self.body_capped = True
            return -1
        self.body += data
        return len(data)

    def headers(self) -> dict[str, str]:
        """Header fields by lower-case name; repeated ones joined with a comma."""
        found: dict[str, str] = {}
        for line in self.head[1:]:
            name, colon, value = line.decode("latin-1").partition(":")
            if colon:
                key, text = name.strip().lower(), value.strip()
                found[key] = f"{found[key]}, {text}" if key in found else text
        return found

    def add_phases(self, phases: dict[str, float]) -> None:
        """Add connect, tls, first_byte and body in ms; hops of a redirect add up."""
        info = self.curl.getinfo
        began = info(pycurl.STARTTRANSFER_TIME)
        connected = info(pycurl.CONNECT_TIME)
        ready = connected
        if connected:
            _add(phases, "connect", connected - info(pycurl.NAMELOOKUP_TIME))
            secured = info(pycurl.APPCONNECT_TIME) if self._is_tls else 0.0
            if secured:
                _add(phases, "tls", secured - connected)
                ready = secured
        if began:
            _add(phases, "first_byte", began - ready)
            _add(phases, "body", info(pycurl.TOTAL_TIME) - began)

    @property
    def version(self) -> str:
        """HTTP version of the answer as text."""
        return self.head[0].split(b" ", 1)[0].decode("latin-1") if self.head else ""

    def certificates(self) -> list[dict[str, str]]:
        """The server's chain, leaf first, as libcurl's names and texts. Empty unless the request asked for it."""
        return [dict(entry) for entry in self.curl.getinfo(pycurl.INFO_CERTINFO)]

    @property
    def errno(self) -> int:
        """The operating system's number of a failed connection."""
        return int(self.curl.getinfo(pycurl.OS_ERRNO))


def _add(phases: dict[str, float], phase: str, seconds: float) -> None:
    phases[phase] = phases.get(phase, 0.0) + int(seconds * 1_000_000 + 0.5) / 1000


def _bracketed(address: str) -> str:
    return f"[{address}]" if ":" in address else address


class Client:
    """What probes of one event loop share: the multi handle, idle easy handles, the resolver."""

    def __init__(self, nameservers: tuple[str, ...] = ()) -> None:
        self.resolver = Resolver(nameservers)
        # libcurl keeps one parsed bundle of authorities per multi handle: a second bundle beside it would be parsed anew
        # for every probe.
        self._multis: dict[str | None, Multi] = {}
        self._idle: dict[tuple[object, ...], list[Transfer]] = {}
        self._ca_file = system_ca_file()

    async def perform(self, request: Request, policy: Policy, addresses: list[str], deadline: float) -> Transfer:
        """Run one transfer. Give the Transfer back with `release` once it was read.

        Raises TransferError (with the Transfer, so that what had come is not lost).
        """
        idle = self._idle.get(request.profile)
        transfer = idle.pop() if idle else Transfer(request, request.ca_file or self._ca_file)
        transfer.apply(request, policy, addresses, deadline - time.monotonic())
        try:
            await self._multi(request.ca_file).perform(transfer.curl)
        except pycurl.error as error:
            raise TransferError(error.args[0], str(error.args[1]), transfer) from None
        finally:
            transfer.end()
        return transfer

    def _multi(self, ca_file: str | None) -> Multi:
        multi = self._multis.get(ca_file)
        if multi is None:
            multi = self._multis[ca_file] = make_multi()
        return multi

    def release(self, transfer: Transfer) -> None:
        """Keep the handle for the next transfer of its profile."""
        idle = self._idle.get(transfer.profile)
        if idle is None and len(self._idle) < _PROFILES:
            idle = self._idle[transfer.profile] = []
        if idle is not None and len(idle) < _IDLE_HANDLES:
            idle.append(transfer)
        else:
            transfer.curl.close()

    def discard(self, transfer: Transfer) -> None:
        """Close the handle, and with it a connection that ended after its handshake."""
        transfer.curl.close()

    async def close(self) -> None:
        """Give every socket back."""
        for multi in self._multis.values():
            await multi.aclose()
        for transfer in (each for idle in self._idle.values() for each in idle):
            transfer.curl.close()
        self._idle.clear()


class TransferError(Exception):
    """libcurl's number and words for a failed transfer."""

    def __init__(self, code: int, text: str, transfer: Transfer) -> None:
        super().__init__(text)
        self.code = code
        self.transfer = transfer

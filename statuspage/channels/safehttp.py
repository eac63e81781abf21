"""The one outbound HTTP client: webhooks, web push, Twilio and whatever comes later go through it.

Every connection is judged by probes.guard on the address it is about to dial (not on the URL), takes no proxy from the
environment and follows no redirect. A request ends at its deadline whatever the peer does, dripped headers included: a timer
shuts the socket down, and the deadline is looked at before the status, because http.client reads a cut-off head as complete.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from email.utils import parsedate_to_datetime
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, PoolManager
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError, NameResolutionError, NewConnectionError

from probes import guard
from probes.resolve import NoAnswer
from statuspage.errors import DeliveryError, Permanent, Throttled, Transient, Unknown

DEADLINE_S = 10.0
BODY_BYTES = 64 * 1024
_CONNECT_S = 5.0
_RETRY_AFTER_STATUSES = {429, 503}


class _Flight(threading.local):
    """What happens to the request that this thread is sending."""

    policy: guard.Policy = guard.VISITOR
    until: float = 0.0
    refused: guard.Refused | None = None
    connected: bool = False
    line: socket.socket | None = None

    def begin(self, policy: guard.Policy, deadline_s: float) -> None:
        self.policy, self.until = policy, time.monotonic() + deadline_s
        self.refused, self.connected, self.line = None, False, None

    def left_s(self) -> float:
        return max(0.01, self.until - time.monotonic())


_flight = _Flight()


class _Guarded:
    """Mixed into urllib3's connections: resolve once, judge every answer, dial what was judged."""

    # A second handle on the same connection: shutting it down works during the TLS handshake too, when `sock` is detached.
    _handle: socket.socket | None = None

    def _new_conn(self: Any) -> socket.socket:
        try:
            found = guard.resolve_and_check(self._dns_host, self.port, _flight.policy, min(_CONNECT_S, _flight.left_s()))
        except guard.Refused as error:
            _flight.refused = error
            raise
        except NoAnswer as error:
            raise NameResolutionError(self.host, self, socket.gaierror(str(error))) from error
        line = _dial(self, found)
        self._handle = _flight.line = line.dup()
        return line

    def request(self: Any, *arguments: Any, **named: Any) -> None:  # noqa: ANN401 - urllib3's signature
        if self.sock is not None:
            _flight.line, _flight.connected = self._handle, True
        super().request(*arguments, **named)  # type: ignore[misc]  # of the connection it is mixed into

    def connect(self: Any) -> None:
        super().connect()  # type: ignore[misc]  # of the connection it is mixed into
        _flight.connected = True

    def close(self: Any) -> None:
        if self._handle is not None:
            self._handle.close()
            self._handle = None
        super().close()  # type: ignore[misc]  # of the connection it is mixed into


def _dial(connection: Any, found: list[guard.SockAddr]) -> socket.socket:  # noqa: ANN401 - a urllib3 connection
    last: OSError | None = None
    for address in found:
        line = socket.socket(guard.family_of(address), socket.SOCK_STREAM)
        try:
            line.settimeout(min(_CONNECT_S, _flight.left_s()))
            line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            line.connect(address)
        except OSError as error:
            line.close()
            last = error
        else:
            line.settimeout(_flight.left_s())
            return line
    raise NewConnectionError(connection, f"no connection: {last}")


class _Connection(_Guarded, HTTPConnection):
    pass


class _TLSConnection(_Guarded, HTTPSConnection):
    pass


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _TLSPool(HTTPSConnectionPool):
    ConnectionCls = _TLSConnection


class _Adapter(HTTPAdapter):
    def init_poolmanager(self, connections: int, maxsize: int, block: bool = False, **named: Any) -> None:  # noqa: ANN401, FBT001, FBT002 - requests' signature
        self.poolmanager = PoolManager(num_pools=connections, maxsize=maxsize, block=block, **named)
        self.poolmanager.pool_classes_by_scheme = {"http": _Pool, "https": _TLSPool}


class GuardedSession(requests.Session):
    """A requests session behind the guard; libraries that take a session take this one. Not to be shared between threads.

    `policy` says what may be dialled. `ca_file` replaces the public certificate authorities (tests, an operator's own CA).
    """

    def __init__(self, policy: guard.Policy, *, deadline_s: float = DEADLINE_S, ca_file: str | None = None) -> None:
        super().__init__()
        self.policy, self.deadline_s = policy, deadline_s
        self.trust_env = False
        self.verify = ca_file or True
        self.headers.update({"User-Agent": "wallet-statuspage", "Accept-Encoding": "identity"})
        for scheme in ("http://", "https://"):
            self.mount(scheme, _Adapter(pool_connections=32, pool_maxsize=2, max_retries=0))

    def request(self, *arguments: Any, **named: Any) -> requests.Response:  # noqa: ANN401 - requests' signature
        """As requests' own, but every failure is a DeliveryError; a URL that cannot be written as a request is Permanent."""
        try:
            return super().request(*arguments, **named)
        except (requests.RequestException, ValueError):
            message = "the address cannot be used in a request"
            raise Permanent(message) from None

    def send(self, request: requests.PreparedRequest, **_wishes: Any) -> requests.Response:  # noqa: ANN401 - requests' signature
        """Send `request` and read its capped body. What callers wish of time-outs, redirects and proxies is not granted.

        Causes are not chained: what requests says repeats the address, and tracebacks are logged.
        Raises DeliveryError: Permanent (the guard refuses), Transient (nothing was sent), Unknown (sent, no answer in time).
        """
        try:
            guard.check_url(request.url or "", self.policy)
        except guard.Refused:
            raise _refusal() from None
        _flight.begin(self.policy, self.deadline_s)
        state = _Cut()
        timer = threading.Timer(self.deadline_s, state.cut)
        timer.daemon = True
        state.flight = _flight.__dict__
        timer.start()
        try:
            response = super().send(
                request, stream=True, allow_redirects=False, timeout=self.deadline_s, verify=self.verify, proxies={}, cert=None
            )
            body = _read(response)
        except (requests.RequestException, HTTPError, OSError) as error:
            raise _outcome(error, was_cut=state.was_cut) from None
        finally:
            timer.cancel()
        if state.was_cut:
            response.close()
            raise _outcome(None, was_cut=True)
        response._content = body  # noqa: SLF001 - requests has no other way to hand in a body that was read under a cap
        return response


class _Cut:
    """Shuts the line of one request when its time is over."""

    def __init__(self) -> None:
        self.was_cut = False
        self.flight: dict[str, Any] = {}

    def cut(self) -> None:
        self.was_cut = True
        line = self.flight.get("line")
        if line is not None:
            with suppress(OSError):
                line.shutdown(socket.SHUT_RDWR)


def _read(response: requests.Response) -> bytes:
    """At most BODY_BYTES of the body as sent (no decompression: a bomb stays small); more is left unread and the line closed."""
    parts, size = [], 0
    while size < BODY_BYTES:
        part = response.raw.read(min(16_384, BODY_BYTES - size), decode_content=False)
        if not part:
            break
        parts.append(part)
        size += len(part)
    if size >= BODY_BYTES:
        response.raw.close()
    response.close()
    return b"".join(parts)


def _refusal() -> Permanent:
    # The address itself is not named: errors are stored and shown, addresses are secrets.
    return Permanent("the address may not be dialled: it is not on the public internet")


def _outcome(error: BaseException | None, *, was_cut: bool) -> DeliveryError:
    """The delivery error for a request that brought no answer."""
    if _flight.refused is not None:
        return _refusal()
    if isinstance(error, requests.exceptions.SSLError):
        return Transient("the peer's certificate was not accepted")
    if not _flight.connected:
        return Transient("no connection in time" if was_cut else "no connection")
    return Unknown("no whole answer in time" if was_cut else "the connection broke before the answer")


class Sessions:
    """One GuardedSession per thread and policy: requests does not promise thread safety, and connections are kept."""

    def __init__(self, *, deadline_s: float = DEADLINE_S, ca_file: str | None = None) -> None:
        self._local = threading.local()
        self._deadline_s, self._ca_file = deadline_s, ca_file

    def get(self, policy: guard.Policy) -> GuardedSession:
        """This thread's session for `policy`."""
        known: dict[guard.Policy, GuardedSession] = self._local.__dict__.setdefault("sessions", {})
        if policy not in known:
            known[policy] = GuardedSession(policy, deadline_s=self._deadline_s, ca_file=self._ca_file)
        return known[policy]


def retry_after_s(headers: Mapping[str, str], now_s: float) -> float | None:
    """Seconds of a Retry-After header (a number or an HTTP date); None when absent or unreadable."""
    raw = headers.get("Retry-After", "").strip()
    if raw.isdigit() and len(raw) < 10:
        return float(raw)
    with suppress(ValueError, TypeError, IndexError, OverflowError):
        return max(0.0, parsedate_to_datetime(raw).timestamp() - now_s)
    return None


def check_status(response: requests.Response, who: str, now_s: float) -> None:
    """Return for a 2xx; else raise the delivery error that the status means. `who` names the peer without its address."""
    status = response.status_code
    if 200 <= status < 300:
        return
    message = f"{who} answered {status}"
    if status in _RETRY_AFTER_STATUSES:
        raise Throttled(message, retry_after_s(response.headers, now_s))
    if status == 410:
        raise Permanent(message)
    raise Transient(message)

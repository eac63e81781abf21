"""The agent's side of the wire: assignments in, batches out, one request at a time over one kept connection.

A request that got no answer is sent again: the server knows each batch by (agent, boot, sequence). Nothing here decides what
a result means.
"""

from __future__ import annotations

import json
import logging
import random
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import urlsplit

import pycurl  # type: ignore[import-untyped]

from probes.agent_clock import Clock
from probes.agent_signature import Key, signed
from probes.agent_spool import Batch, Spool
from probes.transfer import system_ca_file

log = logging.getLogger(__name__)

ASSIGNMENTS, BATCHES = "/agents/v1/assignments", "/agents/v1/batches"
WIRE_VERSION = 1
POLL_S = 15.0
_TIMEOUT_S = 10.0
_FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 30.0
_REFUSED_PAUSE_S = 300.0  # an agent that the server does not know (any more) asks rarely, and probes nothing meanwhile
_MAX_REQUEST = 128 * 1024  # the server takes 256 kB
_MAX_ANSWER = 16 * 1024 * 1024


class NoServer(OSError):
    """No answer came: the network, the server, its certificate. The words are libcurl's."""


@dataclass(frozen=True, slots=True)
class Answer:
    """Status, header fields by lower-case name, body."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def data(self) -> dict[str, Any]:
        """The body as a JSON object; {} when it is none (a proxy's own page)."""
        try:
            found = json.loads(self.body)
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}


class Wire:
    """One kept connection to the server. Not for several threads."""

    def __init__(self, server: str, ca_file: str | None = None) -> None:
        self._server = server.rstrip("/")
        self._path = urlsplit(self._server).path  # of a page that lives below a path
        self._ca_file = ca_file or system_ca_file()
        self._curl = pycurl.Curl()

    def ask(self, method: str, path: str, headers: Mapping[str, str], body: bytes | None = None) -> Answer:
        """One request. Raises NoServer."""
        curl, found = self._curl, bytearray()
        head: dict[str, str] = {}

        def take_head(line: bytes) -> None:
            name, colon, value = line.decode("latin-1").partition(":")
            if line.startswith(b"HTTP/"):
                head.clear()
            elif colon:
                head[name.strip().lower()] = value.strip()

        def take_body(data: bytes) -> int:
            if len(found) + len(data) > _MAX_ANSWER:
                return -1
            found.extend(data)
            return len(data)

        curl.reset()  # options only: the connection stays
        for option, value in (
            (pycurl.URL, self._server + path), (pycurl.NOSIGNAL, 1), (pycurl.PROTOCOLS, pycurl.PROTO_HTTP | pycurl.PROTO_HTTPS),
            (pycurl.FOLLOWLOCATION, 0), (pycurl.TIMEOUT_MS, int(_TIMEOUT_S * 1000)), (pycurl.CONNECTTIMEOUT_MS, 5000),
            (pycurl.USERAGENT, f"wallet-statuspage-agent/{WIRE_VERSION}"), (pycurl.WRITEFUNCTION, take_body),
            (pycurl.HEADERFUNCTION, take_head), (pycurl.CUSTOMREQUEST, method),
            (pycurl.HTTPHEADER, ["Expect:", *(f"{name}: {text}" for name, text in headers.items())]),
        ):  # fmt: skip
            curl.setopt(option, value)
        if self._ca_file:
            curl.setopt(pycurl.CAINFO, self._ca_file)
        if body is not None:
            curl.setopt(pycurl.POSTFIELDS, body)
        try:
            curl.perform()
        except pycurl.error as error:
            raise NoServer(str(error.args[1])) from None
        return Answer(int(curl.getinfo(pycurl.RESPONSE_CODE)), head, bytes(found))

    def path_of(self, path: str) -> str:
        """What the server sees as the path: the signature covers it."""
        return self._path + path

    def close(self) -> None:
        """Hang up."""
        self._curl.close()


class Asks(Protocol):
    """What the link needs of a Wire."""

    def ask(self, method: str, path: str, headers: Mapping[str, str], body: bytes | None = None) -> Answer:
        """One request. Raises NoServer."""

    def path_of(self, path: str) -> str:
        """What the server sees as the path."""


class Link:
    """Sends what waits in the spool, oldest first, and asks for changed assignments.

    `on_assignments` is called with the server's JSON when it changed, and with None when the server refuses this agent. `turn`
    does one thing and returns how long to wait before the next; `run` calls it until it is told to stop.
    """

    def __init__(
        self, wire: Asks, key: Key, clock: Clock, spool: Spool, on_assignments: Callable[[dict[str, Any] | None], None], *,
        known: str = "", longest_pause_s: float = LONGEST_PAUSE_S,
    ) -> None:  # fmt: skip
        self._wire, self._key, self._clock, self._spool = wire, key, clock, spool
        self._on_assignments = on_assignments
        self._etag = known
        self._longest_pause_s = longest_pause_s
        self._skew_ms = 0  # the server's clock minus ours: for the signature's time only, results are corrected there
        self._poll_at = float("-inf")
        self._failing_since: float | None = None
        self._failures = 0
        self._one_by_one = False
        self.refused = 0  # results that the server called unacceptable
        self.first_refusal = ""  # why the server turned us away, while it has never taken anything of us
        self._was_welcome = False
        self.wake = threading.Event()

    def run(self, stop: threading.Event) -> None:
        """Work until `stop`, then try once more to deliver what waits."""
        while not stop.is_set():
            pause_s = self.turn()
            if self._failures:
                stop.wait(pause_s)  # new results do not shorten a back-off
            else:
                self.wake.wait(pause_s)
                self.wake.clear()
        if not self._failures:
            self.turn()

    def turn(self) -> float:
        """Poll if it is time, else send; the seconds to wait (0: more is to do)."""
        try:
            if time.monotonic() >= self._poll_at:
                return self._poll()
            return self._push()
        except NoServer as error:
            return self._failed(str(error))

    def _ask(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """A signed request; once more with the server's time when our clock is too far off for it."""
        answer = self._signed(method, path, body, headers or {})
        if (
            answer.status == 401
            and answer.data().get("error") == "clock"
            and isinstance(answer.data().get("server_ms"), int)
        ):
            self._skew_ms = answer.data()["server_ms"] - self._clock.now_ms()
            log.warning(
                "our clock and the server's are %.0f s apart; results are corrected there", self._skew_ms / 1000
            )
            answer = self._signed(method, path, body, headers or {})
        return answer

    def _signed(self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]) -> Answer:
        created_s = (self._clock.now_ms() + self._skew_ms) // 1000
        fields = signed(self._key, method, self._wire.path_of(path), body, created_s)
        return self._wire.ask(method, path, {**fields, **headers}, body)

    def _poll(self) -> float:
        headers = {"If-None-Match": self._etag} if self._etag else {}
        answer = self._ask("GET", ASSIGNMENTS, headers=headers)
        if answer.status == 200 and "specs" in answer.data():
            self._worked()
            self._on_assignments({**answer.data(), "etag": answer.headers.get("etag", "")})
            self._etag = answer.headers.get("etag", "")
        elif answer.status == 304:
            self._worked()
        else:
            return self._turned_away(answer)
        self._poll_at = time.monotonic() + POLL_S * random.uniform(0.8, 1.2)  # noqa: S311 - a spread, no secret
        return 0.0

    def _push(self) -> float:
        waiting = self._spool.peek(0 if self._one_by_one else _MAX_REQUEST)
        if not waiting:
            return max(0.0, self._poll_at - time.monotonic())
        batches = [batch for _token, batch in waiting]
        answer = self._ask("POST", BATCHES, self._body(batches))
        if answer.status in {413, 422}:
            if len(batches) > 1:
                self._one_by_one = True  # one bad batch must not hold up the others
                return 0.0
            self._give_up(batches[0], str(answer.data().get("message", answer.status)))
        elif answer.status != 200 or "accepted" not in answer.data():
            return self._turned_away(answer)
        self._worked()
        self._one_by_one = False
        self._spool.done([token for token, _batch in waiting])
        return 0.0

    def _body(self, batches: list[Batch]) -> bytes:
        """`now_ms` is what the clock that stamped the results shows while they are sent: the server compares it with its own."""
        wire = [{"boot": each.boot, "sequence": each.sequence, "now_ms": each.clock.now_ms(), "results": each.results}
                for each in batches]  # fmt: skip
        figures = {
            "dropped": self._spool.dropped + self.refused,
            "waiting": self._spool.waiting(),
            "damaged": self._spool.damaged,
        }
        return json.dumps({"version": WIRE_VERSION, **figures, "batches": wire}, separators=(",", ":")).encode()

    def _give_up(self, batch: Batch, why: str) -> None:
        self.refused += len(batch.results)
        log.error(
            "the server cannot take batch %d (%s): %d results are dropped",
            batch.sequence,
            why[:300],
            len(batch.results),
        )

    def _turned_away(self, answer: Answer) -> float:
        said = answer.data()
        if answer.status in {401, 403} and "error" in said:
            why = f"{said['error']}: {said.get('message', '')}"[:300]
            if not self._was_welcome:
                self.first_refusal = why
            log.error("the server refuses this agent: %s", why)
            self._on_assignments(None)
            self._etag = ""
            self._failures += 1
            self._poll_at = float("-inf")
            return _REFUSED_PAUSE_S * random.uniform(0.8, 1.2)  # noqa: S311 - a spread, no secret
        wait_s = answer.headers.get("retry-after", "")
        least_s = min(float(wait_s), 300.0) if wait_s.isdecimal() else 0.0
        return max(least_s, self._failed(f"HTTP {answer.status}"))

    def _failed(self, why: str) -> float:
        """Back-off with jitter: many agents that lost the same server must not come back in the same second."""
        if self._failing_since is None:
            self._failing_since = time.monotonic()
            log.warning("the server cannot be reached (%s); results are kept", why)
        pause_s = min(self._longest_pause_s, _FIRST_PAUSE_S * 2.0 ** min(self._failures, 10))
        self._failures += 1
        return pause_s * random.uniform(0.5, 1.0)  # noqa: S311 - a spread, no secret

    def _worked(self) -> None:
        self._was_welcome = True
        if self._failing_since is not None:
            gap_s = time.monotonic() - self._failing_since
            log.info("the server is back after %.0f s; %d batches wait", gap_s, self._spool.waiting())
        self._failing_since = None
        self._failures = 0

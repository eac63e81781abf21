"""The PostgreSQL probe: the server takes a connection for this user and database as far as the question for a password.

Without a driver and without credentials: what is seen is that the server process answers, accepts connections (or says
that it starts up, shuts down or has no room), and speaks TLS with a valid certificate if asked for. Where it lets us in
without a password, one query is run as well.
"""

from __future__ import annotations

import struct
import time
from collections.abc import Mapping
from typing import Any

from probes import dial, stream
from probes.options import Option, Problem, a_duration, a_text, duration_s, one_of, take_target
from probes.options import problems as option_problems
from probes.result import CheckResult
from probes.run import Failed, Run
from probes.spec import ProbeSpec
from probes.stream import Stream

_PORT = 5432
_MAX_MESSAGE = 64 * 1024
_MAX_MESSAGES = 100
_SSL_REQUEST = struct.pack("!II", 8, 80877103)
_PROTOCOL = 196608  # 3.0
_AUTH_CODES = (0, 2, 3, 5, 6, 7, 8, 9, 10)  # https://www.postgresql.org/docs/current/protocol-message-formats.html

OPTIONS = (
    Option("tls", "`require` a valid certificate, or `none`", one_of("require", "none"), "require"),
    Option("user", "name to connect as", a_text, "postgres"),
    Option("database", "database to connect to", a_text, "the user's name"),
    Option("ca_file", "PEM file with the authorities to trust instead of the system's", a_text),
    Option("degraded_above", "degraded when the whole run takes longer", a_duration),
)


def normalise(value: object) -> tuple[str, dict[str, Any]]:
    """`host` or `host:port`, or a mapping with `address`. Raises OptionError."""
    return take_target(value, "address", "host or host:port")


def validate(target: str, options: Mapping[str, Any]) -> list[Problem]:
    """All that is wrong."""
    found = option_problems(options, OPTIONS) + dial.address_problems(target, _PORT)
    found += [((name,), "cannot hold a zero byte") for name in ("user", "database") if "\0" in str(options.get(name))]
    return found


def authority(spec: ProbeSpec) -> str:
    """Host and port."""
    return spec.target


async def check(spec: ProbeSpec, run: Run) -> CheckResult:
    """TLS, startup, and a query where no password is asked for."""
    host, port = dial.host_and_port(run.vault.resolve(spec.target), _PORT)
    options = run.vault.resolve_all(spec.options)
    user = options.get("user", "postgres")
    async with stream.opened(run, host, port) as peer:
        if options.get("tls", "require") == "require":
            await peer.write(_SSL_REQUEST)
            if (said := await peer.read_exactly(1)) != b"S":
                known = "the server does not offer TLS" if said == b"N" else "the answer is not PostgreSQL"
                return run.result("down", "tls" if said == b"N" else "protocol", known)
            await peer.start_tls(host, options.get("ca_file"))
        fields = ("user", user, "database", options.get("database", user), "application_name", "statuspage probe")
        body = struct.pack("!I", _PROTOCOL) + b"".join(field.encode() + b"\0" for field in fields) + b"\0"
        began = time.monotonic()
        await peer.write(struct.pack("!I", len(body) + 4) + body)
        kind, payload = await _message(peer)
        run.mark("first_byte", began)
        code = struct.unpack("!I", payload[:4])[0] if kind == b"R" and len(payload) >= 4 else None
        if code not in _AUTH_CODES:
            raise _lie(kind)
        run.evidence["let_in"] = code == 0
        if code == 0:
            await _until_ready(peer)
            query = b"SELECT 1\0"
            await peer.write(b"Q" + struct.pack("!I", len(query) + 4) + query)
            if b"D" not in await _until_ready(peer):
                return run.result("down", "assertion", "SELECT 1 brought no row")
        await peer.write(b"X\x00\x00\x00\x04")
    slow = spec.options.get("degraded_above")
    return run.timely("up", None if slow is None else duration_s(slow) * 1000)


async def _until_ready(peer: Stream) -> list[bytes]:
    """The kinds of message up to ReadyForQuery. Raises Failed."""
    kinds: list[bytes] = []
    while len(kinds) < _MAX_MESSAGES:
        kind, _payload = await _message(peer)
        kinds.append(kind)
        if kind == b"Z":
            return kinds
    broken = Failed("down", "protocol", f"the server is not ready after {_MAX_MESSAGES} messages")
    raise broken


async def _message(peer: Stream) -> tuple[bytes, bytes]:
    """Kind and payload. Raises Failed for an error of the server and for what is no message."""
    kind, size = struct.unpack("!cI", await peer.read_exactly(5))
    if kind not in (b"R", b"E", b"S", b"K", b"Z", b"T", b"D", b"C", b"N", b"v") or not 4 <= size <= _MAX_MESSAGE:
        raise _lie(kind)
    payload = await peer.read_exactly(size - 4)
    if kind == b"E":
        raise _error(payload)
    return kind, payload


def _lie(kind: bytes) -> Failed:
    return Failed("down", "protocol", f"the answer is not PostgreSQL: {kind!r}")


def _error(payload: bytes) -> Failed:
    """https://www.postgresql.org/docs/current/errcodes-appendix.html."""
    fields = {part[:1]: part[1:].decode("utf-8", "replace") for part in payload.split(b"\0") if part}
    state, said = fields.get(b"C", ""), f"{fields.get(b'C', '')}: {fields.get(b'M', '')[:200]}"
    if state.startswith("28"):
        return Failed("unknown", "auth", said)  # it lives and refuses this user: our settings are wrong
    if state == "3D000":
        return Failed("unknown", "client_error", said)
    return Failed("down", "overloaded" if state[:2] in ("53", "57") else "assertion", said)

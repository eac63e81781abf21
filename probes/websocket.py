"""The WebSocket probe (RFC 6455): the handshake, and if asked for, a message sent and one of the answers as expected."""

from __future__ import annotations

import base64
import hashlib
import os
import struct
import time
from collections.abc import Mapping
from typing import Any, NoReturn

from probes import expect, guard, http, retry_after, sign_in, stream
from probes.guard import Url
from probes.options import Option, Problem, a_duration, a_list, a_text, duration_s, problems, take_target, texts_by_name
from probes.result import CheckResult
from probes.run import Failed, Run
from probes.secrets_at_use import has_reference
from probes.spec import ProbeSpec
from probes.stream import Stream
from probes.transfer import USER_AGENT

_MAX_HEAD = 32 * 1024
_MAX_MESSAGE = 64 * 1024
_MAX_MESSAGES = 100
_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, 1.3
_CONTINUED, _TEXT, _BINARY, _CLOSE, _PING, _PONG = 0, 1, 2, 8, 9, 10

OPTIONS = (
    Option("headers", "request headers of the handshake", texts_by_name),
    *sign_in.OPTIONS,
    Option("subprotocol", "subprotocol to ask for and to be given", a_text),
    Option("send", "text message to send once connected", a_text),
    Option("reply_contains", "texts that one message must contain", a_list(a_text)),
    Option("reply_json", "JMESPath expressions that must be true of that message", a_list(expect.an_expression)),
    Option("ca_file", "PEM file with the authorities to trust instead of the system's", a_text),
    Option("degraded_above", "degraded when the whole run takes longer", a_duration),
)


def normalise(value: object) -> tuple[str, dict[str, Any]]:
    """`wss://...`, or a mapping with `url`. Raises OptionError."""
    return take_target(value, "url", "an address that begins with wss:// or ws://")


def _url(target: str) -> Url:
    """Scheme http or https. Raises Refused."""
    scheme, colon, rest = target.partition("://")
    known = {"ws": "http", "wss": "https"}.get(scheme.lower())
    if not colon or known is None:
        message = "URL must begin with ws:// or wss:// and name a host"
        raise guard.Refused(message)
    return guard.parse_url(f"{known}://{rest}")


def validate(target: str, options: Mapping[str, Any]) -> list[Problem]:
    """All that is wrong."""
    found = problems(options, OPTIONS) + sign_in.problems(options) + http.header_problems(options)
    if not has_reference(target):
        try:
            _url(target)
        except guard.Refused as error:
            found.append((("url",), str(error)))
    return found


def authority(spec: ProbeSpec) -> str:
    """Host and port."""
    try:
        return _url(spec.target).authority
    except guard.Refused:
        return spec.target


async def check(spec: ProbeSpec, run: Run) -> CheckResult:
    """Shake hands, send, and read messages until one is as expected. Pings on the way are answered."""
    options = run.vault.resolve_all(spec.options)
    url = _url(run.vault.resolve(spec.target))
    expectation = expect.compile_expectation(
        {"body_contains": spec.options.get("reply_contains"), "json": spec.options.get("reply_json")}
    )
    try:
        async with stream.opened(run, url.host, url.port) as peer:
            if url.scheme == "https":
                await peer.start_tls(url.host, options.get("ca_file"))
            await _shake_hands(peer, run, url, options)
            began = time.monotonic()
            if "send" in options:
                await peer.write(_frame(_TEXT, options["send"].encode()))
            if expectation.reads_body:
                await _expect(peer, run, expectation)
                run.mark("body", began)
            await peer.write(_frame(_CLOSE, struct.pack("!H", 1000)))
    except TimeoutError:
        seen = run.evidence.get("messages", 0)
        broken = Failed("down", "timeout", f"{seen} messages came within the deadline, and none as expected")
        raise (broken if seen else TimeoutError) from None
    slow = spec.options.get("degraded_above")
    return run.timely("up", None if slow is None else duration_s(slow) * 1000)


async def _shake_hands(peer: Stream, run: Run, url: Url, options: Mapping[str, Any]) -> None:
    """Raises Failed for anything but an upgrade that proves it read our key."""
    key = base64.b64encode(os.urandom(16))
    lines = [f"{name}: {text}" for name, text in dict(options.get("headers") or {}).items()] + sign_in.header_lines(
        options
    )
    if any({"\r", "\n", "\0"} & set(line) for line in lines):
        broken = Failed("unknown", "client_error", "a header holds a line break")
        raise broken
    sign_in.remember(lines, run.vault)
    wanted = options.get("subprotocol")
    head = [
        f"GET {url.path} HTTP/1.1", f"Host: {url.authority}", "Upgrade: websocket", "Connection: Upgrade",
        f"Sec-WebSocket-Key: {key.decode()}", "Sec-WebSocket-Version: 13", f"User-Agent: {USER_AGENT}",
        *([f"Sec-WebSocket-Protocol: {wanted}"] if wanted else []), *lines,
    ]  # fmt: skip
    began = time.monotonic()
    await peer.write("\r\n".join([*head, "", ""]).encode())
    answer = (await peer.read_until(b"\r\n\r\n", _MAX_HEAD)).decode("latin-1").split("\r\n")
    run.mark("first_byte", began)
    fields = {name.strip().lower(): text.strip() for name, _, text in (line.partition(":") for line in answer[1:])}
    words = answer[0].split(" ", 2)
    if not words[0].startswith("HTTP/1.") or len(words) < 2 or not words[1].isdecimal():
        broken = Failed("down", "protocol", "the answer is not HTTP")
        raise broken
    run.evidence["status"] = int(words[1])
    if int(words[1]) in (retry_after.LIMITED, retry_after.UNAVAILABLE):
        run.retry_after_s = retry_after.read(fields.get("retry-after"), run.at_ms)
    if int(words[1]) == retry_after.LIMITED:
        broken = Failed("unknown", "rate_limited", "the server limits our requests (429)")
        raise broken
    if words[1] != "101":
        broken = Failed("down", "status", f"status is 101: found {words[1][:3]}")
        raise broken
    proof = base64.b64encode(hashlib.sha1(key + _GUID, usedforsecurity=False).digest()).decode()
    if fields.get("sec-websocket-accept") != proof or fields.get("upgrade", "").lower() != "websocket":
        broken = Failed("down", "protocol", "the upgrade does not answer our key")
        raise broken
    if wanted and fields.get("sec-websocket-protocol") != wanted:
        broken = Failed("down", "assertion", f"the subprotocol {wanted} was not agreed")
        raise broken


async def _expect(peer: Stream, run: Run, expectation: expect.Expectation) -> None:
    """Read until a message meets every demand. Raises Failed, saying what the last one lacked."""
    lacks = ""
    try:
        for seen in range(1, _MAX_MESSAGES + 1):
            message = await _message(peer)
            unmet = [each for each in expect.judge_body(expectation, message, capped=False) if not each.ok]
            run.evidence["messages"] = seen
            if not unmet:
                return
            run.evidence["body"] = message[:500].decode("utf-8", "replace")
            lacks = f"{unmet[0].what}: found {unmet[0].found}"
    except EOFError:
        if not lacks:
            raise
    broken = Failed("down", "assertion", f"no message is as expected; the last: {lacks}")
    raise broken


async def _message(peer: Stream) -> bytes:
    """The next whole message; control frames in between are taken care of."""
    parts = bytearray()
    begun = False
    while True:
        final, opcode, payload = await _read_frame(peer)
        if opcode == _PING:
            await peer.write(_frame(_PONG, payload))
        elif opcode == _CLOSE:
            code = struct.unpack("!H", payload[:2])[0] if len(payload) >= 2 else 1005
            closed = Failed("down", "reset", f"the server closed with code {code}")
            raise closed
        elif opcode in (_TEXT, _BINARY, _CONTINUED):
            if (opcode == _CONTINUED) is not begun:
                _refuse("a message within a message")
            begun = True
            parts += payload
            if len(parts) > _MAX_MESSAGE:
                raise _too_long()
            if final:
                return bytes(parts)


async def _read_frame(peer: Stream) -> tuple[bool, int, bytes]:
    """Whether it ends its message, opcode and payload. Raises Failed for what RFC 6455, 5.2 does not allow."""
    first, second = await peer.read_exactly(2)
    opcode, size = first & 0x0F, second & 0x7F
    if first & 0x70 or second & 0x80 or opcode not in (_CONTINUED, _TEXT, _BINARY, _CLOSE, _PING, _PONG):
        _refuse("a frame with bits that were not agreed")
    if opcode >= _CLOSE and (size > 125 or not first & 0x80):
        _refuse("a control frame that is long or in parts")
    if size == 126:
        (size,) = struct.unpack("!H", await peer.read_exactly(2))
    elif size == 127:
        (size,) = struct.unpack("!Q", await peer.read_exactly(8))
    if size > _MAX_MESSAGE:
        raise _too_long()
    return bool(first & 0x80), opcode, await peer.read_exactly(size)


def _refuse(what: str) -> NoReturn:
    broken = Failed("down", "protocol", f"the server sent {what}")
    raise broken


def _too_long() -> Failed:
    return Failed("down", "body_cap", "a message is longer than 64 kB")


def _frame(opcode: int, payload: bytes) -> bytes:
    """A whole masked frame, as clients must send them."""
    size = len(payload)
    if size < 126:
        head = struct.pack("!BB", 0x80 | opcode, 0x80 | size)
    elif size < 65536:
        head = struct.pack("!BBH", 0x80 | opcode, 0x80 | 126, size)
    else:
        head = struct.pack("!BBQ", 0x80 | opcode, 0x80 | 127, size)
    mask = os.urandom(4)
    return head + mask + bytes(byte ^ mask[place % 4] for place, byte in enumerate(payload))

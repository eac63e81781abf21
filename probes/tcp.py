"""The TCP probe: a connection is accepted, and if asked for, a greeting or reply holds a text."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Mapping
from typing import Any

from probes import dial, guard
from probes.options import Option, Problem, a_duration, a_text, duration_s, problems, take_target
from probes.result import CheckResult
from probes.run import Run
from probes.secrets_at_use import has_reference
from probes.spec import ProbeSpec

_MAX_REPLY = 4096

OPTIONS = (
    Option("send", "text to send once connected", a_text),
    Option("reply_contains", "text that the first 4 kB of the greeting or reply must contain", a_text),
    Option("degraded_above", "degraded when the whole run takes longer", a_duration),
)


def normalise(value: object) -> tuple[str, dict[str, Any]]:
    """`host:port`, or a mapping with `address`. Raises OptionError."""
    return take_target(value, "address", "host:port")


def validate(target: str, options: Mapping[str, Any]) -> list[Problem]:
    """All that is wrong."""
    found = problems(options, OPTIONS)
    if not has_reference(target):
        try:
            dial.host_and_port(target)
        except guard.Refused as error:
            found.append((("address",), str(error)))
    return found


def authority(spec: ProbeSpec) -> str:
    """Host and port."""
    return spec.target


async def check(spec: ProbeSpec, run: Run) -> CheckResult:
    """Connect, and send and read what is asked for."""
    host, port = dial.host_and_port(run.vault.resolve(spec.target))
    text, wanted = spec.options.get("send"), spec.options.get("reply_contains")
    slow = spec.options.get("degraded_above")
    with await dial.connect(run, host, port) as connection:
        if text:
            await asyncio.wait_for(
                asyncio.get_running_loop().sock_sendall(connection, run.vault.resolve(text).encode()), run.left_s
            )
        if wanted:
            reply = await _read(connection, run, wanted.encode())
            if wanted.encode() not in reply:
                run.evidence["reply"] = reply[:200].decode("utf-8", "replace")
                return run.result("down", "assertion", f"the reply does not contain {wanted!r}")
    return run.timely("up", None if slow is None else duration_s(slow) * 1000)


async def _read(connection: socket.socket, run: Run, wanted: bytes) -> bytes:
    """What comes until `wanted` was seen, the peer ends, or 4 kB are full. Raises TimeoutError."""
    began = time.monotonic()
    reply = b""
    async with asyncio.timeout(run.left_s):
        while wanted not in reply and len(reply) < _MAX_REPLY:
            piece = await asyncio.get_running_loop().sock_recv(connection, _MAX_REPLY - len(reply))
            if not piece:
                break
            reply += piece
    run.mark("first_byte", began)
    return reply

"""The Redis probe: the server takes our credentials and answers PING."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from probes import dial, stream
from probes.options import Option, Problem, a_bool, a_duration, a_text, duration_s, take_target
from probes.options import problems as option_problems
from probes.result import CheckResult
from probes.run import Failed, Run
from probes.spec import ProbeSpec
from probes.stream import Stream

_PORT = 6379
_MAX_LINE = 1024

OPTIONS = (
    Option("user", "name to sign in with, if not the default user", a_text),
    Option("password", "password to sign in with", a_text),
    Option("tls", "whether to speak TLS", a_bool, "false"),
    Option("ca_file", "PEM file with the authorities to trust instead of the system's", a_text),
    Option("degraded_above", "degraded when the whole run takes longer", a_duration),
)


def normalise(value: object) -> tuple[str, dict[str, Any]]:
    """`host` or `host:port`, or a mapping with `address`. Raises OptionError."""
    return take_target(value, "address", "host or host:port")


def validate(target: str, options: Mapping[str, Any]) -> list[Problem]:
    """All that is wrong."""
    found = option_problems(options, OPTIONS) + dial.address_problems(target, _PORT)
    if "user" in options and "password" not in options:
        found.append((("user",), "a user needs a password"))
    return found


def authority(spec: ProbeSpec) -> str:
    """Host and port."""
    return spec.target


async def check(spec: ProbeSpec, run: Run) -> CheckResult:
    """Sign in if asked for, and expect a pong."""
    host, port = dial.host_and_port(run.vault.resolve(spec.target), _PORT)
    options = run.vault.resolve_all(spec.options)
    async with stream.opened(run, host, port) as peer:
        if options.get("tls"):
            await peer.start_tls(host, options.get("ca_file"))
        if "password" in options:
            words = [options[name] for name in ("user", "password") if name in options]
            await _ask(peer, "AUTH", *words, wanted=b"+OK")
        began = time.monotonic()
        await _ask(peer, "PING", wanted=b"+PONG")
        run.mark("first_byte", began)
    slow = spec.options.get("degraded_above")
    return run.timely("up", None if slow is None else duration_s(slow) * 1000)


async def _ask(peer: Stream, *words: str, wanted: bytes) -> None:
    """One command as an array of bulk strings (RESP). Raises Failed for another answer than `wanted`."""
    parts = [word.encode() for word in words]
    await peer.write(b"".join([b"*%d\r\n" % len(parts), *(b"$%d\r\n%s\r\n" % (len(part), part) for part in parts)]))
    line = (await peer.read_until(b"\r\n", _MAX_LINE)).rstrip()
    if line != wanted:
        raise _failed(line.decode("utf-8", "replace"), words[0])


def _failed(line: str, command: str) -> Failed:
    code = line[1:].partition(" ")[0] if line.startswith("-") else ""
    said = f"{command}: {line[1:200] if code else line[:200]}"
    if code in ("WRONGPASS", "NOAUTH", "NOPERM", "DENIED") or (command == "AUTH" and code == "ERR"):
        return Failed("unknown", "auth", said)  # it lives and answers: our settings are wrong
    if code in ("LOADING", "BUSY", "MASTERDOWN", "CLUSTERDOWN") or "max number of clients" in line:
        return Failed("down", "overloaded", said)
    return Failed("down", "assertion" if code else "protocol", said)

"""The SMTP probe: the server greets, takes EHLO, and speaks TLS with a valid certificate. No mail is sent."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from probes import dial, guard, stream
from probes.options import Option, Problem, a_duration, a_text, an_int, duration_s, one_of, take_target
from probes.options import problems as option_problems
from probes.result import CheckResult
from probes.run import Failed, Run
from probes.spec import ProbeSpec
from probes.stream import Stream

_PORT = 25
_MAX_LINE = 2048  # RFC 5321, 4.5.3.1.5 asks for 512; some banners are longer
_MAX_LINES = 64
_DAYS = 14

OPTIONS = (
    Option("tls", "`starttls`, `implicit` (from the first byte, port 465) or `none`",
           one_of("starttls", "implicit", "none"), "starttls"),
    Option("helo", "name to introduce ourselves with", a_text, "probe.invalid"),
    Option("certificate_days", "degraded when the server's certificate ends sooner", an_int(0, 3650), str(_DAYS)),
    Option("ca_file", "PEM file with the authorities to trust instead of the system's", a_text),
    Option("degraded_above", "degraded when the whole run takes longer", a_duration),
)  # fmt: skip


def normalise(value: object) -> tuple[str, dict[str, Any]]:
    """`host` or `host:port`, or a mapping with `address`. Raises OptionError."""
    return take_target(value, "address", "host or host:port")


def validate(target: str, options: Mapping[str, Any]) -> list[Problem]:
    """All that is wrong."""
    found = option_problems(options, OPTIONS) + dial.address_problems(target, _PORT)
    try:
        guard.plain_host(str(options.get("helo", "probe.invalid")))
    except guard.Refused as error:
        found.append((("helo",), str(error)))
    return found


def authority(spec: ProbeSpec) -> str:
    """Host and port."""
    return spec.target


async def check(spec: ProbeSpec, run: Run) -> CheckResult:
    """Greeting, EHLO, TLS, EHLO again, QUIT."""
    host, port = dial.host_and_port(run.vault.resolve(spec.target), _PORT)
    tls = spec.options.get("tls", "starttls")
    ca_file = spec.options.get("ca_file")
    days: float | None = None
    async with stream.opened(run, host, port) as peer:
        if tls == "implicit":
            await peer.start_tls(host, ca_file)
        began = time.monotonic()
        greeting = await _answer(peer, "greeting", 220)
        run.mark("first_byte", began)
        run.evidence["reply"] = greeting[0][:200]
        hello = f"EHLO {spec.options.get('helo', 'probe.invalid')}"
        extensions = await _ask(peer, hello, 250)
        if tls == "starttls":
            if not any(line.upper() == "STARTTLS" for line in extensions[1:]):
                return run.result("down", "tls", "the server does not offer STARTTLS")
            await _ask(peer, "STARTTLS", 220)
            await peer.start_tls(host, ca_file)
            await _ask(peer, hello, 250)
        if tls != "none":
            days = peer.certificate_days()
            run.evidence["certificate_days"] = round(days, 1)
        await peer.write(b"QUIT\r\n")
    if days is not None and days < spec.options.get("certificate_days", _DAYS):
        return run.result("degraded", "certificate", f"the certificate ends in {days:.0f} days")
    slow = spec.options.get("degraded_above")
    return run.timely("up", None if slow is None else duration_s(slow) * 1000)


async def _ask(peer: Stream, command: str, wanted: int) -> list[str]:
    await peer.write(f"{command}\r\n".encode())
    return await _answer(peer, command.partition(" ")[0], wanted)


async def _answer(peer: Stream, what: str, wanted: int) -> list[str]:
    """The texts of one answer, which may have several lines. Raises Failed for another code than `wanted`."""
    texts: list[str] = []
    for _ in range(_MAX_LINES):
        line = (await peer.read_until(b"\n", _MAX_LINE)).decode("utf-8", "replace").rstrip()
        code, mark, text = line[:3], line[3:4], line[4:]
        if len(code) != 3 or not (code.isascii() and code.isdecimal()) or mark not in ("", " ", "-"):
            broken = Failed("down", "protocol", f"{what}: the answer is not SMTP: {line[:80]!r}")
            raise broken
        if code != str(wanted):
            # 4xx is "come back later" (RFC 5321, 4.2.1)
            broken = Failed("down", "overloaded" if code[0] == "4" else "assertion", f"{what}: {line[:200]}")
            raise broken
        texts.append(text.strip())
        if mark != "-":
            return texts
    broken = Failed("down", "protocol", f"{what}: the answer has more than {_MAX_LINES} lines")
    raise broken

"""The ICMP probe: a host answers echo requests. Without root where the kernel allows it, with CAP_NET_RAW else."""

from __future__ import annotations

import asyncio
import os
import socket
import struct
import time
from collections.abc import Mapping
from statistics import median
from typing import Any

from probes import guard
from probes.options import Option, Problem, a_duration, an_int, duration_s, one_of, problems, take_target
from probes.result import CheckResult
from probes.run import Failed, Run
from probes.secrets_at_use import has_reference
from probes.spec import ProbeSpec

_COUNT = 3
_PAUSE_S = 0.05
# (request, reply) by family: RFC 792 and RFC 4443
_TYPES = {socket.AF_INET: (8, 0), socket.AF_INET6: (128, 129)}
_PROTOCOLS = {socket.AF_INET: socket.IPPROTO_ICMP, socket.AF_INET6: socket.IPPROTO_ICMPV6}

OPTIONS = (
    Option("count", "how many echo requests to send, one after the other", an_int(1, 10), str(_COUNT)),
    Option("max_loss", "degraded when more of them stay without an answer, in percent", an_int(0, 99), "0"),
    Option("ip_version", "`4` or `6`: ping an address of this family only", one_of(4, 6), "either"),
    Option("degraded_above", "degraded when the median round trip takes longer", a_duration),
)


def normalise(value: object) -> tuple[str, dict[str, Any]]:
    """A host, or a mapping with `host`. Raises OptionError."""
    return take_target(value, "host", "a host name or an address")


def validate(target: str, options: Mapping[str, Any]) -> list[Problem]:
    """All that is wrong."""
    found = problems(options, OPTIONS)
    if not has_reference(target):
        try:
            guard.plain_host(target)
        except guard.Refused as error:
            found.append((("host",), str(error)))
    return found


def authority(spec: ProbeSpec) -> str:
    """The host."""
    return spec.target


async def check(spec: ProbeSpec, run: Run) -> CheckResult:
    """Send the requests; those without an answer share the time that is left."""
    host = guard.plain_host(run.vault.resolve(spec.target))
    version = spec.options.get("ip_version")
    addresses = [each for each in await run.addresses(host) if version is None or (":" in each) == (version == 6)]
    if not addresses:
        return run.result("down", "dns", f"{host} has no IPv{version} address")
    count = spec.options.get("count", _COUNT)
    family = socket.AF_INET6 if ":" in addresses[0] else socket.AF_INET
    run.evidence["dialled"] = addresses[0]
    times_ms: list[float] = []
    with _open(family) as connection:
        connection.connect((addresses[0], 0))  # the kernel then hands over this peer's packets only
        for sequence in range(1, count + 1):
            began = time.monotonic()
            try:
                async with asyncio.timeout(run.left_s / (count - sequence + 1)):
                    await _echo(connection, family, sequence)
            except TimeoutError:
                continue
            times_ms.append((time.monotonic() - began) * 1000)
            if sequence < count:
                await asyncio.sleep(min(_PAUSE_S, run.left_s / count))
    lost = count - len(times_ms)
    run.evidence |= {"sent": count, "lost": lost, "round_trips_ms": [round(each, 3) for each in times_ms]}
    if not times_ms:
        return run.result("down", "timeout", f"no answer to {count} echo requests")
    if lost * 100 > spec.options.get("max_loss", 0) * count:
        return run.result("degraded", "assertion", f"{lost} of {count} echo requests stayed without an answer")
    slow = spec.options.get("degraded_above")
    took_ms = median(times_ms)
    run.phases["first_byte"] = round(took_ms, 3)
    if slow is not None and took_ms > duration_s(slow) * 1000:
        return run.result("degraded", "slow", f"the median round trip took {took_ms:.0f} ms")
    return run.result("up")


def _open(family: int) -> socket.socket:
    """A non-blocking ICMP socket. Raises Failed where none is allowed."""
    for kind in (socket.SOCK_DGRAM, socket.SOCK_RAW):
        try:
            connection = socket.socket(family, kind, _PROTOCOLS[socket.AddressFamily(family)])
        except PermissionError:
            continue
        connection.settimeout(0)
        return connection
    broken = Failed(
        "unknown",
        "unsupported",
        "ICMP is not allowed here: let net.ipv4.ping_group_range include this process's group, or give it CAP_NET_RAW",
    )
    raise broken


async def _echo(connection: socket.socket, family: int, sequence: int) -> None:
    """One request, until its own answer came. Raises OSError, such as host unreachable."""
    loop = asyncio.get_running_loop()
    token = os.urandom(16)
    await loop.sock_sendall(connection, request(family, sequence, token))
    while not is_reply(await loop.sock_recv(connection, 2048), family, sequence, token):
        pass


def request(family: int, sequence: int, token: bytes) -> bytes:
    """An echo request. The identifier is the kernel's on unprivileged sockets; `token` is what we go by."""
    kind = _TYPES[socket.AddressFamily(family)][0]
    head = struct.pack("!BBHHH", kind, 0, 0, os.getpid() & 0xFFFF, sequence)
    if family == socket.AF_INET6:
        return head + token  # the kernel fills in the checksum, which needs the addresses
    return head[:2] + struct.pack("!H", _checksum(head + token)) + head[4:] + token


def is_reply(packet: bytes, family: int, sequence: int, token: bytes) -> bool:
    """Whether `packet` answers our request: raw IPv4 sockets hand over the IP header, and other people's packets."""
    if family == socket.AF_INET and packet[:1] and packet[0] >> 4 == 4:
        packet = packet[(packet[0] & 0x0F) * 4 :]
    if len(packet) < 8:
        return False
    kind, code, _sum, _identifier, found = struct.unpack("!BBHHH", packet[:8])
    return (kind, code, found, packet[8:]) == (_TYPES[socket.AddressFamily(family)][1], 0, sequence, token)


def _checksum(data: bytes) -> int:
    """RFC 1071, for an even number of bytes."""
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total >> 16) + (total & 0xFFFF)
    return 0xFFFF - ((total + (total >> 16)) & 0xFFFF)

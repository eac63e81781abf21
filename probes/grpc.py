"""The gRPC probe: the standard health service (grpc.health.v1), asked over HTTP/2 by hand.

One message of one field goes out and one comes back: that is no reason to bring grpcio, 15 MB, to every agent. A fresh
connection each time shows what a channel that is kept would hide.
Protocol: https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md and health-checking.md beside it.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Any

from probes import dial, http, retry_after, sign_in
from probes.guard import Url
from probes.options import (
    Option,
    Problem,
    a_bool,
    a_duration,
    a_text,
    an_int,
    duration_s,
    problems,
    take_target,
    texts_by_name,
)
from probes.result import CheckResult, Outcome
from probes.run import Failed, Run
from probes.spec import ProbeSpec
from probes.transfer import PRIOR_KNOWLEDGE, Request, Transfer

_PATH = "/grpc.health.v1.Health/Check"
_MAX_BODY = 4096
_MAX_SERVICE = 200

OPTIONS = (
    Option("service", "the service to ask for, as it is registered", a_text, "the server as a whole"),
    Option("tls", "whether to speak TLS; without it HTTP/2 in the clear", a_bool, "true"),
    Option("headers", "metadata to send along", texts_by_name),
    *sign_in.OPTIONS,
    Option("certificate_days", "degraded when the server's certificate ends sooner", an_int(0, 3650)),
    Option("ca_file", "PEM file with the authorities to trust instead of the system's", a_text),
    Option("degraded_above", "degraded when the whole run takes longer", a_duration),
)


def normalise(value: object) -> tuple[str, dict[str, Any]]:
    """`host:port`, or a mapping with `address`. Raises OptionError."""
    return take_target(value, "address", "host:port")


def validate(target: str, options: Mapping[str, Any]) -> list[Problem]:
    """All that is wrong."""
    found = problems(options, OPTIONS) + dial.address_problems(target) + sign_in.problems(options)
    service = options.get("service")
    if isinstance(service, str) and len(service) > _MAX_SERVICE:
        found.append((("service",), f"is longer than {_MAX_SERVICE} letters"))
    return found + http.header_problems(options)


def authority(spec: ProbeSpec) -> str:
    """Host and port."""
    return spec.target


async def check(spec: ProbeSpec, run: Run) -> CheckResult:
    """One unary call of Health.Check."""
    options = run.vault.resolve_all(spec.options)
    request = _request(run.vault.resolve(spec.target), options)
    sign_in.remember(request.headers, run.vault)
    transfer = await http.send(request, run)
    try:
        run.evidence["status"] = transfer.status
        verdict = _judge(transfer, options, run)
        days = http.certificate_days(transfer) if request.certificates else None
        if verdict is not None or run.detail:
            http.show(request, transfer, run)
    finally:
        run.client.release(transfer)
    if verdict is not None:
        raise verdict
    if days is not None:
        run.evidence["certificate_days"] = round(days, 1)
        if days < options["certificate_days"]:
            return run.result("degraded", "certificate", f"the certificate ends in {days:.0f} days")
    slow = options.get("degraded_above")
    return run.timely("up", None if slow is None else duration_s(slow) * 1000)


def _request(target: str, options: Mapping[str, Any]) -> Request:
    """The call as an HTTP/2 request. Raises Refused for a target that is none."""
    host, port = dial.host_and_port(target)
    is_secure = options.get("tls", True)
    lines = [f"{name}: {text}" for name, text in dict(options.get("headers") or {}).items()] + sign_in.header_lines(options)
    if any({"\r", "\n", "\0"} & set(line) for line in lines):
        broken = Failed("unknown", "client_error", "a header holds a line break")
        raise broken
    service = str(options.get("service", "")).encode()
    message = (b"\x0a" + _varint(len(service)) + service) if service else b""  # field 1, a string
    return Request(
        Url("https" if is_secure else "http", host, port, _PATH),
        "POST",
        ("Content-Type: application/grpc", "TE: trailers", *lines),
        struct.pack("!BI", 0, len(message)) + message,
        _MAX_BODY,
        is_secure and "certificate_days" in options,
        options.get("ca_file"),
        "2" if is_secure else PRIOR_KNOWLEDGE,
    )


# What a status of gRPC says; those that are not here are the server's own failure.
_STATUSES: dict[int, tuple[Outcome, str, str]] = {
    3: ("unknown", "client_error", "INVALID_ARGUMENT"),
    4: ("down", "timeout", "DEADLINE_EXCEEDED"),
    5: ("unknown", "client_error", "NOT_FOUND: the server knows no such service"),
    7: ("unknown", "auth", "PERMISSION_DENIED"),
    8: ("down", "overloaded", "RESOURCE_EXHAUSTED"),
    12: ("unknown", "unsupported", "UNIMPLEMENTED: the server has no health service"),
    14: ("down", "overloaded", "UNAVAILABLE"),
    16: ("unknown", "auth", "UNAUTHENTICATED"),
}
_SERVING = 1
_HEALTH: dict[int, tuple[Outcome, str, str]] = {
    0: ("unknown", "assertion", "the server says that it does not know (UNKNOWN)"),
    2: ("down", "assertion", "the server says NOT_SERVING"),
    3: ("unknown", "client_error", "the server knows no such service (SERVICE_UNKNOWN)"),
}


def _judge(transfer: Transfer, options: Mapping[str, Any], run: Run) -> Failed | None:
    """What is wrong with the answer, None for SERVING."""
    headers = transfer.headers()
    told = headers.get("grpc-status", "").rpartition(",")[2].strip()  # of head or trailers, the last counts
    number = int(told[:3]) if told.isascii() and told.isdecimal() else None
    if number is None or transfer.status != 200 or transfer.body_capped:
        return _no_grpc(transfer, headers)
    run.evidence["grpc_status"] = number
    if number:
        outcome, error_class, words = _STATUSES.get(number, ("down", "status", f"grpc-status {number}"))
        said = headers.get("grpc-message", "")[:200]
        return Failed(outcome, error_class, f"{words}{f' ({said})' if said else ''}")
    health = _health(bytes(transfer.body))
    if health == _SERVING:
        return None
    service = f" of {options['service']}" if options.get("service") else ""
    outcome, error_class, words = _HEALTH.get(
        -1 if health is None else health, ("down", "protocol", "the answer is no HealthCheckResponse")
    )
    return Failed(outcome, error_class, words + service)


def _no_grpc(transfer: Transfer, headers: Mapping[str, str]) -> Failed:
    """The verdict on an answer that is no whole answer of gRPC."""
    if transfer.body_capped:
        return Failed("down", "protocol", "the answer is longer than 4 kB")
    if transfer.status == retry_after.LIMITED:
        return Failed("unknown", "rate_limited", "the server limits our requests (429)")
    if transfer.status != 200:
        return Failed("down", "status", f"status is 200: found {transfer.status}")
    is_grpc = headers.get("content-type", "").startswith("application/grpc")
    return Failed("down", "protocol", "the answer ends without a grpc-status" if is_grpc else "the answer is not gRPC")


def _health(body: bytes) -> int | None:
    """Field 1 of a HealthCheckResponse, 0 where it is left out; None for what is none. Other fields are skipped."""
    if len(body) < 5 or body[0] != 0 or struct.unpack("!I", body[1:5])[0] != len(body) - 5:
        return None
    found, place = 0, 5
    while place < len(body):
        key, place = _read_varint(body, place)
        if key & 7 == 0:
            value, place = _read_varint(body, place)
            found = value if key >> 3 == 1 else found
        elif key & 7 == 2:
            size, place = _read_varint(body, place)
            place += size
        else:
            return None
        if place > len(body) or key < 8:
            return None
    return found


def _read_varint(body: bytes, place: int) -> tuple[int, int]:
    """A number and the place behind it; beyond the end for one that does not end."""
    value = 0
    for shift in range(0, 70, 7):
        if place >= len(body):
            break
        byte = body[place]
        place += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, place
    return 0, len(body) + 1


def _varint(value: int) -> bytes:
    found = b""
    while value > 0x7F:
        found += bytes([value & 0x7F | 0x80])
        value >>= 7
    return found + bytes([value])

"""The HTTP probe: one request on a fresh connection, its answer judged by `expect`."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urljoin

from probes import evidence, expect, guard, resolve, retry_after, sign_in
from probes.expect import Assertion, Expectation
from probes.options import (
    Option,
    Problem,
    a_duration,
    a_text,
    an_int,
    anything,
    duration_s,
    inside,
    one_of,
    take_target,
    texts_by_name,
)
from probes.options import problems as option_problems
from probes.result import CheckResult
from probes.run import Failed, Run, class_of_errno
from probes.secrets_at_use import has_reference
from probes.spec import ProbeSpec
from probes.transfer import MAX_BODY, USER_AGENT, Request, Transfer, TransferError

_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
_EXCERPT = 500
_CHAIN_GOOD_S = 600.0
_DAY_S = 86400.0


def _an_address(value: object) -> list[Problem]:
    good = isinstance(value, str) and (has_reference(value) or resolve.is_address(value))
    return [] if good else [((), "must be an IPv4 or IPv6 address, in quotes and without brackets")]


OPTIONS = (
    Option("method", "request method", one_of(*_METHODS), "GET, or POST with a body"),
    Option("headers", "request headers", texts_by_name),
    *sign_in.OPTIONS,
    Option("body", "request body as text", a_text),
    Option("json", "request body as JSON; sets Content-Type", anything),
    Option("follow_redirects", "how many redirects to follow, each through the address guard", an_int(0, 10), "0"),
    Option("http_version", "`2` where the server can, or `1.1` always", one_of("1.1", "2"), "2"),
    Option("ca_file", "PEM file with the authorities to trust instead of the system's", a_text),
    Option("ip_version", "`4` or `6`: dial addresses of this family only", one_of(4, 6), "either"),
    Option(
        "resolve",
        "dial this address instead of looking the host up; the host's name stays in TLS and Host",
        _an_address,
    ),
    Option("max_body", "bytes of the body to read", an_int(0, 1024 * 1024), str(MAX_BODY)),
    Option("degraded_above", "degraded when the whole run takes longer", a_duration),
    Option("expect", "what the answer must be", inside(expect.OPTIONS), inner=expect.OPTIONS),
)


def normalise(value: object) -> tuple[str, dict[str, Any]]:
    """`https://...`, or a mapping with `url`. Raises OptionError."""
    return take_target(value, "url", "an address that begins with https:// or http://")


def validate(target: str, options: Mapping[str, Any]) -> list[Problem]:
    """All that is wrong. An address that is a reference is checked when it is used."""
    found = url_problems(target) + option_problems(options, OPTIONS)
    if "body" in options and "json" in options:
        found.append((("json",), "give body or json, not both"))
    return found + header_problems(options) + sign_in.problems(options) + _dial_problems(target, options)


def _dial_problems(target: str, options: Mapping[str, Any]) -> list[Problem]:
    address, version = options.get("resolve"), options.get("ip_version")
    if not isinstance(address, str) or not resolve.is_address(address):
        return []
    if version in (4, 6) and (":" in address) != (version == 6):
        return [(("resolve",), f"this is no IPv{version} address")]
    try:
        is_address = not has_reference(target) and resolve.is_address(guard.parse_url(target).host)
    except guard.Refused:
        return []
    return [(("resolve",), "the url names an address already")] if is_address else []


def header_problems(options: Mapping[str, Any]) -> list[Problem]:
    """What in `headers` could become another header."""
    headers = options.get("headers")
    if not isinstance(headers, Mapping):
        return []
    return [
        (("headers", str(name)), "a header cannot hold a line break, nor its name a colon")
        for name, text in headers.items()
        if any(ord(character) < 32 or character == ":" for character in str(name)) or {"\n", "\r"} & set(str(text))
    ]


def url_problems(target: str) -> list[Problem]:
    """What is wrong with a target that is a URL, at path `url`."""
    if not has_reference(target):
        try:
            guard.parse_url(target)
        except guard.Refused as error:
            return [(("url",), str(error))]
    return []


def authority(spec: ProbeSpec) -> str:
    """Host and port."""
    try:
        return guard.parse_url(spec.target).authority
    except guard.Refused:
        return spec.target


@dataclass(slots=True)
class Plan:
    """What is derived from a spec once. `request` is None while it holds references, which are resolved at each use."""

    expectation: Expectation
    slow_ms: float | None
    follow: int
    request: Request | None
    light: Request | None  # the same without reading the chain
    chain_ends: float = 0.0  # UTC seconds; 0: not read yet
    chain_read: float = 0.0  # seconds of the monotonic clock

    def choose(self) -> Request | None:
        """`request`, or `light` while the chain was read less than 10 minutes ago and was far from its end.

        Every handshake is verified in full; only the days left are remembered, which change slowly, and reading them
        costs a third of an HTTPS probe.
        """
        if self.light is None or time.monotonic() - self.chain_read > _CHAIN_GOOD_S:
            return self.request
        limit = self.expectation.certificate_days or 0
        return self.light if self.chain_ends - time.time() > (limit + 1) * _DAY_S else self.request


def make_plan(spec: ProbeSpec) -> Plan:
    """Compile the options of `spec`. Raises ValueError or Refused for what validate would have refused."""
    options = spec.options
    slow = options.get("degraded_above")
    needs_secrets = has_reference(json.dumps([spec.target, options], default=str))
    request = None if needs_secrets else make_request(spec.target, options)
    follow = options.get("follow_redirects", 0)
    can_be_light = request is not None and request.certificates and follow == 0
    return Plan(
        expect.compile_expectation(options.get("expect") or {}),
        duration_s(slow) * 1000 if slow is not None else None,
        follow,
        request,
        replace(request, certificates=False) if request is not None and can_be_light else None,
    )


def make_request(target: str, options: Mapping[str, Any]) -> Request:
    """The request these (resolved) options ask for. Raises Refused."""
    headers = [f"{name}: {text}" for name, text in dict(options.get("headers") or {}).items()]
    body: bytes | None = None
    if "json" in options:
        body = json.dumps(options["json"], ensure_ascii=False).encode()
        headers.append("Content-Type: application/json")
    elif "body" in options:
        body = options["body"].encode()
    headers += sign_in.header_lines(options)
    if any("\n" in line or "\r" in line or "\0" in line for line in headers):
        broken = Failed("unknown", "client_error", "a header holds a line break")
        raise broken
    return Request(
        guard.parse_url(target),
        options.get("method") or ("GET" if body is None else "POST"),
        tuple(headers),
        body,
        options.get("max_body", MAX_BODY),
        (options.get("expect") or {}).get("certificate_days") is not None,
        options.get("ca_file"),
        options.get("http_version", "2"),
        ip_version=options.get("ip_version"),
        dial=options.get("resolve"),
    )


async def check(spec: ProbeSpec, run: Run) -> CheckResult:
    """One request, followed redirects included, within one deadline."""
    if run.plan is None:
        run.plan = make_plan(spec)
        if run.plan.request is not None:
            sign_in.remember(run.plan.request.headers, run.vault)
    plan: Plan = run.plan
    request = plan.choose()
    if request is None:
        request = make_request(run.vault.resolve(spec.target), run.vault.resolve_all(spec.options))
        sign_in.remember(request.headers, run.vault)
    for hop in range(plan.follow + 1):
        transfer = await send(request, run)
        try:
            status = transfer.status
            location = transfer.headers().get("location") if 300 <= status < 400 else None
            if location is None or hop == plan.follow:
                return judge(plan, request, transfer, run, status, location)
            request = redirected(request, location, status)
            run.evidence.setdefault("redirects", []).append(str(request.url))
        finally:
            run.client.release(transfer)
    raise AssertionError


async def send(request: Request, run: Run) -> Transfer:
    """One transfer through the guard. The caller releases it. Raises Failed, Refused, NoAnswer."""
    addresses = await _addresses(request, run)
    try:
        transfer = await run.client.perform(request, run.policy, addresses, run.deadline)
    except TransferError as error:
        transfer = error.transfer
        transfer.add_phases(run.phases)
        run.evidence["dialled"] = transfer.dialled
        if transfer.body_capped:
            return transfer
        try:
            show(request, transfer, run)
            raise failed(error) from None
        finally:
            run.client.release(transfer)
    transfer.add_phases(run.phases)
    run.evidence["dialled"] = transfer.dialled
    if transfer.status in (retry_after.LIMITED, retry_after.UNAVAILABLE):
        run.retry_after_s = retry_after.read(transfer.headers().get("retry-after"), run.at_ms)
    return transfer


async def _addresses(request: Request, run: Run) -> list[str]:
    """Where to dial, judged. Raises Failed, Refused, NoAnswer."""
    host = request.url.host
    if request.dial is None:
        found = await run.addresses(host)
    elif resolve.is_address(request.dial):
        found = guard.judge([request.dial], host, run.policy)
    else:
        broken = Failed("unknown", "client_error", "resolve is no address")
        raise broken
    if request.ip_version is not None:
        found = [address for address in found if (":" in address) == (request.ip_version == 6)]
        if not found:
            broken = Failed("down", "dns", f"{host} has no IPv{request.ip_version} address")
            raise broken
    return found


# libcurl's numbers: https://curl.se/libcurl/c/libcurl-errors.html
_CLASS_OF_CURL = {
    1: "protocol", 6: "dns", 8: "protocol", 16: "protocol", 18: "reset", 28: "timeout", 35: "tls", 43: "internal",
    51: "certificate", 52: "reset", 55: "reset", 56: "reset", 60: "certificate", 61: "protocol", 77: "internal",
    83: "certificate", 90: "certificate", 91: "certificate", 92: "protocol", 95: "protocol", 100: "protocol",
}  # fmt: skip


def failed(error: TransferError) -> Failed:
    """The verdict on a transfer that broke off."""
    transfer = error.transfer
    if transfer.refused:
        return Failed("unknown", "blocked", f"{transfer.refused} may not be dialled")
    if transfer.head_capped:
        return Failed("down", "protocol", "the header is larger than 32 kB")
    if error.code == 7:
        number = transfer.errno
        return Failed("down", class_of_errno(number) if number else "refused", f"connection failed: {error}")
    name = _CLASS_OF_CURL.get(error.code, "protocol")
    if error.code == 56 and "chunk" in str(error):  # libcurl has one number for a lost connection and for bad chunks
        name = "protocol"
    return Failed("unknown" if name == "internal" else "down", name, str(error) or f"transfer failed ({error.code})")


def redirected(request: Request, location: str, status: int) -> Request:
    """The request a redirect asks for. Credentials stay with the host they were meant for. Raises Failed."""
    try:
        url = guard.parse_url(urljoin(str(request.url), location))
    except (guard.Refused, ValueError) as error:
        refused = Failed("unknown", "blocked", f"redirect refused: {error}")
        raise refused from None
    keeps_method = status in (307, 308) or request.method in ("GET", "HEAD")
    same = (url.scheme, url.host, url.port) == (request.url.scheme, request.url.host, request.url.port)
    return Request(
        url,
        request.method if keeps_method else "GET",
        request.headers if same else (),
        request.body if keeps_method and same else None,
        request.max_body,
        request.certificates,
        request.ca_file,
        request.http_version,
        ip_version=request.ip_version,
        dial=request.dial if url.host == request.url.host else None,
    )


def judge(plan: Plan, request: Request, transfer: Transfer, run: Run, status: int, location: str | None) -> CheckResult:
    """The verdict on an answer that came. `location` is set for a redirect that was not followed."""
    expectation = plan.expectation
    run.evidence["status"] = status
    assertions: list[Assertion] = []
    if run.detail or status not in expectation.statuses:
        shown = str(status) if location is None else f"{status}, to {location}"
        wanted, good = f"status is {expectation.status_text}", status in expectation.statuses
        assertions.append(Assertion(wanted, good, shown, "status" if location is None else "redirect"))
    if expectation.headers:
        assertions += _judge_headers(expectation, transfer)
    if expectation.reads_body:
        assertions += expect.judge_body(
            expectation, bytes(transfer.body), capped=transfer.body_capped, detail=run.detail
        )
    if transfer.body_capped:
        run.evidence["body_cut_at"] = len(transfer.body)
    days = _days_left(plan, request, transfer)
    if days is not None:
        run.evidence["certificate_days"] = round(days, 1)
    broken = next((each for each in assertions if not each.ok), None) if assertions else None
    if broken is not None or run.detail:
        show(request, transfer, run)
        run.evidence["assertions"] = [each.to_json() for each in assertions]
    if broken is not None and broken.error_class == "status" and status == retry_after.LIMITED:
        # To us, who ask at a steady pace and with one address for all, it says that our probing is limited.
        return run.result("unknown", "rate_limited", "the server limits our requests (429)")
    if broken is not None:
        return run.result("down", broken.error_class, f"{broken.what}: found {broken.found}")
    if days is not None and expectation.certificate_days is not None and days < expectation.certificate_days:
        return run.result("degraded", "certificate", f"the certificate ends in {days:.0f} days")
    return run.timely("up", plan.slow_ms)


def _judge_headers(expectation: Expectation, transfer: Transfer) -> list[Assertion]:
    headers = transfer.headers()
    found = []
    for name, text in expectation.headers:
        value = headers.get(name)
        ok = value is not None and text.lower() in value.lower()
        found.append(Assertion(f"header {name} contains {text!r}", ok, value or "not sent"))
    return found


def _days_left(plan: Plan, request: Request, transfer: Transfer) -> float | None:
    if request.url.scheme != "https" or plan.expectation.certificate_days is None:
        return None
    if not request.certificates:
        return (plan.chain_ends - time.time()) / _DAY_S
    days = certificate_days(transfer)
    if days is not None:
        plan.chain_ends, plan.chain_read = time.time() + days * _DAY_S, time.monotonic()
    return days


def certificate_days(transfer: Transfer) -> float | None:
    """Days until the first certificate of the chain ends, None when no chain was seen."""
    ends = [entry["Expire date"] for entry in transfer.certificates() if "Expire date" in entry]
    if not ends:
        return None
    soonest = min(datetime.strptime(text, "%b %d %H:%M:%S %Y %Z").replace(tzinfo=UTC) for text in ends)
    return (soonest - datetime.now(UTC)).total_seconds() / _DAY_S


def show(request: Request, transfer: Transfer, run: Run) -> None:
    """Put both heads and the beginning of the body into evidence. Values of credentials are never shown."""
    ours = [f"Host: {request.url.authority}", f"User-Agent: {USER_AGENT}", "Accept: */*"]
    sent = [evidence.header(line) for line in (*ours, *request.lines) if not line.endswith(":")]
    run.evidence["request"] = [f"{request.method} {_shown_url(run, request)}", *sent]
    received = [line.decode("latin-1").strip() for line in transfer.head]
    run.evidence["response"] = [evidence.header(line) for line in received if line][:40]
    run.evidence["body"] = evidence.body(bytes(transfer.body[: 2 * _EXCERPT]), _EXCERPT)


def _shown_url(run: Run, request: Request) -> str:
    return run.spec.target if has_reference(run.spec.target) else str(request.url)

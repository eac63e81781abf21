"""The DNS probe: a name has records of a type, and they are the expected ones."""

from __future__ import annotations

import time
from collections.abc import Mapping
from ipaddress import ip_address
from typing import Any

import dns.asyncresolver
import dns.exception
import dns.resolver

from probes import guard, resolve
from probes.options import (
    Option,
    Problem,
    a_bool,
    a_duration,
    a_list,
    a_text,
    as_list,
    duration_s,
    one_of,
    problems,
    take_target,
)
from probes.result import CheckResult
from probes.run import Failed, Run
from probes.spec import ProbeSpec

_RECORDS = ("A", "AAAA", "CNAME", "MX", "NS", "TXT", "SOA")


def _a_nameserver(value: object) -> list[Problem]:
    try:
        _split_nameserver(str(value))
    except ValueError:
        return [((), "must be an address, or address:port ([address]:port for IPv6)")]
    return []


OPTIONS = (
    Option("record", "type of record", one_of(*_RECORDS), "A"),
    Option("answers", "records that must be among the answers, as they are shown", a_list(a_text)),
    Option("exact", "whether no other answers may be there", a_bool, "false"),
    Option("nameserver", "whom to ask instead of the system's resolver", _a_nameserver),
    Option("degraded_above", "degraded when the answer takes longer", a_duration),
)


def _split_nameserver(text: str) -> tuple[str, int]:
    """Address and port. Raises ValueError."""
    host, colon, port = text.rpartition(":")
    if not colon or (":" in host and not host.startswith("[")):
        host, port = text, "53"
    return str(ip_address(host.strip("[]"))), int(port)


def normalise(value: object) -> tuple[str, dict[str, Any]]:
    """A name, or a mapping with `name`. Raises OptionError."""
    return take_target(value, "name", "a domain name")


def validate(target: str, options: Mapping[str, Any]) -> list[Problem]:
    """All that is wrong."""
    found = problems(options, OPTIONS)
    try:
        guard.plain_host(target)
    except guard.Refused as error:
        found.append((("name",), str(error)))
    return found


def authority(spec: ProbeSpec) -> str:
    """The name server, or the name where it is the system's."""
    return str(spec.options.get("nameserver") or spec.target)


def _resolver(spec: ProbeSpec, run: Run) -> dns.asyncresolver.Resolver:
    """The resolver to ask; a named server's address goes through the guard. Raises Refused."""
    server = spec.options.get("nameserver")
    if not server:
        return run.client.resolver.raw
    if run.plan is None:
        address, port = _split_nameserver(server)
        guard.judge([address], "nameserver", run.policy)
        run.plan = dns.asyncresolver.Resolver(configure=False)
        run.plan.nameservers, run.plan.port = [address], port
    resolver: dns.asyncresolver.Resolver = run.plan
    run.evidence["dialled"] = server
    return resolver


def _failed(error: dns.exception.DNSException, what: str) -> Failed:
    match error:
        case dns.resolver.NXDOMAIN():
            return Failed("down", "dns", f"{what}: there is no such name")
        case dns.resolver.NoAnswer():
            return Failed("down", "dns", f"{what}: there is no such record")
        case dns.resolver.NoNameservers():
            return Failed("down", "dns", f"{what}: the name servers refused to answer")
        case dns.exception.Timeout():
            return Failed("down", "timeout", f"{what}: no answer within the deadline")
    return Failed("down", "dns", f"{what}: {type(error).__name__}")


async def check(spec: ProbeSpec, run: Run) -> CheckResult:
    """One query, uncached."""
    record = spec.options.get("record", "A")
    resolver = _resolver(spec, run)
    began = time.monotonic()
    own = resolver is run.client.resolver.raw
    try:
        lifetime_s = resolve.share_of(run.left_s) if own else run.left_s
        answer = await resolver.resolve(spec.target, record, lifetime=lifetime_s, search=False)
    except dns.exception.DNSException as error:
        if own and resolve.is_silence(error) and not await run.client.resolver.reaches_the_world(spec.target, run.left_s):
            silent = Failed("unknown", "dns", f"our own resolver does not answer: nothing is known of {spec.target}")
            raise silent from error
        raise _failed(error, f"{spec.target} {record}") from error
    run.mark("dns", began)
    found = sorted(rdata.to_text() for rdata in answer)
    run.evidence["answers"] = found[:32]
    run.evidence["ttl_s"] = answer.rrset.ttl if answer.rrset is not None else None
    wanted = {_plain(text) for text in as_list(spec.options.get("answers"))}
    seen = {_plain(text) for text in found}
    if missing := wanted - seen:
        return run.result(
            "down", "assertion", f"missing: {', '.join(sorted(missing))}; found: {', '.join(found)[:200]}"
        )
    if spec.options.get("exact") and (extra := seen - wanted):
        return run.result("down", "assertion", f"not expected: {', '.join(sorted(extra))[:200]}")
    slow = spec.options.get("degraded_above")
    return run.timely("up", None if slow is None else duration_s(slow) * 1000)


def _plain(text: str) -> str:
    """Records as people write them: without quotes and final dots. Case decides in TXT only, where it is rare."""
    return text.strip('"').removesuffix(".").lower()

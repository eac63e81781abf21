"""The TLS probe: a handshake with a valid chain for the right name, enough days left on every certificate, no old protocol."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from probes import dial, guard, http, old_tls, stream
from probes.guard import Url
from probes.options import Option, Problem, a_duration, a_text, an_int, duration_s, one_of, problems, take_target
from probes.result import CheckResult
from probes.run import Failed, Run
from probes.secrets_at_use import has_reference
from probes.spec import ProbeSpec
from probes.transfer import Request, Transfer, TransferError

_DAYS = 14
_OLD_S = 2.0  # a server that leaves an old hello without an answer does not speak it

OPTIONS = (
    Option("server_name", "name to ask for and to find in the certificate, if not the host's own", a_text),
    Option("certificate_days", "degraded when a certificate of the chain ends sooner", an_int(0, 3650), str(_DAYS)),
    Option(
        "old_protocols",
        "what it means that the server still speaks TLS 1.1 or older: `degraded`, `down`, or `up`, which does not ask",
        one_of("degraded", "down", "up"),
        "degraded",
    ),
    Option("ca_file", "PEM file with the authorities to trust instead of the system's", a_text),
    Option("degraded_above", "degraded when the handshake takes longer", a_duration),
)


def normalise(value: object) -> tuple[str, dict[str, Any]]:
    """`host` or `host:port`, or a mapping with `address`. Raises OptionError."""
    return take_target(value, "address", "host or host:port")


def validate(target: str, options: Mapping[str, Any]) -> list[Problem]:
    """All that is wrong."""
    found = problems(options, OPTIONS)
    if not has_reference(target):
        try:
            dial.host_and_port(target, 443)
        except guard.Refused as error:
            found.append((("address",), str(error)))
    name = options.get("server_name")
    if isinstance(name, str) and name:
        try:
            guard.plain_host(name)
        except guard.Refused as error:
            found.append((("server_name",), str(error)))
    return found


def authority(spec: ProbeSpec) -> str:
    """Host and port."""
    return spec.target


async def check(spec: ProbeSpec, run: Run) -> CheckResult:
    """One handshake; a second, unverified one shows what a bad certificate says."""
    host, port = dial.host_and_port(run.vault.resolve(spec.target), 443)
    name = guard.plain_host(spec.options.get("server_name") or host)
    addresses = await run.addresses(host)
    request = Request(
        Url("https", name, port, "/"),
        certificates=True,
        ca_file=spec.options.get("ca_file"),
        http_version="1.1",
        connect_only=True,
    )
    try:
        transfer = await run.client.perform(request, run.policy, addresses, run.deadline)
    except TransferError as error:
        failed = http.failed(error)
        error.transfer.add_phases(run.phases)
        run.evidence["dialled"] = error.transfer.dialled
        run.client.discard(error.transfer)
        if failed.error_class == "certificate":
            await _look(request, addresses, run)
        raise failed from None
    try:
        result = _judge(spec, transfer, run)
    finally:
        run.client.discard(transfer)
    meaning = spec.options.get("old_protocols", "degraded")
    if result.outcome != "up" or meaning == "up":
        return result
    old = await _old_protocol(transfer.dialled, port, name, run)
    return result if old is None else run.result(meaning, "tls", f"the server still speaks {old}")


async def _old_protocol(address: str, port: int, name: str, run: Run) -> str | None:
    """The old version the server agrees to, of the address that was dialled; None also when there is no time to ask."""
    place = replace(run, phases={}, evidence={}, deadline=min(run.deadline, time.monotonic() + _OLD_S))
    try:
        async with stream.opened(place, address, port) as peer:
            return await old_tls.accepted(peer, name)
    except (OSError, EOFError, Failed):
        return None


async def _look(request: Request, addresses: list[str], run: Run) -> None:
    """Put the refused chain into evidence, if there is time left."""
    try:
        transfer = await run.client.perform(replace(request, insecure=True), run.policy, addresses, run.deadline)
    except TransferError as error:
        run.client.discard(error.transfer)
        return
    run.evidence["chain"] = chain(transfer)
    run.client.discard(transfer)


def chain(transfer: Transfer) -> list[dict[str, str]]:
    """The server's chain, leaf first: who, by whom, from when to when, for which names."""
    wanted = {
        "Subject": "subject",
        "Issuer": "issuer",
        "Start date": "from",
        "Expire date": "until",
        "X509v3 Subject Alternative Name": "names",
    }
    return [
        {short: entry[name][:300] for name, short in wanted.items() if name in entry}
        for entry in transfer.certificates()[:8]
    ]


def _judge(spec: ProbeSpec, transfer: Transfer, run: Run) -> CheckResult:
    transfer.add_phases(run.phases)
    run.evidence["dialled"] = transfer.dialled
    days = http.certificate_days(transfer)
    if days is None:
        return run.result("unknown", "internal", "the chain could not be read")
    least = spec.options.get("certificate_days", _DAYS)
    run.evidence["certificate_days"] = round(days, 1)
    if run.detail or days < least:
        run.evidence["chain"] = chain(transfer)
    if days < least:
        return run.result("degraded", "certificate", f"a certificate of the chain ends in {days:.0f} days")
    slow = spec.options.get("degraded_above")
    return run.timely("up", None if slow is None else duration_s(slow) * 1000)

"""The chain probe: all endpoints of one chain at once, and the one verdict they give together."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlsplit

from probes import http
from probes.chains import antelope, aptos, bitcoin, canary, evm, memory, rpc, solana, substrate, tron
from probes.chains.record import Endpoint, Record
from probes.chains.settle import OK, Memory, Verdict, component_status_of, outcome_of
from probes.chains.verdict import Limits, Poll, judge
from probes.options import (
    Option,
    Problem,
    a_bool,
    a_duration,
    a_list,
    a_text,
    an_int,
    anything,
    duration_s,
    inside,
    one_of,
    problems,
    take_target,
    texts_by_name,
)
from probes.result import CheckResult
from probes.run import Run
from probes.spec import ProbeSpec

Reader = Callable[[Endpoint, Run], Awaitable[Record]]
FAMILIES: dict[str, Reader] = {
    "evm": evm.read,
    "bitcoin": bitcoin.read,
    "tron": tron.read,
    "solana": solana.read,
    "aptos": aptos.read,
    "substrate": substrate.read,
    "antelope": antelope.read,
}
_POLLS = 10  # kept for each monitor
_MAX_ENDPOINTS = 16
_GAP_S = 120.0  # after a longer silence of ours what was known is forgotten


def _an_identity(value: object) -> list[Problem]:
    good = (isinstance(value, int) and not isinstance(value, bool) and value >= 0) or (isinstance(value, str) and value)
    return [] if good else [((), "must be the chain's number, or the name or genesis hash its family uses")]


def _a_number(value: object) -> list[Problem]:
    good = isinstance(value, int | float) and not isinstance(value, bool) and value > 0
    return [] if good else [((), "must be a number above 0")]


def _a_pair(value: object) -> list[Problem]:
    good = isinstance(value, list | tuple) and len(value) == 2 and not any(_a_number(each) for each in value)
    return [] if good else [((), "must be two numbers: [warn, down]")]


def _a_url(value: object) -> list[Problem]:
    return [((), text) for _, text in http.url_problems(value)] if isinstance(value, str) else [((), "must be a text")]


_ENDPOINT = (
    Option("url", "address of the endpoint", _a_url),
    Option("role", "`own`, or a `reference` to compare with", one_of("own", "reference"), "own"),
    Option("supplier", "who runs it; endpoints of one supplier are one witness", a_text, "the host's domain"),
    Option("headers", "request headers", texts_by_name),
    Option("op_node", "on an OP stack: address of the own op-node, asked for `optimism_syncStatus`", _a_url),
)

OPTIONS = (
    Option("family", "how to ask", one_of(*FAMILIES)),
    Option(
        "endpoints", "own endpoints and references", a_list(inside(_ENDPOINT), one_is_enough=False), inner=_ENDPOINT
    ),
    Option(
        "chain_id", "what must answer: the chain's number, or the name or genesis hash its family uses", _an_identity
    ),
    Option("canary", "a balance that never is zero, asked of every endpoint", anything, inner=canary.OPTIONS),
    Option("block_s", "expected seconds between blocks", _a_number, "12"),
    Option("lag_blocks", "an own head that many blocks behind: [warn, down]", _a_pair),
    Option("lag_s", "an own head that many seconds behind: [warn, down]", _a_pair, "[60, 180]"),
    Option("halt_s", "the chain is halted when no reference moved for so many seconds", _a_number, "300"),
    Option("slow_factor", "the chain is slow when blocks take that many times longer", _a_number, "2"),
    Option("slow_s", "a memoryless chain is slow after so many seconds without a block", _a_number),
    Option(
        "memoryless",
        "whether the time to the next block does not depend on the last one, as on Bitcoin",
        a_bool,
        "false",
    ),
    Option("empty_blocks", "whether blocks come without transactions too", a_bool, "true"),
    Option("finality_warn_s", "finality is delayed when the final block is older", _a_number),
    Option("safe_warn_s", "on an OP stack: finality is delayed when the newest block posted below is older", _a_number),
    Option("stack", "`op` for an OP stack, whose `safe` block is asked for as well", one_of("op")),
    Option("final_tag", "what evm nodes call the final block", one_of("finalized", "safe"), "finalized"),
    Option(
        "cluster_delta",
        "how many blocks apart references may be and still agree",
        an_int(1, 1000),
        "2 s, 2 to 10 blocks",
    ),
    Option("confirm_s", "a bad verdict holds after three polls and at least so many seconds", _a_number, "60"),
    Option("head_age_degraded", "without references: degraded when the own head is older", a_duration, "60s"),
    Option("head_age_down", "without references: down when the own head is older", a_duration, "180s"),
    Option("ca_file", "PEM file with the authorities to trust instead of the system's", a_text),
    Option("degraded_above", "degraded when every own endpoint takes longer", a_duration, "5s"),
)


def normalise(value: object) -> tuple[str, dict[str, Any]]:
    """A mapping with `name`, the chain's id. Raises OptionError."""
    return take_target(value, "name", "the chain's id, such as ethereum")


def validate(_target: str, options: Mapping[str, Any]) -> list[Problem]:
    """All that is wrong."""
    found = problems(options, OPTIONS)
    found += [((), f"{name} is missing") for name in ("family", "endpoints") if name not in options]
    endpoints = options.get("endpoints")
    if isinstance(endpoints, list | tuple):
        if not 1 <= len(endpoints) <= _MAX_ENDPOINTS:
            found.append((("endpoints",), f"name 1 to {_MAX_ENDPOINTS} endpoints"))
        for index, each in enumerate(endpoints):
            if isinstance(each, Mapping) and "url" not in each:
                found.append((("endpoints", index), "url is missing"))
    if "canary" in options and options.get("family") in FAMILIES:
        found += [(("canary", *path), text) for path, text in _canary_problems(options)]
    return found


def _canary_problems(options: Mapping[str, Any]) -> list[Problem]:
    found = canary.problems(options["canary"], options["family"])
    if found or options["family"] != "bitcoin":
        return found
    given = options.get("endpoints")
    own = [each for each in given or () if isinstance(each, Mapping) and each.get("role", "own") == "own"]
    return canary.unasked(options["canary"], [str(each.get("url", "")) for each in own])


def authority(spec: ProbeSpec) -> str:
    """The first own endpoint's host and port: what the monitor is about."""
    endpoints = spec.options["endpoints"]
    own = next((each for each in endpoints if each.get("role", "own") == "own"), endpoints[0])
    return http.authority(replace(spec, target=own["url"]))


@dataclass(slots=True)
class Plan:
    """What is kept between runs of one monitor: its endpoints with what they taught us, the last polls, the verdict's memory."""

    endpoints: list[Endpoint]
    limits: Limits
    polls: deque[Poll] = field(default_factory=lambda: deque(maxlen=_POLLS))
    memory: Memory = field(default_factory=Memory)


def make_plan(spec: ProbeSpec) -> Plan:
    """Endpoints and limits of `spec`; endpoints are named own-1, reference-1 and so on."""
    options = spec.options
    counts = {"own": 0, "reference": 0}
    endpoints = []
    identity = options.get("chain_id")
    for each in options["endpoints"]:
        role = each.get("role", "own")
        counts[role] += 1
        endpoints.append(
            Endpoint(
                spec.target, f"{role}-{counts[role]}", each["url"], role,
                supplier=each.get("supplier") or _domain(each["url"]),
                headers=each.get("headers") or {},
                identity=None if identity is None else str(identity),
                ca_file=options.get("ca_file"),
                canary=options.get("canary"),
                final_tag=options.get("final_tag", "finalized"),
                stack=options.get("stack", ""),
                op_node=_op_node(spec, each, options),
            )
        )  # fmt: skip
    return Plan(endpoints, _limits(options))


def _op_node(spec: ProbeSpec, each: Mapping[str, Any], options: Mapping[str, Any]) -> Endpoint | None:
    """The op-node beside an endpoint: an address with pauses of its own."""
    if not each.get("op_node"):
        return None
    return Endpoint(spec.target, "op-node", each["op_node"], each.get("role", "own"), ca_file=options.get("ca_file"))


def _limits(options: Mapping[str, Any]) -> Limits:
    given: dict[str, Any] = {
        name: tuple(options[name]) if isinstance(options[name], list) else options[name]
        for name in Limits.__dataclass_fields__
        if options.get(name) is not None
    }
    ages = (duration_s(options.get("head_age_degraded", "60s")), duration_s(options.get("head_age_down", "180s")))
    return Limits(**given, head_age_s=ages)


def _domain(url: str) -> str:
    """Whom to take for the supplier: the last two labels of a name, a whole address, or the text of a reference."""
    host = urlsplit(url).hostname or url
    labels = host.split(".")
    return host if ":" in host or labels[-1].isdigit() else ".".join(labels[-2:])


async def check(spec: ProbeSpec, run: Run) -> CheckResult:
    """All endpoints at once, within the one deadline, and the verdict over this poll and those before."""
    family = spec.options["family"]
    if run.plan is None:
        run.plan = make_plan(spec)
        memory.recall(family, run.plan.endpoints, spec.memory, run.at_ms)
    plan: Plan = run.plan
    read = FAMILIES[family]
    places = [replace(run, phases={}, evidence={}) for _ in plan.endpoints]
    records = await asyncio.gather(
        *(_read(read, family, each, place) for each, place in zip(plan.endpoints, places, strict=True))
    )
    last_ms = plan.polls[-1].at_ms if plan.polls else run.at_ms
    if not last_ms <= run.at_ms <= last_ms + 1000 * max(_GAP_S, 5 * spec.interval_s):
        plan.polls.clear()  # we were away, or the clock was set: nothing of before can be compared
        plan.memory = Memory()
    plan.polls.append(Poll(run.at_ms, tuple(records)))
    verdict = judge(list(plan.polls), plan.limits, plan.memory)
    plan.memory = verdict.memory
    for each in plan.endpoints:
        each.compare_height = verdict.finding.compare_height
    run.phases = next((place.phases for place, each in zip(places, records, strict=True) if each.role == "own"), {})
    run.evidence |= {**verdict.to_json(), "component_status": component_status_of(verdict)}
    run.evidence["endpoints"] = [
        _shown(record, place, detail=run.detail) for record, place in zip(records, places, strict=True)
    ]
    return replace(_conclude(spec, run, verdict, records), memory=memory.news(family, plan.endpoints))


async def _read(read: Reader, family: str, endpoint: Endpoint, place: Run) -> Record:
    """The endpoint's record with its canary, which evm asks for in the same batch."""
    record = await read(endpoint, place)
    if family == "evm" or not record.ok or not record.chain_id_ok:
        return record
    facts = await canary.facts(endpoint, place, family)
    if facts.get("canary_error") == "rate_limited":
        rpc.leave_alone(endpoint, place, "rate_limited")
    return replace(record, **facts)


def _shown(record: Record, place: Run, *, detail: bool) -> dict[str, Any]:
    """One endpoint's record, with what its transfers left behind when they failed or when everything is asked for."""
    if detail:
        return record.to_json() | {"phases": place.phases} | place.evidence
    left = () if record.ok else ("status", "retry_after", "dialled", "body")
    return record.to_json() | {name: place.evidence[name] for name in left if name in place.evidence}


def _conclude(spec: ProbeSpec, run: Run, verdict: Verdict, records: list[Record]) -> CheckResult:
    """The verdict as a result; a canary without its funds goes first: the wallet shows too little whatever the chain does."""
    balances = canary.judge(records, spec.options.get("canary"))
    outcome, error_class = outcome_of(verdict)
    if balances is not None and (balances.outcome == "down" or outcome == "up"):
        if balances.is_told_by_others:
            status = "partial_outage" if balances.outcome == "down" else "degraded"
            run.evidence |= {"state": canary.STATE, "component_status": status}
        return run.result(balances.outcome, balances.error_class, balances.words)
    if outcome != "up":
        return run.result(outcome, error_class, f"{verdict.state}: {verdict.finding.path[-1]}")
    slow_ms = duration_s(spec.options.get("degraded_above", "5s")) * 1000
    own_ms = min((each.latency_ms for each in records if each.ok and each.role == "own"), default=0.0)
    if own_ms > slow_ms:
        return run.result("degraded", "slow", f"took {own_ms:.0f} ms, more than {slow_ms:.0f} ms")
    return run.result("up", None, "" if verdict.state == OK else f"{verdict.state}: {verdict.finding.path[-1]}")

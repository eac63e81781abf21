"""The EVM probe: the right chain, a young head, and a balance that never is zero. Head age beats every sync flag."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from probes import http
from probes.chains import errors
from probes.chains.errors import RpcError
from probes.options import (
    Option,
    Problem,
    a_duration,
    a_text,
    duration_s,
    inside,
    one_of,
    problems,
    take_target,
    texts_by_name,
)
from probes.result import CheckResult
from probes.run import Failed, Run
from probes.spec import ProbeSpec
from probes.transfer import Request

_MAX_BODY = 256 * 1024  # the hashes of a large block's transactions
_CLOCK_FAULT_S = -15.0
_WEI = 10**18
_ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}")


def _a_chain_id(value: object) -> list[Problem]:
    good = isinstance(value, int) and not isinstance(value, bool) and value > 0
    return [] if good else [((), "must be the chain's number, such as 1 for Ethereum")]


def _an_address(value: object) -> list[Problem]:
    good = isinstance(value, str) and _ADDRESS.fullmatch(value)
    return [] if good else [((), "must be an address: 0x and 40 hexadecimal digits, in quotes")]


def _an_amount(value: object) -> list[Problem]:
    good = isinstance(value, (int, float)) and not isinstance(value, bool) and value > 0
    return [] if good else [((), "must be an amount above 0, in whole coins")]


_CANARY = (
    Option("address", "an address that always holds funds", _an_address),
    Option("min_balance", "down when its balance is below this, in whole coins", _an_amount, "any"),
)

OPTIONS = (
    Option("chain_id", "number of the chain that must answer", _a_chain_id),
    Option("head_age_degraded", "degraded when the newest block is older", a_duration, "60s"),
    Option("head_age_down", "down when the newest block is older", a_duration, "180s"),
    Option(
        "role", "`own`, or a `reference` whose limits say nothing about the wallet", one_of("own", "reference"), "own"
    ),
    Option(
        "canary",
        "a balance that never is zero: catches a node that answers from nothing",
        inside(_CANARY),
        inner=_CANARY,
    ),
    Option("headers", "request headers", texts_by_name),
    Option("ca_file", "PEM file with the authorities to trust instead of the system's", a_text),
    Option("degraded_above", "degraded when the whole run takes longer", a_duration, "5s"),
)


def normalise(value: object) -> tuple[str, dict[str, Any]]:
    """`https://...`, or a mapping with `url`. Raises OptionError."""
    return take_target(value, "url", "an RPC address that begins with https:// or http://")


def validate(target: str, options: Mapping[str, Any]) -> list[Problem]:
    """All that is wrong."""
    found = http.url_problems(target) + problems(options, OPTIONS)
    canary = options.get("canary")
    if isinstance(canary, Mapping) and "address" not in canary:
        found.append((("canary",), "address is missing"))
    return found


def authority(spec: ProbeSpec) -> str:
    """Host and port."""
    return http.authority(spec)


@dataclass(slots=True)
class Plan:
    """The calls, in the order of their ids; and whether this endpoint takes them in one batch."""

    calls: list[dict[str, Any]]
    batch: bool = True


def _plan(spec: ProbeSpec) -> Plan:
    methods: list[tuple[str, list[Any]]] = [("eth_chainId", []), ("eth_getBlockByNumber", ["latest", False])]
    canary = spec.options.get("canary")
    if canary:
        methods.append(("eth_getBalance", [canary["address"], "latest"]))
    return Plan(
        [
            {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
            for number, (method, params) in enumerate(methods, 1)
        ]
    )


async def check(spec: ProbeSpec, run: Run) -> CheckResult:
    """Chain id, head and canary, in one batch where the endpoint takes batches."""
    if run.plan is None:
        run.plan = _plan(spec)
    plan: Plan = run.plan
    answers: dict[int, Any] | None = None
    if plan.batch:
        answers = _by_id(await _post(plan.calls, spec, run))
        plan.batch = answers is not None
    if answers is None:
        answers = {call["id"]: await _post(call, spec, run) for call in plan.calls}
    results = [_result(answers.get(call["id"]), call["method"], spec) for call in plan.calls]
    return _judge(spec, run, results)


def _verdict(spec: ProbeSpec, error_class: str, message: str) -> Failed:
    outcome, name = errors.outcome_of(error_class, is_own=spec.options.get("role", "own") == "own")
    return Failed(outcome, name, message)


async def _post(payload: Any, spec: ProbeSpec, run: Run) -> Any:  # noqa: ANN401 - JSON in, JSON out
    """The JSON an endpoint answers, whatever its status: an error object explains more than a number. Raises Failed."""
    secret = run.vault
    options = {"json": payload, "headers": secret.resolve_all(spec.options.get("headers") or {})}
    request: Request = http.make_request(
        secret.resolve(spec.target), {**options, "max_body": _MAX_BODY, "ca_file": spec.options.get("ca_file")}
    )
    transfer = await http.send(request, run)
    try:
        status, capped, body = transfer.status, transfer.body_capped, bytes(transfer.body)
        run.evidence["status"] = status
        retry_after = transfer.headers().get("retry-after")
        if retry_after is not None:
            run.evidence["retry_after"] = retry_after[:40]
        if run.detail or not 200 <= status < 300:
            http.show(request, transfer, run)
    finally:
        run.client.release(transfer)
    text = body.decode("utf-8", "replace")
    try:
        value = None if capped else json.loads(body)
    except (ValueError, RecursionError):
        value = None
    if isinstance(value, dict | list) and (200 <= status < 300 or _errors_in(value)):
        return value
    error_class = errors.of_status(status, text) or errors.of_text(text) or ("body_cap" if capped else "bad_body")
    run.evidence["body"] = text[:300]
    raise _verdict(spec, error_class, f"answered {status} without a readable result")


def _errors_in(value: dict[str, Any] | list[Any]) -> bool:
    return any(isinstance(each, dict) and each.get("error") for each in (value if isinstance(value, list) else [value]))


def _by_id(value: Any) -> dict[int, Any] | None:  # noqa: ANN401 - JSON
    """Answers by the id of their call; None when the endpoint does not take batches."""
    if not isinstance(value, list):
        return None
    return {each["id"]: each for each in value if isinstance(each, dict) and isinstance(each.get("id"), int)}


def _result(answer: Any, method: str, spec: ProbeSpec) -> Any:  # noqa: ANN401 - JSON
    """The result of one call. Raises Failed for an error, which may come with HTTP 200."""
    if not isinstance(answer, dict):
        raise _verdict(spec, "bad_body", f"{method}: no answer")
    error = answer.get("error")
    if error:
        code = error.get("code") if isinstance(error, dict) else None
        message = str(error.get("message", "") if isinstance(error, dict) else error)
        rpc = RpcError(code if isinstance(code, int) else 0, message)
        raise _verdict(spec, errors.of_evm(rpc), f"{method}: error {rpc.code}: {message[:160]}")
    return answer.get("result")


def _quantity(value: Any, what: str, spec: ProbeSpec) -> int:  # noqa: ANN401 - JSON
    """A number written 0x.... Raises Failed."""
    if isinstance(value, str) and value.startswith("0x"):
        try:
            return int(value, 16)
        except ValueError:
            pass
    raise _verdict(spec, "bad_body", f"{what} is {str(value)[:60]!r}, not a number")


def _judge(spec: ProbeSpec, run: Run, results: list[Any]) -> CheckResult:
    options = spec.options
    chain_id = _quantity(results[0], "chain id", spec)
    run.evidence["chain_id"] = chain_id
    if chain_id != options.get("chain_id", chain_id):
        raise _verdict(spec, "wrong_chain", f"chain {chain_id} answered, not {options['chain_id']}")
    block = results[1]
    if not isinstance(block, dict):
        raise _verdict(spec, "bad_body", "there is no latest block")
    height, stamp = _quantity(block.get("number"), "height", spec), _quantity(block.get("timestamp"), "time", spec)
    age_s = run.at_ms / 1000 - stamp
    run.evidence |= {"height": height, "head_hash": str(block.get("hash"))[:66], "head_age_s": round(age_s, 1)}
    if age_s < _CLOCK_FAULT_S:
        return run.result("unknown", "internal", f"the newest block is {-age_s:.0f} s ahead: compare the clocks")
    if len(results) > 2:
        failed = _judge_canary(options["canary"], _quantity(results[2], "balance", spec), run)
        if failed is not None:
            return failed
    if age_s > duration_s(options.get("head_age_down", "180s")):
        return run.result("down", "head_stale", f"the newest block is {age_s:.0f} s old")
    if age_s > duration_s(options.get("head_age_degraded", "60s")):
        return run.result("degraded", "head_stale", f"the newest block is {age_s:.0f} s old")
    return run.timely("up", duration_s(options.get("degraded_above", "5s")) * 1000)


def _judge_canary(canary: Mapping[str, Any], balance_wei: int, run: Run) -> CheckResult | None:
    coins = balance_wei / _WEI
    run.evidence["canary_balance"] = coins
    if balance_wei == 0 or coins < canary.get("min_balance", 0):
        return run.result("down", "assertion", f"the canary's balance shows {coins:g}: balances may show too little")
    return None

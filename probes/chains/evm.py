"""The EVM probe: the right chain, a young head, and a balance that never is zero. Head age beats every sync flag."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from probes import http
from probes.chains import canary, rpc, usual
from probes.chains.record import Endpoint, Fee, Record
from probes.chains.rpc import BAD_BODY, WRONG_CHAIN, Call, Refusal
from probes.options import (
    Option,
    Problem,
    a_duration,
    a_text,
    duration_s,
    one_of,
    problems,
    take_target,
    texts_by_name,
)
from probes.result import CheckResult
from probes.run import Run
from probes.spec import ProbeSpec

_MAX_BODY = 256 * 1024  # the hashes of a large block's transactions
_MAX_BODIES = 1024 * 1024  # of up to three such blocks
_ESTIMATED_DEPTH = 1024
_CLOCK_FAULT_S = -15.0


def _a_chain_id(value: object) -> list[Problem]:
    good = isinstance(value, int) and not isinstance(value, bool) and value > 0
    return [] if good else [((), "must be the chain's number, such as 1 for Ethereum")]



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
        lambda value: canary.problems(value, "evm"),
        inner=tuple(each for each in canary.OPTIONS if each.name != "output"),
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
    return http.url_problems(target) + problems(options, OPTIONS)


def authority(spec: ProbeSpec) -> str:
    """Host and port."""
    return http.authority(spec)


def _endpoint(spec: ProbeSpec) -> Endpoint:
    options = spec.options
    return Endpoint(
        "",
        spec.monitor_id,
        spec.target,
        options.get("role", "own"),
        headers=options.get("headers") or {},
        ca_file=options.get("ca_file"),
        canary=options.get("canary"),
    )


async def check(spec: ProbeSpec, run: Run) -> CheckResult:
    """Chain id, head and canary, in one batch where the endpoint takes batches."""
    if run.plan is None:
        run.plan = _endpoint(spec)
    endpoint: Endpoint = run.plan
    calls = [Call("eth_chainId"), Call("eth_getBlockByNumber", ("latest", False)), *_canary_calls(endpoint)]
    try:
        results = [
            rpc.demanded(result) for result in await rpc.call_all(endpoint, run, calls, "evm", max_body=_MAX_BODY)
        ]
        return _judge(spec, run, results)
    except Refusal as refusal:
        raise rpc.as_failed(refusal, is_own=endpoint.role == "own") from None


def _canary_calls(endpoint: Endpoint) -> list[Call]:
    return [canary.evm_call(endpoint.canary)] if endpoint.canary else []


async def read(endpoint: Endpoint, run: Run) -> Record:
    """The endpoint's record: head, what is final, fees, and the hash at the height to compare."""
    return await rpc.recorded(endpoint, run, _read)


async def _read(endpoint: Endpoint, run: Run) -> dict[str, Any]:
    calls = _calls(endpoint)
    answers, synced = await asyncio.gather(
        rpc.call_all(endpoint, run, list(calls.values()), "evm", max_body=_MAX_BODIES), _sync_status(endpoint, run)
    )
    results = dict(zip(calls, answers, strict=True))
    block = rpc.a_mapping(rpc.demanded(results["head"]), "latest block")
    height = _quantity(block.get("number"), "height")
    facts: dict[str, Any] = {
        "chain_id": str(_quantity(rpc.demanded(results["chain"]), "chain id")),
        "head_height": height,
        "head_hash": rpc.a_text(block.get("hash"), 66),
        "head_ms": rpc.a_time_ms(_quantity(block.get("timestamp"), "time"), 0.001, "time"),
        "syncing": is_syncing(rpc.optional(results["syncing"])),
        "fee": _fee(endpoint, run.at_ms, block, rpc.optional(results["fees"]), rpc.optional(results.get("price"))),
        **_final(rpc.optional(results["final"]), height),
        **_safe(rpc.optional(results.get("safe"))),
        **synced,
    }
    if endpoint.canary:
        facts |= canary.told(canary.evm_amount(results["canary"]), endpoint.canary, "evm")
    if endpoint.compare_height is not None:
        compared = rpc.optional(results["compared"])
        facts["check_height"] = endpoint.compare_height
        facts["check_hash"] = rpc.a_text(compared.get("hash"), 66) if isinstance(compared, dict) else None
    return facts


def _calls(endpoint: Endpoint) -> dict[str, Call]:
    """What is asked in one batch. The hash to compare is asked of a height, everything else of a tag."""
    calls = {
        "chain": Call("eth_chainId"),
        "head": Call("eth_getBlockByNumber", ("latest", False)),
        "final": Call("eth_getBlockByNumber", (endpoint.final_tag, False)),
        "syncing": Call("eth_syncing"),
        "fees": Call("eth_feeHistory", ("0x14", "latest", [10, 90])),
    }
    if endpoint.asks_price:
        calls["price"] = Call("eth_gasPrice")
    if endpoint.stack == "op":
        calls["safe"] = Call("eth_getBlockByNumber", ("safe", False))
    if endpoint.canary:
        calls["canary"] = canary.evm_call(endpoint.canary)
    if endpoint.compare_height is not None:
        calls["compared"] = Call("eth_getBlockByNumber", (hex(endpoint.compare_height), False))
    return calls


async def _sync_status(endpoint: Endpoint, run: Run) -> dict[str, Any]:
    """What the op-node knows of the chain below; the block tags tell the rest where it does not answer."""
    if endpoint.op_node is None:
        return {}
    status = await rpc.aside(endpoint.op_node, run, Call("optimism_syncStatus"), "evm")
    if not isinstance(status, dict):
        return {"error_text": str(status) if isinstance(status, Refusal) else "optimism_syncStatus: no answer"}
    facts: dict[str, Any] = {}
    for side, name in (("safe", "safe_l2"), ("final", "finalized_l2")):
        block = status.get(name)
        height = rpc.maybe_integer(block.get("number")) if isinstance(block, dict) else None
        if height and isinstance(block, dict):  # the first block is what a node says that does not know yet
            facts |= {f"{side}_height": height, f"{side}_ms": rpc.a_time_ms(block.get("timestamp"), 0.001, "time")}
            facts |= {"final_is_estimate": False} if side == "final" else {}
    read, seen = (
        rpc.maybe_integer(each.get("number")) if isinstance(each, dict) else None
        for each in (status.get("current_l1"), status.get("head_l1"))
    )
    if read is not None and seen is not None:
        facts["l1_behind"] = max(0, seen - read)
    return facts


def is_syncing(value: Any) -> bool | None:  # noqa: ANN401 - JSON
    """What `eth_syncing` says in any of its shapes: false, true, progress, Nitro's backlog, `{"Ok": bool}`."""
    if isinstance(value, dict):
        return value["Ok"] if isinstance(value.get("Ok"), bool) else bool(value)
    return value if isinstance(value, bool) else None


def _final(block: Any, height: int) -> dict[str, Any]:  # noqa: ANN401 - JSON
    """What is final; a node without the tag gets an estimate by depth."""
    if not isinstance(block, dict):
        return {"final_height": max(0, height - _ESTIMATED_DEPTH), "final_is_estimate": True}
    return {
        "final_height": _quantity(block.get("number"), "final height"),
        "final_ms": rpc.a_time_ms(_quantity(block.get("timestamp"), "final time"), 0.001, "final time"),
    }


def _safe(block: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    """What an OP stack has posted below, where the endpoint tells."""
    if not isinstance(block, dict):
        return {}
    return {
        "safe_height": _quantity(block.get("number"), "safe height"),
        "safe_ms": rpc.a_time_ms(_quantity(block.get("timestamp"), "safe time"), 0.001, "safe time"),
    }


def _fee(endpoint: Endpoint, at_ms: int, block: Mapping[str, Any], history: Any, asked: Any) -> Fee | None:  # noqa: ANN401 - JSON
    """The next block's base fee and how full the last blocks are.

    Where there is no base fee, or it always is zero, the price that the endpoint advises stands in its place; it is asked
    for from the next poll on.
    """
    history = history if isinstance(history, dict) else {}
    bases, ratios = history.get("baseFeePerGas"), history.get("gasUsedRatio")
    base = rpc.maybe_integer(bases[-1] if isinstance(bases, list) and bases else block.get("baseFeePerGas"))
    endpoint.asks_price = not base
    price = base or rpc.maybe_integer(asked)
    told = [each for each in ratios if isinstance(each, int | float)] if isinstance(ratios, list) else []
    used, limit = rpc.maybe_integer(block.get("gasUsed")), rpc.maybe_integer(block.get("gasLimit"))
    full = endpoint.usual.fullness(told, used / limit if used is not None and limit else None)
    dearness = endpoint.usual.dearness(price, at_ms)
    if price is None and full is None:
        return None
    gwei = None if price is None else price / 1e9
    return Fee("gwei", gwei, gwei, usual.pressure(full, dearness, price_follows=bool(base)))


def _quantity(value: Any, what: str) -> int:  # noqa: ANN401 - JSON
    """A number written 0x.... Raises Refusal."""
    if isinstance(value, str) and value.startswith("0x"):
        return rpc.an_integer(value, what)
    raise Refusal(BAD_BODY, f"{what} is {str(value)[:60]!r}, not a number")


def _judge(spec: ProbeSpec, run: Run, results: list[Any]) -> CheckResult:
    options = spec.options
    chain_id = _quantity(results[0], "chain id")
    run.evidence["chain_id"] = chain_id
    if chain_id != options.get("chain_id", chain_id):
        raise Refusal(WRONG_CHAIN, f"chain {chain_id} answered, not {options['chain_id']}")
    block = rpc.a_mapping(results[1], "latest block")
    height, stamp = _quantity(block.get("number"), "height"), _quantity(block.get("timestamp"), "time")
    age_s = run.at_ms / 1000 - stamp
    run.evidence |= {"height": height, "head_hash": str(block.get("hash"))[:66], "head_age_s": round(age_s, 1)}
    if age_s < _CLOCK_FAULT_S:
        return run.result("unknown", "internal", f"the newest block is {-age_s:.0f} s ahead: compare the clocks")
    if len(results) > 2:
        failed = _judge_canary(options["canary"], canary.told(canary.evm_amount(results[2]), options["canary"], "evm"), run)
        if failed is not None:
            return failed
    if age_s > duration_s(options.get("head_age_down", "180s")):
        return run.result("down", "head_stale", f"the newest block is {age_s:.0f} s old")
    if age_s > duration_s(options.get("head_age_degraded", "60s")):
        return run.result("degraded", "head_stale", f"the newest block is {age_s:.0f} s old")
    return run.timely("up", duration_s(options.get("degraded_above", "5s")) * 1000)


def _judge_canary(wanted: Mapping[str, Any], told: Mapping[str, Any], run: Run) -> CheckResult | None:
    coins = told.get("canary_balance")
    if coins is None:
        raise Refusal(told["canary_error"], "the canary's balance cannot be read")
    run.evidence["canary_balance"] = coins
    if coins == 0 or coins < wanted.get("min_balance", 0):
        return run.result("down", "assertion", f"the canary's balance shows {coins:g}: balances may show too little")
    return None

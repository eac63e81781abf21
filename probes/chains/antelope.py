"""EOS (Vaulta) and its kin. Times are UTC and do not say so."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any

from probes.chains import errors, rpc
from probes.chains.errors import RpcError
from probes.chains.record import Endpoint, Fee, Record
from probes.chains.rpc import BAD_BODY, OVERLOADED, Refusal
from probes.run import Run

_RELAXED = 1000.0  # an idle chain lends accounts up to a thousand times what one block holds


async def read(endpoint: Endpoint, run: Run) -> Record:
    """The endpoint's record, from one call."""
    return await rpc.recorded(endpoint, run, _read)


async def _read(endpoint: Endpoint, run: Run) -> dict[str, Any]:
    info = await _ask(endpoint, run, "/v1/chain/get_info", {})
    final_time = info.get("last_irreversible_block_time")
    facts: dict[str, Any] = {
        "chain_id": rpc.a_text(info.get("chain_id"), 64),
        "head_height": rpc.an_integer(info.get("head_block_num"), "head"),
        "head_hash": rpc.a_text(info.get("head_block_id"), 64),
        "head_ms": _time_ms(info.get("head_block_time")),
        "final_height": rpc.maybe_integer(info.get("last_irreversible_block_num")),
        "final_ms": _time_ms(final_time) if final_time is not None else None,
        "client": rpc.a_text(info.get("server_version_string"), 40),
        "fee": _resources(endpoint, info),
    }
    if endpoint.compare_height is not None:
        facts |= {"check_height": endpoint.compare_height, "check_hash": await _id_at(endpoint, run)}
    return facts


async def _ask(endpoint: Endpoint, run: Run, path: str, payload: dict[str, Any]) -> dict[str, Any]:
    """One answer; an error is an object in an object, with HTTP 500 or 200. Raises Refusal."""
    value = rpc.a_mapping(await rpc.ask(endpoint, run, path, payload), "answer")
    error = value.get("error")
    if not error:
        return value
    inner = error if isinstance(error, dict) else {"name": str(error)}
    code = inner.get("code")
    text = f"{inner.get('name', '')}: {inner.get('what', value.get('message', ''))}"[:200]
    error_class = errors.of_family("antelope", RpcError(code if isinstance(code, int) else 0, text))
    raise Refusal(OVERLOADED if error_class == "bad_body" else error_class, f"error {code}: {text}")


async def _id_at(endpoint: Endpoint, run: Run) -> str | None:
    """The block id at the height to compare, None where this node does not tell."""
    try:
        block = await _ask(endpoint, run, "/v1/chain/get_block_info", {"block_num": endpoint.compare_height})
    except Refusal:
        return None
    return rpc.a_text(block.get("id"), 64)


def _resources(endpoint: Endpoint, info: dict[str, Any]) -> Fee | None:
    """How far the chain has cut what it lends: nobody pays fees here, a busy chain gives accounts less CPU.

    What a block holds is the largest limit seen: the one in the answer is what is left of the block in the making.
    """
    lent, left = (rpc.maybe_integer(info.get(name)) for name in ("virtual_block_cpu_limit", "block_cpu_limit"))
    if not lent or left is None:
        return None
    endpoint.usual.most = max(endpoint.usual.most, left)
    if not endpoint.usual.most:
        return None
    times = max(1.0, lent / endpoint.usual.most)
    pressure = 1 - math.log(times) / math.log(_RELAXED)
    return Fee("us of cpu", lent, lent, round(max(0.0, pressure), 3))


def _time_ms(value: Any) -> int:  # noqa: ANN401 - JSON
    """Milliseconds of an ISO time, UTC unless it says otherwise. Raises Refusal."""
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        moment = None
    if moment is None:
        raise Refusal(BAD_BODY, f"the head's time is {str(value)[:40]!r}")
    aware = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    return int(aware.timestamp() * 1000)

"""TRON: java-tron's HTTP interface. Its eth_syncing is never asked: it invents the highest block from the clock."""

from __future__ import annotations

import asyncio
import re
from typing import Any

from probes.chains import errors, rpc
from probes.chains.record import Endpoint, Fee, Record
from probes.chains.rpc import BAD_BODY, NODE_BEHIND, Refusal
from probes.run import Run

_SOLID = re.compile(r"Num:(\d{1,18}),ID:([0-9a-fA-F]{1,64})")


async def read(endpoint: Endpoint, run: Run) -> Record:
    """The endpoint's record. The chain's number is the end of its first block's id."""
    return await rpc.recorded(endpoint, run, _read)


async def _read(endpoint: Endpoint, run: Run) -> dict[str, Any]:
    head, genesis, node, prices, compared = await asyncio.gather(
        _block(endpoint, run, None),
        _maybe(_block(endpoint, run, 0)),
        _maybe(_ask(endpoint, run, "/wallet/getnodeinfo")),
        _maybe(_ask(endpoint, run, "/wallet/getenergyprices")),
        _maybe(_block(endpoint, run, endpoint.compare_height) if endpoint.compare_height is not None else None),
    )
    facts = {"head_height": head[0], "head_hash": head[1], "head_ms": head[2], "fee": _energy_fee(prices)}
    if genesis is not None:
        facts["chain_id"] = str(int(genesis[1][-8:], 16))
    solid = _SOLID.match(str(node.get("solidityBlock", ""))) if isinstance(node, dict) else None
    if isinstance(node, dict):
        facts["peers"] = rpc.maybe_integer(node.get("currentConnectCount"))
        config = node.get("configNodeInfo")
        version = rpc.a_text(config.get("codeVersion"), 40) if isinstance(config, dict) else None
        facts["client"] = f"java-tron {version}" if version else None
    if solid:
        facts["final_height"] = int(solid[1])
    else:
        solidified = await _maybe(_block(endpoint, run, None, "walletsolidity"))
        if solidified is not None:
            facts |= {"final_height": solidified[0], "final_ms": solidified[2]}
    if endpoint.compare_height is not None:
        facts |= {"check_height": endpoint.compare_height, "check_hash": compared[1] if compared else None}
    return facts


async def _maybe(asked: Any) -> Any:  # noqa: ANN401 - an awaitable or nothing
    """What may be missing: hosted gateways offer less than a node."""
    if asked is None:
        return None
    try:
        return await asked
    except Refusal:
        return None


async def _ask(
    endpoint: Endpoint, run: Run, path: str, payload: object = None, *, max_body: int = rpc.SMALL
) -> dict[str, Any]:
    """One answer. Faults come with HTTP 200 and `Error`. Raises Refusal."""
    value = rpc.a_mapping(await rpc.ask(endpoint, run, path, payload or {}, max_body=max_body), "answer")
    fault = value.get("Error") or value.get("error")
    if fault:
        text = str(fault.get("message", "") if isinstance(fault, dict) else fault)
        raise Refusal(errors.of_text(text) or "overloaded", text[:200])
    return value


async def _block(endpoint: Endpoint, run: Run, height: int | None, side: str = "wallet") -> tuple[int, str, int]:
    """Height, hash and time in ms. Without transactions where the node can; else the whole block comes. Raises Refusal."""
    payload: dict[str, Any] = {"detail": False} if height is None else {"id_or_num": str(height), "detail": False}
    block = await _ask(endpoint, run, f"/{side}/getblock", payload, max_body=rpc.WHOLE_BLOCK)
    if not block:
        raise Refusal(NODE_BEHIND, "no block is available")
    header = rpc.a_mapping(rpc.a_mapping(block.get("block_header"), "block header").get("raw_data"), "block header")
    found = rpc.an_integer(header.get("number", 0 if height == 0 else None), "height")
    block_id = rpc.a_text(block.get("blockID"), 64)
    if block_id is None or not re.fullmatch(r"[0-9a-fA-F]{8,64}", block_id):
        raise Refusal(BAD_BODY, "the block has no id")
    return found, block_id, rpc.a_time_ms(header.get("timestamp", 0), 1, "time")


def _energy_fee(prices: Any) -> Fee | None:  # noqa: ANN401 - JSON
    """The last pair of `time:price,...`. Load shows as cost here, not as delay: no pressure."""
    text = prices.get("prices") if isinstance(prices, dict) else None
    last = str(text).rpartition(",")[2].rpartition(":")[2] if text else ""
    price = rpc.maybe_integer(last)
    return None if price is None else Fee("sun/energy", price, price)

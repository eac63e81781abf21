"""Aptos: the ledger's own summary. Numbers are strings, its time is in microseconds, and every block is final."""

from __future__ import annotations

from typing import Any

from probes.chains import errors, rpc
from probes.chains.record import Endpoint, Record
from probes.chains.rpc import Refusal
from probes.run import Run


async def read(endpoint: Endpoint, run: Run) -> Record:
    """The endpoint's record, from an address with or without /v1 at its end."""
    return await rpc.recorded(endpoint, run, _read)


async def _read(endpoint: Endpoint, run: Run) -> dict[str, Any]:
    info = rpc.a_mapping(await rpc.ask(endpoint, run, "/v1", without="/v1"), "ledger info")
    if "error_code" in info:
        text = f"{info['error_code']}: {info.get('message', '')}"[:200]
        raise Refusal(errors.of_text(text) or "bad_body", text)
    height = rpc.an_integer(info.get("block_height"), "block height")
    time_ms = rpc.a_time_ms(info.get("ledger_timestamp"), 1000, "ledger time")
    facts: dict[str, Any] = {
        "chain_id": str(rpc.an_integer(info.get("chain_id"), "chain id")),
        "head_height": height,
        "head_ms": time_ms,
        "final_height": height,
        "final_ms": time_ms,
        "client": rpc.a_text(info.get("git_hash"), 40),
    }
    if endpoint.compare_height is not None:
        facts |= {"check_height": endpoint.compare_height, "check_hash": await _hash_at(endpoint, run)}
    return facts


async def _hash_at(endpoint: Endpoint, run: Run) -> str | None:
    """The hash at the height to compare, None where it was pruned."""
    try:
        block = await rpc.ask(endpoint, run, f"/v1/blocks/by_height/{endpoint.compare_height}", without="/v1")
    except Refusal:
        return None
    return rpc.a_text(block.get("block_hash"), 66) if isinstance(block, dict) else None

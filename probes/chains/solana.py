"""Solana. Heights are slots. getHealth explains and never judges: a node that does not replay says ok."""

from __future__ import annotations

from statistics import median
from typing import Any

from probes.chains import rpc, usual
from probes.chains.record import Endpoint, Fee, Record
from probes.chains.rpc import BAD_BODY, Call, Refusal
from probes.run import Run

_LOOK_BACK = 8  # slots of absent leaders have no block, hence no time; a leader has four in a row


async def read(endpoint: Endpoint, run: Run) -> Record:
    """The endpoint's record; the head is the newest confirmed slot that has a block."""
    return await rpc.recorded(endpoint, run, _read)


async def _read(endpoint: Endpoint, run: Run) -> dict[str, Any]:
    calls = [
        Call("getGenesisHash"),
        Call("getHealth"),
        Call("getEpochInfo", ({"commitment": "confirmed"},)),
        Call("getSlot", ({"commitment": "finalized"},)),
        Call("getRecentPrioritizationFees"),
    ]
    if endpoint.compare_height is not None:
        how = {"transactionDetails": "none", "rewards": False, "maxSupportedTransactionVersion": 0}
        calls.append(Call("getBlock", (endpoint.compare_height, how)))
    genesis, health, epoch, final, fees, *compared = await rpc.call_all(endpoint, run, calls, "solana")
    slot = rpc.an_integer(rpc.a_mapping(rpc.demanded(epoch), "epoch info").get("absoluteSlot"), "slot")
    facts: dict[str, Any] = {
        "chain_id": rpc.a_text(rpc.optional(genesis), 60),
        "head_height": slot,
        "head_ms": await _time_ms(endpoint, run, slot),
        "final_height": rpc.maybe_integer(rpc.optional(final)),
        "syncing": isinstance(health, Refusal) and health.error_class == "node_behind",
        "fee": _fee(endpoint, run.at_ms, rpc.optional(fees)),
    }
    if isinstance(health, Refusal):
        facts["error_text"] = str(health)
    if endpoint.compare_height is not None:
        block = rpc.optional(compared[0])
        hash_ = rpc.a_text(block.get("blockhash"), 60) if isinstance(block, dict) else None
        facts |= {"check_height": endpoint.compare_height, "check_hash": hash_}
    return facts


def _fee(endpoint: Endpoint, at_ms: int, told: Any) -> Fee | None:  # noqa: ANN401 - JSON
    """What goes first has paid in the last 150 blocks. Counts of transactions tell nothing: votes among them come and go."""
    rows = told if isinstance(told, list) else []
    paid = [rpc.maybe_integer(each.get("prioritizationFee")) for each in rows if isinstance(each, dict)]
    known = [each for each in paid if each is not None]
    if not known:
        return None
    price = float(median(known))
    return Fee("microlamports", price, price, usual.pressure_of_price(endpoint.usual.dearness(price, at_ms)))


async def _time_ms(endpoint: Endpoint, run: Run, slot: int) -> int:
    """Time of the newest block at or below `slot`. Raises Refusal."""
    slots = range(slot, max(-1, slot - _LOOK_BACK), -1)
    times = await rpc.call_all(endpoint, run, [Call("getBlockTime", (each,)) for each in slots], "solana")
    for found in times:
        if rpc.maybe_integer(rpc.optional(found)) is not None:
            return rpc.a_time_ms(found, 0.001, "time")
    rpc.demanded(times[0])
    raise Refusal(BAD_BODY, "the newest slots have no time")

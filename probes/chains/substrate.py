"""Polkadot, Kusama and their hubs. A header has no time: it is read from storage, little-endian, in milliseconds."""

from __future__ import annotations

from typing import Any

from probes.chains import rpc
from probes.chains.record import Endpoint, Record
from probes.chains.rpc import BAD_BODY, Call, Refusal
from probes.run import Run

# The hashes (twox128) of the words Timestamp and Now.
_NOW = "0xf0c365c3cf59d671eb72da0e7a4113c49f1f0515f462cdcf84e0f1d6045dfcbb"


async def read(endpoint: Endpoint, run: Run) -> Record:
    """The endpoint's record; the chain's identity is its name in `system_chain`."""
    return await rpc.recorded(endpoint, run, _read)


async def _read(endpoint: Endpoint, run: Run) -> dict[str, Any]:
    calls = [
        Call("system_chain"),
        Call("system_health"),
        Call("chain_getHeader"),
        Call("chain_getFinalizedHead"),
        Call("state_getStorage", (_NOW,)),
    ]
    name, health, header, final, now = await rpc.call_all(endpoint, run, calls, "substrate")
    height = rpc.an_integer(rpc.a_mapping(rpc.demanded(header), "header").get("number"), "height")
    health = rpc.optional(health)
    health = health if isinstance(health, dict) else {}
    final_hash = rpc.a_text(rpc.optional(final), 66)
    more = [Call("chain_getBlockHash", (height,))]
    if final_hash:
        more.append(Call("chain_getHeader", (final_hash,)))
    if endpoint.compare_height is not None:
        more.append(Call("chain_getBlockHash", (endpoint.compare_height,)))
    found = [rpc.optional(each) for each in await rpc.call_all(endpoint, run, more, "substrate")]
    facts: dict[str, Any] = {
        "chain_id": rpc.a_text(rpc.optional(name), 60),
        "head_height": height,
        "head_hash": rpc.a_text(found[0], 66),
        "head_ms": _moment_ms(rpc.demanded(now)),
        "syncing": health["isSyncing"] if isinstance(health.get("isSyncing"), bool) else None,
        "peers": rpc.maybe_integer(health.get("peers")),
    }
    if health.get("shouldHavePeers") is True and facts["peers"] == 0:
        facts["error_text"] = "the node has no peers: it sees only its own blocks"
    if final_hash and isinstance(found[1], dict):
        facts["final_height"] = rpc.maybe_integer(found[1].get("number"))
    if endpoint.compare_height is not None:
        facts |= {"check_height": endpoint.compare_height, "check_hash": rpc.a_text(found[-1], 66)}
    return facts


def _moment_ms(value: Any) -> int:  # noqa: ANN401 - JSON
    """`Timestamp.Now` as it is stored: 8 bytes. Raises Refusal."""
    try:
        raw = bytes.fromhex(value.removeprefix("0x")) if isinstance(value, str) else b""
    except ValueError:
        raw = b""
    if len(raw) != 8:
        raise Refusal(BAD_BODY, f"the time in storage is {str(value)[:40]!r}")
    return rpc.a_time_ms(int.from_bytes(raw, "little") % 2**63, 1, "time")

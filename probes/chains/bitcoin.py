"""Bitcoin: a node's JSON-RPC, or Esplora's REST where the address ends in /api."""

from __future__ import annotations

import asyncio
import json
import re
from typing import Any
from urllib.parse import urlsplit

from probes.chains import rpc
from probes.chains.record import Endpoint, Fee, Record
from probes.chains.rpc import Call
from probes.run import Run

_CUSTOMARY_DEPTH = 5  # the sixth confirmation counts as final for large sums
_HASH = re.compile(r"[0-9a-f]{64}")
_GENESIS = {"000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f": "main"}


async def read(endpoint: Endpoint, run: Run) -> Record:
    """The endpoint's record. Finality is probabilistic, hence always an estimate."""
    return await rpc.recorded(endpoint, run, _read)


async def _read(endpoint: Endpoint, run: Run) -> dict[str, Any]:
    path = urlsplit(run.vault.resolve(endpoint.url)).path.rstrip("/")
    return await (_read_esplora if path.endswith("/api") else _read_node)(endpoint, run)


async def _read_node(endpoint: Endpoint, run: Run) -> dict[str, Any]:
    calls = [Call("getblockchaininfo"), Call("getnetworkinfo"), Call("getmempoolinfo")]
    if endpoint.compare_height is not None:
        calls.append(Call("getblockhash", (endpoint.compare_height,)))
    results = await rpc.call_all(endpoint, run, calls, "bitcoin", version="1.0")
    info = rpc.a_mapping(rpc.demanded(results[0]), "chain info")
    network, pool = rpc.optional(results[1]), rpc.optional(results[2])
    height = rpc.an_integer(info.get("blocks"), "blocks")
    headers = rpc.maybe_integer(info.get("headers"))
    warnings = info.get("warnings")  # a text until v27, a list since v28
    said = "; ".join(str(each) for each in warnings) if isinstance(warnings, list) else warnings
    network = network if isinstance(network, dict) else {}
    return {
        "chain_id": rpc.a_text(info.get("chain"), 20),
        "head_height": height,
        "head_hash": rpc.a_text(info.get("bestblockhash"), 64),
        "head_ms": rpc.a_time_ms(info.get("time", info.get("mediantime")), 0.001, "time"),
        "syncing": info.get("initialblockdownload") is True or (headers is not None and headers > height),
        "peers": rpc.maybe_integer(network.get("connections")),
        "client": rpc.a_text(network.get("subversion")),
        "fee": _pool_fee(pool),
        "error_text": rpc.a_text(said, 300),
        **_depth(height),
        **_compared(endpoint, rpc.optional(results[3]) if len(results) > 3 else None),
    }


def _depth(height: int) -> dict[str, Any]:
    return {"final_height": max(0, height - _CUSTOMARY_DEPTH), "final_is_estimate": True}


def _compared(endpoint: Endpoint, found: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    if endpoint.compare_height is None:
        return {}
    return {"check_height": endpoint.compare_height, "check_hash": rpc.a_text(found, 64)}


def _pool_fee(pool: Any) -> Fee | None:  # noqa: ANN401 - JSON
    """Full is a pool that throws out cheap transactions: its minimum is above what it would relay."""
    if not isinstance(pool, dict):
        return None
    lowest, relay = pool.get("mempoolminfee"), pool.get("minrelaytxfee")
    if not isinstance(lowest, int | float) or not isinstance(relay, int | float):
        return None
    used, room = pool.get("usage"), pool.get("maxmempool")
    share = used / room if isinstance(used, int) and isinstance(room, int) and room > 0 else 0.0
    return Fee("BTC/kvB", lowest, None, 1.0 if lowest > relay else round(min(0.79, share), 3))


async def _read_esplora(endpoint: Endpoint, run: Run) -> dict[str, Any]:
    paths = ["/blocks/tip/hash", "/block-height/0"]
    if endpoint.compare_height is not None:
        paths.append(f"/block-height/{endpoint.compare_height}")
    tip, *others = await asyncio.gather(*(_hash_at(endpoint, run, path) for path in paths), return_exceptions=True)
    if isinstance(tip, BaseException):
        raise tip
    block = rpc.a_mapping(await rpc.ask(endpoint, run, f"/block/{tip}"), "block")
    height = rpc.an_integer(block.get("height"), "height")
    genesis, compared = [*others, None][:2]
    chain_id = genesis if isinstance(genesis, str) else None
    return {
        "chain_id": _GENESIS.get(chain_id, chain_id) if chain_id else None,
        "head_height": height,
        "head_hash": tip,
        "head_ms": rpc.a_time_ms(block.get("timestamp"), 0.001, "time"),
        "client": "esplora",
        **_depth(height),
        **_compared(endpoint, compared),
    }


async def _hash_at(endpoint: Endpoint, run: Run, path: str) -> str:
    """A block hash, which Esplora answers as plain text. Raises Refusal."""
    status, body, capped = await rpc.fetch(endpoint, run, path)
    text = body[:80].decode("ascii", "replace").strip()
    if text.startswith('"'):
        text = str(json.loads(text)) if text.endswith('"') else text
    if status == 200 and _HASH.fullmatch(text):
        return text
    raise rpc.unreadable(run, status, body, capped=capped)

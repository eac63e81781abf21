"""Bitcoin: a node's JSON-RPC, or Esplora's REST where the address ends in /api."""

from __future__ import annotations

import asyncio
import json
import re
from typing import Any
from urllib.parse import urlsplit

from probes.chains import rpc, usual
from probes.chains.record import Endpoint, Fee, Record
from probes.chains.rpc import Call, Refusal
from probes.run import Run

_CUSTOMARY_DEPTH = 5  # the sixth confirmation counts as final for large sums
_FEES = {"/v1/fees/recommended": "fastestFee", "/fee-estimates": "2"}  # of mempool.space and of Esplora itself
_HASH = re.compile(r"[0-9a-f]{64}")
_GENESIS = {"000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f": "main"}


async def read(endpoint: Endpoint, run: Run) -> Record:
    """The endpoint's record. Finality is probabilistic, hence always an estimate."""
    return await rpc.recorded(endpoint, run, _read)


async def _read(endpoint: Endpoint, run: Run) -> dict[str, Any]:
    return await (_read_esplora if is_esplora(run.vault.resolve(endpoint.url)) else _read_node)(endpoint, run)


def is_esplora(url: str) -> bool:
    """Whether an address is Esplora's, not a node's."""
    return urlsplit(url).path.rstrip("/").endswith("/api")


async def _read_node(endpoint: Endpoint, run: Run) -> dict[str, Any]:
    calls = [Call("getblockchaininfo"), Call("getnetworkinfo"), Call("getmempoolinfo"), Call("estimatesmartfee", (2,))]
    if endpoint.compare_height is not None:
        calls.append(Call("getblockhash", (endpoint.compare_height,)))
    results = await rpc.call_all(endpoint, run, calls, "bitcoin", version="1.0")
    info = rpc.a_mapping(rpc.demanded(results[0]), "chain info")
    network, pool, estimate = (rpc.optional(each) for each in results[1:4])
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
        "fee": _node_fee(endpoint, run.at_ms, pool, estimate),
        "error_text": rpc.a_text(said, 300),
        **_depth(height),
        **_compared(endpoint, rpc.optional(results[4]) if len(results) > 4 else None),
    }


def _depth(height: int) -> dict[str, Any]:
    return {"final_height": max(0, height - _CUSTOMARY_DEPTH), "final_is_estimate": True}


def _compared(endpoint: Endpoint, found: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    if endpoint.compare_height is None:
        return {}
    return {"check_height": endpoint.compare_height, "check_hash": rpc.a_text(found, 64)}


def _node_fee(endpoint: Endpoint, at_ms: int, pool: Any, estimate: Any) -> Fee | None:  # noqa: ANN401 - JSON
    """Full is a pool that throws out cheap transactions, its minimum above what it would relay; or the next block is dear.

    A node that has seen too few blocks estimates nothing and says so: `{"errors": [...], "blocks": 2}`.
    """
    pool = pool if isinstance(pool, dict) else {}
    fast = _a_price(estimate.get("feerate") if isinstance(estimate, dict) else None)
    lowest, relay = (_a_price(pool.get(name)) for name in ("mempoolminfee", "minrelaytxfee"))
    dear = usual.pressure_of_price(endpoint.usual.dearness(fast, at_ms))
    if lowest is None or relay is None:
        return None if fast is None else Fee("BTC/kvB", None, fast, dear)
    used, room = pool.get("usage"), pool.get("maxmempool")
    share = used / room if isinstance(used, int) and isinstance(room, int) and room > 0 else 0.0
    pressure = 1.0 if lowest > relay else max(round(min(0.79, share), 3), dear or 0.0)
    return Fee("BTC/kvB", lowest, fast, pressure)


def _a_price(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < 1e6 else None


async def _esplora_fee(endpoint: Endpoint, run: Run) -> Fee | None:
    """What the next block costs, from whichever of the two known places tells; None where none does."""
    missing = 0
    for path, name in _FEES.items():
        if endpoint.fee_path not in ("", path):
            continue
        try:
            told = await rpc.ask(endpoint, run, path)
        except Refusal as refusal:
            missing += refusal.error_class == "client_error"  # 404
            continue
        fast = _a_price(told.get(name)) if isinstance(told, dict) else None
        if fast is not None:
            endpoint.fee_path = path
            return Fee("sat/vB", None, fast, usual.pressure_of_price(endpoint.usual.dearness(fast, run.at_ms)))
    if missing == len(_FEES):
        endpoint.fee_path = "nowhere"
    return None


async def _read_esplora(endpoint: Endpoint, run: Run) -> dict[str, Any]:
    paths = ["/blocks/tip/hash", "/block-height/0"]
    if endpoint.compare_height is not None:
        paths.append(f"/block-height/{endpoint.compare_height}")
    fee, tip, *others = await asyncio.gather(
        _esplora_fee(endpoint, run), *(_hash_at(endpoint, run, path) for path in paths), return_exceptions=True
    )
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
        "fee": fee if isinstance(fee, Fee) else None,
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

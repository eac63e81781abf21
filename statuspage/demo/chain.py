"""The demo's chain node: Ethereum's JSON-RPC (execution-apis) over a head that really advances, or really stands still."""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

_GENESIS_NUMBER = 21_000_000
_KEPT_BLOCKS = 200
_SAFE_DEPTH = 32
_FINAL_DEPTH = 64
_GWEI = 10**9

PARSE_ERROR, INVALID_REQUEST, NO_METHOD, INVALID_PARAMS = -32700, -32600, -32601, -32602


class RpcError(Exception):
    """An answer of JSON-RPC's error form."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


class Chain:
    """Blocks as (number, Unix seconds), oldest first, kept in `path` so that a restart goes on from the same head."""

    def __init__(self, path: Path, *, chain_id: int = 1, block_s: float = 3.0, frozen: bool = False) -> None:
        self._path = path
        self._block_s = block_s
        self._lock = threading.Lock()
        self.chain_id = chain_id
        self.frozen = frozen
        self._blocks = self._read()
        # A network goes on while one of its nodes is off; only a halted one is found where it stopped.
        if not frozen:
            self._catch_up(time.time())

    def _read(self) -> list[tuple[int, int]]:
        try:
            found = [(int(number), int(at)) for number, at in json.loads(self._path.read_text(encoding="ascii"))]
        except (OSError, ValueError, TypeError):
            found = []
        return found or [(_GENESIS_NUMBER, int(time.time() - _KEPT_BLOCKS * self._block_s))]

    def _catch_up(self, until_s: float) -> None:
        number, at = self._blocks[-1]
        missing = int((until_s - at) / self._block_s)
        first = max(1, missing - _KEPT_BLOCKS)
        self._blocks += [(number + n, int(at + n * self._block_s)) for n in range(first, missing + 1)]
        self._blocks = self._blocks[-_KEPT_BLOCKS:]

    @property
    def block_s(self) -> float:
        """Seconds from block to block."""
        return self._block_s

    def produce(self) -> None:
        """Add one block with the present time, unless the chain stands still."""
        with self._lock:
            if self.frozen:
                return
            number, at = self._blocks[-1]
            self._blocks = [*self._blocks[1 - _KEPT_BLOCKS :], (number + 1, max(at, int(time.time())))]
            self._write()

    def freeze(self, *, frozen: bool) -> None:
        """Stop producing at the present head, or go on from it."""
        with self._lock:
            self.frozen = frozen
            self._write()

    def _write(self) -> None:
        temporary = self._path.with_suffix(".new")
        temporary.write_text(json.dumps(self._blocks), encoding="ascii")
        temporary.replace(self._path)

    def head(self) -> tuple[int, int]:
        """Number and Unix seconds of the newest block."""
        with self._lock:
            return self._blocks[-1]

    def block(self, tag: str) -> dict[str, Any] | None:
        """The block that a tag or hexadecimal number names, in JSON-RPC's form; None when there is none."""
        with self._lock:
            blocks = list(self._blocks)
        head = blocks[-1][0]
        depths = {"latest": 0, "pending": 0, "safe": _SAFE_DEPTH, "finalized": _FINAL_DEPTH, "earliest": head - blocks[0][0]}
        number = head - depths[tag] if tag in depths else _quantity(tag)
        if not blocks[0][0] <= number <= head:
            return None
        at = dict(blocks)[number]
        return {
            "number": hex(number), "timestamp": hex(at), "hash": _hash(number), "parentHash": _hash(number - 1),
            "gasLimit": hex(30_000_000), "gasUsed": hex(15_000_000 + number % 1_000_000), "baseFeePerGas": hex(12 * _GWEI),
            "miner": "0x" + "0" * 40, "transactions": [],
        }  # fmt: skip


def answer(chain: Chain, body: bytes) -> bytes:
    """The reply to one JSON-RPC request or to a batch; empty when there were only notifications."""
    try:
        request = json.loads(body)
    except ValueError:
        return _dump(_failed(None, PARSE_ERROR, "not JSON"))
    if isinstance(request, list):
        if not request:
            return _dump(_failed(None, INVALID_REQUEST, "empty batch"))
        replies = [reply for item in request if (reply := _one(chain, item)) is not None]
        return _dump(replies) if replies else b""
    reply = _one(chain, request)
    return b"" if reply is None else _dump(reply)


def _one(chain: Chain, request: Any) -> dict[str, Any] | None:  # noqa: ANN401 - anything may be sent
    if not isinstance(request, dict) or request.get("jsonrpc") != "2.0" or not isinstance(request.get("method"), str):
        return _failed(None, INVALID_REQUEST, "not a JSON-RPC 2.0 request")
    try:
        result = _call(chain, request["method"], request.get("params") or [])
    except RpcError as error:
        return None if "id" not in request else _failed(request["id"], error.code, str(error))
    return None if "id" not in request else {"jsonrpc": "2.0", "id": request["id"], "result": result}


def _call(chain: Chain, method: str, params: Any) -> Any:  # noqa: ANN401 - JSON in, JSON out
    found = _METHODS.get(method)
    if found is None:
        raise RpcError(NO_METHOD, f"the method {method[:60]} does not exist")
    try:
        return found(chain, *params)
    except (TypeError, ValueError, AttributeError) as error:
        raise RpcError(INVALID_PARAMS, f"wrong parameters for {method}") from error


def _block_by_number(chain: Chain, tag: str, _full: bool = False) -> dict[str, Any] | None:  # noqa: FBT001, FBT002 - the order of the specification
    return chain.block(tag)


def _get_balance(chain: Chain, address: str, tag: str = "latest") -> str:
    if not (address.startswith("0x") and len(address) == 42):
        raise ValueError(address)
    chain.block(tag)
    return hex(int(hashlib.sha256(address.lower().encode()).hexdigest()[:2], 16) * 10**18 + 10**18)


_METHODS: dict[str, Callable[..., Any]] = {
    "eth_chainId": lambda chain: hex(chain.chain_id),
    "net_version": lambda chain: str(chain.chain_id),
    "web3_clientVersion": lambda _chain: "DemoNode/1.0",
    "eth_blockNumber": lambda chain: hex(chain.head()[0]),
    "eth_gasPrice": lambda _chain: hex(13 * _GWEI),
    "eth_getTransactionCount": lambda _chain, _address, _tag="latest": "0x0",
    # False even while frozen: a node whose whole network has halted has nothing to catch up with.
    "eth_syncing": lambda _chain: False,
    "eth_getBlockByNumber": _block_by_number,
    "eth_getBalance": _get_balance,
}


def _quantity(raw: str) -> int:
    if not raw.startswith("0x"):
        raise ValueError(raw)
    return int(raw, 16)


def _hash(number: int) -> str:
    return "0x" + hashlib.sha256(b"demo block %d" % number).hexdigest()


def _failed(request_id: Any, code: int, message: str) -> dict[str, Any]:  # noqa: ANN401 - echoed as sent
    return {"jsonrpc": "2.0", "id": request_id, "error": {"code": code, "message": message}}


def _dump(value: Any) -> bytes:  # noqa: ANN401
    return json.dumps(value, separators=(",", ":")).encode()

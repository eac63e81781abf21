"""The signed log of what was published: canonical JSON, a chain of hashes, Ed25519 signatures.

Each payload names the hash of the one before, and the signature covers the payload's bytes as they stand in the log: any
Ed25519 tool can verify it without our code. Text bodies are in the payload only by their hash, so that one can be withdrawn.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NoReturn, Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from statuspage.clock import to_ms
from statuspage.errors import InvalidInput

GENESIS = "0" * 64  # what the first row names as its predecessor
VERSION = 1
_LARGEST = 2**53 - 1  # RFC 8785 numbers are IEEE doubles: beyond this, two integers may read the same


def canonical(value: Any) -> str:  # noqa: ANN401 - any JSON value
    """RFC 8785 form of `value`: sorted by UTF-16 code units, no white space, shortest escapes.

    Raises InvalidInput for what has no single form everywhere: floats, large integers, lone surrogates, keys that are no
    text.
    """
    return _canonical(value, "")


def _canonical(value: Any, path: str) -> str:  # noqa: ANN401 - any JSON value
    if isinstance(value, str):
        return _string(value, path)
    if value is None or value is True or value is False:
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, int):
        if abs(value) > _LARGEST:
            _refuse("an integer beyond 2^53", path)
        return str(int(value))
    if isinstance(value, Mapping):
        keys = sorted(value, key=lambda key: _utf16(key, path))
        return "{" + ",".join(f"{_string(key, path)}:{_canonical(value[key], f'{path}/{key}')}" for key in keys) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(_canonical(item, f"{path}/{index}") for index, item in enumerate(value)) + "]"
    return _refuse(type(value).__name__, path)


def _string(text: str, path: str) -> str:
    _utf16(text, path)
    return json.dumps(text, ensure_ascii=False)


def _utf16(text: Any, path: str) -> bytes:  # noqa: ANN401 - checks that it is text
    if not isinstance(text, str):
        _refuse(f"a key of type {type(text).__name__}", path)
    try:
        return text.encode("utf-16-be")
    except UnicodeEncodeError:
        _refuse("a lone surrogate", path)


def _refuse(what: str, path: str) -> NoReturn:
    message = f"{what} cannot be signed, at {path or '/'}"
    raise InvalidInput(message, path)


def body_hash(text: str) -> str:
    """SHA-256 in hex of a text body, the key of `log_bodies`."""
    _utf16(text, "body")
    return hashlib.sha256(text.encode()).hexdigest()


def entry(n: int, prev_hash: str, at: datetime, snapshot: Mapping[str, Any], body_hashes: Mapping[str, Any]) -> str:
    """The payload of log row `n`: `snapshot` is the public facts, `body_hashes` the hash of each body by language."""
    return canonical({
        "v": VERSION, "n": n, "prev": prev_hash, "at": to_ms(at), "snapshot": snapshot, "bodies": body_hashes,
    })  # fmt: skip


def hash_of(payload: str) -> str:
    """SHA-256 in hex of a payload: what the next row names as its predecessor."""
    return hashlib.sha256(payload.encode()).hexdigest()


def new_private_key() -> bytes:
    """A fresh Ed25519 private key, 32 raw bytes."""
    return Ed25519PrivateKey.generate().private_bytes_raw()


def public_key(private: bytes) -> str:
    """The public key of `private` (32 raw bytes), base64 of 32 raw bytes."""
    return base64.b64encode(Ed25519PrivateKey.from_private_bytes(private).public_key().public_bytes_raw()).decode()


def key_id(public: str) -> str:
    """First 16 hex digits of the SHA-256 of the raw public key (given in base64)."""
    return hashlib.sha256(base64.b64decode(public, validate=True)).hexdigest()[:16]


def sign(private: bytes, payload: str) -> str:
    """Ed25519 signature of the payload's UTF-8 bytes, base64."""
    return base64.b64encode(Ed25519PrivateKey.from_private_bytes(private).sign(payload.encode())).decode()


def verify(public: str, payload: str, signature: str) -> bool:
    """True when `signature` (base64) of `payload` was made with the private key of `public` (base64). Never raises."""
    try:
        key = Ed25519PublicKey.from_public_bytes(base64.b64decode(public, validate=True))
        key.verify(base64.b64decode(signature, validate=True), payload.encode())
    except (InvalidSignature, binascii.Error, ValueError):
        return False
    return True


class LogRow(Protocol):
    """A row of the log as the store gives it."""

    @property
    def n(self) -> int:
        """Number: 1, 2, 3 and so on."""

    @property
    def payload(self) -> str:
        """What `entry` returned."""

    @property
    def prev_hash(self) -> str:
        """Hash of row n - 1, GENESIS for the first."""

    @property
    def hash(self) -> str:
        """`hash_of` the payload."""

    @property
    def key_id(self) -> str:
        """Which key signed."""

    @property
    def signature(self) -> str:
        """What `sign` returned."""


@dataclass(frozen=True, slots=True)
class Broken:
    """The first row that does not hold, and why: number | previous | payload | hash | key | signature | end."""

    n: int
    reason: str


def verify_chain(
    rows: Iterable[LogRow],
    public_keys: Mapping[str, str],
    *,
    after: tuple[int, str] = (0, GENESIS),
    head: tuple[int, str] | None = None,
) -> Broken | None:
    """The first broken row of the log in order of n, None when all hold. `public_keys`: key id -> base64.

    Finds altered, dropped, swapped and inserted rows. `after` is the (n, hash) that was verified before. A log cut off at
    its end looks whole: only a `head` (n, hash) remembered elsewhere shows that, so hand one in wherever there is one.
    """
    n, previous = after
    for row in rows:
        reason = _fault(row, n + 1, previous, public_keys)
        if reason:
            return Broken(row.n if reason != "number" else n + 1, reason)
        n, previous = row.n, row.hash
    if head is not None and (head[0] > n or (head[0] == n and head[1] != previous)):
        return Broken(head[0], "end")
    return None


def _fault(row: LogRow, n: int, previous: str, public_keys: Mapping[str, str]) -> str:
    if row.n != n:
        return "number"
    if row.prev_hash != previous:
        return "previous"
    if not _is_payload_of(row):
        return "payload"
    if row.hash != hash_of(row.payload):
        return "hash"
    public = public_keys.get(row.key_id)
    if public is None or key_id(public) != row.key_id:
        return "key"
    return "" if verify(public, row.payload, row.signature) else "signature"


def _is_payload_of(row: LogRow) -> bool:
    try:
        data = json.loads(row.payload)
        return bool(canonical(data) == row.payload and data["n"] == row.n and data["prev"] == row.prev_hash)
    except (ValueError, TypeError, KeyError, RecursionError, InvalidInput):
        return False

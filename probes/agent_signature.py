"""What an agent signs: HTTP message signatures (RFC 9421) with Ed25519, in one fixed form, over a digest of the body (RFC 9530).

The server knows the public key only: whoever reads its database or a backup cannot report in an agent's name.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

LABEL = "agent"
TAG = "wallet-statuspage-agent"
JSON = "application/json"
_KEY = re.compile(r"wsa1\.([a-z0-9][a-z0-9-]{0,39})\.([A-Za-z0-9_-]{43})")


class BadKey(ValueError):
    """The text is no key of an agent. The message never shows it."""


@dataclass(frozen=True, slots=True, repr=False)
class Key:
    """An agent's name and the private key it signs with."""

    name: str
    private: Ed25519PrivateKey


def read_key(text: str) -> Key:
    """The key in `wsa1.NAME.SECRET`, as `statuspage agents add` prints it. Raises BadKey."""
    match = _KEY.fullmatch(text.strip())
    try:
        seed = base64.urlsafe_b64decode(match[2] + "=") if match else b""
    except binascii.Error:
        seed = b""
    if match is None or len(seed) != 32:
        message = "the agent's key must have the form wsa1.NAME.SECRET, as `statuspage agents add` printed it"
        raise BadKey(message)
    return Key(match[1], Ed25519PrivateKey.from_private_bytes(seed))


def signed(key: Key, method: str, path: str, body: bytes | None, created_s: int) -> dict[str, str]:
    """Header fields for a request; `created_s` in seconds since the epoch, by the server's clock as far as it is known."""
    headers: dict[str, str] = {}
    fields = [("@method", method), ("@path", path)]
    if body is not None:
        digest = base64.b64encode(hashlib.sha256(body).digest()).decode()
        headers = {"Content-Type": JSON, "Content-Digest": f"sha-256=:{digest}:"}
        fields += [("content-digest", headers["Content-Digest"]), ("content-type", JSON)]
    covered = " ".join(f'"{name}"' for name, _value in fields)
    parameters = f'({covered});created={created_s};keyid="{key.name}";alg="ed25519";tag="{TAG}"'
    lines = [f'"{name}": {value}' for name, value in fields] + [f'"@signature-params": {parameters}']
    signature = base64.b64encode(key.private.sign("\n".join(lines).encode())).decode()
    return {**headers, "Signature-Input": f"{LABEL}={parameters}", "Signature": f"{LABEL}=:{signature}:"}

"""Secrets at rest: sealed bytes, keyed hashes that find an address without storing it, tokens kept only as a hash."""

from __future__ import annotations

import hashlib
import hmac
import secrets

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from statuspage.errors import StatuspageError

KEY_BYTES = 32
_FORM = b"\x01"  # of sealed bytes: form, 12 bytes nonce, ciphertext with 16 bytes tag
_NONCE_BYTES = 12
_TAG_BYTES = 16


class SealBroken(StatuspageError):
    """Sealed bytes do not open: another key, another context, or altered."""


def new_key() -> bytes:
    """A fresh key for `seal` or `keyed_hash`, 32 bytes."""
    return secrets.token_bytes(KEY_BYTES)


def seal(key: bytes, data: bytes, context: str) -> bytes:
    """Encrypt `data` with AES-256-GCM under a random nonce. To open it, the same `context` must be given again.

    `context` names the place ("subscriptions.address"), so that a value moved to another column does not open there.
    A key is good for 2^32 seals (NIST SP 800-38D, 8.3), far more than we will ever write.
    """
    nonce = secrets.token_bytes(_NONCE_BYTES)
    return _FORM + nonce + AESGCM(key).encrypt(nonce, data, context.encode())


def unseal(key: bytes, sealed: bytes, context: str) -> bytes:
    """The bytes that `seal` was given. Raises SealBroken for a wrong key or context and for altered bytes."""
    if sealed[:1] != _FORM or len(sealed) < 1 + _NONCE_BYTES + _TAG_BYTES:
        message = "sealed value has a form this program does not know"
        raise SealBroken(message)
    nonce, body = sealed[1 : 1 + _NONCE_BYTES], sealed[1 + _NONCE_BYTES :]
    try:
        return AESGCM(key).decrypt(nonce, body, context.encode())
    except InvalidTag:
        message = f"sealed value of {context} does not open with this key: was the key changed or the row moved?"
        raise SealBroken(message) from None


def keyed_hash(key: bytes, text: str) -> str:
    """HMAC-SHA256 in hex. Without the key, phone numbers are few enough to try them all."""
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()


def new_token() -> str:
    """43 URL-safe characters of 256 random bits."""
    return secrets.token_urlsafe(KEY_BYTES)


def token_hash(token: str) -> str:
    """SHA-256 in hex: a random token of 256 bits needs no slow hash."""
    return hashlib.sha256(token.encode(errors="surrogatepass")).hexdigest()


def is_same(one: str, other: str) -> bool:
    """Compare secrets in a time that does not tell how far they agree."""
    return hmac.compare_digest(one.encode(errors="surrogatepass"), other.encode(errors="surrogatepass"))

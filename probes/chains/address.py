"""Addresses and tokens as people write them, for each family: whether they can be right, and the bytes that calls need."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable

_ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_VALUE = {sign: value for value, sign in enumerate(_ALPHABET)}
_LONGEST = 100
_EVM = re.compile(r"0x[0-9a-fA-F]{40}")
_APTOS = re.compile(r"0x[0-9a-fA-F]{1,64}")
_APTOS_ASSET = re.compile(r"0x[0-9a-fA-F]{1,64}(::[A-Za-z_][A-Za-z0-9_]{0,127}::[A-Za-z_][A-Za-z0-9_<>:, ]{0,127})?")
_BECH32 = re.compile(r"(bc|tb|bcrt)1[02-9ac-hj-np-z]{6,87}")
_NAME = re.compile(r"[a-z1-5.]{1,13}")
_CURRENCY = re.compile(r"[a-z1-5.]{1,13}:[A-Z]{1,7}")
_NUMBER = re.compile(r"\d{1,10}")
_SS58_SALT = b"SS58PRE"
_TRON_PREFIX = 0x41


def base58(text: str) -> bytes:
    """The bytes of a base58 text. Raises ValueError."""
    if not 0 < len(text) <= _LONGEST or any(sign not in _VALUE for sign in text):
        message = "is no base58 text"
        raise ValueError(message)
    number = 0
    for sign in text:
        number = number * 58 + _VALUE[sign]
    zeros = len(text) - len(text.lstrip("1"))
    return bytes(zeros) + number.to_bytes((number.bit_length() + 7) // 8, "big")


def base58check(text: str) -> bytes:
    """The bytes of a base58 text without its checksum, which must fit. Raises ValueError."""
    raw = base58(text)
    body, check = raw[:-4], raw[-4:]
    if hashlib.sha256(hashlib.sha256(body).digest()).digest()[:4] != check:
        message = "has a wrong checksum: is a letter missing?"
        raise ValueError(message)
    return body


def tron(text: str) -> bytes:
    """The 20 bytes of a TRON address. Raises ValueError."""
    raw = base58check(text)
    if len(raw) != 21 or raw[0] != _TRON_PREFIX:
        message = "is no TRON address: 34 signs that begin with T"
        raise ValueError(message)
    return raw[1:]


def substrate(text: str) -> bytes:
    """The 32 bytes of an SS58 address, of any network. Raises ValueError."""
    raw = base58(text)
    size = 1 if raw[0] < 64 else 2
    body, check = raw[:-2], raw[-2:]
    if len(raw) != size + 34 or hashlib.blake2b(_SS58_SALT + body).digest()[:2] != check:
        message = "is no SS58 address of an account, or a letter is wrong"
        raise ValueError(message)
    return body[size:]


def solana(text: str) -> bytes:
    """The 32 bytes of a Solana address. Raises ValueError."""
    raw = base58(text)
    if len(raw) != 32:
        message = "is no Solana address of 32 bytes"
        raise ValueError(message)
    return raw


def _matching(pattern: re.Pattern[str], what: str) -> Callable[[str], object]:
    def check(text: str) -> None:
        if not pattern.fullmatch(text):
            raise ValueError(what)

    return check


def _bitcoin(text: str) -> None:
    if not _BECH32.fullmatch(text):
        base58check(text)


# Family -> what reads an address, and what reads a token; None where the family has no tokens that we can ask for.
ADDRESS: dict[str, Callable[[str], object]] = {
    "evm": _matching(_EVM, "must be an address: 0x and 40 hexadecimal digits, in quotes"),
    "bitcoin": _bitcoin,
    "tron": tron,
    "solana": solana,
    "aptos": _matching(_APTOS, "must be an address: 0x and up to 64 hexadecimal digits, in quotes"),
    "substrate": substrate,
    "antelope": _matching(_NAME, "must be an account: up to 13 of a-z 1-5 and dots"),
}
TOKEN: dict[str, Callable[[str], object] | None] = {
    "evm": ADDRESS["evm"],
    "bitcoin": None,
    "tron": tron,
    "solana": solana,
    "aptos": _matching(_APTOS_ASSET, "must be a coin type such as 0x1::aptos_coin::AptosCoin, or an asset's address"),
    "substrate": _matching(_NUMBER, "must be the asset's number, in quotes"),
    "antelope": _matching(_CURRENCY, "must be contract:SYMBOL, such as tethertether:USDT"),
}

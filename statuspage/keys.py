"""The installation's secrets: made once, kept in files only the owner can read, or given by settings."""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from statuspage.errors import SettingsError
from statuspage.settings import Settings

_BYTES = 32


@dataclass(frozen=True, repr=False)
class Keys:
    """`seal` encrypts addresses and keys hashes, `signing` is the log's Ed25519 seed, `vapid` the P-256 scalar of web push."""

    seal: bytes
    signing: bytes
    vapid: bytes


def load(settings: Settings) -> Keys:
    """Read the keys, making those that neither a setting nor a file gives. Raises SettingsError for one of the wrong form."""
    folder = settings.data / "keys"
    return Keys(
        seal=_one(settings.secret_key, "STATUSPAGE_SECRET_KEY", folder / "secret.key"),
        signing=_one(settings.signing_key, "STATUSPAGE_SIGNING_KEY", folder / "signing.key"),
        vapid=_one(settings.vapid_key, "STATUSPAGE_VAPID_KEY", folder / "vapid.key"),
    )


def _one(given: str, setting: str, path: Path) -> bytes:
    if given:
        return _parse(given, setting)
    if not path.exists():
        _create(path)
    return _parse(path.read_text(encoding="ascii").strip(), str(path))


def create(path: Path) -> bytes:
    """A new key in `path`, which must not exist; the key."""
    _create(path)
    return read(path)


def read(path: Path) -> bytes:
    """The key in `path`. Raises SettingsError for one of the wrong form."""
    return _parse(path.read_text(encoding="ascii").strip(), str(path))


def _create(path: Path) -> None:
    """Write a new key whole or not at all; a second process that races us finds ours and uses it."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    # The first byte stays below 0x80, so that any key is a valid P-256 scalar as well.
    raw = bytes([secrets.randbelow(127) + 1]) + secrets.token_bytes(_BYTES - 1)
    temporary = path.with_suffix(f".{secrets.token_hex(4)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(raw.hex())
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(temporary, path)
    except FileExistsError:
        return
    finally:
        temporary.unlink()


def _parse(text: str, where: str) -> bytes:
    try:
        key = bytes.fromhex(text)
    except ValueError:
        key = b""
    if len(key) != _BYTES:
        message = f"{where}: must be 64 hexadecimal digits"
        raise SettingsError(message)
    return key

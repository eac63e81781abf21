"""Passwords: argon2id, at most two hashes at a time, and what a new one must be."""

from __future__ import annotations

import threading
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from statuspage.errors import InvalidInput, Unavailable, Words

MINIMUM = 12  # with a second factor required; at this length the lists of common passwords have next to no entries left
MAXIMUM = 256
# 64 MiB and about 0.1 s each: two at a time keep a burst of sign-ins from starving the console of memory and processor.
_HASHER = PasswordHasher(time_cost=3, memory_cost=65536, parallelism=4)
_SLOTS = threading.BoundedSemaphore(2)
_WAIT_S = 4.0


def hash_password(password: str) -> str:
    """The argon2id hash to store. Raises Unavailable when too many hashes are under way."""
    with _Slot():
        return _HASHER.hash(password)


def is_password(stored: str | None, password: str) -> bool:
    """Whether `password` fits `stored`. Without a stored hash the same work is done, so that time does not tell who exists."""
    with _Slot():
        try:
            _HASHER.verify(stored or _dummy(), password)
        except (VerificationError, InvalidHashError):
            return False
    return stored is not None


def check_new(password: str, name: str) -> None:
    """Raise InvalidInput, saying what to change, unless `password` may become the password of the operator `name`."""
    if len(password) < MINIMUM:
        message = Words("use at least %(number)s characters; a few unrelated words are easy to remember", number=MINIMUM)
        raise InvalidInput(message, "password")
    if len(password) > MAXIMUM:
        message = Words("use at most %(number)s characters", number=MAXIMUM)
        raise InvalidInput(message, "password")
    if len(set(password)) < MINIMUM // 2 or name.lower() in password.lower():
        message = Words("too easy to guess: it repeats a few characters or contains the name")
        raise InvalidInput(message, "password")


class _Slot:
    """One of the two places to hash in; waits a little, then refuses rather than pile up threads."""

    def __enter__(self) -> None:
        if not _SLOTS.acquire(timeout=_WAIT_S):
            message = "too many sign-ins at the same moment: try again in a few seconds"
            raise Unavailable(message)

    def __exit__(self, *_exception: object) -> None:
        _SLOTS.release()


@cache
def _dummy() -> str:
    return _HASHER.hash("no operator has this password")

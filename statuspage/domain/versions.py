"""Whether what a notice says of app versions concerns one version of the app.

What operators write: alternatives apart by commas or semicolons, each an optional platform and conditions that must all hold:
`5.2.0`, `4.8 - 5.2.0`, `>= 5.0 < 5.2.1`, `android 5.2.0, ios < 5`. What cannot be read concerns everybody: better one banner too
many than one too few.
"""

from __future__ import annotations

import re
from itertools import zip_longest

PLATFORMS = ("ios", "android", "web", "desktop", "extension")
_NUMBER = r"v?\d{1,9}(?:\.\d{1,9}){0,5}"
_ALTERNATIVE = re.compile(r"[,;、，；|\n]|\band\b|\bor\b|和|或")  # noqa: RUF001 - Chinese punctuation
_PLATFORM = re.compile(rf"\b({'|'.join(PLATFORMS)})\b", re.IGNORECASE)
_RANGE = re.compile(rf"({_NUMBER})\s*(?:-|–|—|~|to|至|到)\s*({_NUMBER})", re.IGNORECASE)  # noqa: RUF001 - as people type it
_CONDITION = re.compile(rf"(<=|>=|<|>|=|≤|≥)?\s*({_NUMBER})")
_LONGEST = 200


def concerns(affected: str, fixed: str, version: str, platform: str) -> bool:
    """True when a notice with these two texts is for users of `version` on `platform`; either may be '' for unknown."""
    known = read(version)
    if known is None:
        return _names(affected, platform)
    repaired = read(_CONDITION_TEXT.sub("", fixed)) if fixed else None
    if not affected.strip():
        return repaired is None or _order(known, repaired) < 0
    if repaired is not None and _order(known, repaired) >= 0:
        return False
    parts = [part.strip() for part in _ALTERNATIVE.split(affected[:_LONGEST]) if part.strip()]
    return any(_matches(part, known, platform.lower()) for part in parts)


def read(text: str) -> tuple[int, ...] | None:
    """5.2.1 as numbers; None for anything else."""
    found = re.fullmatch(_NUMBER, text.strip()[:60].lower())
    return tuple(int(part) for part in found.group().removeprefix("v").split(".")) if found else None


_CONDITION_TEXT = re.compile(r"[^0-9v.]")


def _names(affected: str, platform: str) -> bool:
    """Without a version: a text that names platforms, and not this one, is for others."""
    named = {word.lower() for word in _PLATFORM.findall(affected[:_LONGEST])}
    return not platform or not named or platform.lower() in named


def _matches(part: str, version: tuple[int, ...], platform: str) -> bool:
    named = {word.lower() for word in _PLATFORM.findall(part)}
    if named and platform and platform not in named:
        return False
    rest = _PLATFORM.sub(" ", part)
    spans = [(read(low), read(high)) for low, high in _RANGE.findall(rest)]
    conditions = [(sign, read(number)) for sign, number in _CONDITION.findall(_RANGE.sub(" ", rest))]
    leftover = _CONDITION.sub(" ", _RANGE.sub(" ", rest))
    if leftover.strip(" .:()") or not (spans or conditions):
        return True  # words we cannot weigh, or a platform alone
    within = all(low and high and _order(low, version) <= 0 <= _order(high, version) for low, high in spans)
    return within and all(number is not None and _holds(sign, _order(version, number)) for sign, number in conditions)


def _holds(sign: str, order: int) -> bool:
    return {"<": order < 0, "<=": order <= 0, "≤": order <= 0, ">": order > 0, ">=": order >= 0, "≥": order >= 0}.get(
        sign, order == 0
    )


def _order(one: tuple[int, ...], other: tuple[int, ...]) -> int:
    """-1, 0 or 1; 5.2 is 5.2.0."""
    for left, right in zip_longest(one, other, fillvalue=0):
        if left != right:
            return 1 if left > right else -1
    return 0

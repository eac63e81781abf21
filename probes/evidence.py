"""What a run leaves behind for operators: without credentials, and small enough to be kept."""

from __future__ import annotations

import json
import re
from typing import Any

LIMIT = 7000  # of JSON; the server keeps 8 kB with the phases
_MASK = "***"
_NAMES = (
    r"authorization|cookie|token|secret|passw(?:or)?d|passphrase|api[_-]?key|access[_-]?key|private[_-]?key|session(?:[_-]?id)?|"
    r"mnemonic|seed|otp|credential|jwt|signature"
)
_HEADER = re.compile(rf"(?:^|[-_])(?:{_NAMES})s?(?:$|[-_])|^x-api-key$", re.IGNORECASE)
_NAME = re.compile(_NAMES, re.IGNORECASE)
# A name of bounded length first, then whether it says credential: in one expression a hostile body would cost its length cubed.
# The value's end may lie beyond the excerpt.
_FIELD = re.compile(r'"([\w-]{1,64}+)"(\s{0,9}:\s{0,9})(?:"(?:[^"\\]|\\.)*+(?:"|$|\\$)|-?\d[\w.+-]*+)')
_PAIR = re.compile(r"(?<![\w-])([\w-]{1,64}+)=[^\s&;,\"'<>]+")
_CUTS = ((300, 40), (120, 40), (60, 20), (30, 20), (60, 10))


def header(line: str) -> str:
    """`Name: value`, the value masked where the name says that it is a credential."""
    name, colon, _ = line.partition(":")
    return f"{name}: {_MASK}" if colon and _HEADER.search(name.strip()) else line


def body(raw: bytes, longest: int) -> str:
    """The beginning of a body as text, without the values of fields that are credentials by their names."""
    text = raw[: 2 * longest].decode("utf-8", "replace")
    return _PAIR.sub(_pair, _FIELD.sub(_field, text))[:longest]


def _field(match: re.Match[str]) -> str:
    return f'"{match[1]}"{match[2]}"{_MASK}"' if _NAME.search(match[1]) else match[0]


def _pair(match: re.Match[str]) -> str:
    return f"{match[1]}={_MASK}" if _NAME.search(match[1]) else match[0]


def fitted(evidence: dict[str, Any], limit: int = LIMIT) -> dict[str, Any]:
    """`evidence` within `limit` characters of JSON: long texts and lists are cut, then what is largest is left out."""
    if _size(evidence) <= limit:
        return evidence
    for text, items in _CUTS:
        evidence = {name: _cut(value, text, items) for name, value in evidence.items()}
        if _size(evidence) <= limit:
            return evidence
    kept = dict(sorted(evidence.items(), key=lambda each: _size(each[1])))
    while _size(kept) > limit - 40:
        kept.popitem()
    return {**kept, "cut": "the rest was too large to keep"}


def _cut(value: Any, text: int, items: int) -> Any:  # noqa: ANN401 - JSON
    if isinstance(value, str):
        return value if len(value) <= text else value[:text] + "…"
    if isinstance(value, list):
        return [_cut(each, text, items) for each in value[:items]]
    if isinstance(value, dict):
        return {name: _cut(each, text, items) for name, each in value.items()}
    return value


def _size(value: Any) -> int:  # noqa: ANN401 - JSON
    return len(json.dumps(value, ensure_ascii=False, default=str))

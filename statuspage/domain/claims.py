"""Reading what somebody was sent: which notice numbers and which hosts stand in a pasted message."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from functools import cache

from statuspage.domain.notice import NUMBER_ALPHABET

LONGEST = 4000
_MOST = 10
_NUMBER = re.compile(rf"(?<![A-Z0-9])N\s?[-\u2010-\u2015\u2212_]\s?([{NUMBER_ALPHABET}]{{4}})(?![A-Z0-9])")
_BARE = re.compile(rf"N?[{NUMBER_ALPHABET}]{{4}}")
# Chinese runs into an address without a space; letters of other scripts stay in, since look-alikes of ours are made of them.
_LETTER = r"[^\W\u2e80-\uffef]"
_BEFORE, _AFTER = rf"(?<!{_LETTER})(?<![@.-])(?:https?://)?(?:[^\s/@]*@)?", rf"(?!{_LETTER}|-|\.{_LETTER})"
_HOST = rf"{_BEFORE}((?:(?:{_LETTER}|-){{1,63}}\.)+[^\W\d_\u2e80-\uffef]{{2,24}}){_AFTER}"


def numbers(text: str) -> list[str]:
    """Notice numbers in `text`, as they are written canonically, without repetition. A number alone may be typed without N-."""
    plain = unicodedata.normalize("NFKC", text[:LONGEST]).upper()
    found = [f"N-{code}" for code in _NUMBER.findall(plain)]
    alone = "".join(plain.split())
    if not found and _BARE.fullmatch(alone):
        found = [f"N-{alone[-4:]}"]
    return list(dict.fromkeys(found))[:_MOST]


def foreign_hosts(text: str, ours: Iterable[str]) -> list[str]:
    """Hosts named in `text` that are neither one of `ours` nor below one, in order, without repetition."""
    known = {host.lower().rstrip(".") for host in ours if host}
    found = [host.lower() for host in _host().findall(unicodedata.normalize("NFKC", text[:LONGEST]))]
    return list(dict.fromkeys(host for host in found if not _is_ours(host, known)))[:_MOST]


@cache
def _host() -> re.Pattern[str]:
    """Compiled when the first message is pasted: its classes of half of Unicode take 40 ms of a start."""
    return re.compile(_HOST, re.IGNORECASE)


def _is_ours(host: str, known: set[str]) -> bool:
    return any(host == one or host.endswith(f".{one}") for one in known)

"""Text as a reader means it: full-width or half-width, capital or small, composed or not. Databases know of ASCII's case alone.

So a search asks them two things they can answer: whether a text holds the word as it is, or any character that could stand for
one of the word's. What they find is then compared here; a text without such a character cannot be missed.
"""

from __future__ import annotations

import unicodedata
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, Text, func, or_, type_coerce

_TO_WIDE = 0xFEE0  # from "!" to its full-width form
_WIDE_LETTERS, _WIDE_DIGITS = "Ａ-Ｚａ-ｚ", "０-９"  # noqa: RUF001 - they are meant


def fold(text: str) -> str:
    """`text` for comparison: without case, width and other forms of the same characters, composed."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())


def may_hold(conn: Connection, column: Any, word: str) -> Any:  # noqa: ANN401 - a column, an expression
    """A condition that is true for every text in `column` whose folded form holds `word`, itself folded, and for few others.

    Not for signs that stand for several at once: a circled or superscript number, a ligature, a unit in one square.
    """
    text = type_coerce(column.op("||")(""), Text)
    holds = func.lower(text).contains(word, autoescape=True)
    others = _stand_ins(word)
    if not others:
        return holds
    is_sqlite = conn.dialect.name == "sqlite"
    return or_(holds, text.op("GLOB")(f"*[{others}]*") if is_sqlite else text.op("~")(f"[{others}]"))


def _stand_ins(word: str) -> str:
    """Characters outside ASCII that may stand for one of `word`, as the inside of a class. Ranges, where they can be: each text
    is compared with each member at each of its places.
    """
    found: set[str] = set()
    for one in {*word, *unicodedata.normalize("NFD", word)}:
        if one.isascii():
            found.add(_WIDE_LETTERS if one.isalpha() else _WIDE_DIGITS if one.isdecimal() else chr(ord(one) + _TO_WIDE))
        else:
            found.update(_same().get(one, ""))
        if unicodedata.combining(one):
            found.add(one)
    return "".join(sorted(found)) + ("ß" if "s" in word else "")


@lru_cache(maxsize=1)
def _same() -> dict[str, str]:
    """Character -> those outside ASCII that are the same without case and width. 60,000 are looked at, at the first search."""
    found: dict[str, str] = {}
    for number in (*range(0x80, 0xD800), *range(0xF900, 0x10000)):
        one = chr(number)
        folded = fold(one)
        if len(folded) == 1 and folded != one and not folded.isascii():
            found[folded] = found.get(folded, "") + one
    return found

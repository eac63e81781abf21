"""Text as a reader means it: full-width or half-width, capital or small, composed or not. Databases know of ASCII's case alone.

So the words of a notice are kept a second time, folded, in a column of their own: a search is one look into each row, and exact.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterable
from typing import Any

from sqlalchemy import ColumnElement, Connection, func

# PostgreSQL stores no NUL and UTF-8 no half of a surrogate pair. Browsers show, and send, this for both.
_UNFIT, _SHOWN = re.compile("[\x00\ud800-\udfff]"), "\ufffd"
_MOST_WORDS = 6  # each is a look into every notice


def fold(text: str) -> str:
    """`text` for comparison: without case, width and other forms of the same characters, composed. Any database can store it."""
    return _UNFIT.sub(_SHOWN, unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold()))


def words_of(number: str, facts: Any, said: Iterable[tuple[Any, Any]]) -> str:  # noqa: ANN401 - what a JSON column holds
    """What a search looks at, folded, one text a line and none twice: the number, titles and scope of the notice's `facts`, and
    what was `said`: (bodies, facts) of each update, oldest first. JSON values; of what is damaged, that which can be read.
    """
    texts = [number, *_texts(_part(facts, "titles")), *_texts(_part(facts, "scope"))]
    for bodies, then in said:
        texts += [*_texts(bodies), *_texts(_part(then, "titles"))]
    return "\n".join(dict.fromkeys(filter(None, map(fold, texts))))


def read_loosely(text: Any) -> Any:  # noqa: ANN401 - any JSON value
    """The value of a JSON column; None for one that does not parse: a damaged update must not stop the next."""
    try:
        return json.loads(text)
    except (TypeError, ValueError, RecursionError):
        return None


def holds(conn: Connection, column: ColumnElement[str], typed: str) -> list[ColumnElement[bool]]:
    """Conditions that are all true where `column`, written by `words_of`, holds every word of `typed`, the first six: each is
    part of one text, since it has no white space. No pattern: % and _ are characters like others.
    """
    place = func.instr if conn.dialect.name == "sqlite" else func.strpos
    return [place(column, word) > 0 for word in fold(typed).split()[:_MOST_WORDS]]


def _part(facts: Any, name: str) -> Any:  # noqa: ANN401 - any JSON value
    return facts.get(name) if isinstance(facts, dict) else None


def _texts(found: Any) -> list[str]:  # noqa: ANN401 - any JSON value
    return [text for text in found.values() if isinstance(text, str)] if isinstance(found, dict) else []

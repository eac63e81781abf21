"""RSS and Atom as a partner's status page writes them: the newest entries, and whether each tells of an open disturbance.

Nothing but text is taken from the document. A document type is refused, and with it every entity of its own making.
"""

from __future__ import annotations

import html
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from xml.parsers import expat

_ROOTS = ("rss", "feed", "RDF")
_ENTRIES = ("item", "entry")
_DATES = ("pubDate", "updated", "published", "date")
_TEXTS = ("description", "content", "encoded", "summary")
_MAX_ENTRIES = 50
_MAX_TEXT = 20_000
_MAX_DEPTH = 100
_TAG = re.compile(r"<[^<>]{0,2000}>")
_CLOSED = re.compile(
    r"\b(?:resolved|completed|post-?mortem|restored|recovered|scheduled|cancell?ed)\b|已解决|已恢复|已修复|已完成|恢复正常",
    re.IGNORECASE,
)
_OPEN = re.compile(
    r"\b(?:investigat\w{1,4}|identified|monitoring|in progress|outage|degraded|disruption)\b"
    r"|调查中|正在调查|已确认|监控中|处理中|进行中",
    re.IGNORECASE,
)


@dataclass(slots=True)
class Entry:
    """One entry. `at` is None where no date could be read."""

    title: str = ""
    text: str = ""
    dates: dict[str, str] = field(default_factory=dict)

    @property
    def at(self) -> datetime | None:
        """When it changed last, aware."""
        for name in ("updated", "pubDate", "date", "published"):
            found = _moment(self.dates.get(name, ""))
            if found is not None:
                return found
        return None

    @property
    def is_open(self) -> bool | None:
        """Whether it tells of a disturbance that goes on; None when it does not say.

        The first word of a state decides, since pages write the newest update first; a title may say that it is over.
        """
        if _CLOSED.search(self.title):
            return False
        for text in (self.text, self.title):
            closed, opened = _CLOSED.search(text), _OPEN.search(text)
            if closed or opened:
                return closed is None or (opened is not None and opened.start() < closed.start())
        return None


def _moment(text: str) -> datetime | None:
    for read in (datetime.fromisoformat, parsedate_to_datetime):
        try:
            found = read(text.strip())
        except (ValueError, OverflowError):
            continue
        return found if found.tzinfo is not None else found.replace(tzinfo=UTC)
    return None


class _Reader:
    """Takes the texts of entries while the document goes by; keeps no tree."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self._path: list[str] = []
        self._entry: Entry | None = None
        self._depth = 0  # of the entry's element
        self._text: list[str] = []
        self._size = 0

    def start(self, name: str, _attributes: dict[str, str]) -> None:
        local = name.rpartition(" ")[2]
        if (not self._path and local not in _ROOTS) or len(self._path) >= _MAX_DEPTH:
            message = "neither RSS nor Atom"
            raise ValueError(message)
        self._path.append(local)
        if local in _ENTRIES and self._entry is None and len(self.entries) < _MAX_ENTRIES:
            self._entry, self._depth = Entry(), len(self._path)
            self.entries.append(self._entry)
        elif self._entry is not None and len(self._path) == self._depth + 1:
            self._text, self._size = [], 0

    def data(self, text: str) -> None:
        if self._entry is not None and self._size < _MAX_TEXT:
            self._text.append(text[: _MAX_TEXT - self._size])
            self._size += len(self._text[-1])

    def end(self, _name: str) -> None:
        local, depth = self._path.pop(), len(self._path) + 1
        if self._entry is None:
            return
        if depth == self._depth:
            self._entry = None
        elif depth == self._depth + 1:
            self._keep(self._entry, local, "".join(self._text))

    @staticmethod
    def _keep(entry: Entry, name: str, text: str) -> None:
        if name == "title":
            entry.title = _plain(text)[:300]
        elif name in _TEXTS:
            entry.text = entry.text or _plain(text)
        elif name in _DATES:
            entry.dates[name] = text

    def refuse(self, *_: object) -> None:
        message = "a document type is not read"
        raise ValueError(message)


def _plain(text: str) -> str:
    return " ".join(html.unescape(_TAG.sub(" ", text)).split())


def read_feed(body: bytes) -> list[Entry]:
    """The first 50 entries. Raises ValueError for what is no RSS or Atom."""
    reader = _Reader()
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.data
    parser.StartDoctypeDeclHandler = reader.refuse
    try:
        parser.Parse(body, True)  # noqa: FBT003 - expat takes no keywords
    except expat.ExpatError as error:
        message = f"not XML: {error}"
        raise ValueError(message) from error
    return reader.entries

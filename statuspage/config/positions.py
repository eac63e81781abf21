"""YAML text -> plain values, with the place of every key and value, and every trap of YAML 1.1 reported.

Built on the parser's events, not on its node tree: aliases, tags and depth are seen before anything is built, so a hostile file
costs no more than its own size. Numbers keep the spelling of the file (`1.10`, `+852…`), so that a text stays what was typed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

MAX_BYTES = 1_000_000
MAX_DEPTH = 20
TOO_LONG = f"the file is longer than the {MAX_BYTES} bytes that are read: split what it watches"

Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Place:
    """Line and column as an editor counts them, from 1."""

    line: int
    col: int


@dataclass(frozen=True, slots=True)
class Fault:
    """Something wrong with the file as YAML, before any meaning is given to it."""

    place: Place
    path: Path
    message: str


@dataclass(slots=True)
class Tree:
    """What a file says. `values` and `keys` give the place of a path's value and of the key that leads to it."""

    data: Any = None
    values: dict[Path, Place] = field(default_factory=dict)
    keys: dict[Path, Place] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)

    def value_place(self, path: Path) -> Place:
        """Place of the value at `path`, or of the nearest parent that is in the file."""
        return self._nearest(path, self.values)

    def key_place(self, path: Path) -> Place:
        """Place of the key that leads to `path`; list items have none and give their value's place."""
        return self.keys[path] if path in self.keys else self._nearest(path, self.values | self.keys)

    @staticmethod
    def _nearest(path: Path, places: dict[Path, Place]) -> Place:
        for length in range(len(path), -1, -1):
            if path[:length] in places:
                return places[path[:length]]
        return Place(1, 1)


class WrittenInt(int):
    """A whole number that remembers how it was written."""

    written: str


class WrittenFloat(float):
    """A number with a point that remembers how it was written."""

    written: str


_INT = re.compile(r"[-+]?(0|[1-9][0-9]*)")
_FLOAT = re.compile(r"[-+]?(0|[1-9][0-9]*)\.[0-9]+([eE][-+]?[0-9]+)?")
_MAX_DIGITS = 18
_WORDS: dict[str, bool | None] = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False,
          "": None, "~": None, "null": None, "Null": None, "NULL": None}  # fmt: skip
_QUOTE = "put it in quotes"
# What YAML 1.1 programs read as something else than what was typed. Each is refused: another tool would see another value.
_TRAPS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"(?i:yes|no|on|off|y|n)"),
     "YAML reads {raw} as true or false: " + _QUOTE + " for text, write true or false for a switch"),
    (re.compile(r"[-+]?0[0-9_]+"),
     "YAML reads {raw} as an octal number: " + _QUOTE + " for text, leave out the leading zero for a number"),
    (re.compile(r"[-+]?0[xob][0-9a-fA-F_]+"), "YAML reads {raw} as a number: " + _QUOTE),
    (re.compile(r"[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?"),
     "YAML reads {raw} as a number of base 60: " + _QUOTE + ", or write a duration as 30s, 5m, 2h, 7d"),
    (re.compile(r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([Tt ].*)?"), "YAML reads {raw} as a date: " + _QUOTE),
    (re.compile(r"[-+]?[0-9]+(_+[0-9]+)+(\.[0-9_]*)?"),
     "YAML reads {raw} as a number without the underscores: " + _QUOTE + " for text"),
    (re.compile(r"[-+]?([0-9]+\.|\.[0-9]+|[0-9]+(\.[0-9]*)?[eE][-+]?[0-9]+|0[0-9]+\.[0-9]*)"),
     "YAML programs disagree about {raw}: " + _QUOTE + " for text, write a number as 0.5"),
    (re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)"), "{raw} is not a number that can be used here: write a finite one"),
    (re.compile(r"[-+]?[0-9]{19,}(\.[0-9]*)?"), "{raw} is too long for a number: " + _QUOTE),
    (re.compile(r"="), "YAML gives = a meaning of its own: " + _QUOTE),
)  # fmt: skip


def read(text: str) -> Tree:
    """Read one YAML document. Never raises: what is wrong is in `faults`, and as much of the rest as possible in `data`."""
    tree = Tree()
    text = text.removeprefix("\ufeff")
    try:
        too_long = len(text.encode()) > MAX_BYTES
    except UnicodeEncodeError as error:
        tree.faults.append(Fault(_place_of(text, error.start), (), "this character cannot be stored as UTF-8: remove it"))
        return tree
    if too_long:
        tree.faults.append(Fault(Place(1, 1), (), TOO_LONG))
        return tree
    try:
        _Builder(tree, yaml.parse(text, Loader=yaml.CSafeLoader)).document()
    except _Stop:
        pass
    except yaml.reader.ReaderError as error:
        place = _first_control(text) if error.position is None else _place_of(text, _char_offset(text, error.position))
        tree.faults.append(Fault(place, (), "this character is not allowed in YAML: remove it"))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = Place(mark.line + 1, mark.column + 1) if mark else Place(1, 1)
        what = ", ".join(part for part in (error.context, error.problem) if part)
        tree.faults.append(Fault(place, (), f"this is not YAML ({what}): check indentation, colons, brackets and quotes here"))
    return tree


def plain(value: Any) -> Any:  # noqa: ANN401 - any YAML value
    """A deep copy with ordinary ints and floats, fit for JSON."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, WrittenInt):
        return int(value)
    return float(value) if isinstance(value, WrittenFloat) else value


def dotted(path: Path) -> str:
    """`monitors.login-api.http.url`, as printed in messages; the whole file is `.`."""
    return ".".join(str(part) for part in path) or "."


class _Stop(Exception):
    """Nothing after this can be read with sense."""


class _Builder:
    """One pass over the events. Depth is bounded by MAX_DEPTH, so recursion is."""

    def __init__(self, tree: Tree, events: Iterator[yaml.Event]) -> None:
        self.tree = tree
        self.events = events

    def document(self) -> None:
        next(self.events)  # stream start
        if isinstance(event := next(self.events), yaml.StreamEndEvent):
            self.stop(event, (), "the file is empty: `statuspage init` writes one to begin with")
        self.tree.data = self.node(next(self.events), ())
        next(self.events)  # document end
        if not isinstance(event := next(self.events), yaml.StreamEndEvent):
            self.fault(event, (), "a second document begins here: keep everything in one, without ---")

    def node(self, event: yaml.Event, path: Path) -> Any:  # noqa: ANN401 - any YAML value
        self.tree.values[path] = _place(event)
        if isinstance(event, yaml.AliasEvent):
            self.fault(event, path, f"*{event.anchor} repeats another part: write it out, aliases are not read")
            return None
        if tag := getattr(event, "tag", None):
            self.fault(event, path, f"remove the tag {tag}: values are read by the meaning of their key")
        if isinstance(event, yaml.ScalarEvent):
            return self.scalar(event, path)
        if len(path) >= MAX_DEPTH:
            self.stop(event, path, f"nested deeper than {MAX_DEPTH} levels: flatten it")
        return self.mapping(path) if isinstance(event, yaml.MappingStartEvent) else self.sequence(path)

    def sequence(self, path: Path) -> list[Any]:
        items: list[Any] = []
        while not isinstance(event := next(self.events), yaml.SequenceEndEvent):
            items.append(self.node(event, (*path, len(items))))
        return items

    def mapping(self, path: Path) -> dict[str, Any]:
        items: dict[str, Any] = {}
        while not isinstance(event := next(self.events), yaml.MappingEndEvent):
            key = self.key(event, path)
            inner = (*path, key)
            if key in items:
                lines = f"{self.tree.keys[inner].line} and {_place(event).line}"
                self.fault(event, inner, f"{key} is given twice, on lines {lines}: keep one")
                inner = (*path, f"{key} (line {_place(event).line})")
            self.tree.keys.setdefault(inner, _place(event))
            value = self.node(next(self.events), inner)
            items.setdefault(key, value)
        return items

    def key(self, event: yaml.Event, path: Path) -> str:
        if isinstance(event, yaml.ScalarEvent):
            if event.value == "<<" and not event.style:
                self.stop(event, path, "<< merges another part: write it out, merges are not read")
            if event.tag is not None:
                self.fault(event, (*path, event.value), f"remove the tag {event.tag}: keys are plain words")
            return str(event.value)
        self.stop(event, path, "a key must be one word, not a list, a mapping or an alias; text with braces needs quotes")
        return ""

    def scalar(self, event: yaml.ScalarEvent, path: Path) -> Any:  # noqa: ANN401 - any YAML scalar
        raw = event.value
        if event.style:  # quoted or block: text whatever it looks like
            return raw
        if raw in _WORDS:
            return _WORDS[raw]
        for pattern, advice in _TRAPS:
            if pattern.fullmatch(raw):
                self.fault(event, path, advice.format(raw=raw[:40]))
                return raw
        return _number(raw)

    def fault(self, event: yaml.Event, path: Path, message: str) -> None:
        self.tree.faults.append(Fault(_place(event), path, message))

    def stop(self, event: yaml.Event, path: Path, message: str) -> None:
        self.fault(event, path, message)
        raise _Stop


def _number(raw: str) -> str | int | float:
    if _INT.fullmatch(raw):
        whole = WrittenInt(raw)
        whole.written = raw
        return whole
    if _FLOAT.fullmatch(raw) and len(raw) <= 2 * _MAX_DIGITS and abs(float(raw)) < 10.0**_MAX_DIGITS:
        broken = WrittenFloat(raw)
        broken.written = raw
        return broken
    return raw


def _place(event: yaml.Event) -> Place:
    mark = event.start_mark
    return Place(mark.line + 1, mark.column + 1) if mark else Place(1, 1)


def _place_of(text: str, offset: int) -> Place:
    before = text[:offset]
    return Place(before.count("\n") + 1, offset - before.rfind("\n"))


def _char_offset(text: str, byte_offset: int) -> int:
    return len(text.encode()[:byte_offset].decode(errors="ignore"))


def _first_control(text: str) -> Place:
    found = re.search(r"[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", text)
    return _place_of(text, found.start() if found else 0)

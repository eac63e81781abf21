"""What an HTTP answer must be: status, header, body, JSON. Compiled once per monitor, applied to each answer."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import jmespath
import re2
from jmespath import functions, visitor

from probes.options import Option, Problem, a_list, a_text, an_int, as_list, texts_by_name

Pattern = Any  # re2 ships no types
Tree = Any  # a parsed JMESPath expression
_MAX_PATTERN = 512
_RE2_MEMORY = 1 << 20
_SHOWN = 120
_BOM = b"\xef\xbb\xbf"
_JSON_SPACE = " \t\n\r"
_DECODER = json.JSONDecoder()


class _Functions(functions.Functions):
    """JMESPath knows no hexadecimal numbers, and JSON-RPC heads are written in them."""

    @functions.signature({"types": ["string"]})
    def _func_hex(self, text: str) -> int | None:
        try:
            return int(text, 16)
        except ValueError:
            return None


# One interpreter for all: making one per search is half of what a search costs.
_INTERPRETER = visitor.TreeInterpreter(jmespath.Options(custom_functions=_Functions()))


def compile_expression(text: str) -> Tree:
    """A JMESPath expression, parsed. Raises ValueError."""
    return jmespath.compile(text).parsed


def search(tree: Tree, value: object) -> Any:  # noqa: ANN401 - any JSON value
    """What the expression finds in a JSON value. Raises ValueError for what cannot be evaluated."""
    try:
        return _INTERPRETER.visit(tree, value)
    except (jmespath.exceptions.JMESPathError, RecursionError, TypeError) as error:
        raise ValueError(str(error)) from error


def read_json(body: bytes) -> Any:  # noqa: ANN401 - any JSON value
    """The JSON value in a body. Raises ValueError or RecursionError."""
    text = body.removeprefix(_BOM).decode().strip(_JSON_SPACE)
    value, end = _DECODER.raw_decode(text)  # json.loads spends as much again on two patterns for the space around
    if end != len(text):
        message = "there is more after the JSON value"
        raise ValueError(message)
    return value


def a_status(value: object) -> list[Problem]:
    """Check for a status: 200, or 2xx for a hundred of them."""
    if isinstance(value, int) and not isinstance(value, bool) and 100 <= value <= 599:
        return []
    if isinstance(value, str) and len(value) == 3 and value[0] in "12345" and value[1:] == "xx":
        return []
    return [((), "must be a status from 100 to 599, or 1xx to 5xx")]


def _re2_options() -> Any:  # noqa: ANN401 - re2 ships no types
    options = re2.Options()
    options.max_mem = _RE2_MEMORY
    options.log_errors = False
    return options


def compile_pattern(text: str) -> Pattern:
    """A linear-time pattern for UTF-8 bytes. Raises ValueError for what RE2 does not know: never handed to `re`."""
    if len(text.encode()) > _MAX_PATTERN:
        message = f"pattern is longer than {_MAX_PATTERN} bytes"
        raise ValueError(message)
    try:
        return re2.compile(text.encode(), _re2_options())
    except re2.error as error:
        reason = error.args[0]
        message = f"pattern is not understood by RE2: {reason.decode() if isinstance(reason, bytes) else reason}"
        raise ValueError(message) from error


def _compile_together(texts: list[str]) -> Any:  # noqa: ANN401 - re2 ships no types
    """All patterns in one pass, without the match objects that nobody looks at while all is well: half the cost of one search.

    None where there are none, or where together they need more memory than a pattern is given.
    """
    if not texts:
        return None
    together = re2.Set.SearchSet(_re2_options())
    try:
        for text in texts:
            together.Add(text.encode())
        together.Compile()
    except re2.error:
        return None
    return together


def a_pattern(value: object) -> list[Problem]:
    """Check for an RE2 pattern."""
    if not isinstance(value, str) or not value:
        return [((), "must be a pattern")]
    try:
        compile_pattern(value)
    except ValueError as error:
        return [((), str(error))]
    return []


def an_expression(value: object) -> list[Problem]:
    """Check for a JMESPath expression."""
    if not isinstance(value, str) or not value:
        return [((), "must be a JMESPath expression")]
    try:
        jmespath.compile(value)
    except (jmespath.exceptions.JMESPathError, RecursionError) as error:
        return [((), f"JMESPath: {str(error).splitlines()[0]}")]
    return []


OPTIONS = (
    Option("status", "statuses that are good: numbers, or `2xx`", a_list(a_status), "2xx"),
    Option("header", "header fields that must be there and contain a text", texts_by_name),
    Option("body_contains", "texts the body must contain", a_list(a_text)),
    Option("body_matches", "RE2 patterns of which a part of the body must match each", a_list(a_pattern)),
    Option(
        "json", "JMESPath expressions that must be true; null is not true; `hex()` reads `0x1f`", a_list(an_expression)
    ),
    Option("certificate_days", "degraded when the certificate ends sooner than this", an_int(0, 3650)),
)


@dataclass(slots=True)
class Assertion:
    """One thing that was demanded, and what was found."""

    what: str
    ok: bool
    found: str = ""
    error_class: str = "assertion"

    def to_json(self) -> dict[str, Any]:
        """For evidence."""
        return {"what": self.what, "ok": self.ok, "found": self.found}


@dataclass(slots=True)
class Expectation:
    """The compiled `expect` of one monitor."""

    statuses: frozenset[int]
    status_text: str
    headers: list[tuple[str, str]] = field(default_factory=list)
    contains: list[str] = field(default_factory=list)
    patterns: list[tuple[str, Pattern]] = field(default_factory=list)
    patterns_together: Any = None
    expressions: list[tuple[str, Tree]] = field(default_factory=list)
    certificate_days: int | None = None

    @property
    def reads_body(self) -> bool:
        """Whether a cut body leaves something undecided."""
        return bool(self.contains or self.patterns or self.expressions)


def compile_expectation(expect: Mapping[str, Any]) -> Expectation:
    """From options that were validated; raises ValueError for those that would not have been."""
    wanted = as_list(expect.get("status")) or ["2xx"]
    statuses: set[int] = set()
    for each in wanted:
        statuses |= {each} if isinstance(each, int) else set(range(int(each[0]) * 100, int(each[0]) * 100 + 100))
    return Expectation(
        frozenset(statuses),
        ", ".join(map(str, wanted)),
        [(name.lower(), text) for name, text in dict(expect.get("header") or {}).items()],
        as_list(expect.get("body_contains")),
        [(text, compile_pattern(text)) for text in as_list(expect.get("body_matches"))],
        _compile_together(as_list(expect.get("body_matches"))),
        [(text, compile_expression(text)) for text in as_list(expect.get("json"))],
        expect.get("certificate_days"),
    )


def _shown(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "…"


def _start(body: bytes) -> str:
    return body[:_SHOWN].decode("utf-8", "replace")


def judge_body(expectation: Expectation, body: bytes, *, capped: bool, detail: bool = False) -> list[Assertion]:
    """The demands on the body that are not met; with `detail` the met ones too. A cut body decides only what it holds."""
    missing = "body_cap" if capped else "assertion"
    found: list[Assertion] = []
    for needle in expectation.contains:
        ok = needle.encode() in body
        if detail or not ok:
            found.append(Assertion(f"body contains {needle!r}", ok, "" if ok else _start(body), missing))
    if expectation.patterns and (detail or not _all_match(expectation, body)):
        for pattern, compiled in expectation.patterns:
            match = compiled.search(body)
            if detail or not match:
                shown = _start(match[0] if match else body)
                found.append(Assertion(f"body matches {pattern!r}", bool(match), shown, missing))
    if expectation.expressions:
        found += _judge_json(expectation, body, capped=capped, detail=detail)
    return found


def _all_match(expectation: Expectation, body: bytes) -> bool:
    """True when each pattern matches for certain; otherwise each is asked by itself."""
    together = expectation.patterns_together
    return together is not None and len(together.Match(body) or ()) == len(expectation.patterns)


def _judge_json(expectation: Expectation, body: bytes, *, capped: bool, detail: bool) -> list[Assertion]:
    if capped:
        return [Assertion("body is JSON", ok=False, found="body was cut at its cap", error_class="body_cap")]
    try:
        value = read_json(body)
    except (ValueError, RecursionError):
        return [Assertion("body is JSON", ok=False, found=_start(body), error_class="bad_body")]
    found: list[Assertion] = []
    for text, tree in expectation.expressions:
        try:
            result = search(tree, value)
        except ValueError as error:
            found.append(Assertion(text, ok=False, found=_shown(str(error))))
            continue
        if detail or result is not True:
            shown = "null: a path is missing or of another type" if result is None else _shown(result)
            found.append(Assertion(text, ok=result is True, found=shown))
    return found

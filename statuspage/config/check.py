"""`config check`: every mistake of wallet.yaml at once, each with its place and what to do about it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from statuspage import i18n
from statuspage.config import chains, references
from statuspage.config.chains import ChainMonitor
from statuspage.config.fields import Shape
from statuspage.config.kinds import Check, nearest, take_kinds
from statuspage.config.positions import MAX_BYTES, TOO_LONG, Place, Tree, dotted, read
from statuspage.config.positions import Path as KeyPath
from statuspage.config.schema import Document
from statuspage.errors import SettingsError

ERROR, WARNING = "error", "warning"


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing to mend. `str()` is `file:line:col: path: what to do`, which editors and terminals make a link of."""

    file: str
    line: int
    col: int
    path: str
    message: str
    severity: str = ERROR

    def __str__(self) -> str:
        mark = "warning: " if self.severity == WARNING else ""
        return f"{self.file}:{self.line}:{self.col}: {self.path}: {mark}{self.message}"


@dataclass(frozen=True, slots=True)
class Config:
    """A wallet.yaml without errors. `checks` by id of the monitors in the file, `chain_monitors` those that chains bring."""

    document: Document
    checks: dict[str, Check]
    chain_monitors: dict[str, ChainMonitor]

    @property
    def languages(self) -> list[str]:
        """The page's languages, the default first."""
        return list(self.document.page.languages)


def check(path: str | Path) -> tuple[Config | None, list[Problem]]:
    """Read a file. Problems are sorted by place; the config is None when one of them is an error. Never raises for content."""
    file = str(path)
    try:
        with Path(path).open("rb") as stream:
            raw = stream.read(MAX_BYTES + 1)
    except OSError as error:
        return None, [Problem(file, 1, 1, ".", f"the file cannot be read: {error.strerror or error}")]
    if len(raw) > MAX_BYTES:
        return None, [Problem(file, 1, 1, ".", TOO_LONG)]
    try:
        text = raw.decode()
    except UnicodeDecodeError as error:
        before = raw[: error.start].decode()
        place = Place(before.count("\n") + 1, len(before) - before.rfind("\n"))
        return None, [Problem(file, place.line, place.col, ".", "this is not UTF-8: save the file as UTF-8")]
    return check_text(text, file)


def load(path: str | Path) -> Config:
    """The config of a file. Raises SettingsError with every problem when there is an error in it."""
    return _or_raise(*check(path))


def parse(text: str, file: str = "wallet.yaml") -> Config:
    """The config of a text. Raises SettingsError with every problem when there is an error in it."""
    return _or_raise(*check_text(text, file))


def _or_raise(config: Config | None, problems: list[Problem]) -> Config:
    if config is None:
        raise SettingsError("\n".join(str(problem) for problem in problems if problem.severity == ERROR))
    return config


def check_text(
    text: str, file: str = "wallet.yaml", environ: Mapping[str, str] | None = None
) -> tuple[Config | None, list[Problem]]:
    """As `check`, of a text already read. References are looked up in `environ` and beside `file`, for warnings only."""
    tree = read(text)
    report = _Report(file, tree)
    for fault in tree.faults:
        report.add(fault.place, fault.path, fault.message)
    data = tree.data
    if not isinstance(data, dict):
        if not tree.faults:
            report.add(
                Place(1, 1),
                (),
                "write keys such as `page:` and `components:`; `statuspage init` writes a file to begin with",
            )
        return None, report.sorted()
    data = {key: value for key, value in data.items() if value is not None}  # `monitors:` with nothing below it
    environ = os.environ if environ is None else environ
    warn = [*references.unresolved(data, environ, Path(file).parent),
            *references.literal_secrets(data)]  # fmt: skip
    malformed = list(references.malformed(data))
    checks, kind_errors = take_kinds(data.get("monitors"))
    chain_monitors, chain_errors, chain_warnings = chains.monitors_of(data.get("chains"))
    derived = {name: monitor.chain for name, monitor in chain_monitors.items()}
    for path, message in kind_errors:
        report.add(tree.key_place(path), path, message)
    document = _validate(data, report)
    wrong = [*chain_errors, *malformed, *references.misnamed_regions(data, environ), *references.errors(data, derived)]
    for path, message in wrong:
        report.add(tree.value_place(path) if len(path) > 2 else tree.key_place(path), path, message)
    for path, message in [*warn, *chain_warnings, *references.advice(data)]:
        report.add(tree.value_place(path) if len(path) > 2 else tree.key_place(path), path, message, WARNING)
    problems = report.sorted()
    if document is None or any(problem.severity == ERROR for problem in problems):
        return None, problems
    return Config(document, checks, chain_monitors), problems


class _Report:
    """Problems as they come; the first one of a place wins, since what follows from it would only distract."""

    def __init__(self, file: str, tree: Tree) -> None:
        self.file = file
        self.tree = tree
        self.found: dict[tuple[KeyPath, str], Problem] = {}

    def add(self, place: Place, path: KeyPath, message: str, severity: str = ERROR) -> None:
        if (path, ERROR) in self.found:
            return
        self.found[path, severity] = Problem(self.file, place.line, place.col, dotted(path), message, severity)

    def sorted(self) -> list[Problem]:
        return sorted(
            self.found.values(), key=lambda problem: (problem.line, problem.col, problem.path, problem.severity)
        )


def _validate(data: dict[str, Any], report: _Report) -> Document | None:
    try:
        return Document.model_validate(data, context={"languages": _languages(data)})
    except ValidationError as error:
        details = error.errors(include_url=False, include_context=True)
        meant = {_meant(detail["loc"]) for detail in details if detail["type"] == "extra_forbidden"}
        for detail in details:
            if detail["type"] != "missing" or detail["loc"] not in meant:  # a misspelt key is one mistake, not two
                _translate(detail, report)
        return None


def _languages(data: Mapping[str, Any]) -> tuple[str, ...]:
    """The page's languages as far as they can be read before validation: texts are judged by them."""
    page = data.get("page")
    named = page.get("languages") if isinstance(page, dict) else None
    known = (
        [item for item in named if isinstance(item, str) and item in i18n.LOCALES] if isinstance(named, list) else []
    )
    return tuple(dict.fromkeys(known)) or i18n.DEFAULT_LANGUAGES


_BOUNDS = {
    "greater_than_equal": ("from", "ge"),
    "less_than_equal": ("up to", "le"),
    "greater_than": ("above", "gt"),
}
_ADVICE = {
    "int_type": "write a whole number, without quotes",
    "int_parsing": "write a whole number",
    "int_from_float": "write a whole number",
    "bool_type": "write true or false",
    "string_type": "write a text",
    "dict_type": "write keys below this one, each `name: value`",
    "model_type": "write keys below this one, each `name: value`",
    "list_type": "write a list: [a, b], or one `- item` per line",
}


def _translate(detail: ErrorDetails, report: _Report) -> None:
    """One finding of pydantic -> a problem at the right place, in words that say what to do."""
    kind, context = detail["type"], detail.get("ctx", {})
    path: KeyPath = tuple(part for part in detail["loc"] if part != "[key]")
    tree = report.tree
    if "[key]" in detail["loc"]:
        report.add(tree.key_place(path), path, detail["msg"])
    elif kind == "extra_forbidden":
        report.add(tree.key_place(path), path, _unknown(path))
    elif kind == "missing":
        report.add(tree.key_place(path[:-1]), path, f"add `{path[-1]}:` here; it is required")
    elif kind == "literal_error":
        report.add(tree.value_place(path), path, f"write one of {_list_of(context['expected'])}")
    elif kind in _BOUNDS:
        word, limit = _BOUNDS[kind]
        report.add(tree.value_place(path), path, f"write a number {word} {context[limit]:g}")
    elif kind == "too_short":
        report.add(tree.value_place(path), path, "name at least one")
    else:
        report.add(tree.value_place(path), path, _ADVICE.get(kind, detail["msg"]))


def _list_of(expected: str) -> str:
    return expected.replace(" or ", ", ").replace("'", "")


def _unknown(path: KeyPath) -> str:
    known = _keys_at(path[:-1])
    return f"no such key{nearest(str(path[-1]), known) or ': here can be ' + ', '.join(known)}"


def _meant(path: KeyPath) -> KeyPath:
    """The path of the key that was probably meant by an unknown one."""
    return (*path[:-1], nearest(str(path[-1]), _keys_at(path[:-1])).removeprefix("; did you mean ").removesuffix("?"))


def _keys_at(path: KeyPath) -> list[str]:
    """Keys that the shape at `path` knows, found by walking the types."""
    here: Any = Document
    for part in path:
        here = _inner(here, part)
    shape = _shape(here)
    return [field.alias or name for name, field in shape.model_fields.items()] if shape else []


def _inner(annotation: Any, part: str | int) -> Any:  # noqa: ANN401 - a type, of any form
    if shape := _shape(annotation):
        return next(
            (field.annotation for name, field in shape.model_fields.items() if part in (name, field.alias)), None
        )
    arguments = [item for item in get_args(annotation) if item is not NoneType]
    return arguments[-1] if arguments else None


def _shape(annotation: Any) -> type[Shape] | None:  # noqa: ANN401 - a type, of any form
    if isinstance(annotation, type) and issubclass(annotation, Shape):
        return annotation
    if get_origin(annotation) in {Union, UnionType, Annotated}:
        return next((shape for item in get_args(annotation) if (shape := _shape(item))), None)
    return None

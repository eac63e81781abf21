"""What a kind of probe may be told: one table per kind, from which checking and documentation follow."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Path = tuple[str | int, ...]
Problem = tuple[Path, str]  # where in the option, what to change

_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
_UNIT_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


class OptionError(ValueError):
    """The value of a probe in wallet.yaml has the wrong shape. `path` is relative to that value."""

    def __init__(self, message: str, path: Path = ()) -> None:
        super().__init__(message)
        self.path = path


@dataclass(frozen=True, slots=True)
class Option:
    """One option: its name, a line of help, and a check that returns problems (paths relative to the option)."""

    name: str
    help: str
    check: Callable[[Any], list[Problem]]
    default: str = ""
    inner: tuple[Option, ...] = ()


def duration_s(value: object) -> float:
    """Seconds of `800ms`, `30s`, `5m`, `2h`, `7d` or of a number of seconds. Raises ValueError."""
    if isinstance(value, (int, float)) and not isinstance(value, bool) and value >= 0:
        return float(value)
    match = _DURATION.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        message = f"{value!r} is no duration: write 800ms, 30s, 5m, 2h or 7d"
        raise ValueError(message)
    return float(match[1]) * _UNIT_S[match[2]]


def a_duration(value: object) -> list[Problem]:
    """Check for durations."""
    try:
        duration_s(value)
    except ValueError as error:
        return [((), str(error))]
    return []


def a_text(value: object) -> list[Problem]:
    """Check for a non-empty text."""
    return [] if isinstance(value, str) and value else [((), "must be a text")]


def a_bool(value: object) -> list[Problem]:
    """Check for true or false."""
    return [] if isinstance(value, bool) else [((), "must be true or false")]


def an_int(low: int, high: int) -> Callable[[Any], list[Problem]]:
    """Check for a whole number from `low` to `high`."""

    def check(value: object) -> list[Problem]:
        good = isinstance(value, int) and not isinstance(value, bool) and low <= value <= high
        return [] if good else [((), f"must be a whole number from {low} to {high}")]

    return check


def one_of(*names: str | int) -> Callable[[Any], list[Problem]]:
    """Check for one of a few words or numbers."""
    found = [((), f"must be one of {', '.join(map(str, names))}")]
    return lambda value: [] if any(type(value) is type(name) and value == name for name in names) else list(found)


def anything(_value: object) -> list[Problem]:
    """Check for what is passed on as it is."""
    return []


def a_list(item: Callable[[Any], list[Problem]], *, one_is_enough: bool = True) -> Callable[[Any], list[Problem]]:
    """Check for a list, or for a single value standing for a list of one."""

    def check(value: object) -> list[Problem]:
        if isinstance(value, (list, tuple)):
            return [((index, *path), text) for index, each in enumerate(value) for path, text in item(each)]
        return item(value) if one_is_enough else [((), "must be a list")]

    return check


def texts_by_name(value: object) -> list[Problem]:
    """Check for a mapping of names to texts."""
    if not isinstance(value, Mapping):
        return [((), "must be a mapping of names to texts")]
    return [((str(name),), "must be a text") for name, text in value.items() if not isinstance(text, str)]


def inside(options: tuple[Option, ...]) -> Callable[[Any], list[Problem]]:
    """Check for a mapping that has a table of its own."""

    def check(value: object) -> list[Problem]:
        return problems(value, options) if isinstance(value, Mapping) else [((), "must be a mapping")]

    return check


def problems(values: Mapping[str, Any], options: Sequence[Option]) -> list[Problem]:
    """Everything that is wrong with `values`, all at once. Unknown names are wrong."""
    known = {option.name: option for option in options}
    found: list[Problem] = []
    for name, value in values.items():
        option = known.get(name)
        if option is None:
            found.append(((str(name),), f"unknown option {name!r}; known: {', '.join(sorted(known))}"))
        else:
            found += [((name, *path), text) for path, text in option.check(value)]
    return found


def as_list(value: object) -> list[Any]:
    """The list an option stands for: nothing, one value or several."""
    if value is None:
        return []
    return list(value) if isinstance(value, (list, tuple)) else [value]


def take_target(value: object, key: str, what: str) -> tuple[str, dict[str, Any]]:
    """Target and options of the short form (a text) or the long one (a mapping with `key`). Raises OptionError."""
    if isinstance(value, str):
        return value, {}
    if not isinstance(value, Mapping):
        message = f"must be {what}, or a mapping with {key}"
        raise OptionError(message)
    target = value.get(key)
    if not isinstance(target, str) or not target:
        message = f"{key} is missing: {what}"
        raise OptionError(message, (key,) if key in value else ())
    return target, {str(name): option for name, option in value.items() if name != key}

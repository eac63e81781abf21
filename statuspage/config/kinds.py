"""What a monitor checks: its one key that names a kind of probe. The probe reads and judges what is below that key."""

from __future__ import annotations

import difflib
import itertools
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from probes.registry import PROBES
from statuspage.config.monitors import Monitor
from statuspage.config.positions import Path, plain


@dataclass(frozen=True, slots=True)
class Check:
    """Kind, target and options of one monitor. References in them stay unresolved: they become values at use."""

    kind: str
    target: str
    options: dict[str, Any]


Finding = tuple[Path, str]


def take_kinds(monitors: Any) -> tuple[dict[str, Check], list[Finding]]:  # noqa: ANN401 - any YAML value
    """Take the kind keys out of the monitors (in place), leaving what `Monitor` describes; checks by monitor id."""
    checks: dict[str, Check] = {}
    findings: list[Finding] = []
    for monitor_id, monitor in monitors.items() if isinstance(monitors, dict) else ():
        if not isinstance(monitor, dict):
            continue
        path: Path = ("monitors", monitor_id)
        foreign = [key for key in monitor if key not in Monitor.model_fields]
        kinds = [key for key in foreign if key in PROBES]
        strange = [key for key in foreign if key not in PROBES]
        values = {key: monitor.pop(key) for key in foreign}
        findings += [((*path, key), _unknown(key)) for key in strange]
        if len(kinds) > 1:
            findings.append(((*path, kinds[1]), f"a monitor checks one thing: keep one of {', '.join(kinds)}"))
        elif not kinds and not strange:
            findings.append((path, f"say what to check: add one of {', '.join(sorted(PROBES))}"))
        for kind in kinds[:1]:
            check, found = read_check(kind, values[kind], (*path, kind))
            findings += found
            if check:
                checks[monitor_id] = check
    return checks, findings


def read_check(kind: str, value: Any, path: Path) -> tuple[Check | None, list[Finding]]:  # noqa: ANN401 - any YAML value
    """The check that `value` describes, and what the probe says against it, as paths of the file."""
    entry = PROBES[kind]
    ordinary = plain(value)
    try:
        target, options = entry.normalise(ordinary)
        found = list(entry.validate(target, options))
    except ValueError as error:  # probes.options.OptionError, which config may not import, carries a path
        return None, [(_full_path(path, getattr(error, "path", ()), ordinary), str(error))]
    findings = [(_full_path(path, inner, ordinary), message) for inner, message in found]
    return Check(kind, target, options), findings


def nearest(word: str, known: Iterable[str]) -> str:
    """`; did you mean x?` when one of `known` is close to `word`, else ''."""
    candidates = [item for item in itertools.islice(known, 300) if len(item) <= 64]
    close = (
        difflib.get_close_matches(word, candidates, n=1, cutoff=0.6) if len(word) <= 64 else []
    )  # quadratic in their length
    return f"; did you mean {close[0]}?" if close else ""


def _unknown(key: str) -> str:
    kinds = ", ".join(sorted(PROBES))
    return f"no such key{nearest(key, [*Monitor.model_fields, *PROBES]) or f'; kinds of check are {kinds}'}"


def _full_path(path: Path, inner: Iterable[str | int], value: Any) -> Path:  # noqa: ANN401 - any YAML value
    """Where in the file the probe's `inner` path is; the short form has one place only."""
    inner = tuple(inner)
    if inner[:1] == ("options",):
        inner = inner[1:]
    if isinstance(value, list):  # the short form that is a list stands for one option
        inner = inner[1:]
    elif not isinstance(value, dict):
        return path
    return (*path, "url") if inner == ("target",) and "url" in value else (*path, *inner)

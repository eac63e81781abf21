"""One result as lines of text: what `python -m probes run` prints."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from probes.result import CheckResult
from probes.spec import ProbeSpec

_PHASES = ("dns", "connect", "tls", "send", "first_byte", "body", "total")
_WIDTH = 18
_FIRST = ("resolved", "dialled", "redirects")
_PARTS = ("steps", "endpoints")  # of a flow and of a chain: each with heads, phases and body of its own
_LAST = ("assertions", "path")


def lines(spec: ProbeSpec, result: CheckResult) -> list[str]:
    """Everything the result holds; the last line is the verdict."""
    verdict = f"{result.outcome} in {result.duration_ms:.1f} ms"
    last = verdict if result.error_class is None else f"{verdict}: {result.error_class}: {result.message}"
    return [f"{spec.kind} {spec.target}", *_told({**result.evidence, "phases": result.phases}, "  "), last]


def _told(evidence: Mapping[str, Any], indent: str) -> Iterator[str]:
    """Addresses, phases, heads, body and what else there is, then assertions and the way to the verdict."""
    for name in _FIRST:
        if evidence.get(name):
            yield _line(indent, name, evidence[name])
    if evidence.get("phases"):
        yield _line(indent, "phases ms", ", ".join(_phases(evidence["phases"])))
    for name, mark in (("request", ">"), ("response", "<")):
        yield from (f"{indent}{mark} {each}" for each in evidence.get(name, ()))
    for name, value in evidence.items():
        if name not in (*_FIRST, *_PARTS, *_LAST, "phases", "request", "response"):
            yield _line(indent, name, value)
    for name in _PARTS:
        for part in evidence.get(name, ()):
            title = part.get("step") or f"{part.get('endpoint')} ({part.get('role')}, {part.get('supplier')})"
            yield f"{indent}- {title}"
            yield from _told({key: each for key, each in part.items() if key not in _TITLES}, f"{indent}    ")
    for each in evidence.get("assertions", ()):
        yield f"{indent}{'ok  ' if each['ok'] else 'FAIL'} {each['what']}" + (f": {each['found']}" if each["found"] else "")
    yield from (f"{indent}? {each}" for each in evidence.get("path", ()))


_TITLES = ("step", "endpoint", "role", "supplier", "chain")


def _phases(phases: Mapping[str, float]) -> list[str]:
    known = [name for name in _PHASES if name in phases]
    return [f"{name} {phases[name]:.1f}" for name in (*known, *(name for name in phases if name not in known))]


def _line(indent: str, name: str, value: Any) -> str:  # noqa: ANN401 - JSON
    if isinstance(value, list) and all(isinstance(each, str) for each in value):
        value = ", ".join(value)
    return f"{indent}{name:{_WIDTH}} {value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)}"

"""The Prometheus probe: what a query finds, held against thresholds. A Prometheus that does not answer says nothing."""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote

from probes import document, expect, guard, http, sign_in
from probes.options import Option, Problem, a_text, one_of, problems, take_target, texts_by_name
from probes.result import CheckResult, Outcome
from probes.run import Failed, Run
from probes.secrets_at_use import has_reference
from probes.spec import ProbeSpec

_THRESHOLD = re.compile(r"(<=|>=|==|!=|<|>) ?(-?\d{1,30}(?:\.\d{1,30})?(?:e[+-]?\d{1,3})?)")
_COMPARED: dict[str, Callable[[float, float], bool]] = {
    "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge, "==": operator.eq, "!=": operator.ne,
}  # fmt: skip


def _a_threshold(value: object) -> list[Problem]:
    good = isinstance(value, str) and _THRESHOLD.fullmatch(value)
    return [] if good else [((), 'must be a comparison with a number, in quotes: "> 500"')]


OPTIONS = (
    Option("query", "PromQL; the worst of the series it finds decides", a_text),
    Option("down_if", 'down when a value is so: "> 500"', _a_threshold),
    Option("degraded_if", 'degraded when a value is so: "> 100"', _a_threshold),
    Option("empty", "what it means that nothing is found: `up`, `degraded`, `down` or `unknown`",
           one_of("up", "degraded", "down", "unknown"), "unknown"),
    Option("headers", "request headers", texts_by_name),
    *sign_in.OPTIONS,
    Option("ca_file", "PEM file with the authorities to trust instead of the system's", a_text),
)  # fmt: skip


def normalise(value: object) -> tuple[str, dict[str, Any]]:
    """A mapping with `url` and `query`. Raises OptionError."""
    return take_target(value, "url", "the address of a Prometheus server")


def validate(target: str, options: Mapping[str, Any]) -> list[Problem]:
    """All that is wrong."""
    found = http.url_problems(target) + problems(options, OPTIONS) + sign_in.problems(options)
    if "query" not in options:
        found.append(((), "query is missing: PromQL"))
    if "down_if" not in options and "degraded_if" not in options:
        found.append(((), "say what is bad: down_if or degraded_if"))
    if not has_reference(target) and "?" in target:
        found.append((("url",), "the address of the server has no query: that is an option"))
    return found + http.header_problems(options)


def authority(spec: ProbeSpec) -> str:
    """Host and port."""
    return http.authority(spec)


async def check(spec: ProbeSpec, run: Run) -> CheckResult:
    """One instant query."""
    options = run.vault.resolve_all(spec.options)
    base = guard.parse_url(run.vault.resolve(spec.target))
    path = f"{base.path.rstrip('/')}/api/v1/query?query={quote(options['query'], safe='')}"
    try:
        _status, body = await document.fetch(run, base._replace(path=path), options, (200, 400, 422))
        values = _values(body)
    except Exception as error:  # noqa: BLE001 - whatever happened, the value is not known
        return document.unknown(run, "the value", error)
    run.evidence["values"] = values[:10]
    run.evidence["series"] = len(values)
    if not values:
        outcome: Outcome = options.get("empty", "unknown")
        return run.result("up") if outcome == "up" else run.result(outcome, "assertion", "the query finds nothing")
    if any(math.isnan(value) for value in values):
        return run.result("unknown", "assertion", "a value is not a number")
    for outcome, name in (("down", "down_if"), ("degraded", "degraded_if")):
        bad = [value for value in values if name in options and _holds(options[name], value)]
        if bad:
            return run.result(
                outcome, "assertion", f"{bad[0]:g} {options[name]}, in {len(bad)} of {len(values)} series"
            )
    return run.result("up")


def _holds(threshold: str, value: float) -> bool:
    match = _THRESHOLD.fullmatch(threshold)
    return match is not None and _COMPARED[match[1]](value, float(match[2]))


def _values(body: bytes) -> list[float]:
    """The values of a scalar or an instant vector; numbers come as texts. Raises Failed."""
    try:
        answer = expect.read_json(body)
        if answer["status"] == "error":
            # bad_data is a query that cannot be read; the rest is the server's own trouble
            ours = answer.get("errorType") == "bad_data"
            said = f"{answer.get('errorType')}: {str(answer.get('error'))[:200]}"
            broken = Failed("unknown", "client_error" if ours else "overloaded", said)
            raise broken
        found = answer["data"]["result"]
        match answer["data"]["resultType"]:
            case "scalar":
                return [float(found[1])]
            case "vector":
                return [float(series["value"][1]) for series in found]
        kind = answer["data"]["resultType"]
    except (ValueError, RecursionError, LookupError, TypeError, AttributeError):
        broken = Failed("unknown", "bad_body", "the answer is not Prometheus")
        raise broken from None
    broken = Failed("unknown", "client_error", f"the query finds a {str(kind)[:20]}, not a scalar or an instant vector")
    raise broken

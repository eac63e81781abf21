"""The flow probe: several HTTP steps in a row, each of which may capture values for those after it, within one deadline."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urljoin

from probes import expect, guard, http, sign_in
from probes.options import Option, OptionError, Path, Problem, a_duration, a_text, duration_s, inside
from probes.options import problems as option_problems
from probes.result import CheckResult
from probes.run import Failed, Run, explain
from probes.secrets_at_use import Vault, has_reference
from probes.spec import ProbeSpec
from probes.transfer import Transfer

_METHODS = ("get", "post", "put", "patch", "delete", "head", "options")
_MAX_STEPS = 20
_MAX_CAPTURE = 8192
_NAME = re.compile(r"[a-z_][a-z0-9_]{0,31}")
_PLACEHOLDER = re.compile(r"\{([a-z_][a-z0-9_]{0,31})\}")
_PRINTABLE = re.compile(r"[\x20-\x7e]*")


def _captures(value: object) -> list[Problem]:
    if not isinstance(value, Mapping):
        return [((), "must be a mapping of names to JMESPath expressions")]
    found: list[Problem] = []
    for name, expression in value.items():
        if not _NAME.fullmatch(str(name)):
            found.append(((str(name),), "a name is made of a-z 0-9 _ and begins with a letter, at most 32"))
        found += [((str(name), *path), text) for path, text in expect.an_expression(expression)]
    return found


_FROM_HTTP = {option.name: option for option in http.OPTIONS}
STEP_OPTIONS = (
    *(Option(method, f"address of a {method.upper()} request, or a path on the host of `url`", a_text)
      for method in _METHODS),
    *(_FROM_HTTP[name] for name in ("headers", "basic", "bearer", "body", "json")),
    Option("expect", "what the answer must be, as in http", inside(expect.OPTIONS)),
    Option("capture", "names for values of the JSON answer, each a JMESPath expression; later steps write `{name}`",
           _captures),
)  # fmt: skip


def _steps(value: object) -> list[Problem]:
    if not isinstance(value, (list, tuple)) or not 1 <= len(value) <= _MAX_STEPS:
        return [((), f"must be a list of 1 to {_MAX_STEPS} steps")]
    found: list[Problem] = []
    known: set[str] = set()
    for place, step in enumerate(value):
        if not isinstance(step, Mapping):
            found.append(((place,), "a step is a mapping, such as {get: https://..., expect: {status: 200}}"))
            continue
        found += [((place, *path), text) for path, text in _step_problems(step, known)]
        captures = step.get("capture")
        known |= set(map(str, captures)) if isinstance(captures, Mapping) else set()
    return found


def _step_problems(step: Mapping[str, Any], known: set[str]) -> list[Problem]:
    found = option_problems(step, STEP_OPTIONS)
    methods = [method for method in _METHODS if method in step]
    if len(methods) != 1:
        found.append(((methods[1],) if methods else (), f"a step has one of {', '.join(_METHODS)} with an address"))
    if "body" in step and "json" in step:
        found.append((("json",), "give body or json, not both"))
    for method in methods:
        found += [((method,), text) for text in _address_problems(step[method])]
    headers = step.get("headers")
    found += sign_in.problems(step)
    texts: list[tuple[Path, object]] = [((name,), step.get(name)) for name in (*methods, "bearer")]
    if isinstance(headers, Mapping):
        texts += [(("headers", str(name)), text) for name, text in headers.items()]
        found += http.header_problems(step)
    for path, text in texts:
        for name in _PLACEHOLDER.findall(text) if isinstance(text, str) else ():
            if name not in known:
                found.append((path, f"no earlier step captures {name}"))
    return found


def _address_problems(url: object) -> list[str]:
    if not isinstance(url, str) or not url or has_reference(url):
        return []
    if _is_path(url):
        return []
    host = url.partition("://")[2].partition("/")[0]
    if _PLACEHOLDER.search(host):
        return ["what an answer said cannot choose the host: captured values go after it"]
    try:
        guard.parse_url(_PLACEHOLDER.sub("x", url))
    except guard.Refused as error:
        return [str(error)]
    return []


def _is_path(url: str) -> bool:
    return url.startswith("/") and not url.startswith("//")


OPTIONS = (
    Option("steps", "what to do, in order", _steps, inner=STEP_OPTIONS),
    _FROM_HTTP["ca_file"],
    _FROM_HTTP["http_version"],
    Option("degraded_above", "degraded when all steps together take longer", a_duration),
)


def normalise(value: object) -> tuple[str, dict[str, Any]]:
    """A list of steps, or a mapping with `steps`; the target is `url`, or the first step's address.

    Raises OptionError.
    """
    if isinstance(value, (list, tuple)):
        value = {"steps": list(value)}
    if not isinstance(value, Mapping) or not isinstance(value.get("steps"), (list, tuple)) or not value["steps"]:
        message = "must be a list of steps such as {get: https://...}, or a mapping with steps"
        raise OptionError(message, ("steps",) if isinstance(value, Mapping) and "steps" in value else ())
    options = {str(name): option for name, option in value.items() if name != "url"}
    target = value.get("url") or _first_address(options["steps"][0])
    if not isinstance(target, str) or not target:
        message = f"a step has one of {', '.join(_METHODS)} with an address"
        raise OptionError(message, ("url",) if value.get("url") else ("steps", 0))
    return target, options


def _first_address(step: object) -> object:
    return next((step[method] for method in _METHODS if method in step), None) if isinstance(step, Mapping) else None


def validate(target: str, options: Mapping[str, Any]) -> list[Problem]:
    """All that is wrong."""
    found = option_problems(options, OPTIONS)
    if "steps" not in options:
        found.append((("steps",), f"must be a list of 1 to {_MAX_STEPS} steps"))
    if not found:
        found = http.url_problems(_PLACEHOLDER.sub("x", target))
    return found


def authority(spec: ProbeSpec) -> str:
    """Host and port of the first address."""
    return http.authority(spec)


@dataclass(slots=True)
class Step:
    """One step, compiled. `title` is shown: it holds references and placeholders, not their values."""

    title: str
    method: str
    url: str
    options: dict[str, Any]
    plan: http.Plan
    captures: dict[str, expect.Tree] = field(default_factory=dict)


def make_plan(spec: ProbeSpec) -> list[Step]:
    """Compile the steps. Raises ValueError for options that validate would have refused."""
    steps = []
    for place, each in enumerate(spec.options["steps"], 1):
        method = next(method for method in _METHODS if method in each)
        shared: dict[str, Any] = {
            name: spec.options[name] for name in ("ca_file", "http_version") if name in spec.options
        }
        options = {name: value for name, value in each.items() if name not in (method, "capture")}
        expectation = expect.compile_expectation(each.get("expect") or {})
        steps.append(
            Step(
                f"{place} {method.upper()} {each[method]}",
                method.upper(),
                each[method],
                {**shared, **options},
                http.Plan(expectation, None, 0, None, None),
                {name: expect.compile_expression(text) for name, text in dict(each.get("capture") or {}).items()},
            )
        )
    return steps


async def check(spec: ProbeSpec, run: Run) -> CheckResult:
    """Every step in turn until one fails; the deadline and `degraded_above` are for all of them together."""
    if run.plan is None:
        run.plan = make_plan(spec)
    run.vault = Vault()  # captured values are new in each run: remembering them longer would only grow
    captured: dict[str, str] = {}
    phases, done = run.phases, list[dict[str, Any]]()
    warning: CheckResult | None = None
    for step in run.plan:
        run.phases, run.evidence = {}, {}
        began = time.monotonic()
        try:
            result = await _take(step, run, captured)
        except Exception as error:  # noqa: BLE001 - every way to fail gets the step's name
            failed = explain(error)
            result = run.result(failed.outcome, failed.error_class, str(failed))
        _note(step, run, began, phases, done)
        if result.outcome not in ("up", "degraded"):
            return run.result(result.outcome, result.error_class, f"step {step.title}: {result.message}")
        if result.outcome == "degraded" and warning is None:
            warning = result
    if warning is not None:
        return run.result("degraded", warning.error_class, warning.message)
    slow = spec.options.get("degraded_above")
    return run.timely("up", None if slow is None else duration_s(slow) * 1000)


def _note(step: Step, run: Run, began: float, phases: dict[str, float], done: list[dict[str, Any]]) -> None:
    """Put the step's times into evidence and add them to those of the whole run."""
    run.phases.pop("total", None)
    took_ms = round((time.monotonic() - began) * 1000, 3)
    told = run.evidence if run.detail else {"status": run.evidence.get("status")}
    done.append({"step": step.title, "ms": took_ms, "phases": run.phases, **told})
    for name, value in run.phases.items():
        phases[name] = round(phases.get(name, 0.0) + value, 3)
    run.phases = phases
    run.evidence = {"steps": done, **({} if run.detail else run.evidence)}


async def _take(step: Step, run: Run, captured: dict[str, str]) -> CheckResult:
    # References first: what a server said is never read for ${env:...}.
    options = run.vault.resolve_all(step.options)
    url = _fill(run.vault.resolve(step.url), captured, for_url=True)
    if _is_path(url):
        url = urljoin(run.vault.resolve(run.spec.target), url)
    headers = {
        name: _fill(text, captured, for_header=True) for name, text in dict(options.get("headers") or {}).items()
    }
    filled = {**options, "headers": headers, "method": step.method}
    if "json" in options:
        filled["json"] = _fill_all(options["json"], captured)
    if "body" in options:
        filled["body"] = _fill(options["body"], captured)
    if "bearer" in options:
        filled["bearer"] = _fill(options["bearer"], captured, for_header=True)
    request = http.make_request(url, filled)
    sign_in.remember(request.headers, run.vault)
    transfer = await http.send(request, run)
    try:
        status = transfer.status
        location = transfer.headers().get("location") if 300 <= status < 400 else None
        missing = _capture(step, transfer, run, captured)  # before judging, so that what is shown is masked
        result = http.judge(step.plan, request, transfer, run, status, location)
        if missing is not None and result.outcome in ("up", "degraded"):
            http.show(request, transfer, run)
            raise missing
        return result
    finally:
        run.client.release(transfer)


def _capture(step: Step, transfer: Transfer, run: Run, captured: dict[str, str]) -> Failed | None:
    """Take the step's values out of its answer; what is missing, if any."""
    if not step.captures:
        return None
    if transfer.body_capped:
        return Failed("down", "body_cap", "the answer to capture from was cut at its cap")
    try:
        answer = expect.read_json(bytes(transfer.body))
    except (ValueError, RecursionError):
        return Failed("down", "bad_body", "the answer to capture from is not JSON")
    missing = None
    for name, tree in step.captures.items():
        try:
            value = expect.search(tree, answer)
        except ValueError:
            value = None
        text = value if isinstance(value, str) else json.dumps(value)
        run.vault.remember(text)
        if value is None or isinstance(value, (list, dict)) or len(text) > _MAX_CAPTURE:
            missing = Failed("down", "assertion", f"capture {name}: no text or number of at most {_MAX_CAPTURE} signs")
        else:
            captured[name] = text
    return missing


def _fill(text: str, captured: Mapping[str, str], *, for_url: bool = False, for_header: bool = False) -> str:
    """`text` with `{name}` replaced in one pass: a captured value that looks like a placeholder stays what it is."""

    def value(match: re.Match[str]) -> str:
        found = captured.get(match[1])
        if found is None:
            return match[0]
        if for_header and not _PRINTABLE.fullmatch(found):
            broken = Failed("down", "assertion", f"the captured {match[1]} cannot stand in a header")
            raise broken
        return quote(found, safe="") if for_url else found

    return _PLACEHOLDER.sub(value, text)


def _fill_all(value: Any, captured: Mapping[str, str]) -> Any:  # noqa: ANN401 - any JSON value
    if isinstance(value, str):
        return _fill(value, captured)
    if isinstance(value, list):
        return [_fill_all(each, captured) for each in value]
    if isinstance(value, dict):
        return {name: _fill_all(each, captured) for name, each in value.items()}
    return value

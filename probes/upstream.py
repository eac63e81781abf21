"""The upstream probe: another service's status page, as the state of a partner. What it does not say is unknown."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from probes import document, expect, feed, guard, http
from probes.options import Option, Problem, a_duration, a_text, duration_s, problems, take_target, texts_by_name
from probes.result import CheckResult, Outcome
from probes.run import Run
from probes.spec import ProbeSpec

_SUMMARY = "/api/v2/summary.json"
_FEED_AGE_S = 86400.0

# https://support.atlassian.com/statuspage/docs/use-the-public-status-api: indicator of a page, status of a component
_INDICATORS: dict[str, Outcome] = {
    "none": "up", "minor": "degraded", "maintenance": "degraded", "major": "down", "critical": "down",
}  # fmt: skip
_COMPONENTS: dict[str, Outcome] = {
    "operational": "up",
    "degraded_performance": "degraded",
    "partial_outage": "degraded",
    "under_maintenance": "degraded",
    "major_outage": "down",
}

OPTIONS = (
    Option("component", "name or id of the one component that matters, instead of the whole page", a_text),
    Option("match", "RE2 pattern: only entries of a feed count in which it matches title or text", expect.a_pattern),
    Option(
        "down_match", "RE2 pattern: an open entry of a feed in which it matches is down, not degraded", expect.a_pattern
    ),
    Option("feed_age", "how long an open entry of a feed counts after its last change", a_duration, "24h"),
    Option("headers", "request headers", texts_by_name),
    Option("ca_file", "PEM file with the authorities to trust instead of the system's", a_text),
)


def normalise(value: object) -> tuple[str, dict[str, Any]]:
    """`https://status...`, or a mapping with `url`. Raises OptionError."""
    return take_target(value, "url", "the address of a status page, its summary.json or its feed")


def validate(target: str, options: Mapping[str, Any]) -> list[Problem]:
    """All that is wrong."""
    found = http.url_problems(target) + problems(options, OPTIONS)
    return found + http.header_problems(options)


def authority(spec: ProbeSpec) -> str:
    """Host and port."""
    return http.authority(spec)


async def check(spec: ProbeSpec, run: Run) -> CheckResult:
    """Fetch and read the page. That it cannot be reached says nothing of the partner."""
    try:
        url = guard.parse_url(run.vault.resolve(spec.target))
        if url.path == "/":
            url = url._replace(path=_SUMMARY)
        _status, body = await document.fetch(run, url, run.vault.resolve_all(spec.options))
        return _judge(spec, run, body)
    except Exception as error:  # noqa: BLE001 - whatever happened, the partner's state is not known
        return document.unknown(run, "the partner's state", error)


def _judge(spec: ProbeSpec, run: Run, body: bytes) -> CheckResult:
    if body.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] == b"<":
        return _judge_feed(spec, run, body)
    try:
        summary = expect.read_json(body)
    except (ValueError, RecursionError):
        summary = None
    if not isinstance(summary, dict):
        return _unreadable(run, "it is neither a summary.json nor a feed")
    incidents = [
        str(each["name"])[:200] for each in _mappings(summary.get("incidents")) if isinstance(each.get("name"), str)
    ]
    run.evidence["incidents"] = incidents[:5]
    wanted = spec.options.get("component")
    if wanted is None:
        page = summary.get("status")
        state = page.get("indicator") if isinstance(page, dict) else None
        outcome = _INDICATORS.get(state) if isinstance(state, str) else None
    else:
        found = [each for each in _mappings(summary.get("components")) if wanted in (each.get("name"), each.get("id"))]
        if not found:
            return run.result("unknown", "client_error", f"the page has no component {wanted!r}")
        state = found[0].get("status")
        outcome = _COMPONENTS.get(state) if isinstance(state, str) else None
    if outcome is None:
        return _unreadable(run, "it names no state that is known")
    run.evidence["state"] = state
    if outcome == "up":
        return run.result("up")
    return run.result(
        outcome, "assertion", f"the partner reports {state}" + "".join(f": {name}" for name in incidents[:1])
    )


def _mappings(value: object) -> list[dict[str, Any]]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def _judge_feed(spec: ProbeSpec, run: Run, body: bytes) -> CheckResult:
    if spec.options.get("component") is not None:
        return run.result("unknown", "client_error", "a feed has no components: use match")
    try:
        entries = feed.read_feed(body)
    except ValueError as error:
        return _unreadable(run, str(error))
    if entries and all(entry.at is None for entry in entries):
        return _unreadable(run, "no entry has a date that can be read")
    oldest = time.time() - duration_s(spec.options.get("feed_age", _FEED_AGE_S))
    counted = [entry for entry in entries if (at := entry.at) is not None and at.timestamp() >= oldest]
    counted = [entry for entry in counted if _matches(spec.options.get("match"), entry, otherwise=True)]
    opened = [entry for entry in counted if entry.is_open]
    run.evidence["entries"] = {"read": len(entries), "counted": len(counted), "open": len(opened)}
    run.evidence["incidents"] = [entry.title for entry in opened[:5]]
    if not opened:
        return run.result("up")
    down = [entry for entry in opened if _matches(spec.options.get("down_match"), entry, otherwise=False)]
    return run.result(
        "down" if down else "degraded", "assertion", f"the partner reports: {(down or opened)[0].title[:200]}"
    )


def _matches(pattern: str | None, entry: feed.Entry, *, otherwise: bool) -> bool:
    if pattern is None:
        return otherwise
    return bool(expect.compile_pattern(pattern).search(f"{entry.title}\n{entry.text}".encode(errors="replace")))


def _unreadable(run: Run, why: str) -> CheckResult:
    return run.result("unknown", "bad_body", f"the partner's state cannot be read: {why}")

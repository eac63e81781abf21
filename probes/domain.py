"""The domain probe: how long a registration lasts, asked of the registry's RDAP server (RFC 9083)."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from probes import document, expect, guard, http
from probes.options import Option, Problem, a_text, an_int, problems, take_target
from probes.result import CheckResult
from probes.run import Failed, Run
from probes.spec import ProbeSpec

_DAYS = 30
_DAY_S = 86400.0
# A name with one of these does not resolve; https://www.icann.org/epp
_DEAD = ("client hold", "server hold", "redemption period", "pending delete")

OPTIONS = (
    Option("days", "degraded when the registration ends sooner", an_int(0, 3650), str(_DAYS)),
    Option("ca_file", "PEM file with the authorities to trust instead of the system's", a_text),
)


def normalise(value: object) -> tuple[str, dict[str, Any]]:
    """The RDAP address of a domain, or a mapping with `url`. Raises OptionError."""
    return take_target(
        value, "url", "the domain's address at its registry's RDAP server: https://.../domain/wallet.example"
    )


def validate(target: str, options: Mapping[str, Any]) -> list[Problem]:
    """All that is wrong."""
    return http.url_problems(target) + problems(options, OPTIONS)


def authority(spec: ProbeSpec) -> str:
    """Host and port."""
    return http.authority(spec)


async def check(spec: ProbeSpec, run: Run) -> CheckResult:
    """One question. A registry that does not answer says nothing of the domain."""
    try:
        url = guard.parse_url(run.vault.resolve(spec.target))
        status, body = await document.fetch(run, url, run.vault.resolve_all(spec.options), (200, 404))
        answer = _answer(status, body)
        name = url.path.partition("?")[0].rpartition("/")[2].lower()
        if status == 404:
            return run.result("down", "assertion", f"the registry knows no domain {name}")
        ends_s = _expiration(answer, name)
    except Exception as error:  # noqa: BLE001 - whatever happened, the registration is not known
        return document.unknown(run, "the registration", error)
    found = answer.get("status")
    states = [str(each)[:50] for each in found][:20] if isinstance(found, list) else []
    days = (ends_s - time.time()) / _DAY_S
    run.evidence |= {"ends": datetime.fromtimestamp(ends_s, UTC).isoformat(), "days": round(days, 1), "states": states}
    if dead := [state for state in states if state.lower() in _DEAD]:
        return run.result("down", "assertion", f"the domain does not resolve: {', '.join(dead)}")
    if days < 0:
        return run.result("down", "assertion", f"the registration ended {-days:.0f} days ago")
    if days < spec.options.get("days", _DAYS):
        return run.result("degraded", "assertion", f"the registration ends in {days:.0f} days")
    return run.result("up")


def _answer(status: int, body: bytes) -> dict[str, Any]:
    try:
        found = expect.read_json(body)
    except (ValueError, RecursionError):
        found = None
    if isinstance(found, dict) and (
        status != 404 or found.get("errorCode") == 404
    ):  # a proxy's own 404 is no registry's
        return found
    broken = Failed("unknown", "bad_body", "the answer is not RDAP")
    raise broken


def _expiration(answer: Mapping[str, Any], name: str) -> float:
    """UTC seconds of the end of the registration of `name`. Raises Failed."""
    said = answer.get("ldhName")
    if answer.get("objectClassName") != "domain" or not isinstance(said, str) or said.rstrip(".").lower() != name:
        broken = Failed("unknown", "bad_body", f"the answer does not describe {name}")
        raise broken
    events = answer.get("events")
    for event in events if isinstance(events, list) else ():
        if isinstance(event, dict) and event.get("eventAction") == "expiration":
            try:
                at = datetime.fromisoformat(str(event.get("eventDate")))
            except ValueError:
                break
            return (at if at.tzinfo is not None else at.replace(tzinfo=UTC)).timestamp()
    broken = Failed("unknown", "bad_body", "the answer names no end of the registration")
    raise broken

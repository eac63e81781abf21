"""Fetching a document that tells of something else: a status page, a metric, a registration. Its own failure is unknown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from probes import http, retry_after, sign_in
from probes.guard import Url
from probes.result import CheckResult
from probes.run import Failed, Run, explain

MAX_BODY = 1024 * 1024
_REDIRECTS = 3
_PASSED_ON = ("headers", "basic", "bearer", "ca_file")


async def fetch(
    run: Run, url: Url, options: Mapping[str, Any], accepted: tuple[int, ...] = (200,)
) -> tuple[int, bytes]:
    """Status and whole body, redirects followed through the guard; `options` are resolved.

    Raises Failed for another status or more than 1 MiB, and what `http.send` raises.
    """
    wanted = {name: options[name] for name in _PASSED_ON if name in options}
    request = http.make_request(str(url), {**wanted, "max_body": MAX_BODY})
    sign_in.remember(request.headers, run.vault)
    for hop in range(_REDIRECTS + 1):
        transfer = await http.send(request, run)
        try:
            status = transfer.status
            location = transfer.headers().get("location") if 300 <= status < 400 else None
            if location is not None and hop < _REDIRECTS:
                request = http.redirected(request, location, status)
                continue
            run.evidence["status"] = status
            if run.detail or status not in accepted:
                http.show(request, transfer, run)
            if status not in accepted:
                limited = status == retry_after.LIMITED
                broken = Failed("unknown", "rate_limited" if limited else "status", f"status is {status}")
                raise broken
            if transfer.body_capped:
                broken = Failed("unknown", "body_cap", "it is longer than 1 MiB")
                raise broken
            return status, bytes(transfer.body)
        finally:
            run.client.release(transfer)
    raise AssertionError


def unknown(run: Run, what: str, error: Exception) -> CheckResult:
    """The result when `what` could not be read, whatever the reason."""
    failed = explain(error)
    return run.result("unknown", failed.error_class, f"{what} cannot be read: {failed}")

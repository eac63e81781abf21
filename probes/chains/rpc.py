"""Asking an endpoint: one transfer, its JSON, and a refusal with a class whatever form the refusal takes."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Any, NamedTuple
from urllib.parse import urlsplit, urlunsplit

from probes import http, retry_after
from probes.chains import errors
from probes.chains.errors import RpcError
from probes.chains.record import Endpoint, Record
from probes.run import Failed, Run, explain
from probes.transfer import Request

BAD_BODY, NODE_BEHIND, OVERLOADED, WRONG_CHAIN = (
    "bad_body",
    "node_behind",
    "overloaded",
    "wrong_chain",
)  # of docs/probes.md
SMALL = 64 * 1024
WHOLE_BLOCK = 2 * 1024 * 1024  # a family raises the cap for the one call that may bring a block
_NOT_IN_A_BATCH = (BAD_BODY, "unsupported", "client_error")
_FIRST_PAUSE_S = 30.0  # after a limit without a Retry-After; doubled with each in a row
_MAX_HEIGHT = 2**63
_MAX_MS = 2**53
_ASIDE_S = 3.0
_SAY_IT_ALL = (401, 402, 403, 405, 429)  # a gateway's word on us: the error object beside it has a number of its own making


class Refusal(Exception):
    """The endpoint gave no usable answer; `error_class` is one of docs/probes.md."""

    def __init__(self, error_class: str, text: str) -> None:
        super().__init__(text)
        self.error_class = error_class


class Call(NamedTuple):
    """One JSON-RPC call."""

    method: str
    params: Sequence[Any] = ()


async def recorded(endpoint: Endpoint, run: Run, read: Callable[[Endpoint, Run], Awaitable[dict[str, Any]]]) -> Record:
    """The record of what `read` found, or of why it found nothing. Raises nothing but cancellation."""
    began = time.monotonic()
    if endpoint.quiet_until > began:
        text = f"left alone for {endpoint.quiet_until - began:.0f} s more, as it asked"
        return Record(
            endpoint.chain, endpoint.name, endpoint.role, run.at_ms, ok=False, latency_ms=0.0, supplier=endpoint.supplier,
            skipped=True, error_class="rate_limited", error_text=text,
        )  # fmt: skip
    facts: dict[str, Any]
    try:
        facts = {"ok": True, **await read(endpoint, run)}
    except Refusal as refusal:
        facts = {"ok": False, "error_class": refusal.error_class, "error_text": str(refusal)}
    except Exception as error:  # noqa: BLE001 - as the engine: whatever a transfer raises is a finding
        failed = explain(error)
        facts = {"ok": False, "error_class": failed.error_class, "error_text": str(failed)}
    if facts.get("error_text"):
        facts["error_text"] = run.vault.mask(str(facts["error_text"])[:300])
    chain_id = facts.get("chain_id")
    if endpoint.identity is not None and chain_id is not None and chain_id != endpoint.identity:
        facts |= {"chain_id_ok": False, "error_class": "wrong_chain", "error_text": f"chain {chain_id} answered"}
    leave_alone(endpoint, run, facts.get("error_class"))
    latency_ms = round((time.monotonic() - began) * 1000, 1)
    return Record(
        endpoint.chain,
        endpoint.name,
        endpoint.role,
        run.at_ms,
        latency_ms=latency_ms,
        supplier=endpoint.supplier,
        **facts,
    )


def leave_alone(endpoint: Endpoint, run: Run, error_class: str | None) -> None:
    """Keep off an endpoint as long as it asked; off a reference that limits us without a word, ever longer."""
    is_limited = error_class == "rate_limited"
    endpoint.limits = endpoint.limits + 1 if is_limited else 0
    is_own = endpoint.role == "own"
    wait_s = retry_after.bounded(run.retry_after_s, is_failing=is_own)
    if is_limited and run.retry_after_s is None and not is_own:
        wait_s = min(retry_after.LONGEST_S, _FIRST_PAUSE_S * 2.0 ** min(endpoint.limits - 1, 10))
    endpoint.quiet_until = time.monotonic() + wait_s if wait_s else 0.0


def joined(url: str, path: str, *, without: str = "") -> str:
    """`url` with `path` appended before its query. `without`: an ending of the given path that `path` repeats."""
    parts = urlsplit(url)
    base = parts.path.rstrip("/").removesuffix(without) if without else parts.path.rstrip("/")
    return urlunsplit((parts.scheme, parts.netloc, base + path, parts.query, ""))


async def fetch(
    endpoint: Endpoint,
    run: Run,
    path: str = "",
    payload: object = None,
    *,
    max_body: int = SMALL,
    without: str = "",
) -> tuple[int, bytes, bool]:
    """Status, body, and whether the body was cut. POST with a payload, else GET. Raises what a transfer raises."""
    url = run.vault.resolve(endpoint.url)
    options: dict[str, Any] = {
        "headers": run.vault.resolve_all(dict(endpoint.headers)), "max_body": max_body, "ca_file": endpoint.ca_file,
    }  # fmt: skip
    if payload is not None:
        options["json"] = payload
    request: Request = http.make_request(joined(url, path, without=without) if path else url, options)
    transfer = await http.send(request, run)
    try:
        status = transfer.status
        run.evidence["status"] = status
        retry_after = transfer.headers().get("retry-after")
        if retry_after is not None:
            run.evidence["retry_after"] = retry_after[:40]
        if run.detail or not 200 <= status < 300:
            http.show(request, transfer, run)
        return status, bytes(transfer.body), transfer.body_capped
    finally:
        run.client.release(transfer)


def unreadable(run: Run, status: int, body: bytes, *, capped: bool) -> Refusal:
    """The refusal for an answer without a result: words first, then the status, then that it is no JSON."""
    text = body.decode("utf-8", "replace")
    run.evidence["body"] = text[:300]
    error_class = errors.of_status(status, text) or errors.of_text(text) or ("body_cap" if capped else "bad_body")
    return Refusal(error_class, f"answered {status} without a readable result")


async def ask(
    endpoint: Endpoint,
    run: Run,
    path: str = "",
    payload: object = None,
    *,
    max_body: int = SMALL,
    without: str = "",
) -> Any:  # noqa: ANN401 - JSON
    """The JSON an endpoint answers, whatever its status: an error object explains more than a number. Raises Refusal."""
    status, body, capped = await fetch(endpoint, run, path, payload, max_body=max_body, without=without)
    try:
        value = None if capped else json.loads(body)
    except (ValueError, RecursionError):
        value = None
    if isinstance(value, dict | list) and (200 <= status < 300 or (_errors_in(value) and status not in _SAY_IT_ALL)):
        return value
    raise unreadable(run, status, body, capped=capped)


def _errors_in(value: dict[str, Any] | list[Any]) -> bool:
    return any(isinstance(each, dict) and each.get("error") for each in (value if isinstance(value, list) else [value]))


async def call_all(
    endpoint: Endpoint, run: Run, calls: Sequence[Call], family: str, *, max_body: int = SMALL, path: str = "",
    version: str = "2.0",
) -> list[Any]:  # fmt: skip
    """The result of each call, a Refusal in the place of one that failed; one batch where the endpoint takes batches."""
    payload = [
        {"jsonrpc": version, "id": number, "method": call.method, "params": list(call.params)}
        for number, call in enumerate(calls, 1)
    ]
    answers: dict[int, Any] = {}
    if endpoint.batches and len(payload) > 1:
        value = await ask(endpoint, run, path, payload, max_body=max_body)
        refusal = None if isinstance(value, list) else _result(value, "batch", family)
        if isinstance(refusal, Refusal) and refusal.error_class not in _NOT_IN_A_BATCH:
            raise refusal  # a limit says nothing about batches
        endpoint.batches = isinstance(value, list)
        if isinstance(value, list):
            answers = {each["id"]: each for each in value if isinstance(each, dict) and _is_int(each.get("id"))}
    if not endpoint.batches or len(payload) == 1:
        for number, each in enumerate(payload, 1):
            answers[number] = await ask(endpoint, run, path, each, max_body=max_body)
    return [_result(answers.get(number), call.method, family) for number, call in enumerate(calls, 1)]


def _is_int(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _result(answer: Any, method: str, family: str) -> Any:  # noqa: ANN401 - JSON
    if not isinstance(answer, dict):
        return Refusal("bad_body", f"{method}: no answer")
    error = answer.get("error")
    if error:
        code = error.get("code") if isinstance(error, dict) else None
        message = str(error.get("message", "") if isinstance(error, dict) else error)
        rpc = RpcError(code if isinstance(code, int) else 0, message)
        return Refusal(errors.of_family(family, rpc), f"{method}: error {rpc.code}: {message[:160]}")
    return answer.get("result")


async def aside(endpoint: Endpoint, run: Run, call: Call, family: str) -> Any:  # noqa: ANN401 - JSON
    """The result of a call to an address beside the one that matters, or a Refusal. It has pauses of its own.

    It may take 3 s, or half of what is left: the record does not wait for it. Raises nothing but cancellation.
    """
    if endpoint.quiet_until > time.monotonic():
        return Refusal("rate_limited", "left alone, as it asked")
    place = replace(run, phases={}, evidence={}, retry_after_s=None)
    found: Any
    try:
        async with asyncio.timeout(min(_ASIDE_S, run.left_s / 2)):
            [found] = await call_all(endpoint, place, [call], family)
    except Refusal as refusal:
        found = refusal
    except Exception as error:  # noqa: BLE001 - as the engine: whatever a transfer raises is a finding
        failed = explain(error)
        found = Refusal(failed.error_class, str(failed))
    leave_alone(endpoint, place, found.error_class if isinstance(found, Refusal) else None)
    return found


def demanded(result: Any) -> Any:  # noqa: ANN401 - JSON
    """A result without which there is no record. Raises the Refusal it is."""
    if isinstance(result, Refusal):
        raise result
    return result


def optional(result: Any) -> Any:  # noqa: ANN401 - JSON
    """A result that may be missing: None for a call this endpoint does not offer."""
    return None if isinstance(result, Refusal) else result


def a_mapping(value: Any, what: str) -> dict[str, Any]:  # noqa: ANN401 - JSON
    """A JSON object. Raises Refusal."""
    if isinstance(value, dict):
        return value
    raise Refusal(BAD_BODY, f"there is no {what}")


def an_integer(value: Any, what: str) -> int:  # noqa: ANN401 - JSON
    """A number from 0 to 2^63: a JSON number, a decimal string, or 0x.... Raises Refusal."""
    number = -1
    if _is_int(value):
        number = int(value)
    elif isinstance(value, str) and 0 < len(value) <= 66 and value.isascii():
        try:
            number = int(value, 16) if value.startswith("0x") else int(value)
        except ValueError:
            number = -1
    if 0 <= number < _MAX_HEIGHT:
        return number
    raise Refusal(BAD_BODY, f"{what} is {str(value)[:60]!r}, not a number")


def maybe_integer(value: Any) -> int | None:  # noqa: ANN401 - JSON
    """A number as `an_integer` reads it, None for anything else."""
    try:
        return an_integer(value, "")
    except Refusal:
        return None


def a_time_ms(value: Any, per_ms: float, what: str) -> int:  # noqa: ANN401 - JSON
    """Milliseconds of a time that counts `per_ms` units in a millisecond: 0.001 for seconds. Raises Refusal."""
    number = int(an_integer(value, what) / per_ms)
    if number < _MAX_MS:
        return number
    raise Refusal(BAD_BODY, f"{what} is no time: {str(value)[:40]}")


def a_text(value: Any, longest: int = 120) -> str | None:  # noqa: ANN401 - JSON
    """A text for the record, cut; None for anything else."""
    return value[:longest] if isinstance(value, str) and value else None


def as_failed(refusal: Refusal, *, is_own: bool) -> Failed:
    """The verdict of a probe that has this endpoint alone."""
    outcome, name = errors.outcome_of(refusal.error_class, is_own=is_own)
    return Failed(outcome, name, str(refusal))

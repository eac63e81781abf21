"""What agents send: who signed it, which batches are new, when their results happened by our clock.

Pure: time, keys and what was received before come in as arguments.
"""

from __future__ import annotations

import base64
import hashlib
import math
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, NoReturn

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from probes.result import ERROR_CLASSES, CheckResult
from statuspage.errors import InvalidInput, NotAllowed

# A signature is good this long before and after its time: an agent's clock may be ten minutes off.
WINDOW_S = 900
WIRE_VERSION = 1
MAX_RESULTS = 1000
_MAX_MISSING = 500  # gaps remembered per boot
_JUMP_MS = 20_000  # a request is never this long on its way: then one of the clocks was set
_OLDEST_MS = 49 * 3_600_000  # an agent keeps results for 48 h: what is older still has a wrong clock
_EVIDENCE_MAX = 20_000
_OUTCOMES = ("up", "degraded", "down", "unknown")
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")
_BOOT = re.compile(r"[0-9a-f]{16}")
_UNFIT = re.compile("[\x00\ud800-\udfff]")  # PostgreSQL stores no NUL, UTF-8 no lone surrogates
_INPUT = re.compile(
    r'agent=(\(("@method" "@path"(?: "content-digest" "content-type")?)\);created=(\d{1,12});'
    r'keyid="([a-z0-9][a-z0-9-]{0,39})";alg="ed25519";tag="wallet-statuspage-agent")'
)
_SIGNATURE = re.compile(r"agent=:([A-Za-z0-9+/]{86}==):")


class NotSigned(NotAllowed):
    """The request is not proven to come from an agent."""


class ClockTooFar(NotSigned):
    """The signature holds, but its time is too far from ours: a replay, or a clock that needs to be told."""


# -- who signed it: RFC 9421, the one form that agents use --


@dataclass(frozen=True, slots=True)
class Signed:
    """A signature as it was sent, not verified yet. `base` is what it must cover."""

    agent: str
    created_s: int
    base: bytes
    signature: bytes


def read_signature(method: str, path: str, headers: Mapping[str, str], body: bytes) -> Signed:
    """Take the signature's parts out of a request. Raises NotSigned for another form, or a body that is not the signed one."""
    given = _INPUT.fullmatch(headers.get("Signature-Input", ""))
    signature = _SIGNATURE.fullmatch(headers.get("Signature", ""))
    if given is None or signature is None:
        message = "sign the request as docs/agents.md says: Signature-Input and Signature, RFC 9421 with Ed25519"
        raise NotSigned(message)
    covers_body = "content-digest" in given[2]
    digest = f"sha-256=:{base64.b64encode(hashlib.sha256(body).digest()).decode()}:"
    if (body or method != "GET") and not (covers_body and headers.get("Content-Digest") == digest):
        message = "the signature must cover Content-Digest (sha-256), and that must be the digest of this body"
        raise NotSigned(message)
    values = {
        "@method": method,
        "@path": path,
        "content-digest": digest,
        "content-type": headers.get("Content-Type", ""),
    }
    names = [name.strip('"') for name in given[2].split()]
    lines = [f'"{name}": {values[name]}' for name in names] + [f'"@signature-params": {given[1]}']
    return Signed(given[4], int(given[3]), "\n".join(lines).encode(), base64.b64decode(signature[1]))


def verify(signed: Signed, public_key: str, now_s: float) -> None:
    """Check a signature against an agent's public key (base64) and our clock. Raises NotSigned, ClockTooFar."""
    try:
        key = Ed25519PublicKey.from_public_bytes(base64.b64decode(public_key))
        key.verify(signed.signature, signed.base)
    except InvalidSignature:
        message = "the signature does not hold: wrong key, or the request was changed on its way"
        raise NotSigned(message) from None
    if abs(now_s - signed.created_s) > WINDOW_S:
        message = f"the signature was made {abs(now_s - signed.created_s):.0f} s away from our clock"
        raise ClockTooFar(message)


def new_key(name: str) -> tuple[str, str]:
    """(the line an agent needs, its public key in base64). Raises InvalidInput for a name that is none."""
    if not _NAME.fullmatch(name):
        message = "a name is 1 to 40 small letters, digits and hyphens, as hk-1"
        raise InvalidInput(message, "name")
    seed = secrets.token_bytes(32)
    public = Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()
    return f"wsa1.{name}.{base64.urlsafe_b64encode(seed).decode().rstrip('=')}", base64.b64encode(public).decode()


def check_region(region: str) -> str:
    """A region's name. Raises InvalidInput; `local` is the server itself."""
    if not _NAME.fullmatch(region) or region == "local":
        message = "a region is 1 to 40 small letters, digits and hyphens, as hk; local is the server itself"
        raise InvalidInput(message, "region")
    return region


# -- which batches are new --


@dataclass(frozen=True, slots=True)
class Boot:
    """What has come of one start of an agent: everything up to `last` but the ranges in `missing`.

    `offset_ms`: our clock minus the one that stamped the results.
    """

    last: int
    missing: tuple[tuple[int, int], ...]
    offset_ms: int


def receive(boot: Boot | None, sequence: int, sample_ms: int) -> tuple[Boot, bool]:
    """The boot after batch `sequence` has come, and whether the batch is new. None: nothing of this boot has come yet.

    `sample_ms`: our clock at receipt minus the agent's at sending, that is the true offset plus the time on the way. The
    smallest is the best; a jump means that a clock was set.
    """
    if boot is None:
        missing = ((1, sequence - 1),) if sequence > 1 else ()
        return Boot(sequence, missing, sample_ms), True
    offset_ms = sample_ms if sample_ms < boot.offset_ms or sample_ms > boot.offset_ms + _JUMP_MS else boot.offset_ms
    if sequence > boot.last:
        gap = ((boot.last + 1, sequence - 1),) if sequence > boot.last + 1 else ()
        return Boot(sequence, (*boot.missing, *gap)[-_MAX_MISSING:], offset_ms), True
    for index, (first, last) in enumerate(boot.missing):
        if first <= sequence <= last:
            rest = tuple(part for part in ((first, sequence - 1), (sequence + 1, last)) if part[0] <= part[1])
            return Boot(boot.last, (*boot.missing[:index], *rest, *boot.missing[index + 1 :]), offset_ms), True
    return boot, False


# -- what is in them --


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch as it came, checked. `now_ms` is what the clock that stamped the results showed while it was sent."""

    boot: str
    sequence: int
    now_ms: int
    results: tuple[CheckResult, ...]

    def corrected(self, offset_ms: int, received_ms: int, region: str) -> list[CheckResult]:
        """Its results by our clock, in `region` whatever they say; those that are too old to count are left out."""
        found = []
        for result in self.results:
            at_ms = min(result.at_ms + offset_ms, received_ms)
            if at_ms > received_ms - _OLDEST_MS:
                found.append(replace(result, at_ms=at_ms, region=region))
        return found


@dataclass(frozen=True, slots=True)
class Delivery:
    """One request of an agent."""

    batches: tuple[Batch, ...]
    waiting: int
    dropped: int


def read_delivery(data: Any) -> Delivery:  # noqa: ANN401 - any JSON value
    """The body of a request. Raises InvalidInput naming the place: what was accepted is never refused later."""
    if not isinstance(data, Mapping) or data.get("version") != WIRE_VERSION:
        message = f"the version must be {WIRE_VERSION}: use the agent of the same release as the server"
        raise InvalidInput(message, "version")
    batches = data.get("batches")
    if not isinstance(batches, list) or not batches:
        message = "must be a list with at least one batch"
        raise InvalidInput(message, "batches")
    found = tuple(_batch(each, f"batches.{index}") for index, each in enumerate(batches))
    figures = [data.get(name, 0) for name in ("waiting", "dropped")]
    return Delivery(found, *(min(_whole(each, "figures"), 2**31 - 1) for each in figures))


def _batch(data: Any, place: str) -> Batch:  # noqa: ANN401 - any JSON value
    if not isinstance(data, Mapping):
        _refuse("must be a mapping", place)
    boot, results = data.get("boot"), data.get("results")
    if not isinstance(boot, str) or not _BOOT.fullmatch(boot):
        _refuse("must be 16 hexadecimal digits", f"{place}.boot")
    if not isinstance(results, list) or len(results) > MAX_RESULTS:
        _refuse(f"must be a list of at most {MAX_RESULTS}", f"{place}.results")
    sequence = _whole(data.get("sequence"), f"{place}.sequence")
    if sequence < 1:
        _refuse("must be 1 or more", f"{place}.sequence")
    checked = tuple(read_result(each, f"{place}.results.{index}") for index, each in enumerate(results))
    return Batch(str(boot), sequence, _whole(data.get("now_ms"), f"{place}.now_ms"), checked)


def read_result(data: Any, place: str) -> CheckResult:  # noqa: ANN401 - any JSON value
    """One result in wire form. Raises InvalidInput."""
    if not isinstance(data, Mapping):
        _refuse("must be a mapping", place)
    given = {"error_class": None, "message": "", "phases": {}, "evidence": {}, "late_ms": 0.0, **data}
    phases, evidence = given["phases"], given["evidence"]
    if not isinstance(given.get("monitor_id"), str) or not isinstance(given["message"], str):
        _refuse("monitor_id and message must be texts", place)
    if given.get("outcome") not in _OUTCOMES or given["error_class"] not in (None, *ERROR_CLASSES):
        _refuse("outcome or error_class is none of ours", place)
    is_small = isinstance(evidence, dict) and len(repr(evidence)) <= _EVIDENCE_MAX
    if not is_small or not isinstance(phases, dict) or len(phases) > 20:
        _refuse("phases and evidence must be small mappings", place)
    checked = {
        "monitor_id": _fit(given["monitor_id"]), "message": _fit(given["message"])[:500], "region": "",
        "at_ms": _whole(given.get("at_ms"), place), "duration_ms": _number(given.get("duration_ms"), place),
        "late_ms": _number(given["late_ms"], place), "evidence": _fit(evidence),
        "phases": {_fit(str(name)): _number(value, place) for name, value in phases.items()},
    }  # fmt: skip
    try:
        return CheckResult.from_json({**given, **checked})
    except (ValueError, TypeError) as error:
        _refuse(str(error), place)


def _fit(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    """`value` with nothing that a database refuses."""
    if isinstance(value, str):
        return _UNFIT.sub("\ufffd", value)
    if isinstance(value, list):
        return [_fit(each) for each in value]
    if isinstance(value, Mapping):
        return {_fit(str(name)): _fit(each) for name, each in value.items()}
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _whole(value: Any, place: str) -> int:  # noqa: ANN401 - any JSON value
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 2**53:
        _refuse("must be a whole number", place)
    return value


def _number(value: Any, place: str) -> float:  # noqa: ANN401 - any JSON value
    if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value) or abs(value) > 2**53:
        _refuse("must be a number", place)
    return float(value)


def _refuse(what: str, place: str) -> NoReturn:
    raise InvalidInput(what, place)

"""What the engine lends to one run of a probe, and the ways a run may end."""

from __future__ import annotations

import errno
import ssl
import time
from dataclasses import dataclass, field
from typing import Any

from probes import evidence, guard, resolve
from probes.guard import Policy
from probes.result import CheckResult, Outcome
from probes.secrets_at_use import MissingSecret, Vault
from probes.spec import ProbeSpec
from probes.transfer import Client


class Failed(Exception):
    """A run that ends early with a verdict."""

    def __init__(self, outcome: Outcome, error_class: str, message: str) -> None:
        super().__init__(message)
        self.outcome: Outcome = outcome
        self.error_class = error_class


@dataclass(slots=True, eq=False)
class Run:
    """One monitor's place in the engine; the engine sets the times before each run.

    `plan` belongs to the probe: whatever it derives from the spec once. `detail` asks for full evidence even when all is
    well. `deadline` and `started` are seconds of the monotonic clock. `retry_after_s`: how long the target asked to be left
    alone, None when it did not.
    """

    spec: ProbeSpec
    client: Client
    region: str = "local"
    detail: bool = False
    plan: Any = None
    at_ms: int = 0
    started: float = 0.0
    deadline: float = 0.0
    late_ms: float = 0.0
    retry_after_s: float | None = None
    phases: dict[str, float] = field(default_factory=dict)
    evidence: dict[str, Any] = field(default_factory=dict)
    vault: Vault = field(default_factory=Vault)
    policy: Policy = field(init=False)  # where this monitor may dial

    def __post_init__(self) -> None:
        try:
            self.policy = guard.operator_policy(self.spec.allow_networks)
        except ValueError:
            self.policy = guard.OPERATOR  # a network that is none allows nothing; one bad spec must not stop the others

    def begin(self, at_ms: int, late_ms: float) -> None:
        """Set the clocks for a new run."""
        self.at_ms = at_ms
        self.late_ms = late_ms
        self.started = time.monotonic()
        self.deadline = self.started + self.spec.timeout_s
        self.retry_after_s = None
        self.phases = {}
        self.evidence = {}

    @property
    def left_s(self) -> float:
        """Seconds until the deadline; never 0, which most libraries read as "for ever"."""
        return max(0.001, self.deadline - time.monotonic())

    def mark(self, phase: str, since: float) -> float:
        """Note how long `phase` took, in ms, and return the present moment."""
        now = time.monotonic()
        self.phases[phase] = round((now - since) * 1000, 3)
        return now

    async def addresses(self, host: str) -> list[str]:
        """Every address of `host`, judged. Raises Refused or NoAnswer."""
        if resolve.is_address(host):
            return guard.judge([host], host, self.policy)
        began = time.monotonic()
        try:
            found = await self.client.resolver.lookup(host, self.left_s)
        finally:
            self.mark("dns", began)
        self.evidence["resolved"] = found
        return guard.judge(found, host, self.policy)

    def result(self, outcome: Outcome, error_class: str | None = None, message: str = "") -> CheckResult:
        """The result of this run, without secrets."""
        duration_ms = round((time.monotonic() - self.started) * 1000, 3)
        shown = self.vault.mask_all(self.evidence)
        self.phases.setdefault("total", duration_ms)
        return CheckResult(
            self.spec.monitor_id,
            outcome,
            self.at_ms,
            duration_ms,
            error_class,
            self.vault.mask(message) if message else "",
            self.phases,
            shown if outcome == "up" or self.detail else evidence.fitted(shown),
            self.region,
            self.late_ms,
        )

    def timely(self, outcome: Outcome, slow_ms: float | None) -> CheckResult:
        """`outcome`, or degraded when the run took longer than `slow_ms`."""
        took_ms = (time.monotonic() - self.started) * 1000
        if slow_ms is not None and took_ms > slow_ms:
            return self.result("degraded", "slow", f"took {took_ms:.0f} ms, more than {slow_ms:.0f} ms")
        return self.result(outcome)

    def failure(self, error: BaseException) -> CheckResult:
        """The result for an exception a probe let through."""
        failed = explain(error)
        return self.result(failed.outcome, failed.error_class, str(failed))


_CLASS_OF_ERRNO = {
    errno.ECONNREFUSED: "refused",
    errno.ECONNRESET: "reset",
    errno.EPIPE: "reset",
    errno.ENETUNREACH: "unreachable",
    errno.EHOSTUNREACH: "unreachable",
    errno.ENETDOWN: "unreachable",
    errno.EADDRNOTAVAIL: "unreachable",
    errno.EAFNOSUPPORT: "unreachable",
    errno.ETIMEDOUT: "timeout",
}


def class_of_errno(number: int) -> str:
    """The error class of a failed connection."""
    return _CLASS_OF_ERRNO.get(number, "unreachable")


def explain(error: BaseException) -> Failed:
    """Every exception as a verdict. What is our own fault is unknown, never down."""
    if isinstance(error, Failed):
        return error
    for kind, outcome, error_class, words in _VERDICTS:
        if isinstance(error, kind):
            return Failed(outcome, error_class, words or str(error))
    if isinstance(error, OSError) and error.errno is not None:
        name = errno.errorcode.get(error.errno, str(error.errno))
        return Failed("down", class_of_errno(error.errno), f"connection failed: {name}")
    return Failed("unknown", "internal", f"the probe itself failed: {type(error).__name__}: {error}"[:300])


# In order: a subclass stands before its base.
_VERDICTS: tuple[tuple[type[BaseException], Outcome, str, str], ...] = (
    (guard.Refused, "unknown", "blocked", ""),
    (resolve.NoResolver, "unknown", "dns", ""),
    (resolve.NoAnswer, "down", "dns", ""),
    (MissingSecret, "unknown", "client_error", ""),
    (TimeoutError, "down", "timeout", "no answer within the deadline"),
    (ssl.SSLCertVerificationError, "down", "certificate", ""),
    (ssl.SSLError, "down", "tls", ""),
    (EOFError, "down", "reset", "the connection was closed early"),
)

"""What was observed. The JSON form is a versioned wire format between agent and server."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Outcome = Literal["up", "degraded", "down", "unknown"]

WIRE_VERSION = 1

# The closed list of error classes; spec: shared vocabulary of docs/probes.md.
ERROR_CLASSES = (
    "dns", "refused", "unreachable", "timeout", "tls", "certificate", "reset", "protocol", "body_cap", "redirect",
    "status", "assertion", "bad_body", "rate_limited", "billing", "auth", "overloaded", "node_behind", "head_stale",
    "unsupported", "wrong_chain", "client_error", "blocked", "slow", "own_network", "waiting", "internal",
)  # fmt: skip


@dataclass(slots=True)
class CheckResult:
    """One outcome of one probe run. Nobody changes one: it is not frozen only because that is a fifth of a microsecond for
    each of ten fields.

    `at_ms`: UTC wall clock at the start of the run; `duration_ms` from the monotonic clock. `phases` in milliseconds,
    keys among dns, connect, tls, send, first_byte, body, total. `evidence` is small (a few kB), free of secrets and fit
    to be shown to an operator.
    `error_class` is None for up, else one of ERROR_CLASSES.
    `memory`: what the probe wants to find again in ProbeSpec.memory after a restart, None for nothing new. It stays here: an
    agent does not send it and a server does not take it.
    """

    monitor_id: str
    outcome: Outcome
    at_ms: int
    duration_ms: float
    error_class: str | None = None
    message: str = ""
    phases: dict[str, float] = field(default_factory=dict)
    evidence: dict[str, Any] = field(default_factory=dict)
    region: str = "local"
    late_ms: float = 0.0
    memory: dict[str, Any] | None = None

    def to_json(self) -> dict[str, Any]:
        """The wire form."""
        return {"version": WIRE_VERSION, **{name: value for name, value in asdict(self).items() if name != "memory"}}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> CheckResult:
        """Read the wire form. Raises ValueError for a version this code does not know."""
        if data.get("version") != WIRE_VERSION:
            message = f"check result version {data.get('version')!r} is not {WIRE_VERSION}"
            raise ValueError(message)
        known = cls.__dataclass_fields__.keys() - {"memory"}
        return cls(**{name: value for name, value in data.items() if name in known})

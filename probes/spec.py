"""What to check. The JSON form is a versioned wire format between server and agent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

WIRE_VERSION = 1


@dataclass(frozen=True, slots=True)
class ProbeSpec:
    """One monitor as the engine sees it.

    `options` belong to the kind and were validated by it; `allow_networks` are CIDRs of the operator's configuration
    file, never of a visitor. While a change is being confirmed (fewer than `failures` / `successes` equal outcomes in a
    row) the engine runs the probe every `retry_s` instead of `interval_s`.
    `memory`: what an earlier run asked to be kept (CheckResult.memory), {} for none. It is no part of what to check: another
    memory is no other spec, and it does not travel.
    """

    monitor_id: str
    kind: str
    target: str
    options: dict[str, Any] = field(default_factory=dict)
    interval_s: float = 30.0
    timeout_s: float = 10.0
    retry_s: float = 5.0
    failures: int = 3
    successes: int = 2
    allow_networks: tuple[str, ...] = ()
    memory: Mapping[str, Any] = field(default_factory=dict, compare=False)

    def to_json(self) -> dict[str, Any]:
        """The wire form."""
        told = {name: value for name, value in asdict(self).items() if name != "memory"}
        return {"version": WIRE_VERSION, **told, "allow_networks": list(self.allow_networks)}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> ProbeSpec:
        """Read the wire form. Raises ValueError for a version this code does not know."""
        if data.get("version") != WIRE_VERSION:
            message = f"probe spec version {data.get('version')!r} is not {WIRE_VERSION}: update the agent"
            raise ValueError(message)
        known = {name: value for name, value in data.items() if name in cls.__dataclass_fields__ and name != "memory"}
        return cls(**{**known, "allow_networks": tuple(data.get("allow_networks", ()))})

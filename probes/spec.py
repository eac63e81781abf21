"""What to check. The JSON form is a versioned wire format between server and agent."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

WIRE_VERSION = 1


@dataclass(frozen=True, slots=True)
class ProbeSpec:
    """One monitor as the engine sees it.

    `options` belong to the kind and were validated by it; `allow_networks` are CIDRs of the operator's configuration
    file, never of a visitor. While a change is being confirmed (fewer than `failures` / `successes` equal outcomes in a
    row) the engine runs the probe every `retry_s` instead of `interval_s`.
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

    def to_json(self) -> dict[str, Any]:
        """The wire form."""
        return {"version": WIRE_VERSION, **asdict(self), "allow_networks": list(self.allow_networks)}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> ProbeSpec:
        """Read the wire form. Raises ValueError for a version this code does not know."""
        if data.get("version") != WIRE_VERSION:
            message = f"probe spec version {data.get('version')!r} is not {WIRE_VERSION}: update the agent"
            raise ValueError(message)
        known = {name: value for name, value in data.items() if name in cls.__dataclass_fields__}
        return cls(**{**known, "allow_networks": tuple(data.get("allow_networks", ()))})

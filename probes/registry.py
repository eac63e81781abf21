"""PROBES: the one list of kinds. A kind is a module with OPTIONS, normalise, validate and check, loaded on first use."""

from __future__ import annotations

import importlib
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Protocol, cast

from probes.options import Option, Problem
from probes.result import CheckResult
from probes.spec import ProbeSpec

if TYPE_CHECKING:
    from probes.run import Run


class Kind(Protocol):
    """What a probe's module offers."""

    OPTIONS: tuple[Option, ...]

    def normalise(self, value: object) -> tuple[str, dict[str, Any]]:
        """Target and options of a value in wallet.yaml, short or long form. Raises OptionError."""

    def validate(self, target: str, options: Mapping[str, Any]) -> list[Problem]:
        """All that is wrong, with paths relative to the value in wallet.yaml."""

    def check(self, spec: ProbeSpec, run: Run) -> Awaitable[CheckResult]:
        """One run. Ends within the deadline of `run`."""

    def authority(self, spec: ProbeSpec) -> str:
        """Which server the probe burdens: probes of one authority share a small concurrency."""


@dataclass(frozen=True, slots=True)
class Probe:
    """One entry: cheap to hold, its module comes with the first use."""

    kind: str
    module: str

    def load(self) -> Kind:
        """The module of this kind."""
        return _load(self.module)

    def normalise(self, value: object) -> tuple[str, dict[str, Any]]:
        """Target and options of a value in wallet.yaml, short or long form. Raises OptionError."""
        return self.load().normalise(value)

    def validate(self, target: str, options: Mapping[str, Any]) -> list[Problem]:
        """All that is wrong, with paths relative to the value in wallet.yaml."""
        return self.load().validate(target, options)


@lru_cache(maxsize=64)
def _load(module: str) -> Kind:
    return cast("Kind", importlib.import_module(module))


PROBES: dict[str, Probe] = {
    kind: Probe(kind, module)
    for kind, module in (
        ("http", "probes.http"),
        ("tcp", "probes.tcp"),
        ("tls", "probes.tls"),
        ("dns", "probes.dns"),
        ("flow", "probes.flow"),
        ("upstream", "probes.upstream"),
        ("websocket", "probes.websocket"),
        ("smtp", "probes.smtp"),
        ("redis", "probes.redis"),
        ("postgres", "probes.postgres"),
        ("prometheus", "probes.prometheus"),
        ("domain", "probes.domain"),
        ("icmp", "probes.icmp"),
        ("grpc", "probes.grpc"),
        ("heartbeat", "probes.heartbeat"),
        ("evm", "probes.chains.evm"),
        ("chain", "probes.chain"),
    )
}

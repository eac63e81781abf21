"""Monitors as probes see them: the same for the engine of this process and for an agent elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from probes.spec import ProbeSpec
from statuspage.store.monitors import Monitor


def spec_of(monitor: Monitor, memory: Mapping[str, Any] | None = None) -> ProbeSpec:
    """The engine's view of a monitor. `${env:NAME}` stays as it is written: it is resolved where the probe runs.

    `memory`: what store.networks keeps for its probe.
    """
    return ProbeSpec(
        monitor_id=monitor.id, kind=monitor.kind, target=monitor.target, options=monitor.options,
        interval_s=monitor.interval_ms / 1000, timeout_s=monitor.timeout_ms / 1000, retry_s=monitor.retry_ms / 1000,
        failures=monitor.failures, successes=monitor.successes, allow_networks=monitor.allow_networks,
        memory=memory or {},
    )  # fmt: skip

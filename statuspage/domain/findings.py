"""What a chain's verdict means in a notice: whose fault it is, the cause, and which words a machine has for it.

States are those of probes/chains/settle.py; what is not listed here (unknown, or a release's new word) says nothing of a cause.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from statuspage.domain import status


@dataclass(frozen=True, slots=True)
class Finding:
    """`cause` and `attribution` are those of a notice's facts; `words` names the machine's texts in the catalogue."""

    cause: str = "unknown"
    attribution: str = "us"
    words: str = "suspected"


NOTHING = Finding()
_CLAIMABLE = (status.DEGRADED, status.PARTIAL, status.MAJOR)
_FINDINGS = {
    "CHAIN_HALTED": Finding("chain_halt", "chain", "chain_halted"),
    "CHAIN_SLOW": Finding("chain_congestion", "chain", "chain_slow"),
    "FINALITY_DELAYED": Finding("finality_delay", "chain", "finality_delayed"),
    "OWN_NODE_BEHIND": Finding("node_lag", "us", "node_behind"),
    "OWN_NODE_ON_FORK": Finding("node_lag", "us", "node_on_fork"),
    "BALANCES_WRONG": Finding("system_fault", "us", "balances_wrong"),
    "OWN_ENDPOINT_OVERLOADED": Finding("system_fault", "us", "endpoint_overloaded"),
}


def of(causes: Collection[str]) -> Finding:
    """What several monitors' verdicts say together: one cause is a finding, a mixture or none is not."""
    one = set(causes)
    return _FINDINGS.get(one.pop(), NOTHING) if len(one) == 1 else NOTHING


def read(evidence: Mapping[str, Any]) -> tuple[str, str]:
    """The component status and the chain's verdict that a failing result names; '' for what it does not, or may not, claim."""
    claimed, state = evidence.get("component_status"), evidence.get("state")
    if claimed not in _CLAIMABLE or state not in _FINDINGS:
        return "", ""
    return str(claimed), str(state)

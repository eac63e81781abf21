"""What every chain endpoint says, in one shape: the verdict's rules are written once, for all families."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, Self

from probes.chains.usual import Usual

Role = Literal["own", "reference"]


@dataclass(frozen=True, slots=True)
class Fee:
    """Price of a transaction in `unit`; `pressure` from 0 (idle) to 1 (full blocks or a full pool), None when not known."""

    unit: str
    low: float | None
    fast: float | None
    pressure: float | None = None


@dataclass(frozen=True, slots=True)
class Record:
    """One endpoint at one moment. Times are UTC in ms; heights are slots on Solana.

    `safe`: what an OP stack has posted to its base chain; `l1_behind`: how many blocks of that its op-node has not read yet.
    `ok`: a head was read. `chain_id_ok` is False only for another chain than the expected one. `final_is_estimate`: the
    endpoint does not tell what is final, so `final_height` says nothing about a delay. `check_hash` is the hash at the
    height the endpoint was asked to compare. `skipped`: it was not asked, because it wishes to be left alone. `syncing`,
    `peers` and `client` explain and never judge.
    """

    chain: str
    endpoint: str
    role: Role
    at_ms: int
    ok: bool
    latency_ms: float
    supplier: str = ""
    chain_id: str | None = None
    chain_id_ok: bool = True
    head_height: int | None = None
    head_hash: str | None = None
    head_ms: int | None = None
    final_height: int | None = None
    final_ms: int | None = None
    final_is_estimate: bool = False
    safe_height: int | None = None
    safe_ms: int | None = None
    l1_behind: int | None = None
    check_height: int | None = None
    check_hash: str | None = None
    syncing: bool | None = None
    peers: int | None = None
    client: str | None = None
    fee: Fee | None = None
    canary_balance: float | None = None
    canary_error: str | None = None
    skipped: bool = False
    error_class: str | None = None
    error_text: str | None = None

    @property
    def head_age_s(self) -> float | None:
        """Age of the head when it was read; negative when it lies ahead of our clock."""
        return None if self.head_ms is None else (self.at_ms - self.head_ms) / 1000

    def to_json(self) -> dict[str, Any]:
        """Small and without secrets; what is not known is left out."""
        known = {name: value for name, value in asdict(self).items() if value not in (None, "")}
        if not self.skipped:
            del known["skipped"]
        age_s = self.head_age_s
        return known if age_s is None else {**known, "head_age_s": round(age_s, 1)}


@dataclass(slots=True)
class Endpoint:
    """Where to ask, and what is known about asking there. `url` and `headers` may hold references to secrets.

    `identity` is what must answer: the chain's number, or the name or genesis hash its family uses. `batches` turns False
    once the endpoint refused a batch. `compare_height` asks for the hash at that height as well. Until `quiet_until`, seconds
    of the monotonic clock, it is left alone; `limits` counts its limits in a row. `stack`: `op` for an OP stack, whose own
    `op_node` may be asked as well. `asks_price`: the fee has to be asked for, since no base fee tells it. `fee_path`: where
    an Esplora told its fees.
    """

    chain: str
    name: str
    url: str
    role: Role = "own"
    supplier: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    identity: str | None = None
    ca_file: str | None = None
    canary: Mapping[str, Any] | None = None
    final_tag: str = "finalized"
    compare_height: int | None = None
    batches: bool = True
    quiet_until: float = 0.0
    limits: int = 0
    stack: str = ""
    op_node: Self | None = None
    usual: Usual = field(default_factory=Usual)
    asks_price: bool = False
    fee_path: str = ""

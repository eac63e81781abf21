"""`groups:`, `components:` and `chains:` — what the public sees."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, Strict

from statuspage.config.fields import Day, Id, Interval, Line, Shape, Text

Weight = Literal["normal", "critical"]
Lifecycle = Literal["active", "migrating", "sunset", "retired"]


class Group(Shape):
    """A heading on the page with the components below it."""

    name: Text
    note: Text = Field(default_factory=dict)
    was: Id | None = None


class Component(Shape):
    """One thing the public can lose. `weight: critical` counts in the page verdict and the yearly limit."""

    name: Text
    group: Id | None = None
    description: Text = Field(default_factory=dict)
    symptoms: list[Line] = Field(default_factory=list)
    template: Line = ""
    weight: Weight = "normal"
    start_date: Day | None = None
    was: Id | None = None


class Endpoint(Shape):
    """One RPC endpoint. `own`: what the wallet uses; `reference`: somebody else's, to tell our fault from the chain's."""

    url: Line  # http(s) or wss; judged by the probe
    role: Literal["own", "reference"] = "own"
    supplier: Line = ""
    headers: dict[Line, Line] = Field(default_factory=dict)
    op_node: Line = ""  # the own op-node of an OP stack


class Canary(Shape):
    """An address that always holds funds: a zero balance there is our fault."""

    address: Line
    output: Line = ""  # an unspent output, for a bitcoin node; judged by the probe
    token: Line = ""  # a token instead of the chain's own coin; judged by the probe
    decimals: Annotated[int, Strict(), Field(ge=0, le=36)] | None = None
    min_balance: Annotated[float, Field(gt=0)] | None = None  # in whole coins; nothing: any balance above zero will do


Timing = Literal[
    "block_s", "lag_blocks", "lag_s", "halt_s", "slow_s", "slow_factor", "empty_blocks", "cluster_delta", "finality_warn_s",
    "safe_warn_s", "confirm_s",
]  # fmt: skip


class Chain(Shape):
    """A network: a component of its own, watched through its endpoints. Timings come from the registry of chains, where this
    file does not say better; the probe judges them.
    """

    endpoints: Annotated[list[Endpoint], Field(min_length=1)]
    name: Text = Field(default_factory=dict)
    group: Id = "networks"
    component: Id | None = None
    family: Line = ""
    id: Annotated[int, Strict(), Field(ge=0)] | None = None
    canary: Canary | None = None
    capabilities: list[Literal["send", "receive", "balances", "fees", "swap", "bridge"]] = Field(default_factory=list)
    interval: Interval | None = None
    head_age_degraded: Interval | None = None
    head_age_down: Interval | None = None
    timings: dict[Timing, Any] = Field(default_factory=dict)
    lifecycle: Lifecycle | None = None
    symptoms: list[Line] = Field(default_factory=list)
    template: Line = ""
    weight: Weight = "normal"
    was: Id | None = None

"""`defaults:` and `monitors:` — what is checked, how often, and what follows from it. Kinds of check are those of probes."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, Field

from statuspage.config.fields import (
    Count,
    Id,
    Interval,
    Line,
    Publish,
    Retry,
    Shape,
    Switch,
    Text,
    Timeout,
    WebAddress,
    WhenDown,
    identifier,
    refuse,
)


def _regions(value: object) -> object:
    if value == "all":
        return value
    if not isinstance(value, list) or not value:
        refuse("write all, or a list of regions such as [hk, sg]")
    names = [identifier(item) for item in value]
    if len(set(names)) < len(names):
        refuse("name each region once: a region has one vote")
    return names


def _quorum(value: object) -> object:
    if value in ("majority", "all", "any"):
        return value
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        refuse("write majority, all, any, or a number of regions")
    return int(value)


Regions = Annotated[str | list[str], BeforeValidator(_regions)]
Quorum = Annotated[str | int, BeforeValidator(_quorum)]


class Confirm(Shape):
    """Equal outcomes in a row before the state changes."""

    failures: Count = 3
    successes: Count = 2


class ConfirmOverride(Shape):
    """As Confirm; what is left out is inherited."""

    failures: Count | None = None
    successes: Count | None = None


class Defaults(Shape):
    """What every monitor inherits. `self_test`: asked first when checks fail, so that our own network is not taken for theirs."""

    interval: Interval = 30_000
    timeout: Timeout = 10_000
    confirm: Confirm = Confirm()
    retry: Retry = 5_000
    regions: Regions = "all"
    quorum: Quorum = "majority"
    publish: Publish = "suspect"
    self_test: list[WebAddress] = Field(default_factory=list)


class Monitor(Shape):
    """A scheduled check of one target; the key that names its kind is taken out before (see kinds.py)."""

    component: Id
    name: Text | None = None
    when_down: WhenDown = "major_outage"
    interval: Interval | None = None
    timeout: Timeout | None = None
    confirm: ConfirmOverride = ConfirmOverride()
    retry: Retry | None = None
    regions: Regions | None = None
    quorum: Quorum | None = None
    publish: Publish | None = None
    depends_on: Id | None = None
    supplier: Line = ""
    paused: Switch = False
    was: Id | None = None

"""How fast a chain goes, and when it will reach a height.

Blocks are counted from an anchor, so that a lucky minute means little. A young count leans on what was known before it: the
registry's interval, then the pace of the count before. After some days it begins anew, as a fork may change the interval.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

LEAN_BLOCKS = 200  # how many blocks the earlier pace weighs
COUNT_FOR = timedelta(days=3)
MOVED_AT_LEAST, MOVED_SHARE = timedelta(minutes=10), 0.05


@dataclass(frozen=True, slots=True)
class Head:
    """A chain's height at one moment. `pace_us`: microseconds between blocks, measured before the anchor."""

    height: int
    at: datetime
    anchor_height: int
    anchor_at: datetime
    pace_us: int

    @property
    def block_us(self) -> int:
        """Microseconds between blocks, as far as is known."""
        elapsed_us = (self.at - self.anchor_at) // timedelta(microseconds=1)
        blocks = self.height - self.anchor_height
        return max(1, (self.pace_us * LEAN_BLOCKS + elapsed_us) // (LEAN_BLOCKS + blocks))


def first(height: int, at: datetime, block_s: float) -> Head:
    """A chain that was never seen."""
    return Head(height, at, height, at, max(1, round(block_s * 1_000_000)))


def seen(head: Head, height: int, at: datetime) -> Head:
    """A newer height. One that is lower (a reorganisation, another node) or not newer changes nothing."""
    if at <= head.at or height < head.height:
        return head
    if at - head.anchor_at > COUNT_FOR:
        head = replace(head, pace_us=head.block_us, anchor_height=head.height, anchor_at=head.at)
    return replace(head, height=height, at=at)


def expected_at(head: Head, height: int) -> datetime:
    """When the chain will reach `height`; the moment of the head itself when it has."""
    return head.at + timedelta(microseconds=max(0, height - head.height) * head.block_us)


def has_moved(announced_at: datetime, expected: datetime, now: datetime) -> bool:
    """Whether an announced start is wrong enough to say so: by 10 minutes, and by 5 % of the time that is left."""
    limit = max(MOVED_AT_LEAST, abs(expected - now) * MOVED_SHARE)
    return abs(expected - announced_at) > limit

"""What is usual at an endpoint: a fee is high, and a network busy, only beside its own past."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median

DEAR = 5.0  # times the usual price
_HOUR_MS = 3_600_000
_HOURS_OF_A_WEEK = 168
WEEK_MS = _HOURS_OF_A_WEEK * _HOUR_MS
_LEAST_HOURS = 6  # fewer tell no usual price
_BLOCKS = 20
_NOT_FULL = 0.79  # below what the verdict takes for full


@dataclass(slots=True)
class Usual:
    """Prices of the last week, one an hour; how full the newest blocks were, one a poll; the largest limit seen.

    `has_news`: a price was added that nobody has stored yet.
    """

    prices: deque[tuple[int, float]] = field(default_factory=lambda: deque(maxlen=_HOURS_OF_A_WEEK))
    blocks: deque[float] = field(default_factory=lambda: deque(maxlen=_BLOCKS))
    most: float = 0.0
    has_news: bool = False

    def dearness(self, price: float | None, at_ms: int) -> float | None:
        """How many times the week's median `price` is; None while too few hours are known, or where it mostly costs nothing."""
        if price is None:
            return None
        usual = median(each for _, each in self.prices) if len(self.prices) >= _LEAST_HOURS else 0.0
        if not self.prices or abs(at_ms - self.prices[-1][0]) >= _HOUR_MS:
            self.prices.append((at_ms, price))
            self.has_news = True
        return price / usual if usual > 0 else None

    def fullness(self, ratios: Sequence[float], newest: float | None) -> float | None:
        """How full 20 blocks are: those an endpoint tells of, or else the newest block of each poll, once there are 20."""
        if ratios:
            return min(1.0, sum(ratios) / len(ratios))
        if newest is not None:
            self.blocks.append(newest)
        return min(1.0, sum(self.blocks) / _BLOCKS) if len(self.blocks) == _BLOCKS else None


def pressure(full: float | None, dearness: float | None, *, price_follows: bool) -> float | None:
    """From 0 to 1, 0.8 and more where blocks are full *and* transactions dear; None where that cannot be told.

    `price_follows`: the protocol itself raises the price while blocks are full, so that lasting fullness says both. Elsewhere
    full blocks alone mean little, and a price whose usual height is not known means nothing.
    """
    if full is None or full <= _NOT_FULL:
        return None if full is None else round(full, 3)
    if dearness is None:
        return round(full, 3) if price_follows else None
    return round(full, 3) if dearness >= DEAR else _NOT_FULL


def pressure_of_price(dearness: float | None) -> float | None:
    """Where only prices tell: 0.8 at five times the usual one."""
    return None if dearness is None else round(min(1.0, 0.8 * dearness / DEAR), 3)

"""What a chain's endpoints taught us that a restart must not forget: the week's prices, which take hours to learn again.

Kept small and plain, for whoever runs the probe to store: {endpoint's key: {"prices": [[UTC seconds, price], ...],
"asks_price": whether a price has to be asked for}}. How full the newest blocks were and the largest limit seen are left out:
a few polls tell them again, and one wrong limit would last for ever.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Mapping
from typing import Any

from probes.chains.record import Endpoint
from probes.chains.usual import WEEK_MS

_DIGITS = 6  # of a price that is compared with five times its median


def key_of(family: str, endpoint: Endpoint) -> str:
    """Names an endpoint by how and where it is asked: another place in the configuration is the same, another address is not.

    `url` may hold a secret, hence a hash of it.
    """
    return hashlib.sha256(f"{family} {endpoint.url}".encode()).hexdigest()[:16]


def news(family: str, endpoints: Iterable[Endpoint]) -> dict[str, Any] | None:
    """Everything to be kept, once an hour when a price was added to it; None while nothing was."""
    known = list(endpoints)
    if not any(each.usual.has_news for each in known):
        return None
    for each in known:
        each.usual.has_news = False
    return {
        key_of(family, each): {
            "prices": [[at_ms // 1000, float(f"{price:.{_DIGITS}g}")] for at_ms, price in each.usual.prices],
            "asks_price": each.asks_price,
        }
        for each in known
        if each.usual.prices
    }


def recall(family: str, endpoints: Iterable[Endpoint], kept: Mapping[str, Any], now_ms: int) -> None:
    """Teach fresh endpoints what is kept of them. What is older than a week or has another shape is left out.

    A price that seems to come from the future stays: a clock that is behind at start is set right later.
    """
    for each in endpoints:
        found = kept.get(key_of(family, each))
        if not isinstance(found, Mapping) or not isinstance(found.get("prices"), list):
            continue
        prices = [(int(row[0] * 1000), float(row[1])) for row in found["prices"] if _is_price(row)]
        each.usual.prices.extend(row for row in prices if now_ms - row[0] <= WEEK_MS)
        each.asks_price = found.get("asks_price") is True


def _is_price(row: object) -> bool:
    if not isinstance(row, list | tuple) or len(row) != 2:
        return False
    good = all(isinstance(each, int | float) and not isinstance(each, bool) and math.isfinite(each) for each in row)
    return good and row[1] >= 0

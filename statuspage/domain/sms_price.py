"""What SMS cost: segments times the price of one segment in the reader's country, in thousandths of the operator's currency.

The country is known by the calling code in a subscription's masked label; nothing more of the number is ever read for this.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import ROUND_CEILING, Decimal
from typing import Any

import phonenumbers

# A segment of a country without a price: dearer than most countries, so that the ceilings stop us early and not late.
UNPRICED_MILLI = 80
DEFAULT_SPEND: Mapping[str, Any] = {"per_hour": 20, "per_month": 200, "currency": "USD"}


def calling_code(label: str) -> str:
    """`852` of the masked form `+852 ••• 1234` or its beginning; '' for an address that is no number in clear."""
    head = label.partition(" ")[0]
    return head[1:] if head.startswith("+") and head[1:].isdigit() else ""


def is_priced(settings: Mapping[str, Any], code: str) -> bool:
    """Whether `channels.sms` names a price for a country of this calling code."""
    return bool(_prices(settings, code))


def segment_milli(settings: Mapping[str, Any], code: str) -> int:
    """One segment to this calling code, rounded up. Countries that share a code (US, CA) count as the dearest of them."""
    found = _prices(settings, code)
    return max(found) if found else UNPRICED_MILLI


def _prices(settings: Mapping[str, Any], code: str) -> list[int]:
    prices: Mapping[str, str] = settings.get("prices") or {}
    return [
        int((Decimal(str(price)) * 1000).to_integral_value(ROUND_CEILING))
        for country, price in prices.items() if code and str(phonenumbers.country_code_for_region(country)) == code
    ]  # fmt: skip


def spend_settings(settings: Mapping[str, Any]) -> dict[str, Any]:
    """`per_hour`, `per_month` (whole units) and `currency` of `channels.sms`, with what stands in where nothing is said."""
    return {**DEFAULT_SPEND, **(settings.get("spend") or {})}

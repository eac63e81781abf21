"""The notice aggregate as plain values: the public facts at one moment, and what an operator hands in.

Every update carries a full snapshot of the facts; the row in `notices` is only the projection of the latest one, so no public
fact changes without an update. Texts are dicts by public language tag (`en`, `zh-Hans`).
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from typing import Any

from statuspage.clock import from_ms, iso, to_ms

Text = dict[str, str]
Lines = dict[str, list[str]]

FUNDS = ("unaffected_verified", "no_evidence_of_loss", "unavailable_temporarily", "will_be_corrected", "at_risk_act_now",
         "loss_confirmed", "unknown_checking")  # fmt: skip
ETA_CONFIDENCE = ("high", "medium", "low", "none")
CAUSES = ("network", "system_fault", "planned_upgrade", "data_sync_delay", "third_party", "high_concurrency", "app_release",
          "security", "account_risk_control", "chain_congestion", "chain_halt", "node_lag", "finality_delay", "chain_lifecycle",
          "user_error", "unknown")  # fmt: skip
ATTRIBUTIONS = ("us", "chain", "supplier", "partner")
VISIBILITIES = ("draft", "scheduled", "public")

# No 0 O 1 I L: a number is read aloud and typed from a phone, and must not look like a login code.
NUMBER_ALPHABET = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"
_ID_ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789"


def new_public_id() -> str:
    """12 characters a-z 0-9, the shape of Statuspage's ids."""
    return "".join(secrets.choice(_ID_ALPHABET) for _ in range(12))


def new_number() -> str:
    """A notice number such as N-4K7Q. The store's unique index decides; the caller draws again on collision."""
    while True:
        code = "".join(secrets.choice(NUMBER_ALPHABET) for _ in range(4))
        if not code.isdigit():
            return f"N-{code}"


@dataclass(frozen=True, slots=True)
class Facts:
    """Every public fact of a notice at one moment. This is what an update snapshots and the log signs."""

    kind: str
    status: str
    titles: Text
    impact: str = "none"
    components: dict[str, str] = field(default_factory=dict)  # component id -> status this notice claims for it
    started_at: datetime | None = None
    confirmed_at: datetime | None = None
    resolved_at: datetime | None = None
    scheduled_for: datetime | None = None
    scheduled_until: datetime | None = None
    at_block: int | None = None  # the window begins at this height of the chain: its times are estimates
    at_network: str = ""  # whose block that is
    cause: str = "unknown"
    attribution: str = "us"
    funds_safety: str = "unknown_checking"
    funds_text: Text = field(default_factory=dict)
    funds_basis: Text = field(default_factory=dict)
    eta_at: datetime | None = None
    eta_confidence: str = "none"
    next_update_by: datetime | None = None
    not_affected: Text = field(default_factory=dict)
    scope: Text = field(default_factory=dict)
    advice_do: Lines = field(default_factory=dict)
    advice_dont: Lines = field(default_factory=dict)
    remedy: Text = field(default_factory=dict)
    symptoms: tuple[str, ...] = ()
    affected_versions: str = ""
    fixed_versions: str = ""
    audience: str = "all"
    template: str = ""

    @property
    def is_suspected(self) -> bool:
        """Opened by a machine and not confirmed by a person. Advisories and maintenance always come from a person."""
        return self.confirmed_at is None

    @property
    def awaited_block(self) -> dict[str, Any] | None:
        """For machines: the block at which the window begins, and when it is expected; None where the clock decides."""
        if self.at_block is None:
            return None
        expected = iso(self.scheduled_for) if self.scheduled_for else None
        return {"network": self.at_network or None, "height": self.at_block, "estimated_at": expected}

    def to_json(self) -> dict[str, Any]:
        """JSON form without floats: times are integer milliseconds under their own names."""
        out: dict[str, Any] = {}
        for item in fields(self):
            value = getattr(self, item.name)
            if item.name in ("at_block", "at_network") and not value:
                continue  # what was signed before there were such windows reads as it was signed
            out[item.name] = (
                to_ms(value) if isinstance(value, datetime) else list(value) if isinstance(value, tuple) else value
            )
        return out

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Facts:
        """Read `to_json`'s form; keys this code does not know are dropped, so that an older program can read a newer row."""
        known = {name: data[name] for name in _NAMES if name in data}
        for name in _TIMES & known.keys():
            if known[name] is not None:
                known[name] = from_ms(known[name])
        if "symptoms" in known:
            known["symptoms"] = tuple(known["symptoms"])
        return cls(**known)


# Asked for once: a page that lists notices reads hundreds of facts.
_NAMES = tuple(item.name for item in fields(Facts))
_TIMES = {name for name in _NAMES if name.endswith(("_at", "_by"))} | {"scheduled_for", "scheduled_until"}


@dataclass(frozen=True, slots=True)
class Draft:
    """What declares or updates a notice: the facts as they shall be, and the words of this update.

    `notify`: tell subscribers. `channels` limits to whom (None = the kind's policy). `idempotency_key`: see actions.notices.
    """

    facts: Facts
    bodies: Text
    notify: bool = True
    visibility: str = "public"
    source: str = "operator"
    occurred_at: datetime | None = None
    idempotency_key: str | None = None

    def with_facts(self, **changes: Any) -> Draft:  # noqa: ANN401 - the types are those of Facts' fields
        """A copy with some facts replaced."""
        return replace(self, facts=replace(self.facts, **changes))

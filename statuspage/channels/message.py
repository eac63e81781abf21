"""What a channel is given: one message, and what all channels share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from statuspage.errors import Throttled

if TYPE_CHECKING:  # safehttp imports requests, which the web process does not need for a form
    from statuspage.channels.printer import Printer
    from statuspage.channels.safehttp import Sessions


_SETTINGS_WAIT_S = 60.0


@dataclass(frozen=True, slots=True)
class Message:
    """One delivery as a channel sees it. Everything but the address; frozen, so that a retry says the same again.

    `key` is handed to the supplier as idempotency key. `payload` is the outbox row's. `manage_url` ends the subscription.
    """

    key: str
    kind: str
    channel: str
    audience: str
    language: str
    payload: Mapping[str, Any]
    urgency: int
    created_at: datetime
    expires_at: datetime
    manage_url: str = ""

    @property
    def event(self) -> str:
        """declared | confirmed | updated | resolved | reminder …; for a kind without events, the kind."""
        return str(self.payload.get("event", self.kind))


@dataclass(frozen=True)
class Services:
    """What channels share. `channels` and `allow_networks` are the applied settings, refreshed by the deliverer.

    `resolve` turns ${env:NAME} into its value; it is given operators' texts only, never a visitor's.
    `twilio_url` exists for tests against a local peer.
    """

    sessions: Sessions
    printer: Printer
    resolve: Callable[[str], str]
    vapid: bytes
    now: Callable[[], datetime]
    channels: Mapping[str, Any] = field(default_factory=dict)
    allow_networks: tuple[str, ...] = ()
    twilio_url: str = ""

    def reveal(self, text: str) -> str:
        """`text` resolved. What is not set is a fault of the settings, not of the address: Throttled, to be tried again."""
        try:
            return self.resolve(text)
        except ValueError as error:  # names the reference, which is no secret
            raise Throttled(str(error), _SETTINGS_WAIT_S) from None

    def settings_of(self, name: str) -> dict[str, Any]:
        """The settings of one channel, {} when it is not configured."""
        return dict(self.channels.get(name) or {})

"""The whole of wallet.yaml as checked values. Nouns have their own files; what they say about each other is in references.py."""

from __future__ import annotations

from pydantic import Field

from statuspage.config.catalogue import Chain, Component, Group
from statuspage.config.fields import Id, Network, Shape
from statuspage.config.monitors import Defaults, Monitor
from statuspage.config.page import PageShape
from statuspage.config.reach import Channels, Maintenance, Mirror, OnCall, OperatorWebhook, QuietHours


class Document(Shape):
    """What the file says. Durations are milliseconds, texts are dicts with every language of the page."""

    page: PageShape
    defaults: Defaults = Defaults()
    groups: dict[Id, Group] = Field(default_factory=dict)
    components: dict[Id, Component] = Field(default_factory=dict)
    chains: dict[Id, Chain] = Field(default_factory=dict)
    monitors: dict[Id, Monitor] = Field(default_factory=dict)
    maintenance: list[Maintenance] = Field(default_factory=list)
    channels: Channels = Channels()
    quiet_hours: QuietHours = QuietHours()
    on_call: list[OnCall] = Field(default_factory=list)
    webhooks: list[OperatorWebhook] = Field(default_factory=list)
    allow_networks: list[Network] = Field(default_factory=list)
    mirrors: list[Mirror] = Field(default_factory=list)

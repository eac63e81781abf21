"""The one list of channels. Forms, console and deliverer read it; a channel is a file in this package and a row here.

Channels are loaded by dotted path on first use: Twilio's SDK and the push library cost tens of megabytes that a page without
them never pays.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

from statuspage.channels.message import Message, Services


class SettingRow(NamedTuple):
    """One key below `channels.<name>` in wallet.yaml."""

    key: str
    help: str


Send = Callable[[Message, str, Services], str]
Find = Callable[[Message, str, Services], str | None]


@dataclass(frozen=True, slots=True)
class Channel:
    """What is known of a channel without loading it.

    `title` and `explained` (what it sends, how often) are English sources for `_`.
    `send(message, address, services) -> reference` raises a DeliveryError; `find`, of the same form, looks for a message whose
    sending ended without an answer. `opt_in`: code (typed back), challenge (echoed), permission (asked by the browser), none.
    `twin` sends instead while `account` is not among the settings. `parallel` bounds its threads, so that a slow supplier
    delays no other.
    `one_supplier`: an error of the supplier concerns every message of the channel, not one address. `is_billed`: each segment
    costs, so messages to the public count against the spend ceilings. `rings`: on a person's phone, so it waits at night.
    """

    name: str
    title: str
    explained: str
    send: str
    opt_in: str
    find: str = ""
    twin: str = ""
    account: str = ""
    templates: tuple[str, ...] = ()
    settings: tuple[SettingRow, ...] = ()
    visitor_can_subscribe: bool = True
    parallel: int = 8
    one_supplier: bool = False
    is_billed: bool = False
    rings: bool = False


_ALL = (
    Channel(
        "sms", "SMS", "A short text when a problem is confirmed, when it changes and when it is over. A few a month.",
        send="statuspage.channels.sms:send", find="statuspage.channels.sms:find", opt_in="code",
        twin="statuspage.channels.console:send", account="twilio", templates=("messages/sms.txt",), parallel=8, one_supplier=True,
        is_billed=True, rings=True,
        settings=(
            SettingRow("twilio", "account_sid, auth_token, and messaging_service_sid or number. Without it texts are printed."),
            SettingRow("countries", "Countries whose numbers may subscribe, such as [HK, SG]. None unless named."),
            SettingRow("spend", "per_hour, per_month, currency: ceilings for messages to the public."),
        ),
    ),
    Channel(
        "webpush", "Browser notification", "A notification on this device, even while the page is closed.",
        send="statuspage.channels.webpush:send", opt_in="permission", templates=("messages/push.txt",), parallel=16, rings=True,
        settings=(
            SettingRow("contact", "mailto: or https: address that push services may write to."),
        ),
    ),
    Channel(
        "webhook", "Webhook", "A signed JSON message to your own server at every update.",
        send="statuspage.channels.webhook:send", opt_in="challenge", parallel=16,
    ),
    Channel(
        "console", "Console", "Printed by the process itself: for trials.",
        send="statuspage.channels.console:send", opt_in="none", templates=("messages/sms.txt",), parallel=1,
        visitor_can_subscribe=False,
    ),
)  # fmt: skip
CHANNELS: dict[str, Channel] = {channel.name: channel for channel in _ALL}


def is_offered(name: str, channels: Mapping[str, Any]) -> bool:
    """Whether visitors may subscribe by this channel under the applied `channels` settings."""
    channel = CHANNELS.get(name)
    if channel is None or not channel.visitor_can_subscribe or channels.get(name) is None:
        return False
    return name != "sms" or bool(channels[name].get("countries"))


def offered(channels: Mapping[str, Any]) -> list[Channel]:
    """The channels of the subscribe form, in the order of the list."""
    return [channel for channel in CHANNELS.values() if is_offered(channel.name, channels)]


@cache
def load(path: str) -> Callable[..., Any]:
    """The function behind `package.module:name`."""
    module, _, name = path.partition(":")
    found: Callable[..., Any] = getattr(importlib.import_module(module), name)
    return found


def sender(name: str, services: Services) -> Send:
    """How to send by this channel now: itself, or its twin while it has no account."""
    channel = CHANNELS[name]
    return load(channel.twin if _is_without_account(channel, services) else channel.send)


def finder(name: str, services: Services) -> Find | None:
    """How to look for a message whose sending ended without an answer; None where the supplier cannot tell."""
    channel = CHANNELS[name]
    return None if not channel.find or _is_without_account(channel, services) else load(channel.find)


def costs(name: str, services: Services) -> bool:
    """Whether sending by this channel now is paid for by the piece."""
    return CHANNELS[name].is_billed and not _is_without_account(CHANNELS[name], services)


def _is_without_account(channel: Channel, services: Services) -> bool:
    return bool(channel.twin) and not services.settings_of(channel.name).get(channel.account)

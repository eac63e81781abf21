"""Printed messages: the on-call's console and the twin of SMS while no account is set. The number is masked, the text is not."""

from __future__ import annotations

from statuspage import clock
from statuspage.channels import texts
from statuspage.channels.message import Message, Services
from statuspage.channels.printer import Printed
from statuspage.domain import delivery
from statuspage.errors import Transient


def send(message: Message, address: str, services: Services) -> str:
    """Print the SMS form of `message`. The reference is the message's own key. Raises Transient while it cannot be written."""
    text = texts.short(message)
    count = delivery.segments(text)[2]
    to = f"••• {address[-4:]}" if message.channel == "sms" else address
    printed = Printed(message.key, message.channel, message.kind, to, text)
    try:
        services.printer.write(printed, f"{clock.iso(services.now())} ({count} SMS)")
    except OSError as error:
        text = f"the message could not be printed: {error.strerror}"
        raise Transient(text) from None
    return f"console-{message.key}"

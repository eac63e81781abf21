"""Printed messages: the on-call's console and the twin of SMS while no account is set. The number is masked, the text is not."""

from __future__ import annotations

import os
import sys
import threading
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

from statuspage import clock
from statuspage.channels import texts
from statuspage.channels.registry import Message, Services
from statuspage.domain import delivery


@dataclass(frozen=True, slots=True)
class Printed:
    """One message as it was printed."""

    key: str
    channel: str
    kind: str
    to: str
    text: str


@dataclass
class Printer:
    """Where printed messages go: `stream` (None: nowhere), a file only its owner can read, and the last 200 in memory."""

    path: Path | None = None
    stream: TextIO | None = field(default_factory=lambda: sys.stderr)
    last: deque[Printed] = field(default_factory=lambda: deque(maxlen=200))
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def write(self, printed: Printed, at: str) -> None:
        """Print one message. The file is synced: a printed message is a sent one. Raises OSError when the disk is full."""
        line = f"{at} {printed.channel} {printed.kind} to {printed.to} [{printed.key}]: {printed.text}".replace("\n", " / ")
        with self._lock:
            if self.path is not None:
                self._append(line)
            if self.stream is not None:
                print(line, file=self.stream, flush=True)
            self.last.append(printed)

    def _append(self, line: str) -> None:
        assert self.path is not None  # noqa: S101 - narrowed by the only caller
        self.path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        with os.fdopen(descriptor, "a", encoding="utf-8") as file:
            file.write(line + "\n")
            file.flush()
            os.fsync(file.fileno())


def send(message: Message, address: str, services: Services) -> str:
    """Print the SMS form of `message`. The reference is the message's own key."""
    text = texts.short(message)
    count = delivery.segments(text)[2]
    to = f"••• {address[-4:]}" if message.channel == "sms" else address
    printed = Printed(message.key, message.channel, message.kind, to, text)
    services.printer.write(printed, f"{clock.iso(services.now())} ({count} SMS)")
    return f"console-{message.key}"

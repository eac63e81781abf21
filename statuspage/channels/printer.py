"""Where printed messages go."""

from __future__ import annotations

import os
import sys
import threading
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO


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
        """Print one message. The file is synced: a printed message is a sent one. Raises OSError when it cannot be written.

        With a file, the stream is for whoever looks on: that nobody can is no reason to print the message again.
        """
        line = f"{at} {printed.channel} {printed.kind} to {printed.to} [{printed.key}]: {printed.text}".replace("\n", " / ")
        with self._lock:
            if self.path is not None:
                self._append(line)
            if self.stream is not None:
                with suppress(*([OSError] if self.path else [])):
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

"""The agent's memory of what it has not delivered yet: append-only segment files that survive a kill at any moment.

A line is `CRC32 JSON`. It counts once it is on disk (fsync); a torn or damaged line is skipped and counted, the lines around
it stay. When the spool is full or too old the oldest segment goes, and how many results went with it is told to the server.
"""

from __future__ import annotations

import errno
import fcntl
import json
import logging
import os
import threading
import zlib
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from probes.agent_clock import Clock

log = logging.getLogger(__name__)

MAX_BYTES = 64 * 1024 * 1024
MAX_AGE_S = 48 * 3600.0
_SEGMENT_BYTES = 512 * 1024
_HELD = 500  # lines kept in memory while the disk takes none
_IN_MEMORY = -1  # the segment number of those
_SENT = "sent"

Token = tuple[int, int]  # segment and place of a line: what `done` takes back


class SpoolInUse(OSError):
    """Another agent works with this folder."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Results as they were seen together: the unit that is numbered, kept, sent and acknowledged.

    `written_ms` is what `clock` showed when the batch was made, `results` are the wire forms of CheckResults.
    """

    boot: str
    sequence: int
    clock: Clock
    written_ms: int
    results: list[dict[str, Any]]

    def to_line(self) -> bytes:
        """The line in a segment."""
        data = {"boot": self.boot, "sequence": self.sequence, "clock": self.clock.to_json(),
                "written_ms": self.written_ms, "results": self.results}  # fmt: skip
        text = json.dumps(data, separators=(",", ":")).encode()
        return b"%08x %s\n" % (zlib.crc32(text), text)

    @classmethod
    def from_line(cls, line: bytes) -> Batch | None:
        """Read a line; None for one that is torn or damaged."""
        checksum, _, text = line.rstrip(b"\n").partition(b" ")
        try:
            if not line.endswith(b"\n") or int(checksum, 16) != zlib.crc32(text):
                return None
            data = json.loads(text)
            return cls(data["boot"], data["sequence"], Clock(*data["clock"]), data["written_ms"], data["results"])
        except (ValueError, KeyError, TypeError):
            return None


@dataclass(slots=True)
class _Line:
    offset: int
    length: int
    results: int


@dataclass(slots=True)
class _Segment:
    number: int
    size: int = 0
    lines: deque[_Line] = field(default_factory=deque)
    newest: tuple[Clock, int] | None = None


class Spool:
    """Batches in the order in which they were made. Safe to use from several threads; one process per folder."""

    def __init__(self, folder: Path, *, max_bytes: int = MAX_BYTES, max_age_s: float = MAX_AGE_S) -> None:
        self._folder = folder
        self._max_bytes = max_bytes
        self._max_age_ms = max_age_s * 1000
        self._segment_bytes = max(4096, min(_SEGMENT_BYTES, max_bytes // 8))
        self._lock = threading.Lock()
        self._segments: deque[_Segment] = deque()
        self._file: IO[bytes] | None = None
        self._held: deque[tuple[int, bytes, int]] = deque()
        self._held_no = 0
        self.dropped = 0  # results given up since the start, because the spool was full or they were too old
        self.damaged = 0  # lines that could not be read any more
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._guard = self._alone()
        self._recover()

    def _alone(self) -> IO[str]:
        guard = (self._folder / "lock").open("w", encoding="ascii")
        try:
            fcntl.flock(guard, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            guard.close()
            message = f"another agent uses {self._folder}: give each its own --spool"
            raise SpoolInUse(message) from error
        return guard

    def _recover(self) -> None:
        """Find what was kept before; what follows goes to a new segment, never behind a torn line."""
        sent = self._sent()
        for path in sorted(self._folder.glob("*.seg")):
            segment = _Segment(int(path.stem))
            with path.open("rb") as file:
                for line in file:
                    offset, segment.size = segment.size, segment.size + len(line)
                    batch = Batch.from_line(line)
                    if batch is None:
                        self.damaged += 1
                    elif (segment.number, offset) > sent:
                        segment.lines.append(_Line(offset, len(line), len(batch.results)))
                        segment.newest = (batch.clock, batch.written_ms)
            self._segments.append(segment)
        # Above what was ever sent as well: a number used again would look delivered.
        self._next = max([sent[0], *(segment.number for segment in self._segments)]) + 1
        self._tidy()
        if self.damaged:
            log.warning("%d damaged lines of the spool were skipped", self.damaged)

    def _sent(self) -> tuple[int, int]:
        try:
            number, offset = (self._folder / _SENT).read_text(encoding="ascii").split()
            return int(number), int(offset)
        except (OSError, ValueError):
            return 0, -1

    def append(self, batch: Batch) -> bool:
        """Keep a batch; whether it is on disk. A disk that takes nothing leaves it in memory, within bounds."""
        with self._lock:
            self._held_no += 1
            self._held.append((self._held_no, batch.to_line(), len(batch.results)))
            newest = (batch.clock, batch.written_ms)
            try:
                while self._held:
                    self._write(self._held[0][1], self._held[0][2], newest)
                    self._held.popleft()
            except OSError as error:
                log.error("the spool takes nothing (%s): results wait in memory", error.strerror)  # noqa: TRY400 - no bug of ours
                while len(self._held) > _HELD:
                    self.dropped += self._held.popleft()[2]
            self._tidy()
            return not self._held

    def _write(self, line: bytes, results: int, newest: tuple[Clock, int]) -> None:
        if self._file is None or self._segments[-1].size + len(line) > self._segment_bytes:
            self._roll()
        segment, file = self._segments[-1], self._file
        if file is None:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        try:
            _write_whole(file, line)
        except OSError:
            file.truncate(segment.size)
            raise
        segment.lines.append(_Line(segment.size, len(line), results))
        segment.size += len(line)
        segment.newest = newest

    def _roll(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None
        path = self._folder / f"{self._next:010d}.seg"
        self._file = path.open("ab", buffering=0)
        self._segments.append(_Segment(self._next))
        self._next += 1
        folder = os.open(self._folder, os.O_RDONLY)
        try:
            os.fsync(folder)  # without it the file's name could be missing after a power cut
        finally:
            os.close(folder)

    def _tidy(self) -> None:
        """Drop what is sent, then the oldest while there is too much or it is too old."""
        while self._segments and self._is_over(self._segments[0]):
            segment = self._segments.popleft()
            if segment.lines:
                lost = sum(line.results for line in segment.lines)
                self.dropped += lost
                log.warning("the spool is full or too old: its oldest %d results are dropped", lost)
            if not self._segments and self._file is not None:
                self._file.close()
                self._file = None
            self._path(segment).unlink(missing_ok=True)

    def _is_over(self, segment: _Segment) -> bool:
        if not segment.lines:
            return self._file is None or segment is not self._segments[-1] or segment.size > self._segment_bytes // 2
        if sum(each.size for each in self._segments) > self._max_bytes:
            return True
        clock, written_ms = segment.newest or (None, 0)
        return clock is not None and clock.now_ms() - written_ms > self._max_age_ms

    def _path(self, segment: _Segment) -> Path:
        return self._folder / f"{segment.number:010d}.seg"

    def peek(self, max_bytes: int) -> list[tuple[Token, Batch]]:
        """The oldest batches, in order, as many as fit into `max_bytes` but at least one; empty when nothing waits."""
        found: list[tuple[Token, Batch]] = []
        with self._lock:
            for segment in list(self._segments):
                max_bytes -= self._read(segment, max_bytes, found)
                if found and max_bytes <= 0:
                    return found
            for number, line, _results in self._held:
                if found and len(line) > max_bytes:
                    return found
                max_bytes -= len(line)
                batch = Batch.from_line(line)
                if batch is not None:
                    found.append(((_IN_MEMORY, number), batch))
        return found

    def _read(self, segment: _Segment, room: int, found: list[tuple[Token, Batch]]) -> int:
        """Add what fits of one segment; the bytes used, or all of `room` when the next line did not fit."""
        used = 0
        if not segment.lines:
            return 0
        with self._path(segment).open("rb") as file:
            for line in list(segment.lines):
                if found and used + line.length > room:
                    return room
                file.seek(line.offset)
                batch = Batch.from_line(file.read(line.length))
                if batch is None:
                    self.damaged += 1
                    segment.lines.remove(line)
                    continue
                used += line.length
                found.append(((segment.number, line.offset), batch))
        return used

    def done(self, tokens: list[Token]) -> None:
        """Forget batches that the server has. Those that were dropped meanwhile are no mistake."""
        with self._lock:
            gone = set(tokens)
            for segment in self._segments:
                while segment.lines and (segment.number, segment.lines[0].offset) in gone:
                    segment.lines.popleft()
            self._held = deque(each for each in self._held if (_IN_MEMORY, each[0]) not in gone)
            on_disk = [token for token in tokens if token[0] != _IN_MEMORY]
            if on_disk:
                self._note_sent(max(on_disk))
            self._tidy()

    def _note_sent(self, token: Token) -> None:
        """Without fsync: after a crash some batches are sent twice, which the server knows."""
        temporary = self._folder / f"{_SENT}.new"
        try:
            temporary.write_text(f"{token[0]} {token[1]}\n", encoding="ascii")
            temporary.replace(self._folder / _SENT)
        except OSError as error:
            log.warning("what was sent could not be noted (%s)", error.strerror)

    def waiting(self) -> int:
        """How many batches wait."""
        with self._lock:
            return sum(len(segment.lines) for segment in self._segments) + len(self._held)

    def size(self) -> int:
        """Bytes on disk."""
        with self._lock:
            return sum(segment.size for segment in self._segments)

    def close(self) -> None:
        """Give the folder back."""
        with self._lock:
            if self._file is not None:
                self._file.close()
                self._file = None
            self._guard.close()


def _write_whole(file: IO[bytes], line: bytes) -> None:
    """Put a line on disk. Raises OSError, also for half a line: a full disk takes what still fits and says nothing."""
    if file.write(line) != len(line):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    os.fsync(file.fileno())

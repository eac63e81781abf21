"""Crowds: wrk, whose readers ask again and again, and one of our own, whose readers ask once and keep their connection.

wrk tells nothing of connections that were never answered; the other one counts them.
"""

from __future__ import annotations

import os
import re
import resource
import select
import shutil
import signal
import socket
import subprocess
import time
from dataclasses import dataclass

_UNITS = {"us": 0.001, "ms": 1.0, "s": 1000.0, "m": 60_000.0}


@dataclass(frozen=True, slots=True)
class Load:
    """What one run of wrk saw. `refused`: answers other than 2xx and 3xx. `lost`: connections that failed or timed out."""

    answered: int
    refused: int
    lost: int
    per_s: float
    p50_ms: float
    p99_ms: float

    @property
    def success(self) -> float:
        """Share of requests that got what they asked for."""
        asked = self.answered + self.lost
        return (self.answered - self.refused) / asked if asked else 0.0


@dataclass(frozen=True, slots=True)
class Once:
    """What a crowd of `asked` saw in which everybody asks once. `took_ms`: of those who were served, ascending."""

    asked: int
    took_ms: list[float]

    @property
    def success(self) -> float:
        """Share of readers who got the page."""
        return len(self.took_ms) / self.asked

    def within_ms(self, share: float) -> int | None:
        """The time within which that share of all who asked was served; None when they were not."""
        place = int(self.asked * share)
        return round(self.took_ms[place]) if place < len(self.took_ms) else None


def is_there() -> bool:
    """Whether wrk is installed."""
    return shutil.which("wrk") is not None


def raise_file_limit(files: int) -> int:
    """Let this process and its children open `files` files; what the system allows."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = min(files, hard) if hard != resource.RLIM_INFINITY else files
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return max(soft, wanted)


def stop(server: subprocess.Popen[bytes]) -> None:
    """End a server that leads a process group of its own, and with it the children that serve for it."""
    os.killpg(server.pid, signal.SIGTERM)
    try:
        server.wait(10)
    except subprocess.TimeoutExpired:
        os.killpg(server.pid, signal.SIGKILL)
        server.wait()


def crowd(url: str, connections: int, seconds: float, *, patience_s: int = 10) -> Load:
    """`connections` readers who ask again as soon as they are answered, for some seconds."""
    done = subprocess.run(
        ["wrk", "-t1", f"-c{connections}", f"-d{seconds:g}s", f"--timeout={patience_s}s", "--latency",
         "-H", "Accept-Encoding: gzip", "-H", "Accept-Language: en", url],
        capture_output=True, text=True, check=True, timeout=seconds + patience_s + 30,
    )  # fmt: skip
    return _read(done.stdout)


def _read(text: str) -> Load:
    errors = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", text)
    refused = re.search(r"Non-2xx or 3xx responses: (\d+)", text)
    rate = re.search(r"Requests/sec:\s+([\d.]+)", text)
    answered = re.search(r"(\d+) requests in", text)
    return Load(
        int(answered.group(1)) if answered else 0, int(refused.group(1)) if refused else 0,
        sum(map(int, errors.groups())) if errors else 0, float(rate.group(1)) if rate else 0.0,
        _latency(text, 50), _latency(text, 99),
    )  # fmt: skip


def _latency(text: str, percentile: int) -> float:
    found = re.search(rf"^\s*{percentile}%\s+([\d.]+)(us|ms|s|m)\s*$", text, re.MULTILINE)
    return float(found.group(1)) * _UNITS[found.group(2)] if found else float("inf")


def once(port: int, path: str, readers: int, patience_s: float) -> Once:
    """`readers` connections at the same moment, one request each; who was served stays connected, as browsers do."""
    request = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept-Encoding: gzip\r\nAccept-Language: en\r\n\r\n".encode()
    poll, lines, heard = select.epoll(), {}, {}
    took_ms: list[float] = []
    began = time.monotonic()
    for _ in range(readers):
        line = socket.socket()
        line.settimeout(0)
        line.connect_ex(("127.0.0.1", port))
        lines[line.fileno()] = line
        poll.register(line, select.EPOLLOUT)
    waiting = set(lines)
    while waiting and time.monotonic() < began + patience_s:
        for number, _event in poll.poll(0.2, 1024):
            try:
                if number not in heard:
                    lines[number].send(request)
                    heard[number] = b""
                    poll.modify(number, select.EPOLLIN)
                    continue
                piece = lines[number].recv(65536)
            except OSError:
                piece = b""
            heard[number] = heard.get(number, b"") + piece
            whole = _is_whole(heard[number])
            if whole or not piece:
                poll.unregister(number)
                waiting.discard(number)
            if whole and heard[number].startswith(b"HTTP/1.1 200"):
                took_ms.append((time.monotonic() - began) * 1000)
    for line in lines.values():
        line.close()
    poll.close()
    return Once(readers, took_ms)


def _is_whole(answer: bytes) -> bool:
    head, gap, body = answer.partition(b"\r\n\r\n")
    length = re.search(rb"(?i)content-length: *(\d+)", head)
    return bool(gap) and length is not None and len(body) >= int(length.group(1))

"""Servers that mean no good, and good ones beside them, in a process of their own: `python tests/hostile.py`.

It prints one JSON document, {"behaviour": [ports]}, and serves until its standard input ends. BEHAVIOURS names each way to
misbehave with what an HTTP probe that wants JSON must make of it.
"""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import json
import os
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

OK = b"HTTP/1.1 200 OK\r\n"
GIB_OF_ZEROS = gzip.compress(bytes(1 << 20)) * 1024  # members in a row unpack to 1 GiB, from 1 MB on the wire

# Behaviour -> error classes of an HTTP probe with `expect: {json: ...}`; all of them are down.
BEHAVIOURS: dict[str, tuple[str, ...]] = {
    "good": (),
    "mute": ("timeout",),
    "drip head": ("timeout",),
    "drip body": ("timeout",),
    "drip interim": ("timeout",),
    "endless chunks": ("body_cap",),
    "endless without length": ("body_cap",),
    "gzip bomb": ("body_cap", "bad_body"),
    "header flood": ("protocol",),
    "many headers": ("protocol",),
    "interim flood": ("protocol",),
    "half body": ("reset",),
    "reset in body": ("reset",),
    "reset at once": ("reset",),
    "close at once": ("reset",),
    "too short length": ("bad_body",),
    "length no number": ("protocol", "bad_body"),
    "two lengths": ("protocol", "reset", "bad_body"),
    "negative length": ("protocol", "bad_body"),
    "bad chunk": ("protocol",),
    "huge chunk": ("protocol", "body_cap", "bad_body", "reset"),
    "http 0.9": ("protocol",),
    "junk": ("protocol",),
    "redirect circle": ("redirect",),
    "redirect inside": ("redirect",),
    "deep json": ("bad_body", "assertion"),
}


async def misbehave(kind: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    if kind == "reset at once":
        _reset(writer)
    elif kind == "junk":
        writer.write(os.urandom(5000))
        await writer.drain()
    elif kind != "close at once":
        await reader.read(65536)
        await _answer(kind, reader, writer)


async def _answer(kind: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """What comes after the request was read."""
    if kind == "mute":
        await reader.read()
    elif kind in _REPEATED:
        first, piece, pause_s = _REPEATED[kind]
        writer.write(first)
        while True:
            await writer.drain()
            if pause_s:
                await asyncio.sleep(pause_s)
            writer.write(piece)
    else:
        writer.write(_FIXED[kind])
        await writer.drain()
        if kind == "reset in body":
            await asyncio.sleep(0.05)
            _reset(writer)


_FIXED = {
    "good": OK + b"Content-Length: 8\r\nConnection: close\r\n\r\n" + b'{"a": 1}',
    "gzip bomb": OK + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(GIB_OF_ZEROS) + GIB_OF_ZEROS,
    "reset in body": OK + b"Content-Length: 1000\r\n\r\n" + b"x" * 100,
    "half body": OK + b"Content-Length: 100\r\n\r\nhalf",
    "too short length": OK + b"Content-Length: 2\r\n\r\n" + b'{"a": 1}',
    "length no number": OK + b"Content-Length: many\r\n\r\nx",
    "two lengths": OK + b"Content-Length: 3\r\nContent-Length: 300\r\n\r\nabc",
    "negative length": OK + b"Content-Length: -5\r\n\r\nabc",
    "bad chunk": OK + b"Transfer-Encoding: chunked\r\n\r\nzz\r\nabc\r\n0\r\n\r\n",
    "huge chunk": OK + b"Transfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFF\r\nabc\r\n0\r\n\r\n",
    "http 0.9": b"<html>hello from 1991</html>\n",
    "redirect circle": b"HTTP/1.1 302 Found\r\nLocation: /again\r\nContent-Length: 0\r\n\r\n",
    "redirect inside": b"HTTP/1.1 302 Found\r\nLocation: http://[::ffff:169.254.169.254]/\r\nContent-Length: 0\r\n\r\n",
    "deep json": OK + b"Content-Length: 60000\r\n\r\n" + b"[" * 60_000,
}
_REPEATED = {
    "drip head": (OK, b"X: y\r\n", 0.1),
    "drip body": (OK + b"Content-Length: 9999\r\n\r\n", b"x", 0.1),
    "drip interim": (b"", b"HTTP/1.1 100 Continue\r\n\r\n", 0.1),
    "endless chunks": (OK + b"Transfer-Encoding: chunked\r\n\r\n", b"4000\r\n" + b"x" * 0x4000 + b"\r\n", 0.0),
    "endless without length": (OK + b"\r\n", b"x" * 0x4000, 0.0),
    "header flood": (OK, b"X-More: " + b"y" * 8000 + b"\r\n", 0.0),
    "many headers": (OK, b"a: b\r\n" * 1000, 0.0),
    "interim flood": (b"", b"HTTP/1.1 103 Early Hints\r\n\r\n" * 200, 0.0),
}


def _reset(writer: asyncio.StreamWriter) -> None:
    """A connection that ends with RST."""
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def _serve(counts: dict[str, int]) -> None:
    ports: dict[str, list[int]] = {}
    servers = []
    for kind, count in counts.items():
        for _ in range(count):

            async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, kind: str = kind) -> None:
                with contextlib.suppress(OSError):
                    await misbehave(kind, reader, writer)
                with contextlib.suppress(OSError):
                    writer.close()

            server = await asyncio.start_server(answer, "127.0.0.1", 0, backlog=128)
            servers.append(server)
            ports.setdefault(kind, []).append(server.sockets[0].getsockname()[1])
    sys.stdout.write(json.dumps(ports) + "\n")
    sys.stdout.flush()
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


@contextlib.contextmanager
def servers(counts: dict[str, int]) -> Iterator[dict[str, list[int]]]:
    """Ports by behaviour, `counts[behaviour]` of each, for as long as the block lasts."""
    with subprocess.Popen(
        [sys.executable, Path(__file__), json.dumps(counts)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            yield json.loads(process.stdout.readline())
        finally:
            process.kill()


if __name__ == "__main__":
    asyncio.run(_serve(json.loads(sys.argv[1])))

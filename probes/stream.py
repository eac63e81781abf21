"""A conversation over one connection, TLS included: for protocols that are not HTTP. The run's deadline is for all of it."""

from __future__ import annotations

import asyncio
import socket
import ssl
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import lru_cache
from pathlib import Path

from probes import dial
from probes.run import Failed, Run
from probes.transfer import system_ca_file

_PIECE = 16 * 1024
_DAY_S = 86400.0


class Stream:
    """Reads and writes on one socket. Every wait ends with the `opened` it came from."""

    def __init__(self, run: Run, connection: socket.socket) -> None:
        self._run = run
        self._connection = connection
        self._buffer = bytearray()
        self._tls: ssl.SSLObject | None = None
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()

    async def write(self, data: bytes) -> None:
        """Send all of `data`."""
        if self._tls is None:
            await asyncio.get_running_loop().sock_sendall(self._connection, data)
            return
        self._tls.write(data)
        await self._flush()

    async def read_until(self, mark: bytes, limit: int) -> bytes:
        """Everything up to and with `mark`. Raises EOFError, or Failed when it does not come within `limit` bytes."""
        while (end := self._buffer.find(mark, 0, limit)) < 0:
            if len(self._buffer) >= limit:
                broken = Failed("down", "protocol", f"the answer is longer than {limit} bytes")
                raise broken
            await self._more()
        return self._take(end + len(mark))

    async def read_exactly(self, size: int) -> bytes:
        """The next `size` bytes. Raises EOFError."""
        while len(self._buffer) < size:
            await self._more()
        return self._take(size)

    async def start_tls(self, name: str, ca_file: str | None) -> None:
        """Go on in TLS with a verified peer. Raises ssl.SSLError.

        What came in the clear before the handshake would be taken for an answer within it: refused.
        """
        if self._buffer:
            broken = Failed("down", "protocol", "text came in the clear after TLS was agreed")
            raise broken
        began = time.monotonic()
        tls = _context(ca_file, _changed_ns(ca_file)).wrap_bio(self._incoming, self._outgoing, server_hostname=name)
        while True:
            try:
                tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                await self._flush()
                await self._receive()
            except ssl.SSLError:
                await self._flush()  # the alert that tells the peer why
                raise
        await self._flush()
        self._tls = tls
        self._run.mark("tls", began)

    def certificate_days(self) -> float:
        """Days until the peer's own certificate ends. Raises ValueError without TLS."""
        ends = (self._tls.getpeercert() or {}).get("notAfter") if self._tls is not None else None
        if not isinstance(ends, str):
            message = "there is no certificate"
            raise ValueError(message)  # noqa: TRY004 - the peer's state, not a caller's type
        return (ssl.cert_time_to_seconds(ends) - time.time()) / _DAY_S

    def _take(self, size: int) -> bytes:
        taken = bytes(self._buffer[:size])
        del self._buffer[:size]
        return taken

    async def _more(self) -> None:
        if self._tls is None:
            self._buffer += await self._received()
            return
        while True:
            try:
                piece = self._tls.read(_PIECE)
            except ssl.SSLWantReadError:
                await self._flush()
                await self._receive()
                continue
            except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
                piece = b""
            if not piece:
                raise EOFError
            self._buffer += piece
            return

    async def _receive(self) -> None:
        self._incoming.write(await self._received())

    async def _received(self) -> bytes:
        piece = await asyncio.get_running_loop().sock_recv(self._connection, _PIECE)
        if not piece:
            raise EOFError
        return piece

    async def _flush(self) -> None:
        if self._outgoing.pending:
            await asyncio.get_running_loop().sock_sendall(self._connection, self._outgoing.read())


def _changed_ns(ca_file: str | None) -> int:
    try:
        return 0 if ca_file is None else Path(ca_file).stat().st_mtime_ns
    except OSError:
        return 0


@lru_cache(maxsize=16)
def _context(ca_file: str | None, _changed_ns: int) -> ssl.SSLContext:
    """Remembered, since reading a bundle of authorities costs tens of milliseconds; a changed file is read anew."""
    try:
        return ssl.create_default_context(cafile=ca_file or system_ca_file())
    except (OSError, ssl.SSLError) as error:
        broken = Failed("unknown", "client_error", f"ca_file {ca_file} cannot be read: {error}")
        raise broken from None


@asynccontextmanager
async def opened(run: Run, host: str, port: int) -> AsyncIterator[Stream]:
    """A stream to a judged address until the run's deadline. Raises what `dial.connect` raises, and TimeoutError."""
    with await dial.connect(run, host, port) as connection:
        async with asyncio.timeout(run.left_s):
            yield Stream(run, connection)

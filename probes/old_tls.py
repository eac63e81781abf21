"""Whether a server still speaks TLS 1.1 or older, asked by a ClientHello written by hand: our own library would refuse to.

Nothing is negotiated: the first record that comes back tells, and the connection is closed. RFC 8996 forbids these versions.
"""

from __future__ import annotations

import os
import struct

from probes import resolve
from probes.stream import Stream

_HANDSHAKE, _SERVER_HELLO = 22, 2
_TLS_1_1 = 0x0302
_NAMES = {0x0300: "SSL 3.0", 0x0301: "TLS 1.0", 0x0302: "TLS 1.1"}
# What servers of that time agree on: ECDHE and RSA with AES-CBC, 3DES, and the mark of secure renegotiation.
_SUITES = (0xC013, 0xC014, 0xC009, 0xC00A, 0x002F, 0x0035, 0x000A, 0x00FF)
_GROUPS = (29, 23, 24)  # x25519, secp256r1, secp384r1


def client_hello(name: str) -> bytes:
    """A record that offers TLS 1.1 and everything below it."""
    extensions = _extension(10, _vector(struct.pack(f"!{len(_GROUPS)}H", *_GROUPS))) + _extension(11, b"\x01\x00")
    if not resolve.is_address(name):
        extensions = _extension(0, _vector(b"\x00" + _vector(name.encode()))) + extensions
    suites = _vector(struct.pack(f"!{len(_SUITES)}H", *_SUITES))
    body = struct.pack("!H", _TLS_1_1) + os.urandom(32) + b"\x00" + suites + b"\x01\x00" + _vector(extensions)
    handshake = b"\x01" + struct.pack("!I", len(body))[1:] + body
    return struct.pack("!BHH", _HANDSHAKE, 0x0301, len(handshake)) + handshake


async def accepted(peer: Stream, name: str) -> str | None:
    """The old version the server agrees to, None when it refuses. Raises what a stream raises."""
    await peer.write(client_hello(name))
    try:
        kind, _, _, hello, _, _, _, version = struct.unpack("!BHHBBBBH", await peer.read_exactly(11))
    except EOFError:
        return None
    return _NAMES.get(version) if kind == _HANDSHAKE and hello == _SERVER_HELLO else None


def _vector(data: bytes) -> bytes:
    return struct.pack("!H", len(data)) + data


def _extension(number: int, data: bytes) -> bytes:
    return struct.pack("!H", number) + _vector(data)

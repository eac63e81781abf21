"""A TCP connection on the event loop to a judged address, within the run's deadline."""

from __future__ import annotations

import asyncio
import socket
import time

from probes import guard
from probes.options import Problem
from probes.run import Run
from probes.secrets_at_use import has_reference

_HOST_AND_PORT_MESSAGE = "must be host:port, an IPv6 address in brackets"


def host_and_port(target: str, default_port: int | None = None) -> tuple[str, int]:
    """Split `host:port`. Raises Refused for what is no host or port."""
    host, colon, port = target.rpartition(":")
    if not colon or (target.startswith("[") and target.endswith("]")):
        host, port = target, "" if default_port is None else str(default_port)
    if not port.isascii() or not port.isdecimal() or not 0 < int(port) < 65536 or (":" in host and host[:1] != "["):
        raise guard.Refused(_HOST_AND_PORT_MESSAGE)
    return guard.plain_host(host), int(port)


def address_problems(target: str, default_port: int | None = None) -> list[Problem]:
    """What is wrong with a target that is an address, at path `address`. A reference is checked when it is used."""
    if not has_reference(target):
        try:
            host_and_port(target, default_port)
        except guard.Refused as error:
            return [(("address",), str(error))]
    return []


async def connect(run: Run, host: str, port: int) -> socket.socket:
    """A connected non-blocking socket. The addresses share the time that is left.

    Raises Refused, NoAnswer, TimeoutError, or the last address's OSError.
    """
    addresses = await run.addresses(host)
    loop = asyncio.get_running_loop()
    began = time.monotonic()
    last: OSError = OSError("no address")
    for place, address in enumerate(addresses):
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        connection = socket.socket(family, socket.SOCK_STREAM)
        connection.settimeout(0)
        try:
            async with asyncio.timeout(run.left_s / (len(addresses) - place)):
                await loop.sock_connect(connection, (address, port))
        except OSError as error:
            last = error
            connection.close()
        except BaseException:
            connection.close()
            raise
        else:
            run.evidence["dialled"] = address
            run.mark("connect", began)
            return connection
    run.evidence["dialled"] = addresses[-1]
    raise last

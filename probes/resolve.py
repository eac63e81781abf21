"""Names to addresses inside a deadline, without threads: getaddrinfo can be neither cancelled nor bounded.

The order is that of a usual machine: literal address, localhost, the hosts file, DNS with the system's search list.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from functools import lru_cache
from ipaddress import ip_address
from pathlib import Path

import dns.asyncresolver
import dns.exception
import dns.resolver

# IPv4 alone: with both, every `localhost` would need two allow_networks. A service on ::1 only is written [::1].
LOOPBACK = ("127.0.0.1",)
MAX_ADDRESSES = 32  # a name with a thousand addresses is judged and dialled by its first ones
_CACHE_S = 30.0  # an answer lives as long as its record says, but no longer than this: probes must see a change
_MAX_ANSWERS = 20_000
_KINDS = ("A", "AAAA")
_HOSTS = Path("/etc/hosts")


class NoAnswer(OSError):
    """The name leads nowhere: it does not exist, has no address, or the resolver did not answer in time."""


@lru_cache(maxsize=8192)
def is_address(host: str) -> bool:
    """Whether `host` is an IPv4 or IPv6 address in its usual notation."""
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def is_loopback_name(host: str) -> bool:
    """`localhost` and all below it never leave the machine (RFC 6761, 6.3)."""
    return host == "localhost" or host.endswith(".localhost")


@lru_cache(maxsize=2)
def _hosts_of(_changed_ns: int) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for line in _HOSTS.read_text(encoding="utf-8", errors="replace").splitlines():
        address, *names = line.partition("#")[0].split() or [""]
        if is_address(address):
            for name in names:
                found.setdefault(name.lower(), []).append(address)
    return found


def _known(host: str) -> list[str] | None:
    """What can be answered without asking anybody."""
    if is_address(host):
        return [host]
    if is_loopback_name(host):
        return list(LOOPBACK)
    try:
        return _hosts_of(_HOSTS.stat().st_mtime_ns).get(host)
    except OSError:
        return None


def _describe(host: str, error: BaseException) -> NoAnswer:
    if isinstance(error, dns.resolver.NXDOMAIN):
        return NoAnswer(f"{host} does not exist in DNS")
    if isinstance(error, dns.resolver.NoNameservers):
        return NoAnswer(f"the name servers refused to answer for {host}")
    if isinstance(error, (dns.exception.Timeout, TimeoutError)):
        return NoAnswer(f"no DNS answer for {host} in time")
    if isinstance(error, dns.resolver.NoAnswer):
        return NoAnswer(f"{host} has no address in DNS")
    return NoAnswer(f"no DNS answer for {host}: {type(error).__name__}")


def lookup(host: str, timeout_s: float) -> list[str]:
    """Every address of `host`, for blocking callers. Raises NoAnswer."""
    known = _known(host)
    if known is not None:
        return known
    until = time.monotonic() + timeout_s
    outcomes: list[dns.resolver.Answer | BaseException] = []
    for kind in _KINDS:
        try:
            left_s = max(0.05, until - time.monotonic())
            outcomes.append(_system_resolver().resolve(host, kind, lifetime=left_s, search=True))
        except (dns.exception.DNSException, OSError, ValueError) as error:
            outcomes.append(error)
    return _addresses(host, outcomes)[0]


@lru_cache(maxsize=1)
def _system_resolver() -> dns.resolver.Resolver:
    return dns.resolver.Resolver()


def _addresses(host: str, outcomes: Sequence[dns.resolver.Answer | BaseException]) -> tuple[list[str], float]:
    """Addresses and how long they are good, in seconds. Half an answer is an answer; raises NoAnswer for none."""
    answers = [outcome for outcome in outcomes if isinstance(outcome, dns.resolver.Answer)]
    addresses = [record.address for answer in answers for record in answer]
    if addresses:
        ttl = min(answer.rrset.ttl for answer in answers if answer.rrset is not None)
        return addresses[:MAX_ADDRESSES], min(float(ttl), _CACHE_S)
    errors = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
    errors.sort(key=lambda error: isinstance(error, dns.resolver.NoAnswer))
    raise _describe(host, errors[0])


class Resolver:
    """Look-ups on an event loop. One per engine: it holds the answers that are still good.

    `nameservers` as "address" or "address:port" replace the system's, mostly for tests and for split horizons.
    """

    def __init__(self, nameservers: tuple[str, ...] = ()) -> None:
        self._resolver = dns.asyncresolver.Resolver(configure=not nameservers)
        for server in nameservers:
            address, _, port = server.partition(":")
            self._resolver.nameservers = [*self._resolver.nameservers, address]
            if port:
                self._resolver.nameserver_ports = {**self._resolver.nameserver_ports, address: int(port)}
        self._answers: dict[str, tuple[float, list[str]]] = {}
        self.lookups = 0

    async def lookup(self, host: str, timeout_s: float) -> list[str]:
        """Every address of `host`. Raises NoAnswer after at most `timeout_s`."""
        known = _known(host)
        if known is not None:
            return known
        now = time.monotonic()
        good_until, addresses = self._answers.get(host, (0.0, []))
        if good_until > now:
            return addresses
        if len(self._answers) > _MAX_ANSWERS:
            self._answers.clear()
        self.lookups += 1
        try:
            async with asyncio.timeout(timeout_s):
                outcomes = await asyncio.gather(
                    *(self._resolver.resolve(host, kind, lifetime=timeout_s, search=True) for kind in _KINDS),
                    return_exceptions=True,
                )
            addresses, good_s = _addresses(host, outcomes)
        except TimeoutError as error:
            raise _describe(host, error) from error
        self._answers[host] = (now + good_s, addresses)
        return addresses

    @property
    def raw(self) -> dns.asyncresolver.Resolver:
        """The resolver itself, for the DNS probe, which wants records and no cache."""
        return self._resolver

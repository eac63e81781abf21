"""Names to addresses inside a deadline, without threads: getaddrinfo can be neither cancelled nor bounded.

The order is that of a usual machine: literal address, localhost, the hosts file, DNS with the system's search list.

A name that does not exist is the target's fault. Silence and SERVFAIL may be our resolver's: a control question, for a name
under the same top level that nobody can have in a cache, tells whether the resolver still reaches the world.
"""

from __future__ import annotations

import asyncio
import secrets
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
_MAX_TOPS = 1000
_KINDS = ("A", "AAAA")
_HOSTS = Path("/etc/hosts")


_SPARED_S = 1.5  # of a look-up's time, for the control question
_CONTROL_GOOD_S = 5.0
_OTHER_FAMILY_S = 0.3  # how long the second family may be later than the first


class NoAnswer(OSError):
    """The name leads nowhere: it does not exist, has no address, or the resolver did not answer in time."""


class NoResolver(NoAnswer):
    """Our own resolver answers nothing at all: nothing is known of the name."""


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


def share_of(timeout_s: float) -> float:
    """How much of `timeout_s` a query may take, so that the control question has its time."""
    return max(timeout_s - _SPARED_S, timeout_s * 0.6)


def _outcome(query: asyncio.Future[dns.resolver.Answer]) -> dns.resolver.Answer | BaseException:
    if not query.done() or query.cancelled():
        return TimeoutError()
    return query.exception() or query.result()


def is_silence(error: BaseException) -> bool:
    """Whether a failed query tells nothing of the name: the resolver, or the servers behind it, did not answer."""
    return isinstance(error, (dns.resolver.NoNameservers, dns.exception.Timeout, TimeoutError, OSError))


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
    raise _describe(host, _worst(outcomes))


def _worst(outcomes: Sequence[dns.resolver.Answer | BaseException]) -> BaseException:
    """The error that says most: that a record is missing says less than that a name is, or that nobody answers."""
    errors = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
    return min(errors, key=lambda error: isinstance(error, dns.resolver.NoAnswer))


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
        self._control: dict[str, tuple[float, bool]] = {}  # top level -> until when it holds, whether it was answered
        self.lookups = 0

    async def lookup(self, host: str, timeout_s: float) -> list[str]:
        """Every address of `host`. Raises NoAnswer after at most `timeout_s`, NoResolver when it is our resolver's fault."""
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
        outcomes = await self._ask(host, share_of(timeout_s))
        try:
            addresses, good_s = _addresses(host, outcomes)
        except NoAnswer:
            if is_silence(_worst(outcomes)) and not await self.reaches_the_world(host, now + timeout_s - time.monotonic()):
                message = f"our own resolver does not answer: nothing is known of {host}"
                raise NoResolver(message) from None
            raise
        self._answers[host] = (now + good_s, addresses)
        return addresses

    async def _ask(self, host: str, timeout_s: float) -> list[dns.resolver.Answer | BaseException]:
        """Both families at once; when one has answered, the other may be a little later and no more."""
        queries = [
            asyncio.ensure_future(self._resolver.resolve(host, kind, lifetime=timeout_s, search=True)) for kind in _KINDS
        ]
        until = time.monotonic() + timeout_s
        try:
            done, waiting = await asyncio.wait(queries, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
            if done and waiting:
                has_answer = any(each.exception() is None for each in done)
                left_s = max(0.0, until - time.monotonic())
                await asyncio.wait(waiting, timeout=min(left_s, _OTHER_FAMILY_S) if has_answer else left_s)
        finally:
            for each in queries:
                each.cancel()
            outcomes = [_outcome(each) for each in queries]
        return outcomes

    async def reaches_the_world(self, host: str, timeout_s: float) -> bool:
        """Whether the resolver answers for a name beside `host` that it cannot know. Remembered for 5 s."""
        top = host.rpartition(".")[2] if "." in host else ""
        until, answered = self._control.get(top, (0.0, False))
        if until > time.monotonic():
            return answered
        name = f"{secrets.token_hex(10)}.{top}".rstrip(".")
        try:
            await self._resolver.resolve(name, "A", lifetime=max(0.05, timeout_s), search=False)
            answered = True
        except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
            answered = True
        except (dns.exception.DNSException, OSError):
            answered = False
        if len(self._control) > _MAX_TOPS:
            self._control.clear()
        self._control[top] = (time.monotonic() + _CONTROL_GOOD_S, answered)
        return answered

    @property
    def raw(self) -> dns.asyncresolver.Resolver:
        """The resolver itself, for the DNS probe, which wants records and no cache."""
        return self._resolver

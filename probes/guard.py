"""Which addresses may be dialled. The only place that decides it, for probes and for deliveries.

Two policies: an operator's target may be public or lie in the `allow_networks` of the configuration file; what
a visitor can influence must be public. Metadata and link-local addresses are refused in both.

The decision is made on the address a socket is about to connect to, never on a name: a literal address passes no
resolver and a name may answer differently the second time.
"""

from __future__ import annotations

import re
import socket
from dataclasses import dataclass, field
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import NamedTuple
from urllib.parse import urlsplit

from probes import resolve

Network = IPv4Network | IPv6Network
Address = IPv4Address | IPv6Address
# (host, port) for IPv4, (host, port, flow, scope) for IPv6: what socket.connect takes
SockAddr = tuple[str, int] | tuple[str, int, int, int]


class Refused(OSError):
    """The address may not be dialled. An OSError, so that HTTP clients hand it on as a failed connection."""


# Never, whatever allow_networks says: they hand out the machine's own credentials.
_NEVER = tuple(
    ip_network(text)
    for text in (
        "169.254.0.0/16",  # link-local; metadata of most clouds, container credentials
        "100.100.100.200/32",  # Alibaba Cloud metadata
        "192.0.0.192/32",  # Oracle Cloud metadata
        "168.63.129.16/32",  # Azure's host agent, a public address by its number
        "fe80::/10",
        "fd00:ec2::/32",  # AWS metadata and pod identity
        "fd20:ce::254/128",  # Google Cloud metadata
        "fd00:42::42/128",  # Scaleway metadata
    )
)

# Not public although `ipaddress.is_global` says True on CPython 3.11: transition ranges can carry an inner address.
_NOT_PUBLIC = tuple(
    ip_network(text)
    for text in (
        "192.0.0.0/24",
        "192.88.99.0/24",
        "::/96",
        "64:ff9b::/96",
        "64:ff9b:1::/48",
        "100::/64",
        "2001::/23",
        "2002::/16",
        "3fff::/20",
        "5f00::/16",
        "fec0::/10",
    )
)
_NAT64 = (IPv6Network("64:ff9b::/96"), IPv6Network("64:ff9b:1::/48"), IPv6Network("::/96"))


@dataclass(frozen=True, slots=True, eq=False)
class Policy:
    """What may be dialled: public addresses, and for operators also their own networks.

    Compared by identity: judgements are remembered by policy, and hashing its networks would cost more than judging.

    `allow_networks`: CIDRs of the operator's configuration file. `public_only` is the visitor's policy and ignores
    them. Raises ValueError for a text that is no CIDR.
    """

    allow_networks: tuple[str, ...] = ()
    public_only: bool = False
    networks: tuple[Network, ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        networks = () if self.public_only else tuple(ip_network(text) for text in self.allow_networks)
        object.__setattr__(self, "networks", networks)


VISITOR = Policy(public_only=True)
OPERATOR = Policy()


@lru_cache(maxsize=256)
def operator_policy(allow_networks: tuple[str, ...]) -> Policy:
    """The policy of an operator's target; one object per list of networks, so that judging stays a cache look-up."""
    return Policy(allow_networks)


def _inner_v4(ip: Address) -> IPv4Address | None:
    """The IPv4 address an IPv6 address stands for on a transition network."""
    if isinstance(ip, IPv4Address):
        return None
    if ip.sixtofour is not None:
        return ip.sixtofour
    if ip.teredo is not None:
        return ip.teredo[1]
    if any(ip in network for network in _NAT64):
        return IPv4Address(int(ip) & 0xFFFFFFFF)
    return None


def allowed(ip: Address, policy: Policy) -> bool:
    """Whether a socket may be connected to `ip`."""
    if isinstance(ip, IPv6Address) and ip.ipv4_mapped is not None:
        ip = ip.ipv4_mapped
    inner = _inner_v4(ip)
    if any(candidate in network for network in _NEVER for candidate in (ip, inner) if candidate is not None):
        return False
    if any(ip in network for network in policy.networks):
        return True
    if ip.is_multicast or ip.is_reserved or ip.is_unspecified or ip.is_loopback:
        return False
    return ip.is_global and not any(ip in network for network in _NOT_PUBLIC)


@lru_cache(maxsize=8192)
def is_allowed(address: str, policy: Policy) -> bool:
    """`allowed` for an address as text, remembered: it is asked once per connection. False for what is no address."""
    try:
        return allowed(ip_address(address), policy)
    except ValueError:
        return False


def judge(addresses: list[str], host: str, policy: Policy) -> list[str]:
    """All of `addresses`, or Refused when one of them may not be dialled.

    One internal answer among public ones is an attack or a mistake: taking only the public ones would leave the
    outcome to the order of the answers.
    """
    for address in addresses:
        if not is_allowed(address, policy):
            subject = address if address == host else f"{host} leads to {address}, which"
            message = f"{subject} may not be dialled{_hint(address, policy)}"
            raise Refused(message)
    return addresses


def _hint(address: str, policy: Policy) -> str:
    if policy.public_only or any(ip_address(address) in network for network in _NEVER):
        return ""
    return ": it is not public; list its network in allow_networks if it is yours"


def _sockaddr(address: str, port: int) -> SockAddr:
    return (address, port, 0, 0) if ":" in address else (address, port)


def resolve_and_check(host: str, port: int, policy: Policy, timeout_s: float) -> list[SockAddr]:
    """Where `host` may be dialled: every address it has, each judged. For blocking clients.

    Connect to one of these and to nothing else: a second look-up may answer differently.
    Raises Refused, resolve.NoAnswer (no such name, no address, resolver silent after `timeout_s`).
    """
    plain = plain_host(host)
    addresses = resolve.lookup(plain, timeout_s)
    return [_sockaddr(address, port) for address in judge(addresses, plain, policy)]


def family_of(address: SockAddr) -> socket.AddressFamily:
    """The family a socket for `address` needs."""
    return socket.AF_INET6 if len(address) == 4 else socket.AF_INET


class Url(NamedTuple):
    """A URL that every parser reads alike. `host` without brackets, `path` with query, without fragment."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def authority(self) -> str:
        """Host and port as in a URL, the scheme's own port left out."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS.get(self.scheme) else f"{host}:{self.port}"

    def __str__(self) -> str:
        return f"{self.scheme}://{self.authority}{self.path}"


_PORTS = {"http": 80, "https": 443}
_MAX_URL = 2048
_MAX_HOST = 253
_URL = re.compile(r"(?i)(https?)://([^/?#]*)([^#]*)(?:#[^@]*)?")
_AUTHORITY = re.compile(r"(\[[0-9A-Fa-f.]*:[0-9A-Fa-f:.]*\]|[A-Za-z0-9._-]+)(?::(\d{1,5}))?")
_LABEL = re.compile(r"(?i)[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")
_NUMBER = re.compile(r"(?i)\d+|0x[0-9a-f]*")
# Printable ASCII without space and backslash: the rest is where parsers disagree.
_PLAIN = re.compile(r"[!-\[\]-~]+")


def plain_host(host: str) -> str:
    """`host` in lower case without final dot and brackets. Raises Refused for what parsers read differently."""
    bare = host.lower()
    if ":" in bare:
        bare = bare.removeprefix("[").removesuffix("]")
        try:
            return str(IPv6Address(bare.partition("%")[0])) if "%" not in bare else _refuse(host, "has a zone")
        except ValueError:
            return _refuse(host, "is no IPv6 address")
    bare = bare.removesuffix(".")
    labels = bare.split(".")
    if len(bare) > _MAX_HOST or not all(_LABEL.fullmatch(label) for label in labels):
        return _refuse(host, "is no host name")
    if _NUMBER.fullmatch(labels[-1]):
        try:
            return str(IPv4Address(bare))
        except ValueError:
            return _refuse(host, "is a number: write the address as four decimal parts")
    return bare


def _refuse(host: str, why: str) -> str:
    message = f"host {host!r} {why}"
    raise Refused(message)


def parse_url(url: str) -> Url:
    """Read an http(s) URL strictly. Raises Refused, saying what to change, where two parsers could disagree."""
    if len(url) > _MAX_URL or not _PLAIN.fullmatch(url):
        message = f"URL must be at most {_MAX_URL} printable ASCII characters without spaces and backslashes"
        raise Refused(message)
    match = _URL.fullmatch(url)
    if match is None:
        message = "URL must begin with http:// or https:// and name a host"
        raise Refused(message)
    scheme, authority, path = match[1].lower(), match[2], match[3]
    if "@" in authority:
        message = "URL must not carry a user name or password: send them in a header"
        raise Refused(message)
    parts = _AUTHORITY.fullmatch(authority)
    if parts is None:
        message = "URL must name a plain host, with a port if needed"
        raise Refused(message)
    port = int(parts[2]) if parts[2] else _PORTS[scheme]
    if not 0 < port < 65536:
        message = f"port {port} does not exist"
        raise Refused(message)
    try:
        second = urlsplit(url)
    except ValueError as error:
        message = f"URL is not understood: {error}"
        raise Refused(message) from error
    if (second.hostname or "") != parts[1].strip("[]").lower() or (second.port or _PORTS[scheme]) != port:
        message = "URL is read differently by different parsers"
        raise Refused(message)
    if not path.startswith("/"):
        path = "/" + path
    return Url(scheme, plain_host(parts[1]), port, path)


def check_url(url: str, policy: Policy) -> Url:
    """What can be said about a URL without a look-up: its structure, and its host when that is an address.

    For forms and configuration; at use, the address dialled is judged again. Raises Refused.
    """
    parsed = parse_url(url)
    if resolve.is_address(parsed.host):
        judge([parsed.host], parsed.host, policy)
    elif resolve.is_loopback_name(parsed.host):
        judge(list(resolve.LOOPBACK), parsed.host, policy)
    return parsed

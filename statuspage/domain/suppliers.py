"""Which monitors stand and fall together: an explicit `supplier:`, else the registrable domain, else the dialled network.

A supplier that the operator has named is believed as soon as two of its monitors fail. One that is only inferred needs more than
half of all that share it: a wallet's own domain is behind most of its monitors, and two of ten failing there are two findings.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Collection, Mapping
from urllib.parse import urlsplit

NAMED, DOMAIN, NETWORK = "supplier", "domain", "network"
_PREFIX = {4: 24, 6: 48}  # what one customer of a hosting company usually gets at most
# Registries that sell names one level down (co.uk, com.cn): a rule of thumb for the longest part of the public suffix list.
_SECOND_LEVELS = frozenset(
    {"ac", "co", "com", "edu", "go", "gob", "gov", "gv", "ltd", "me", "ne", "net", "or", "org", "plc", "sch"}
)
_COUNTRY = 2  # letters

Keys = frozenset[str]


def keys_of(supplier: str, target: str, dialled: str = "") -> Keys:
    """What a monitor shares with others, as `supplier:x`, `domain:x` and `network:x`.

    `dialled`: the address that its last check reached or tried, '' when it came to none. A named supplier says it all.
    """
    if supplier:
        return frozenset({f"{NAMED}:{supplier}"})
    host = _host(target)
    found = {network for network in (_network(host), _network(dialled)) if network}
    domain = registrable(host)
    return frozenset(found | ({f"{DOMAIN}:{domain}"} if domain else set()))


def registrable(host: str) -> str:
    """The part of a name that somebody registered: `infura.io` of `mainnet.infura.io`; '' for what is no such name."""
    labels = host.strip(".").lower().split(".")
    if len(labels) < 2 or not all(labels) or labels[-1].isdigit() or ":" in host or "$" in host:
        return ""
    deep = len(labels) > 2 and len(labels[-1]) == _COUNTRY and labels[-2] in _SECOND_LEVELS
    return ".".join(labels[-3 if deep else -2 :])


def shared(failing: Collection[Keys], everyone: Mapping[str, int], own_domain: str = "") -> list[str]:
    """Keys that make failures one finding, the surest first: two or more of `failing` have it, and enough of all that do.

    `everyone`: how many active monitors have each key. `own_domain` is the page's own: nobody supplies us with ourselves.
    """
    counts: dict[str, int] = {}
    for keys in failing:
        for key in keys:
            counts[key] = counts.get(key, 0) + 1
    found = [
        key
        for key, count in counts.items()
        if count > 1
        and key != f"{DOMAIN}:{own_domain}"
        and (key.startswith(f"{NAMED}:") or 2 * count > everyone.get(key, 0))
    ]
    order = (NAMED, DOMAIN, NETWORK)
    return sorted(found, key=lambda key: (order.index(key.partition(":")[0]), -counts[key], key))


def _host(target: str) -> str:
    """The host of an address, of host:port, or of a name alone."""
    if "://" in target:
        try:
            return urlsplit(target).hostname or ""
        except ValueError:
            return ""
    host = target.split("/", 1)[0]
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.rpartition(":")[0] if host.count(":") == 1 else host


def _network(address: str) -> str:
    """The block around an address; '' for what is none."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return ""
    return f"{NETWORK}:{ipaddress.ip_network((found, _PREFIX[found.version]), strict=False)}"

"""What `chains:` brings: one component per chain, and for families that this release can watch one monitor per own endpoint."""

from __future__ import annotations

import importlib.resources
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from probes.registry import PROBES
from statuspage.config.catalogue import Chain
from statuspage.config.kinds import Check, Finding, nearest, read_check
from statuspage.config.positions import Path, plain, read

# Words for chains whose names in the registry are not by language, and for the group that chains get when the file has none.
GROUP_NAMES = {"en": "Networks", "zh-Hans": "公链网络"}


@dataclass(frozen=True, slots=True)
class ChainMonitor:
    """A monitor that a chain brings."""

    id: str
    chain: str
    check: Check
    supplier: str


@cache
def registry() -> dict[str, dict[str, Any]]:
    """Facts about chains by id, from the probes' data file; empty in a checkout that has none."""
    file = importlib.resources.files("probes") / "chains" / "registry.yaml"
    if not file.is_file():
        return {}
    data = plain(read(file.read_text(encoding="utf-8")).data)
    chains: dict[str, dict[str, Any]] = data.get("chains", data)
    return chains


def poll_ms(chain_id: str) -> int | None:
    """How often the registry advises to look at a chain, in milliseconds."""
    seconds = registry().get(chain_id, {}).get("poll_s")
    return int(seconds * 1000) if isinstance(seconds, int | float) else None


def names(chain_id: str, given: Mapping[str, str], languages: list[str]) -> dict[str, str]:
    """Name by language: the file's, else the registry's, else the id."""
    if given:
        return dict(given)
    known = registry().get(chain_id, {}).get("name")
    fallback = known if isinstance(known, str) else chain_id.replace("-", " ").title()
    by_language = known if isinstance(known, dict) else {}
    return {language: by_language.get(language) or by_language.get("en") or fallback for language in languages}


def monitors_of(chains: Any) -> tuple[dict[str, ChainMonitor], list[Finding], list[Finding]]:  # noqa: ANN401 - any YAML value
    """Monitors by id, errors, warnings. Reads the raw file: a chain with a mistake elsewhere still brings its monitors."""
    monitors: dict[str, ChainMonitor] = {}
    errors: list[Finding] = []
    warnings: list[Finding] = []
    for name, chain in chains.items() if isinstance(chains, dict) else ():
        if not isinstance(chain, dict):
            continue
        path: Path = ("chains", name)
        family = chain.get("family") or registry().get(name, {}).get("family")
        if family is None:
            errors.append((path, _stranger(name)))
        elif not isinstance(family, str):
            continue  # the schema says what to write
        elif family not in PROBES:
            warnings.append((path, f"shown, but not watched: this release has no check for the {family} family"))
        else:
            found, wrong = _endpoints(name, chain, family)
            monitors |= found
            errors += wrong
            if not found and not wrong:
                warnings.append((path, "shown, but not watched: it has no endpoint with `role: own`"))
    return monitors, errors, warnings


def _stranger(name: str) -> str:
    return f"this chain is not in the registry{nearest(name, registry())}: add `family: evm` and `id: <chain id>`"


def _endpoints(name: str, chain: dict[str, Any], family: str) -> tuple[dict[str, ChainMonitor], list[Finding]]:
    monitors: dict[str, ChainMonitor] = {}
    findings: list[Finding] = []
    endpoints = chain.get("endpoints")
    for index, endpoint in enumerate(endpoints if isinstance(endpoints, list) else ()):
        if (
            not isinstance(endpoint, dict)
            or endpoint.get("role", "own") != "own"
            or not isinstance(endpoint.get("url"), str)
        ):
            continue
        place: Path = ("chains", name, "endpoints", index, "url")
        check, found = read_check(family, _value(name, chain, endpoint), place)
        findings += [_placed(name, place, path, message) for path, message in found]
        if check:
            number = "" if not monitors else f"-{len(monitors) + 1}"
            supplier = endpoint.get("supplier")
            own = ChainMonitor(f"{name}-own{number}", name, check, supplier if isinstance(supplier, str) else "")
            monitors[own.id] = own
    return monitors, findings


def _placed(name: str, place: Path, path: Path, message: str) -> Finding:
    """What the probe says against a key of the chain belongs there; anything else to the endpoint."""
    inner = path[len(place) :]
    if inner[:1] == ("headers",):
        return (*place[:-1], *inner), message
    return (("chains", name, *inner) if inner and inner[0] in Chain.model_fields else place), message


def _value(name: str, chain: dict[str, Any], endpoint: dict[str, Any]) -> dict[str, Any]:
    """What the probe of the family reads: the registry's facts, the file's over them."""
    facts = registry().get(name, {})
    value: dict[str, Any] = {"url": endpoint["url"]}
    chain_id = chain.get("id", facts.get("id"))
    if isinstance(chain_id, int):
        value["chain_id"] = chain_id
    lag_s = facts.get("lag_s")
    if isinstance(lag_s, list) and len(lag_s) == 2:
        value |= {"head_age_degraded": f"{lag_s[0]}s", "head_age_down": f"{lag_s[1]}s"}
    value |= {key: chain[key] for key in ("head_age_degraded", "head_age_down", "canary") if chain.get(key) is not None}
    if endpoint.get("headers"):
        value["headers"] = endpoint["headers"]
    return value

"""How an HTTP request signs in: with a name and a password, or with a token."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from typing import Any

from probes.options import Option, Problem, a_text, inside
from probes.secrets_at_use import Vault, has_reference

_BASIC = (Option("user", "name to sign in with", a_text), Option("password", "its password", a_text))

OPTIONS = (
    Option("basic", "sign in with a name and a password", inside(_BASIC), inner=_BASIC),
    Option("bearer", "sign in with a token", a_text),
)


def problems(options: Mapping[str, Any]) -> list[Problem]:
    """What is wrong with the ways to sign in that the options name."""
    headers = options.get("headers")
    by_header = (
        [str(name) for name in headers if str(name).lower() == "authorization"] if isinstance(headers, Mapping) else []
    )
    ways = [name for name in ("basic", "bearer") if name in options]
    found: list[Problem] = []
    if len(ways) + len(by_header) > 1:
        found.append(((ways[-1],), "sign in one way: basic, bearer or an Authorization header"))
    basic = options.get("basic")
    if isinstance(basic, Mapping):
        found += [(("basic",), f"{name} is missing") for name in ("user", "password") if name not in basic]
        if ":" in str(basic.get("user")) and not has_reference(str(basic["user"])):
            found.append((("basic", "user"), "the name cannot hold a colon: the password would begin there"))
    return found


def header_lines(options: Mapping[str, Any]) -> list[str]:
    """The header these (resolved) options ask for, if any."""
    if "basic" in options:
        pair = f"{options['basic']['user']}:{options['basic']['password']}"
        return [f"Authorization: Basic {base64.b64encode(pair.encode()).decode()}"]
    return [f"Authorization: Bearer {options['bearer']}"] if "bearer" in options else []


def remember(headers: Iterable[str], vault: Vault) -> None:
    """Mask what these headers (`Name: value`) sign in with, wherever a server sends it back."""
    for line in headers:
        name, _, value = line.partition(":")
        if name.lower() == "authorization":
            vault.remember(value.strip().rpartition(" ")[2])

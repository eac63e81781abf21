"""What an agent is started with, and what it lets a server make it do."""

from __future__ import annotations

import argparse
import os
import re
from dataclasses import dataclass, replace
from ipaddress import ip_network
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from probes import resolve
from probes.agent_link import LONGEST_PAUSE_S
from probes.agent_signature import Key, read_key
from probes.agent_spool import MAX_AGE_S, MAX_BYTES
from probes.options import duration_s
from probes.spec import ProbeSpec

_REFERENCE = re.compile(r"\$\{(env|file):([^}]+)\}")
# --name, what stands in help for its value, variable of the environment, default, help
_ARGUMENTS = (
    ("--server", "URL", "AGENT_SERVER", "", "the page's address, https://…"),
    ("--region", "NAME", "AGENT_REGION", "", "where this agent stands, as the server has it; empty: whatever it says"),
    ("--key-file", "PATH", "AGENT_KEY_FILE", "", "file with the key; or the key itself in AGENT_KEY"),
    ("--spool", "FOLDER", "AGENT_SPOOL", "agent-spool", "where results wait while the server cannot be reached"),
    ("--spool-size", "MB", "", f"{MAX_BYTES / 2**20:.0f}", "largest size of the spool; the oldest results go first"),
    ("--spool-age", "TIME", "", f"{MAX_AGE_S / 3600:.0f}h", "older results are dropped"),
    ("--ca-file", "PATH", "AGENT_CA_FILE", "", "certificate authorities to trust instead of the system's"),
    ("--secret-files", "FOLDER", "", "", "folder below which ${file:PATH} of a monitor may read; empty: nowhere"),
    ("--longest-pause", "TIME", "", f"{LONGEST_PAUSE_S:.0f}s", "longest back-off while the server cannot be reached"),
)
_PLAIN_HTTP = (
    "allow http:// beyond this machine: whoever is on the way reads targets and results, and can hold them back"
)


class Usage(ValueError):
    """The agent cannot start like this; the message says what to change."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a server may make this agent do: the agent's machine decides, not the server.

    `networks`: non-public networks that may be dialled, as far as the monitor allows them too. `secrets`: names of environment
    variables that `${env:NAME}` may read. `files`: folder below which `${file:PATH}` may read.
    """

    networks: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ()
    files: str = ""

    def apply(self, spec: ProbeSpec) -> ProbeSpec:
        """`spec` within these limits. A reference that is not allowed becomes one that leads nowhere, and says so."""
        allowed = tuple(
            both for mine in self.networks for theirs in spec.allow_networks if (both := _overlap(mine, theirs))
        )
        return replace(spec, target=self._text(spec.target), options=self._all(spec.options), allow_networks=allowed)

    def _all(self, value: Any) -> Any:  # noqa: ANN401 - any JSON value
        if isinstance(value, str):
            return self._text(value)
        if isinstance(value, list):
            return [self._all(each) for each in value]
        return {name: self._all(each) for name, each in value.items()} if isinstance(value, dict) else value

    def _text(self, text: str) -> str:
        def checked(match: re.Match[str]) -> str:
            is_allowed = match[2] in self.secrets if match[1] == "env" else self._is_file(match[2])
            return match[0] if is_allowed else f"${{env:{match[2]} is not allowed on this agent: it}}"

        return _REFERENCE.sub(checked, text)

    def _is_file(self, name: str) -> bool:
        return bool(self.files) and Path(name).resolve().is_relative_to(Path(self.files).resolve())


def _overlap(mine: str, theirs: str) -> str:
    """The network that is in both; '' for none."""
    try:
        one, other = ip_network(mine), ip_network(theirs)
    except ValueError:
        return ""
    if one.version != other.version or not one.overlaps(other):
        return ""
    return str(one if one.prefixlen >= other.prefixlen else other)


@dataclass(frozen=True, slots=True)
class Options:
    """How this agent was started, checked."""

    key: Key
    server: str
    region: str
    spool: Path
    spool_bytes: int
    spool_age_s: float
    ca_file: str | None
    longest_pause_s: float
    limits: Limits


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `python -m probes agent`."""
    for name, value, variable, default, told in _ARGUMENTS:
        also = f" [{variable}]" if variable else ""
        parser.add_argument(name, metavar=value, default=os.environ.get(variable) or default, help=told + also)
    several: dict[str, Any] = {"action": "append", "default": []}
    told = "variable of the environment that ${env:NAME} of a monitor may read; others may not be"
    parser.add_argument("--secret", metavar="NAME", help=told, **several)
    told = "network that is not public and may be dialled, where the monitor's allow_networks says so too"
    parser.add_argument("--allow-network", metavar="CIDR", help=told, **several)
    parser.add_argument("--plain-http", action="store_true", help=_PLAIN_HTTP)
    parser.add_argument("--debug", action="store_true", help="log more")


def read(arguments: argparse.Namespace) -> Options:
    """Check what was given. Raises ValueError, saying what to change."""
    for network in arguments.allow_network:
        ip_network(network)
    return Options(
        key=_key(arguments.key_file), server=_server(arguments.server, plain_http=arguments.plain_http), region=arguments.region,
        spool=Path(arguments.spool), spool_bytes=int(float(arguments.spool_size) * 2**20),
        spool_age_s=duration_s(arguments.spool_age), ca_file=arguments.ca_file or None,
        longest_pause_s=duration_s(arguments.longest_pause),
        limits=Limits(tuple(arguments.allow_network), tuple(arguments.secret), arguments.secret_files),
    )  # fmt: skip


def _key(path: str) -> Key:
    """The key from the file or the environment, and out of the environment: a monitor must not be able to read it there."""
    text = os.environ.pop("AGENT_KEY", "")
    if path:
        try:
            text = Path(path).read_text(encoding="utf-8")
        except (OSError, ValueError) as error:
            message = f"--key-file {path}: {error}"
            raise Usage(message) from error
    if not text:
        message = "no key: give --key-file PATH, or AGENT_KEY in the environment"
        raise Usage(message)
    return read_key(text)


def _limits(arguments: argparse.Namespace) -> Limits:
    for network in arguments.allow_network:
        ip_network(network)
    return Limits(tuple(arguments.allow_network), tuple(arguments.secret), arguments.secret_files)


def _server(text: str, *, plain_http: bool) -> str:
    url = urlsplit(text)
    host = url.hostname or ""
    if url.scheme not in {"https", "http"} or not host or url.query or url.fragment or url.username:
        message = f"--server {text or '(missing)'}: give the page's address, as https://status.example.com"
        raise Usage(message)
    is_here = resolve.is_loopback_name(host) or host == "::1" or (resolve.is_address(host) and host.startswith("127."))
    if url.scheme == "http" and not plain_http and not is_here:
        message = (
            f"--server {text}: use https://; with --plain-http anyone on the way could read and hold back everything"
        )
        raise Usage(message)
    return text

"""The command line. Exit codes: 0 done, 1 refused or not found, 2 wrong usage, 3 conflict, 4 the database cannot answer."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, MutableMapping

import click

from statuspage import __version__
from statuspage.loading import loading

HELP = """A self-hosted status page and incident notifier for digital wallets.

\b
New here?        statuspage serve --demo      a demo wallet being watched, page on http://127.0.0.1:8000
A real page:     statuspage init              writes a commented wallet.yaml, keys and the first operator
                 statuspage config check wallet.yaml
                 statuspage serve --config wallet.yaml
At 3 a.m.:       statuspage notice declare --component transfers --title-en "Transfers fail" ...

Settings come from the environment (docs/settings.md). Every command takes --help, and --json where it answers with data.
"""


@click.group(help=HELP, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="statuspage")
def main() -> None:
    """Entry point of the `statuspage` program."""


# Each command is loaded when it is asked for: `serve` starts without what only the others need.
COMMANDS = {
    "serve": "serve:serve", "web": "serve:web", "worker": "serve:worker", "agent": "serve:agent", "demo": "serve:demo",
    "init": "setup:init", "config": "setup:config", "operator": "setup:operator", "notice": "notices:notice",
    "maintenance": "notices:maintenance", "subscribers": "subscribers:subscribers", "backup": "data:backup",
    "export": "export:export", "restore": "data:restore", "doctor": "data:doctor", "heartbeat": "heartbeats:heartbeat",
    "agents": "agents:agents", "key": "keys:key",
}  # fmt: skip


class _OnDemand(MutableMapping[str, click.Command]):
    """COMMANDS as click wants them."""

    def __init__(self) -> None:
        self._loaded: dict[str, click.Command] = {}

    def __getitem__(self, name: str) -> click.Command:
        if name not in self._loaded:
            module, _, attribute = COMMANDS[name].partition(":")
            with loading():
                self._loaded[name] = getattr(importlib.import_module(f"statuspage.cli.{module}"), attribute)
        return self._loaded[name]

    def __setitem__(self, name: str, command: click.Command) -> None:
        self._loaded[name] = command

    def __delitem__(self, name: str) -> None:
        del self._loaded[name]

    def __iter__(self) -> Iterator[str]:
        return iter(COMMANDS)

    def __len__(self) -> int:
        return len(COMMANDS)


main.commands = _OnDemand()

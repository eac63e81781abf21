"""The command line. Exit codes: 0 done, 1 refused or not found, 2 wrong usage, 3 conflict, 4 the database cannot answer."""

from __future__ import annotations

import click

from statuspage import __version__
from statuspage.cli import data, notices, serve, setup
from statuspage.cli.subscribers import subscribers

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


for command in (
    serve.serve, serve.web, serve.worker, serve.agent, serve.demo, setup.init, setup.config, setup.operator, notices.notice,
    notices.maintenance, subscribers, data.backup, data.restore, data.doctor,
):  # fmt: skip
    main.add_command(command)

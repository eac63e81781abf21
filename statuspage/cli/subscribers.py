"""Who is told: counts, the operator's own webhooks, export for a person's right to their data."""

from __future__ import annotations

import csv
import os
from pathlib import Path
from typing import Any

import click

from statuspage.actions import configured_subscribers, subscriber_files
from statuspage.actions.context import COMMAND_LINE
from statuspage.cli.base import answer, as_json, reports_errors
from statuspage.errors import Conflict, NotFound
from statuspage.installation import open_installation
from statuspage.store import subscribers as store

_IMPORT = """Take over subscribers from PATH, a CSV file with the columns channel,address[,language,components,confirmed_at].

\b
channel,address,language,components
sms,+85251234567,zh-Hans,transfers login

Channels: sms, webpush. Whoever said STOP here stays stopped, whoever is known stays as they are. A row that cannot be taken is
named and left out; the others are taken. Exit code 1 when there was one.
"""


@click.group()
def subscribers() -> None:
    """Count, export and import subscriptions; add the operator's own webhooks."""


@subscribers.command()
@as_json
@reports_errors
def count(*, json_wanted: bool) -> None:
    """Count subscriptions per channel and state."""
    home = open_installation()
    with home.ctx.db.read() as conn:
        found = store.counts(conn)
    rows = [
        {"channel": channel, "audience": audience, "state": state, "count": number}
        for channel, audience, state, number in found
    ]
    lines = [f"{row['channel']:10} {row['audience']:9} {row['state']:11} {row['count']:>9,}" for row in rows]
    answer(rows, "\n".join(lines) or "Nobody has subscribed yet.", json_wanted=json_wanted)


@subscribers.command()
@click.option("--addresses", is_flag=True, help="In clear, of active ones: to move house. The audit log remembers it.")
@click.option("--csv", "csv_path", type=click.Path(path_type=Path, dir_okay=False), help="Write a file that `import` reads.")
@as_json
@reports_errors
def export(*, addresses: bool, csv_path: Path | None, json_wanted: bool) -> None:
    """Export every subscription, its address only in masked form unless --addresses asks for it.

    --csv writes the active ones of readers to a new file that only its owner can read.
    """
    if csv_path is not None and csv_path.exists():
        message = f"{csv_path} is there already"
        raise Conflict(message)
    home = open_installation()
    rows = subscriber_files.rows_of(home.ctx, COMMAND_LINE, in_clear=addresses)
    if csv_path is not None:
        number = _write_csv(csv_path, rows)
        answer({"file": str(csv_path), "rows": number}, f"{number} rows written to {csv_path}", json_wanted=json_wanted)
        return
    lines = [f"{row['id']}  {row['channel']:8} {row['audience']:9} {row['state']:11} {row['address']}" for row in rows]
    answer(rows, "\n".join(lines) or "Nobody has subscribed yet.", json_wanted=json_wanted)


@subscribers.command(name="import", help=_IMPORT)
@click.argument("path", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--consent", required=True, help="Where and how they agreed, such as 'app settings 2026-11'; kept as proof.")
@click.option("--dry-run", is_flag=True, help="Only say what would become of each row.")
@as_json
@reports_errors
def import_(*, path: Path, consent: str, dry_run: bool, json_wanted: bool) -> None:
    """Take over subscribers from a file."""
    if not path.is_file():
        message = f"{path}: no such file"
        raise NotFound(message)
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    home = open_installation()
    report = subscriber_files.take_over(home.ctx, COMMAND_LINE, rows, consent, dry_run=dry_run)
    lines = [f"{path}:{line + 1}: {name}: {why}" for line, name, why in report.refused]
    verb = "would be added" if dry_run else "added"
    known = f"{report.known} known already, {report.stopped} have said STOP, {len(report.refused)} refused"
    lines.append(f"{report.added} {verb}, {known}")
    answer(report.to_json(), "\n".join(lines), json_wanted=json_wanted)
    raise SystemExit(1 if report.refused else 0)


def _write_csv(path: Path, rows: list[dict[str, Any]]) -> int:
    """A spreadsheet reads cells that begin with = + - @ as formulas: they get a quote in front, which `import` takes off."""
    kept = [row for row in rows if row["audience"] == "public" and row["state"] == "active"]
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, quoting=csv.QUOTE_ALL)
        writer.writerow(subscriber_files.COLUMNS)
        for row in kept:
            cells = [" ".join(row[name]) if name == "components" else str(row[name] or "") for name in subscriber_files.COLUMNS]
            writer.writerow([f"'{cell}" if cell.startswith(("=", "+", "-", "@", "\t", "\r")) else cell for cell in cells])
    return len(kept)


@subscribers.command(name="add-webhook")
@click.argument("url")
@click.option("--component", "components", multiple=True, help="Only what concerns this component; repeatable.")
@as_json
@reports_errors
def add_webhook(*, url: str, components: tuple[str, ...], json_wanted: bool) -> None:
    """Add the operator's webhook URL: it hears everything, suspected notices too. Its signing secret is shown once."""
    home = open_installation()
    public_id, secret = configured_subscribers.add_operator_webhook(home.ctx, COMMAND_LINE, url, components)
    text = f"{public_id} added. Signing secret (Standard Webhooks), shown once:\n{secret}"
    answer({"id": public_id, "secret": secret}, text, json_wanted=json_wanted)

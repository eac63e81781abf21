"""Who is told: counts, the operator's own webhooks, export for a person's right to their data."""

from __future__ import annotations

import click

from statuspage.actions import configured_subscribers
from statuspage.actions.context import COMMAND_LINE
from statuspage.cli.base import answer, as_json, reports_errors
from statuspage.installation import open_installation
from statuspage.store import subscribers as store


@click.group()
def subscribers() -> None:
    """Count, list and export subscriptions; add the operator's own webhooks."""


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
@as_json
@reports_errors
def export(*, json_wanted: bool) -> None:
    """Export every subscription without its address (addresses stay sealed; the masked form is printed)."""
    home = open_installation()
    with home.ctx.db.read() as conn:
        found = store.of_audiences(conn, ("public", "operator", "oncall"))
    rows = [
        {
            "id": item.public_id, "channel": item.channel, "audience": item.audience, "address": item.label, "state": item.state,
            "language": item.language, "components": item.components, "kinds": item.kinds,
            "created_at": item.created_at.isoformat(),
            "confirmed_at": item.confirmed_at.isoformat() if item.confirmed_at else None,
        }
        for item in found
    ]  # fmt: skip
    lines = [f"{row['id']}  {row['channel']:8} {row['audience']:9} {row['state']:11} {row['address']}" for row in rows]
    answer(rows, "\n".join(lines) or "Nobody has subscribed yet.", json_wanted=json_wanted)


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

"""Heartbeats: the addresses that jobs call."""

from __future__ import annotations

import click

from statuspage.actions import pings
from statuspage.cli.base import answer, as_json, reports_errors
from statuspage.installation import open_installation
from statuspage.store import pages
from statuspage.store import pings as store


@click.group()
def heartbeat() -> None:
    """Show the addresses that jobs report to."""


@heartbeat.command(name="list")
@as_json
@reports_errors
def list_addresses(*, json_wanted: bool) -> None:
    """Print each heartbeat with its secret address and its last signal."""
    home = open_installation()
    rows = []
    with home.ctx.db.read() as conn:
        page = pages.load_page(conn)
        for each in store.listed(conn):
            last = next(iter(store.recent(conn, each["id"], limit=1)), None)
            rows.append({
                "monitor": each["id"], "when": each["target"], "paused": each["paused"],
                "address": pings.address_of(home.ctx, page.url, each["id"], each["options"]),
                "last_signal": {"kind": last["kind"], "at": last["at"].isoformat()} if last else None,
            })  # fmt: skip
    lines = [
        f"{row['monitor']:20} {row['when']:32} {row['address']}\n{'':20} "
        + (f"last: {row['last_signal']['kind']} at {row['last_signal']['at']}" if row["last_signal"] else "no signal yet")
        for row in rows
    ]
    answer(rows, "\n".join(lines) or "No monitor is a heartbeat.", json_wanted=json_wanted)

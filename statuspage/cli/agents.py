"""Who may report from elsewhere. Running an agent is `statuspage agent`, or `python -m probes agent` without the rest of us."""

from __future__ import annotations

import click

from statuspage import clock
from statuspage.actions import agents as actions
from statuspage.actions.context import COMMAND_LINE
from statuspage.cli.base import answer, as_json, reports_errors
from statuspage.errors import InvalidInput
from statuspage.installation import Installation, open_installation
from statuspage.store import agents as store
from statuspage.store import pages
from statuspage.store.agents import Agent


@click.group()
def agents() -> None:
    """Agents in other regions: who may report from there."""


@agents.command()
@click.argument("name")
@click.option("--region", required=True, help="Where it stands, as hk: monitors name it, and the page shows it.")
@as_json
@reports_errors
def add(*, name: str, region: str, json_wanted: bool) -> None:
    """Add agent NAME and print, once, the line that starts it elsewhere."""
    home = open_installation()
    if region == home.settings.region:
        message = f"{region} is this server's own region (STATUSPAGE_REGION): two regions of one name could not be told apart"
        raise InvalidInput(message, "region")
    key = actions.add(home.ctx, COMMAND_LINE, name, region)
    line = (
        f"(umask 077; echo {key} > agent.key) && python -m probes agent --server {_page_url(home)} --region {region}"
        " --key-file agent.key"
    )
    text = f"Agent {name} in {region}. Its key is shown this once; on its machine:\n\n{line}"
    answer({"name": name, "region": region, "key": key, "command": line}, text, json_wanted=json_wanted)


@agents.command(name="list")
@as_json
@reports_errors
def list_(*, json_wanted: bool) -> None:
    """List agents: where they stand, when they were last heard of, how far off their clock is, what waits and what was lost."""
    home = open_installation()
    with home.ctx.db.read() as conn:
        found = store.everyone(conn)
    rows = [
        {"name": one.id, "region": one.region, "revoked": one.revoked_at is not None,
         "seen_at": clock.iso(one.seen_at) if one.seen_at else None, "clock_off_s": round(-one.clock_ms / 1000, 1),
         "waiting_batches": one.waiting, "dropped_results": one.dropped}
        for one in found
    ]  # fmt: skip
    lines = [_line(one) for one in found]
    answer(rows, "\n".join(lines) or "No agents yet: statuspage agents add NAME --region hk", json_wanted=json_wanted)


@agents.command()
@click.argument("name")
@as_json
@reports_errors
def revoke(*, name: str, json_wanted: bool) -> None:
    """Take NAME's right to report away at once. What it reported stays."""
    home = open_installation()
    actions.revoke(home.ctx, COMMAND_LINE, name)
    answer({"name": name, "revoked": True}, f"{name} may not report any more", json_wanted=json_wanted)


def _line(one: Agent) -> str:
    if one.revoked_at is not None:
        return f"{one.id:20} {one.region:12} revoked"
    if one.seen_at is None:
        return f"{one.id:20} {one.region:12} never heard of"
    age_s = (clock.now() - one.seen_at).total_seconds()
    figures = f"clock {-one.clock_ms / 1000:+.1f} s, {one.waiting} batches wait, {one.dropped} results lost"
    return f"{one.id:20} {one.region:12} seen {age_s:.0f} s ago, {figures}"


def _page_url(home: Installation) -> str:
    with home.ctx.db.read() as conn:
        url = pages.load_page(conn).url
    return url or f"http://{home.settings.host}:{home.settings.port}"

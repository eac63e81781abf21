"""Notices and maintenance windows from a terminal: works without web and console, on the server itself."""

from __future__ import annotations

import uuid
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import click

from statuspage import i18n, scenarios
from statuspage.actions import maintenance as windows
from statuspage.actions import notices as actions
from statuspage.actions import verification
from statuspage.actions.context import COMMAND_LINE
from statuspage.cli.base import answer, as_json, reports_errors
from statuspage.domain import lifecycle, status
from statuspage.domain.notice import FUNDS, Draft, Facts
from statuspage.errors import InvalidInput, NotFound
from statuspage.installation import open_installation
from statuspage.store import notices as store
from statuspage.store import pages
from statuspage.store.notices import Notice

_CLAIMS = [word for word in status.ORDER if word not in {"operational", "unknown", "under_maintenance"}]
texts = [
    click.option("--title-en", default="", help="Title in English."),
    click.option("--title-zh", default="", help="Title in Chinese (zh-Hans)."),
    click.option("--body-en", default="", help="Text of this update in English."),
    click.option("--body-zh", default="", help="Text of this update in Chinese (zh-Hans)."),
]
quiet = click.option("--quiet", is_flag=True, help="Publish, but notify nobody.")


def with_texts(command: Any) -> Any:  # noqa: ANN401 - a click command function
    """The four text options."""
    for option in reversed(texts):
        command = option(command)
    return command


@click.group()
def notice() -> None:
    """Declare, update, resolve, list and verify notices (系统公告)."""


@notice.command()
@click.option("--kind", type=click.Choice(["incident", "advisory", "security"]), default="incident", show_default=True)
@click.option("--component", "components", multiple=True, help="Component id, repeatable. `id=degraded` says how bad.")
@click.option("--severity", type=click.Choice(_CLAIMS), default="major_outage", show_default=True)
@click.option("--template", default="", help="Scenario that fills in what you leave out (see --list-templates).")
@click.option(
    "--funds",
    type=click.Choice(FUNDS),
    default="unknown_checking",
    show_default=True,
    help="What you have checked, never more.",
)
@click.option("--eta", type=int, help="Minutes until repair, if you can tell.")
@click.option(
    "--next-update", type=int, default=30, show_default=True, help="Minutes until you promise the next update."
)
@click.option("--draft", "is_draft", is_flag=True, help="Keep it for operators only.")
@click.option(
    "--idempotency-key",
    help="A repeated call with the same key is answered, not repeated. One is made and printed if absent.",
)
@click.option("--list-templates", is_flag=True, help="List the templates and stop.")
@with_texts
@quiet
@as_json
@reports_errors
def declare(**given: Any) -> None:  # noqa: ANN401 - click's options
    """Declare an incident, a security notice or an advisory."""
    if given["list_templates"]:
        for key, item in scenarios.catalogue().scenarios.items():
            click.echo(f"{key:28} {i18n.pick(item.titles, 'en')}")
        return
    home = open_installation()
    key = given["idempotency_key"] or str(uuid.uuid4())
    with home.ctx.db.read() as conn:
        page = pages.load_page(conn)
    now = home.ctx.now()
    draft = _prefilled(given, page, now)
    # A template's words about money belong to its own level: "no money is missing" must not stand beside "being checked".
    is_same_claim = given["funds"] == draft.facts.funds_safety
    facts = replace(
        draft.facts, funds_text=draft.facts.funds_text if is_same_claim else {},
        funds_basis=draft.facts.funds_basis if is_same_claim else {}, kind=given["kind"],
        status=lifecycle.first_status(given["kind"]), funds_safety=given["funds"],
        titles={**draft.facts.titles, **_given(given, "title")}, next_update_by=now + timedelta(minutes=given["next_update"]),
        eta_at=now + timedelta(minutes=given["eta"]) if given["eta"] else None,
        eta_confidence="medium" if given["eta"] else "none",
        components=_claims(given["components"], given["severity"]) or draft.facts.components,
    )  # fmt: skip
    said = replace(
        draft, facts=facts, bodies={**draft.bodies, **_given(given, "body")}, notify=not given["quiet"], idempotency_key=key,
        visibility="draft" if given["is_draft"] else "public",
    )  # fmt: skip
    ref = actions.declare(home.ctx, COMMAND_LINE, said)
    text = f"{ref.number} declared ({ref.visibility}): {page.url}/incidents/{ref.public_id}\nidempotency key {key}"
    answer(
        {**ref.to_json(), "idempotency_key": key, "url": f"{page.url}/incidents/{ref.public_id}"},
        text,
        json_wanted=given["json_wanted"],
    )


@notice.command()
@click.argument("which")
@click.option("--status", "new_status", help="investigating, identified, monitoring … (of the notice's kind).")
@click.option("--funds", type=click.Choice(FUNDS))
@click.option("--eta", type=int, help="Minutes until repair.")
@click.option("--next-update", type=int, default=30, show_default=True)
@with_texts
@quiet
@as_json
@reports_errors
def update(which: str, **given: Any) -> None:  # noqa: ANN401 - click's options
    """Post an update to WHICH (number N-4K7Q or id). A suspected notice becomes confirmed."""
    home = open_installation()
    found = _find(home.ctx, which)
    now = home.ctx.now()
    facts = replace(
        found.facts, status=given["new_status"] or found.status, funds_safety=given["funds"] or found.facts.funds_safety,
        titles={**found.facts.titles, **_given(given, "title")}, next_update_by=now + timedelta(minutes=given["next_update"]),
    )  # fmt: skip
    if given["eta"]:
        facts = replace(facts, eta_at=now + timedelta(minutes=given["eta"]), eta_confidence="medium")
    ref = actions.update(
        home.ctx,
        COMMAND_LINE,
        found.public_id,
        Draft(facts, _given(given, "body"), notify=not given["quiet"]),
        found.version,
    )
    answer(ref.to_json(), f"{ref.number}: update {ref.version} published", json_wanted=given["json_wanted"])


@notice.command()
@click.argument("which")
@with_texts
@quiet
@as_json
@reports_errors
def resolve(which: str, **given: Any) -> None:  # noqa: ANN401 - click's options
    """Close WHICH with its last words."""
    home = open_installation()
    found = _find(home.ctx, which)
    ref = actions.resolve(
        home.ctx, COMMAND_LINE, found.public_id, _given(given, "body"), found.version, notify=not given["quiet"]
    )
    answer(ref.to_json(), f"{ref.number}: closed", json_wanted=given["json_wanted"])


@notice.command(name="list")
@click.option("--all", "everything", is_flag=True, help="Closed ones too.")
@click.option("--limit", default=50, show_default=True)
@as_json
@reports_errors
def list_(*, everything: bool, limit: int, json_wanted: bool) -> None:
    """List notices, the newest first."""
    home = open_installation()
    with home.ctx.db.read() as conn:
        found = store.latest(conn, limit) if everything else list(reversed(store.open_notices(conn)))
    rows = [_row(item) for item in found]
    lines = [
        f"{row['number']}  {row['kind']:11} {row['status']:13} {row['visibility']:9} {i18n.pick(row['titles'], 'en')}"
        for row in rows
    ]
    answer(rows, "\n".join(lines) or "No open notices. `--all` lists closed ones too.", json_wanted=json_wanted)


@notice.command()
@click.argument("which", required=False)
@as_json
@reports_errors
def verify(which: str | None, *, json_wanted: bool) -> None:
    """Verify the signed log, whole; with WHICH also say what that notice has published."""
    home = open_installation()
    report = verification.verify(home.ctx, which)
    lines = [
        f"{report.rows} log rows, {'all hold' if report.is_whole else f'BROKEN at row {report.broken_at}: {report.reason}'}"
    ]
    lines += [
        f"  {entry['at']}  {entry['number']} update {entry['sequence']} {entry['status']}  row {entry['n']}"
        for entry in report.entries
    ]
    if which and not report.entries:
        lines.append(f"  {which}: nothing was ever published under that number")
    answer(report.to_json(), "\n".join(lines), json_wanted=json_wanted)
    raise SystemExit(0 if report.is_whole and (report.entries or not which) else 1)


@click.group()
def maintenance() -> None:
    """Schedule, start, complete and cancel maintenance windows."""


@maintenance.command()
@click.option("--component", "components", multiple=True, required=True)
@click.option("--starts", required=True, help="Local time: 2026-12-01T02:00")
@click.option("--lasts", type=int, required=True, help="Minutes.")
@click.option("--zone", default="", help="IANA zone of --starts; the page's when absent.")
@click.option(
    "--remind", type=int, multiple=True, default=(1440, 60), show_default=True, help="Minutes before the start."
)
@with_texts
@quiet
@as_json
@reports_errors
def schedule(**given: Any) -> None:  # noqa: ANN401 - click's options
    """Announce a window. It starts and ends by itself; it asks when it overruns."""
    home = open_installation()
    with home.ctx.db.read() as conn:
        page = pages.load_page(conn)
    starts_at = _local(given["starts"], given["zone"] or page.time_zone)
    facts = Facts(
        "maintenance", "scheduled", _given(given, "title"), components=dict.fromkeys(given["components"], status.MAINTENANCE),
        scheduled_for=starts_at, scheduled_until=starts_at + timedelta(minutes=given["lasts"]), cause="planned_upgrade",
        funds_safety="unaffected_verified",
    )  # fmt: skip
    draft = Draft(facts, _given(given, "body"), notify=not given["quiet"], idempotency_key=str(uuid.uuid4()))
    ref = windows.schedule(home.ctx, COMMAND_LINE, draft, tuple(minutes * 60 for minutes in given["remind"]))
    words = f"{ref.number} announced for {i18n.moment_words(starts_at, page.time_zone, 'en')}"
    answer(ref.to_json(), words, json_wanted=given["json_wanted"])


def _turning(name: str, new_status: str, words: dict[str, str], help_text: str) -> click.Command:
    @maintenance.command(name=name, help=help_text)
    @click.argument("which")
    @with_texts
    @quiet
    @as_json
    @reports_errors
    def turn(which: str, **given: Any) -> None:  # noqa: ANN401 - click's options
        home = open_installation()
        found = _find(home.ctx, which)
        facts = replace(found.facts, status=new_status)
        draft = Draft(facts, {**words, **_given(given, "body")}, notify=not given["quiet"])
        ref = actions.update(home.ctx, COMMAND_LINE, found.public_id, draft, found.version)
        answer(ref.to_json(), f"{ref.number}: {new_status}", json_wanted=given["json_wanted"])

    return turn


def _machine(name: str) -> dict[str, str]:
    return scenarios.catalogue().machine(name, "body", {})


start = _turning("start", "in_progress", _machine("maintenance_started"), "Start WHICH now.")
complete = _turning("complete", "completed", _machine("maintenance_completed"), "Complete WHICH.")
cancel = _turning("cancel", "cancelled", _machine("maintenance_cancelled"), "Cancel WHICH.")


def _prefilled(given: dict[str, Any], page: pages.Page, now: datetime) -> Draft:
    if not given["template"]:
        return Draft(Facts(given["kind"], lifecycle.first_status(given["kind"]), {}), {})
    scenario = scenarios.catalogue().scenario(given["template"])
    values = scenario.clock_values(now, page.time_zone)
    return scenario.draft(now, {tag: {**clocks, "brand": i18n.pick(page.name, tag)} for tag, clocks in values.items()})


def _given(given: dict[str, Any], what: str) -> dict[str, str]:
    return {tag: text for tag, text in (("en", given[f"{what}_en"]), ("zh-Hans", given[f"{what}_zh"])) if text}


def _claims(components: tuple[str, ...], severity: str) -> dict[str, str]:
    pairs = (item.partition("=") for item in components)
    return {name: claim or severity for name, _, claim in pairs}


def _find(ctx: Any, which: str) -> Notice:  # noqa: ANN401 - an actions Context
    with ctx.db.read() as conn:
        found = store.by_number(conn, which) if which.upper().startswith("N-") else store.by_public_id(conn, which)
    if found is None:
        message = f"there is no notice {which}; `statuspage notice list --all` shows them"
        raise NotFound(message)
    return found


def _row(item: Notice) -> dict[str, Any]:
    return {
        "number": item.number, "public_id": item.public_id, "kind": item.kind, "status": item.status,
        "visibility": item.visibility, "suspected": item.is_suspected, "titles": item.facts.titles,
        "components": item.facts.components, "version": item.version,
        "started_at": item.started_at.isoformat() if item.started_at else None,
    }  # fmt: skip


def _local(text: str, zone: str) -> datetime:
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        message = f"{text!r}: write a local time such as 2026-12-01T02:00"
        raise InvalidInput(message, "starts") from error
    try:
        return at if at.tzinfo else at.replace(tzinfo=ZoneInfo(zone))
    except (ValueError, ZoneInfoNotFoundError, OSError) as error:
        message = f"{zone!r}: write an IANA zone such as Asia/Shanghai"
        raise InvalidInput(message, "zone") from error

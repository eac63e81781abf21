"""From nothing to a page: init, configuration, operators."""

from __future__ import annotations

from pathlib import Path

import click

from statuspage.actions import configured_subscribers, maintenance, operators
from statuspage.actions.context import COMMAND_LINE
from statuspage.cli.base import answer, as_json, reports_errors
from statuspage.config import check as checking
from statuspage.config import plan as planning
from statuspage.config import starter
from statuspage.errors import Conflict, SettingsError
from statuspage.installation import open_installation
from statuspage.store import operators as operator_store


@click.command()
@click.argument("path", type=click.Path(path_type=Path, dir_okay=False), default=Path("wallet.yaml"))
@click.option("--operator", "name", default="admin", show_default=True, help="Sign-in name of the first operator.")
@click.option("--url", default="", help="Public address of the page; every link is built from it.")
@as_json
@reports_errors
def init(*, path: Path, name: str, url: str, json_wanted: bool) -> None:
    """Write a commented wallet.yaml, make the keys and the first operator."""
    if path.exists():
        message = f"{path} is there already; check it with `statuspage config check {path}`"
        raise Conflict(message)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(starter.text(url) if url else starter.text(), encoding="utf-8")
    home = open_installation()
    link = operators.create_first(home.ctx, name)
    steps = [
        f"{path} written: say what is watched, then  statuspage config check {path}",
        f"keys and database in {home.settings.data}/ : back them up; history signed with a lost key cannot be continued",
        f"start:  statuspage serve --config {path}",
    ]
    if link:
        steps.append(f"sign in once as {name}:  {console_url(home)}/sign-in/link?token={link}")
    answer(
        {"config": str(path), "data": str(home.settings.data), "sign_in": link},
        "\n".join(steps),
        json_wanted=json_wanted,
    )


@click.group()
def config() -> None:
    """Check, preview and apply wallet.yaml."""


_path = click.argument("path", type=click.Path(path_type=Path, dir_okay=False))


@config.command()
@_path
@as_json
@reports_errors
def check(*, path: Path, json_wanted: bool) -> None:
    """Report every mistake of PATH at once, as file:line:col: path: what to do. Exit code 1 when there are errors."""
    found, problems = checking.check(path)
    errors = [problem for problem in problems if problem.severity == checking.ERROR]
    good = (
        f"{path}: {len(found.document.components)} components, {len(found.document.monitors)} monitors, no errors"
        if found
        else ""
    )
    data = [
        {"file": p.file, "line": p.line, "col": p.col, "path": p.path, "message": p.message, "severity": p.severity}
        for p in problems
    ]
    answer(
        data, "\n".join([*(str(problem) for problem in problems), *([good] if good else [])]), json_wanted=json_wanted
    )
    raise SystemExit(1 if errors else 0)


@config.command()
@_path
@as_json
@reports_errors
def plan(*, path: Path, json_wanted: bool) -> None:
    """Show what applying PATH would change."""
    home = open_installation()
    with home.ctx.db.read() as conn:
        found = planning.plan(conn, checking.load(path))
    answer(found.to_json(), str(found), json_wanted=json_wanted)


@config.command()
@_path
@click.option("--allow-remove", is_flag=True, help="Archive what the file no longer names. Its history stays.")
@as_json
@reports_errors
def apply(*, path: Path, allow_remove: bool, json_wanted: bool) -> None:
    """Apply PATH in one transaction. A running server takes it over within a second."""
    home = open_installation()
    found = planning.apply(home.ctx, COMMAND_LINE, checking.load(path), allow_remove=allow_remove)
    configured_subscribers.sync_configured(home.ctx)
    maintenance.refresh_all(home.ctx)
    answer(found.to_json(), str(found), json_wanted=json_wanted)


@click.group()
def operator() -> None:
    """Who may use the console."""


@operator.command()
@click.argument("name")
@click.option("--role", type=click.Choice(["viewer", "responder", "admin"]), default="responder", show_default=True)
@click.option("--language", default="en", show_default=True)
@as_json
@reports_errors
def add(*, name: str, role: str, language: str, json_wanted: bool) -> None:
    """Add operator NAME and print a sign-in link that works once, for 24 hours."""
    home = open_installation()
    token = operators.create(home.ctx, COMMAND_LINE, name=name, role=role, language=language)
    link = f"{console_url(home)}/sign-in/link?token={token}"
    answer({"name": name, "role": role, "sign_in": link}, f"{name} ({role}): {link}", json_wanted=json_wanted)


@operator.command()
@click.argument("name")
@as_json
@reports_errors
def link(*, name: str, json_wanted: bool) -> None:
    """Print a new sign-in link for NAME, once, for 24 hours."""
    home = open_installation()
    url = f"{console_url(home)}/sign-in/link?token={operators.new_sign_in_link(home.ctx, COMMAND_LINE, name)}"
    answer({"name": name, "sign_in": url}, url, json_wanted=json_wanted)


@operator.command(name="reset-2fa")
@click.argument("name")
@as_json
@reports_errors
def reset_2fa(*, name: str, json_wanted: bool) -> None:
    """Forget NAME's second factor and end their sessions; they enrol anew with the link printed."""
    home = open_installation()
    url = f"{console_url(home)}/sign-in/link?token={operators.reset_two_factor(home.ctx, COMMAND_LINE, name)}"
    answer({"name": name, "sign_in": url}, f"{name} must enrol again: {url}", json_wanted=json_wanted)


@operator.command(name="list")
@as_json
@reports_errors
def list_(*, json_wanted: bool) -> None:
    """List operators."""
    home = open_installation()
    with home.ctx.db.read() as conn:
        found = operator_store.all_operators(conn)
    rows = [{"name": item.name, "role": item.role, "disabled": item.disabled_at is not None} for item in found]
    lines = [f"{row['name']:20} {row['role']:10} {'disabled' if row['disabled'] else ''}".rstrip() for row in rows]
    answer(rows, "\n".join(lines) or "No operators yet: statuspage operator add NAME", json_wanted=json_wanted)


def console_url(home: object) -> str:
    """Where operators reach the console."""
    found = getattr(home, "settings", None)
    if found is None:
        message = "no settings"
        raise SettingsError(message)
    return str(found.console_url or f"http://127.0.0.1:{found.console_port}")

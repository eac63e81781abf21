"""Starting things: everything in one process, or web and workers apart; the demo wallet; a remote agent."""

from __future__ import annotations

import dataclasses
import importlib
from pathlib import Path

import click

from statuspage import app, logs, settings
from statuspage.cli.base import answer, as_json, reports_errors
from statuspage.demo import control
from statuspage.errors import NotAllowed, SettingsError
from statuspage.installation import open_installation
from statuspage.settings import Settings

_config = click.option(
    "--config",
    "config_path",
    type=click.Path(path_type=Path, dir_okay=False),
    help="wallet.yaml; applied at start and on SIGHUP.",
)


@click.command()
@_config
@click.option(
    "--demo", "is_demo", is_flag=True, help="Watch the built-in demo wallet, with 90 days of made-up history."
)
@reports_errors
def serve(*, config_path: Path | None, is_demo: bool) -> None:
    """Run everything in one process: page, console, probes, deliveries."""
    _run(config_path, app.Parts(web=True, worker=True, demo=is_demo))


@click.command()
@_config
@reports_errors
def web(*, config_path: Path | None) -> None:
    """Run page and console only, beside `statuspage worker` (PostgreSQL)."""
    _run(config_path, app.Parts(web=True, worker=False, demo=False))


@click.command()
@_config
@reports_errors
def worker(*, config_path: Path | None) -> None:
    """Run probes, calendar and deliveries only (PostgreSQL). Of several workers one probes, all deliver."""
    _run(config_path, app.Parts(web=False, worker=True, demo=False))


@click.command(context_settings={"ignore_unknown_options": True}, add_help_option=False)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
@click.pass_context
def agent(context: click.Context, arguments: tuple[str, ...]) -> None:
    """Run probes from another place: the same as `python -m probes agent`."""
    context.exit(int(importlib.import_module("probes.__main__").main(["agent", *arguments])))


def _run(config_path: Path | None, parts: app.Parts) -> None:
    found = settings.load()
    if config_path:
        found = dataclasses.replace(found, config=str(config_path))
    logs.configure(found.log_format, found.log_level)
    if not parts.web or not parts.worker:
        _need_shared_database(found)
    home = open_installation(serves=True)
    raise SystemExit(app.run(found, home.ctx, parts, say=click.echo))


def _need_shared_database(found: Settings) -> None:
    if not found.database_url:
        message = "web and worker apart need STATUSPAGE_DATABASE_URL=postgresql://…; with SQLite run `statuspage serve`"
        raise SettingsError(message)


@click.group(invoke_without_command=True)
@click.pass_context
@reports_errors
def demo(context: click.Context) -> None:
    """The demo wallet: run it alone, break it, heal it."""
    if context.invoked_subcommand is None:
        found = settings.load()
        click.echo(f"demo wallet on http://127.0.0.1:{found.demo_port}, TLS port {found.demo_tls_port}; Ctrl-C ends it")
        wallet = importlib.import_module("statuspage.demo.service")
        wallet.serve("127.0.0.1", found.demo_port, found.data / "demo", found.demo_tls_port)


@demo.command(name="break")
@click.argument("function")
@as_json
@reports_errors
def break_(*, function: str, json_wanted: bool) -> None:
    """Break FUNCTION of the running demo wallet (`demo list` names them). Returns once the fault is in force."""
    broken = _asked(lambda folder: control.break_(folder, function))
    answer({"broken": broken}, f"broken now: {', '.join(broken)}", json_wanted=json_wanted)


@demo.command()
@click.argument("function", required=False)
@as_json
@reports_errors
def heal(*, function: str | None, json_wanted: bool) -> None:
    """Mend FUNCTION, or everything."""
    broken = _asked(lambda folder: control.heal(folder, function))
    answer(
        {"broken": broken}, f"still broken: {', '.join(broken)}" if broken else "all mended", json_wanted=json_wanted
    )


@demo.command(name="list")
@as_json
@reports_errors
def list_(*, json_wanted: bool) -> None:
    """Show what can be broken."""
    found = control.functions()
    lines = [f"{name:16} {texts['en']}\n{'':16} {texts['zh-Hans']}" for name, texts in found.items()]
    answer(found, "\n".join(lines), json_wanted=json_wanted)


def _asked(question: object) -> list[str]:
    try:
        return list(question(settings.load().data / "demo"))  # type: ignore[operator]  # a function of the control module
    except control.DemoError as error:
        raise NotAllowed(str(error)) from error

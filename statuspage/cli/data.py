"""Keeping an installation: backup, restore, doctor."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

import click

from statuspage import clock, settings
from statuspage.actions import audit, verification
from statuspage.cli.base import answer, as_json, reports_errors
from statuspage.errors import Conflict, NotFound, SettingsError
from statuspage.installation import open_installation
from statuspage.store import migrate, monitors


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False), required=False)
@as_json
@reports_errors
def backup(*, folder: Path | None, json_wanted: bool) -> None:
    """Copy the live SQLite database and the keys to FOLDER (default: <data>/backups), checked for integrity."""
    home = open_installation()
    if not home.ctx.db.is_sqlite:
        message = "PostgreSQL is backed up by pg_dump; keep <data>/keys beside it"
        raise SettingsError(message)
    target = folder or home.settings.data / "backups"
    path = migrate.back_up(home.ctx.db, target, clock.now())
    keys = target / "keys"
    shutil.copytree(home.settings.data / "keys", keys, dirs_exist_ok=True)
    keys.chmod(0o700)
    answer(
        {"database": str(path), "keys": str(keys)},
        f"{path}\n{keys} (secret: whoever has it signs as you)",
        json_wanted=json_wanted,
    )


@click.command()
@click.argument("path", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--replace", is_flag=True, help="Put the present database aside and use this one.")
@as_json
@reports_errors
def restore(*, path: Path, replace: bool, json_wanted: bool) -> None:
    """Put the backup PATH in place. Stop the server first."""
    found = settings.load()
    if found.database_url:
        message = "this installation uses PostgreSQL: restore with pg_restore"
        raise SettingsError(message)
    if not path.is_file():
        message = f"{path}: no such file"
        raise NotFound(message)
    verdict = _verdict(path)
    if verdict != "ok":
        message = f"{path} is damaged or no backup of ours: {verdict}"
        raise SettingsError(message)
    target = found.data / "statuspage.db"
    if target.exists() and not replace:
        message = f"{target} exists; --replace puts it aside first"
        raise Conflict(message)
    found.data.mkdir(parents=True, exist_ok=True, mode=0o700)
    for suffix in ("", "-wal", "-shm"):
        old = target.with_name(target.name + suffix)
        if old.exists():
            old.rename(old.with_name(f"{old.name}.{clock.now():%Y%m%dT%H%M%S}.aside"))
    shutil.copyfile(path, target)
    answer({"database": str(target), "from": str(path)}, f"{target} is {path}; start the server", json_wanted=json_wanted)


def _verdict(path: Path) -> str:
    """`ok`, or what is wrong with that file. An empty file is a whole database to SQLite: ours knows its revision."""
    copy = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    try:
        verdict = str(copy.execute("PRAGMA integrity_check").fetchone()[0])
        copy.execute("SELECT version_num FROM alembic_version").fetchone()
    except sqlite3.DatabaseError as error:
        return str(error)
    finally:
        copy.close()
    return verdict


@click.command()
@as_json
@reports_errors
def doctor(*, json_wanted: bool) -> None:
    """Check the installation: schema, signed log, audit log, loops. Exit code 1 when something is wrong."""
    home = open_installation()
    now = clock.now()
    log = verification.verify(home.ctx, head=verification.remembered(home.settings.data))
    with home.ctx.db.read() as conn:
        broken_audit = audit.first_broken(conn)
        beats = monitors.beats(conn)
        revision = migrate.current(conn)
        integrity = str(conn.exec_driver_sql("PRAGMA quick_check").scalar()) if home.ctx.db.is_sqlite else "ok"
    checks = {
        "schema": (revision == migrate.head(), f"revision {revision}"),
        "database": (integrity == "ok", integrity),
        "signed log": (
            log.is_whole,
            f"{log.rows} rows" + ("" if log.is_whole else f", broken at {log.broken_at}: {log.reason}"),
        ),
        "audit log": (broken_audit is None, "whole" if broken_audit is None else f"broken at row {broken_audit}"),
        **{
            f"loop {name}": (True, f"last work {int((now - at).total_seconds())} s ago")
            for name, at in sorted(beats.items())
        },
    }
    lines = [f"{'ok ' if good else 'BAD'}  {name:14} {detail}" for name, (good, detail) in checks.items()]
    data = {name: {"ok": good, "detail": detail} for name, (good, detail) in checks.items()}
    answer(data, "\n".join(lines), json_wanted=json_wanted)
    raise SystemExit(0 if all(good for good, _ in checks.values()) else 1)

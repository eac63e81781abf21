"""Taking what is yours along: everything that was published and measured, as files that need no program of ours."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import click

from statuspage import __version__, clock
from statuspage.cli.base import answer, as_json, reports_errors
from statuspage.errors import Conflict
from statuspage.installation import open_installation
from statuspage.store import export as store


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@as_json
@reports_errors
def export(*, folder: Path, json_wanted: bool) -> None:
    """Write notices, updates, the signed log, daily uptime, components and the audit log to FOLDER, as JSON lines.

    No address, secret or key is in it; subscribers have `statuspage subscribers export`. manifest.json names each file's rows and
    SHA-256. All files show one moment. It runs beside a serving process.
    """
    if folder.exists() and any(folder.iterdir()):
        message = f"{folder} is not empty"
        raise Conflict(message)
    home = open_installation()
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    files = {}
    with home.ctx.db.read() as conn:
        for name in store.TABLES:
            path, digest, count = folder / f"{name}.jsonl", hashlib.sha256(), 0
            with path.open("wb") as file:
                for row in store.rows(conn, name):
                    line = json.dumps(row, ensure_ascii=False, sort_keys=True).encode() + b"\n"
                    digest.update(line)
                    file.write(line)
                    count += 1
            files[path.name] = {"rows": count, "sha256": digest.hexdigest()}
    manifest = {"program": f"statuspage {__version__}", "exported_at": clock.iso(clock.now()), "files": files}
    (folder / "manifest.json").write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")
    lines = [f"{facts['rows']:>9,}  {name}" for name, facts in files.items()]
    answer(manifest, "\n".join([*lines, f"written to {folder}"]), json_wanted=json_wanted)

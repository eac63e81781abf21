"""The verifier of docs/verify.md, copied from there, against a real installation's published log."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

import pytest
from sqlalchemy import text
from waitress.server import create_server

from statuspage import settings
from statuspage.publish.files import path_of
from statuspage.publish.publisher import Publisher
from statuspage.store.database import Database
from statuspage.web.fastpath import FastPath
from statuspage.web.site import Services, create_site
from tests.builders import NOW, Wallet, draft, small_wallet

PAGE = Path(__file__).resolve().parent.parent / "docs" / "verify.md"


def publication(db, folder):
    flask = create_site(Services(db, settings.load({}), lambda: NOW))
    return flask, Publisher(db, flask, folder, lambda: NOW)


@pytest.fixture(scope="module")
def past(_sqlite_template, tmp_path_factory):
    """Database and files of a wallet with four notices, published once: each test works on a copy."""
    folder = tmp_path_factory.mktemp("past")
    shutil.copyfile(_sqlite_template, folder / "statuspage.db")
    db = Database(f"sqlite:///{folder / 'statuspage.db'}")
    made = small_wallet(db)
    for number in range(4):
        made.notice(draft(f"Notice {number}", f"Text {number}"))
    _, publisher = publication(db, folder / "public")
    while publisher.run_once().pending:
        pass
    publisher.close()
    db.close()
    return folder


@pytest.fixture
def wallet(past, tmp_path):
    shutil.copytree(past, tmp_path, dirs_exist_ok=True)
    db = Database(f"sqlite:///{tmp_path / 'statuspage.db'}")
    yield Wallet(db)
    db.close()


@pytest.fixture
def site(wallet, tmp_path):
    """The address of the published site, and what publishes the log again after a change in the database."""
    flask, publisher = publication(wallet.db, tmp_path / "public")
    pages = tmp_path / "public" / "pages"

    def publish():
        for path in [*pages.glob("log.*"), *(pages / "log").glob("*")]:
            path.unlink()
            if asked := path_of(path.relative_to(pages).as_posix()):
                publisher.want(asked)
        while publisher.run_once().pending:
            pass
        assert (pages / "log.json").exists()

    server = create_server(FastPath(flask, tmp_path / "public", now=lambda: NOW), host="127.0.0.1", port=0)
    server.adj.asyncore_loop_timeout = 0.05  # it would see only after a second that it was closed

    def run():
        with suppress(OSError):  # its own socket, closed under its select by the end of the test
            server.run()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.effective_port}", publish
    server.close()
    thread.join(5)
    publisher.close()


@pytest.fixture
def verifier(tmp_path):
    """Run what a reader of the page would copy."""
    (code,) = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    assert len([line for line in code.splitlines() if line.strip()]) <= 36
    script = tmp_path / "verify.py"
    script.write_text(code)

    def run(*arguments):
        done = subprocess.run(
            [sys.executable, str(script), *arguments], capture_output=True, text=True, timeout=60, check=False, cwd=tmp_path
        )
        return done.returncode, (done.stdout + done.stderr).strip()

    return run


def test_a_whole_log_is_accepted_and_its_newest_entry_printed(site, verifier):
    code, said = verifier(site[0])

    assert (code, said.split(":")[0]) == (0, "4")
    assert verifier(site[0], said) == (0, said)


@pytest.mark.parametrize(
    ("how", "entry"),
    [
        ("UPDATE log SET payload = replace(payload, 'Notice 2', 'Notice 7') WHERE n = 3", 3),
        ("DELETE FROM log WHERE n = 2", 2),
        ("UPDATE log SET n = CASE n WHEN 2 THEN -3 WHEN 3 THEN -2 END WHERE n IN (2, 3)", 2),
        ("UPDATE log_bodies SET body = 'Text 7' WHERE body = 'Text 2'", 3),
        ("DELETE FROM log WHERE n = 4", 4),
    ],
)
def test_a_changed_dropped_moved_or_shortened_log_is_refused(wallet, site, verifier, how, entry):
    _, seen = verifier(site[0])
    with wallet.db.write() as conn:
        conn.execute(text(how))
        conn.execute(text("UPDATE log SET n = -n WHERE n < 0"))
    site[1]()

    code, said = verifier(site[0], seen)

    assert code == 1
    assert said.startswith(f"entry {entry} does not hold")

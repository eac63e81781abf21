"""Keeping an installation: a copy that is checked, put in place again, and a doctor who finds what is wrong."""

import json
import sqlite3

import pytest
from click.testing import CliRunner

from statuspage import settings
from statuspage.cli import main
from statuspage.store.database import Database
from tests.builders import draft, small_wallet


@pytest.fixture
def run(tmp_path, monkeypatch):
    """A function that runs a command with --json in an installation of its own; its answer and exit code."""
    monkeypatch.setenv("STATUSPAGE_DATA", str(tmp_path / "var"))

    def run(*arguments):
        done = CliRunner().invoke(main, [*arguments, "--json"])
        return done.exit_code, json.loads(done.stdout)

    assert run("subscribers", "count") == (0, [])
    return run


def titles():
    database = Database(settings.load().url)
    with database.read() as conn:
        found = [row[0] for row in conn.exec_driver_sql("SELECT json_extract(facts, '$.titles.en') FROM notices")]
    database.close()
    return found


def write(title):
    database = Database(settings.load().url)
    wallet = small_wallet(database) if not titles() else None
    if wallet:
        wallet.notice(draft(title))
    else:
        with database.write() as conn:
            conn.exec_driver_sql("UPDATE notices SET facts = json_set(facts, '$.titles.en', ?)", (title,))
    database.close()


def test_a_copy_holds_what_was_there_and_comes_back_with_the_present_put_aside(run, tmp_path):
    write("Before")
    code, copy = run("backup", str(tmp_path / "safe"))
    write("After")

    refused, _said = run("restore", copy["database"])
    done, said = run("restore", copy["database"], "--replace")

    assert (code, refused, done) == (0, 3, 0)
    assert said["from"] == copy["database"]
    assert titles() == ["Before"]
    assert (tmp_path / "safe" / "keys").stat().st_mode & 0o777 == 0o700
    assert len(list((tmp_path / "var").glob("statuspage.db.*.aside"))) == 1


@pytest.mark.parametrize("content", [b"", b"not a database at all, but long enough to look at" * 40])
def test_what_is_no_database_is_not_put_in_place(run, tmp_path, content):
    write("Mine")
    (tmp_path / "bad.db").write_bytes(content)

    code, said = run("restore", str(tmp_path / "bad.db"), "--replace")

    assert (code, said["error"]) == (1, "SettingsError")
    assert titles() == ["Mine"]


def test_the_doctor_finds_a_row_that_was_changed_by_hand(run, tmp_path):
    whole, before = run("doctor")
    run("operator", "add", "lin")
    database = sqlite3.connect(tmp_path / "var" / "statuspage.db")
    database.execute("UPDATE audit_log SET actor = 'mallory'")
    database.commit()
    database.close()

    code, after = run("doctor")

    assert (whole, before["audit log"]["ok"]) == (0, True)
    assert (code, after["audit log"]["ok"], after["schema"]["ok"]) == (1, False, True)

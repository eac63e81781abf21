"""Taking what is yours along."""

import hashlib
import json

import pytest
from click.testing import CliRunner

from statuspage import settings
from statuspage.cli import main
from statuspage.store.database import Database
from tests.builders import draft, small_wallet


@pytest.fixture
def run(tmp_path, monkeypatch):
    """A function that runs a command in an installation with a history."""
    monkeypatch.setenv("STATUSPAGE_DATA", str(tmp_path / "var"))
    assert CliRunner().invoke(main, ["subscribers", "count"]).exit_code == 0
    database = Database(settings.load().url)
    small_wallet(database).notice(draft("Transfers fail"))
    database.close()
    return lambda *arguments: CliRunner().invoke(main, list(arguments))


def test_everything_published_and_measured_is_in_files_that_say_what_they_hold(run, tmp_path):
    folder = tmp_path / "mine"

    done = json.loads(run("export", str(folder), "--json").stdout)

    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    lines = {name: (folder / name).read_bytes() for name in manifest["files"]}
    assert done == manifest
    assert {name: facts["sha256"] for name, facts in manifest["files"].items()} == {
        name: hashlib.sha256(raw).hexdigest() for name, raw in lines.items()
    }
    rows = {name: [json.loads(line) for line in raw.splitlines()] for name, raw in lines.items()}
    [notice], [entry] = rows["notices.jsonl"], rows["log.jsonl"]
    assert notice["facts"]["titles"]["en"] == "Transfers fail"
    assert "words" not in notice  # made of the titles and the updates
    assert notice["created_at"].endswith("Z")
    assert notice["number"] in entry["payload"]
    assert (len(rows["components.jsonl"]), len(rows["daily_uptime.jsonl"])) == (6, 540)


def test_a_folder_that_holds_something_is_left_alone(run, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notices.jsonl").write_text("precious", encoding="utf-8")

    done = run("export", str(tmp_path / "mine"))

    assert done.exit_code == 3
    assert (tmp_path / "mine" / "notices.jsonl").read_text(encoding="utf-8") == "precious"


def test_no_table_of_people_or_secrets_is_among_the_files(run, tmp_path):
    run("export", str(tmp_path / "mine"))

    names = {path.stem for path in (tmp_path / "mine").glob("*.jsonl")}
    assert len(names) == 9
    assert names.isdisjoint({"subscribers", "subscriptions", "operators", "credentials", "sessions", "outbox", "deliveries"})

"""Moving house: subscribers out to a file and in again."""

import csv
import json

import pytest
from click.testing import CliRunner
from sqlalchemy import insert, select, update

from statuspage import keys, settings
from statuspage.actions import subscribers, suppressions
from statuspage.actions.context import Context
from statuspage.cli import main
from statuspage.store.database import Database
from statuspage.store.schema.delivery import consents, subscriptions
from statuspage.store.schema.people import audit_log
from statuspage.store.schema.runtime import meta

PAGE = {"name": {"en": "Demo Wallet"}, "url": "https://status.wallet.example", "languages": ["zh-Hans", "en"],
        "time_zone": "UTC"}  # fmt: skip


@pytest.fixture
def home(tmp_path, monkeypatch):
    """An installation in a folder of its own, as the environment names it; a function that runs a command in it."""
    monkeypatch.setenv("STATUSPAGE_DATA", str(tmp_path / "var"))
    found = settings.load()
    found.data.mkdir(mode=0o700)

    class Home:
        folder = tmp_path

        def run(self, *arguments):
            return CliRunner().invoke(main, list(arguments))

        def json(self, *arguments):
            return json.loads(self.run(*arguments, "--json").stdout)

    home = Home()
    assert home.run("subscribers", "count").exit_code == 0
    home.ctx = Context(Database(found.url), keys.load(found))
    with home.ctx.db.write() as conn:
        conn.execute(insert(meta).values(name="page", value=PAGE))
        conn.execute(insert(meta).values(name="channels", value={"sms": {"countries": ["HK"]}, "webpush": {}}))
    yield home
    home.ctx.db.close()


def rows(home, table=subscriptions):
    with home.ctx.db.read() as conn:
        return list(conn.execute(select(table)).mappings())


def write(home, *lines):
    path = home.folder / "people.csv"
    path.write_text("\n".join(lines), encoding="utf-8")
    return str(path)


def test_people_are_taken_over_with_their_consent_and_bad_rows_are_named(home):
    path = write(home, "channel,address,language,components,confirmed_at",
                 "sms,+852 5123 4567,en,transfers login,2026-01-02T03:04:05Z", "sms,+81 90 1234 5678,en,,", "fax,123,en,,",
                 "sms,+85251234568,xx,,", "sms,+85251234569,,,", "sms,+85251234567,,,")  # fmt: skip

    trial = home.json("subscribers", "import", path, "--consent", "app settings", "--dry-run")
    before = rows(home)
    done = home.run("subscribers", "import", path, "--consent", "app settings")

    assert (trial["added"], len(trial["refused"]), before) == (3, 3, [])
    assert done.exit_code == 1
    assert "people.csv:3: phone: SMS is not offered for numbers of this country" in done.stdout
    assert "2 added, 1 known already, 0 have said STOP, 3 refused" in done.stdout
    first, second = rows(home)
    assert (first["state"], first["components"], first["language"]) == ("active", ["login", "transfers"], "en")
    assert first["confirmed_at"].isoformat() == "2026-01-02T03:04:05+00:00"
    assert second["language"] == "zh-Hans"
    assert [one["text_version"] for one in rows(home, consents)] == ["app settings"] * 2
    assert "5123" not in str(rows(home)) + str(rows(home, audit_log))


def test_whoever_said_stop_stays_stopped_and_a_taken_over_reader_can_manage_like_any_other(home):
    suppressions.answered(home.ctx, "+85251234567", "stop")
    path = write(home, "channel,address", "sms,+85251234567", "sms,+85251234568")

    done = home.json("subscribers", "import", path, "--consent", "by paper")
    wish = subscribers.Wish("sms", "en", "10.0.0.0/24", phone="+85251234568")

    [row] = rows(home)
    assert (done["added"], done["stopped"]) == (1, 1)
    assert subscribers.subscribe(home.ctx, wish).handle == row["public_id"]


def test_what_is_exported_can_be_imported_elsewhere_and_no_cell_is_a_formula(home):
    write(home, "channel,address,language,components", "sms,+85251234567,en,transfers", "sms,+85251234568,zh-Hans,")
    home.run("subscribers", "import", str(home.folder / "people.csv"), "--consent", "app settings")
    out = home.folder / "out.csv"

    masked = home.json("subscribers", "export")
    home.run("subscribers", "export", "--csv", str(out), "--addresses")
    again = home.run("subscribers", "export", "--csv", str(out), "--addresses")

    assert [one["address"] for one in masked] == ["+852 ••• 4567", "+852 ••• 4568"]
    assert again.exit_code == 3
    assert out.stat().st_mode & 0o777 == 0o600
    cells = list(csv.DictReader(out.read_text(encoding="utf-8").splitlines()))
    assert [one["address"] for one in cells] == ["'+85251234567", "'+85251234568"]
    with home.ctx.db.write() as conn:
        conn.execute(update(subscriptions).values(public_id=subscriptions.c.label, address_hash=subscriptions.c.label))
    back = home.json("subscribers", "import", str(out), "--consent", "moved house")
    assert (back["added"], back["refused"]) == (2, [])
    assert [one["action"] for one in rows(home, audit_log)].count("subscribers.export") == 1


@pytest.mark.parametrize("arguments", [
    ("subscribers", "import", "nowhere.csv", "--consent", "app"), ("subscribers", "import", "people.csv", "--consent", " "),
    ("maintenance", "schedule", "--component", "x", "--starts", "2027-01-01T00:00", "--lasts", "5", "--zone", "Mars/Base"),
])  # fmt: skip
def test_what_cannot_be_done_ends_in_one_line_and_exit_code_1(home, monkeypatch, arguments):
    monkeypatch.chdir(home.folder)
    write(home, "channel,address")

    done = home.run(*arguments)

    assert (done.exit_code, done.stderr.count("\n"), done.stderr.startswith("statuspage: ")) == (1, 1, True)

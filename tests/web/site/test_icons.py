"""Favicon and title say what the page itself says, or nothing: also of a file that was written before the state changed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import pytest

from statuspage.publish.files import Folder, name_of
from statuspage.publish.publisher import Publisher, call
from statuspage.publish.snapshot import Snapshot, using
from statuspage.store import public
from tests.builders import NOW, draft
from tests.pages import check

WITHOUT_STATE = (
    "/check", "/history", "/statistics", "/uptime", "/verify", "/official", "/key", "/help", "/privacy", "/docs/api", "/search",
    "/nothing-here",
)  # fmt: skip


@dataclass
class Told:
    """What stands on a browser's tab."""

    icon: str
    title: str


def told(body):
    page = check(body)
    return Told(page.icon.removeprefix("/static/icon-").partition("-")[0], page.title)


@pytest.fixture
def tab(client):
    return lambda path: told(client.get(f"/en{path}").text)


def confirmed(wallet, **facts):
    wallet.status("transfers", "major_outage")
    return wallet.notice(draft("Transfers fail", components={"transfers": "major_outage"}, impact="critical", **facts))


def test_in_peace_pages_with_a_state_are_green_and_the_others_say_nothing(wallet, tab):
    shown = {path: tab(path) for path in ("/", "/components/transfers", "/check/transfer_failed", "/maintenance", *WITHOUT_STATE)}

    assert [path for path, one in shown.items() if one.icon == "ok"] == ["/", "/components/transfers", "/check/transfer_failed"]
    assert {one.icon for path, one in shown.items() if path in WITHOUT_STATE} == {"plain"}
    assert shown["/components/transfers"].title == "Transfers · Operational · Demo Wallet"


def test_an_outage_shows_on_what_it_is_about_and_on_no_other_page(wallet, tab):
    public_id = confirmed(wallet)

    assert tab("/").icon == "down"
    assert tab("/components/transfers") == Told("down", "Transfers · Major outage · Demo Wallet")
    assert tab("/components/login") == Told("ok", "Sign-in · Operational · Demo Wallet")
    assert tab("/check/transfer_failed").icon == "down"
    assert tab(f"/incidents/{public_id}").icon == "down"
    assert " · Investigating · " in tab(f"/incidents/{public_id}").title
    assert {tab(path).icon for path in WITHOUT_STATE} == {"plain"}


def test_what_only_machines_say_is_shown_as_suspected(wallet, tab):
    public_id = wallet.suspected(["transfers"])
    wallet.status("transfers", "major_outage")

    shown = [tab(path) for path in ("/", "/components/transfers", "/check/transfer_failed", f"/incidents/{public_id}")]

    assert [one.icon for one in shown] == ["suspected"] * 4
    assert "Possible problem" in shown[1].title
    assert "Not confirmed yet" in shown[3].title


def test_what_is_over_or_yet_to_come_says_nothing_of_the_present(wallet, tab):
    over = wallet.scenario("transfers-failing", began_at=NOW - timedelta(days=2))
    planned = wallet.scenario("core-upgrade", steps=1, began_at=NOW + timedelta(days=2))

    assert [tab(path).icon for path in (f"/incidents/{over}", f"/incidents/{planned}", "/maintenance")] == ["plain"] * 3


def test_maintenance_shows_on_the_calendar_while_it_goes_on(wallet, tab):
    wallet.status("transfers", "under_maintenance")
    public_id = wallet.scenario("core-upgrade", steps=2, began_at=NOW - timedelta(minutes=30))

    paths = ("/", "/maintenance", "/components/transfers", f"/incidents/{public_id}")
    assert [tab(path).icon for path in paths] == ["maintenance"] * 4


def test_who_looks_for_lost_money_is_not_told_by_a_green_mark_that_all_is_well(wallet, tab):
    assert tab("/check/funds_missing") == Told("plain", "Money is gone · Demo Wallet")


def test_blind_pages_with_a_state_say_that_we_cannot_see_and_the_others_still_say_nothing(wallet, client):
    confirmed(wallet)
    with wallet.db.read() as conn, using(Snapshot(conn, public.load(conn, NOW)).blinded()):
        shown = {path: told(client.get(f"/en{path}").text) for path in ("/", "/components/login", "/check/slow", "/help")}

    assert [one.icon for one in shown.values()] == ["unknown", "unknown", "unknown", "plain"]
    assert "Operational" not in shown["/components/login"].title


def test_no_file_tells_another_state_than_the_one_it_would_have_if_it_were_written_now(wallet, site, tmp_path):
    publisher = Publisher(wallet.db, site, tmp_path, lambda: NOW)
    folder = Folder(tmp_path)
    wrong, icons = [], []
    for change in (lambda: None, lambda: confirmed(wallet)):
        change()
        while publisher.run_once().pending:
            pass
        with wallet.db.read() as conn, using(Snapshot(conn, public.load(conn, NOW))):
            for path in folder.known():
                if not path.startswith(("/en/", "/zh-Hans/")) or path.endswith("/embed") or not name_of(path).endswith(".html"):
                    continue
                there, now = told((folder.pages / name_of(path)).read_text(encoding="utf-8")), told(call(site, path)[1].decode())
                icons.append(there.icon)
                wrong += [(path, there, now)] if there != now else []

    publisher.close()
    folder.close()
    assert wrong == []
    assert {"ok", "down", "plain"} <= set(icons)

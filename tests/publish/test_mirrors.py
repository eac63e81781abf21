"""Mirrors hold what is published, whole; the signed list finds a changed, missing or added file; freshness ends by itself."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from statuspage.actions.context import Context
from statuspage.domain import signing
from statuspage.publish import mirrors
from statuspage.publish.files import Folder
from statuspage.store.configuration import save_setting
from statuspage.worker.mirrors import Keeper
from tests.builders import KEYS, NOW, draft

PUBLIC = signing.public_key(KEYS.signing)
BY_ID = {signing.key_id(PUBLIC): PUBLIC}


@pytest.fixture
def target(tmp_path, wallet):
    found = tmp_path / "mirror"
    found.mkdir()
    with wallet.db.write() as conn:
        save_setting(conn, "mirrors", [{"folder": str(found)}])
    return found


@pytest.fixture
def keeper(wallet, folder):
    return Keeper(Context(wallet.db, KEYS, lambda: NOW), folder)


def files(root):
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def test_a_mirror_holds_the_same_files_after_every_change(wallet, publish, folder, keeper, target):
    publish()
    assert keeper.look()
    assert files(target / "pages") == files(folder / "pages")

    public_id = wallet.notice(draft("Transfers fail", components={"transfers": "major_outage"}))
    publish()
    keeper.look()
    assert files(target / "pages") == files(folder / "pages")
    assert "Transfers fail" in (target / f"pages/en/incidents/{public_id}.html").read_text()

    with wallet.db.write() as conn:
        conn.exec_driver_sql("UPDATE notices SET visibility = 'draft'")
        wallet._changed(conn, notices=[public_id])
    publish()
    keeper.look()
    assert not (target / f"pages/en/incidents/{public_id}.html").exists()


def test_one_change_copies_what_changed_and_nothing_else(wallet, publish, folder, keeper, target):
    publish()
    keeper.look()
    before = {path: path.stat().st_ino for path in target.rglob("*") if path.is_file()}
    wallet.status("login", "degraded")
    publish()
    keeper.look()

    replaced = {path.relative_to(target / "pages").as_posix() for path, inode in before.items() if path.stat().st_ino != inode}
    assert "en/index.html" in replaced
    assert "integrity.json" in replaced
    assert "en/uptime.html" not in replaced
    assert not keeper.look()  # nothing new: nothing is walked


def test_the_list_is_signed_and_finds_what_was_changed_dropped_or_added(publish, keeper, target):
    publish()
    keeper.look()
    assert mirrors.check(target, BY_ID) == []
    pages = target / "pages"

    (pages / "en/index.html").write_text((pages / "en/index.html").read_text().replace("Everything works", "Send us your phrase"))
    (pages / "en/uptime.html").unlink()
    (pages / "en/extra.html").write_text("x")
    (pages / "en/history.html.gz").write_bytes(b"x")

    assert mirrors.check(target, BY_ID) == ["en/extra.html", "en/history.html.gz", "en/index.html", "en/uptime.html"]


def test_a_forged_list_and_another_key_are_refused(publish, keeper, target):
    publish()
    keeper.look()
    path = target / "pages" / "integrity.json"
    whole = json.loads(path.read_text())

    path.write_text(json.dumps({**whole, "payload": whole["payload"].replace("en/index.html", "en/index.htm")}))

    assert mirrors.check(target, BY_ID) == ["integrity.json"]
    path.write_text(json.dumps(whole))
    assert mirrors.check(target, {}) == ["integrity.json"]
    assert json.loads(whole["payload"])["url"] == "https://status.wallet.example"


def test_a_mirror_that_is_not_mounted_is_complained_of_and_holds_up_nothing(wallet, publish, keeper, target, tmp_path, caplog):
    with wallet.db.write() as conn:
        save_setting(conn, "mirrors", [{"folder": str(tmp_path / "gone")}, {"folder": str(target)}])
    publish()

    keeper.look()

    assert "mirror" in caplog.text
    assert not (tmp_path / "gone").exists()
    assert (target / "pages/en/index.html").exists()


def test_the_list_is_no_page_and_is_never_asked_for_again(publish, keeper, folder):
    publish()
    keeper.look()

    assert "/integrity.json" not in set(Folder(folder).known())


def test_what_may_be_believed_ends_within_ninety_seconds_of_the_last_check(tmp_path):
    folder = Folder(tmp_path)
    checked_at = datetime(2026, 11, 22, 5, 42, 7, tzinfo=UTC)

    folder.mark_fresh(checked_at)

    def is_fresh(seconds):
        return (tmp_path / "fresh" / str(int((checked_at + timedelta(seconds=seconds)).timestamp()) // 10)).exists()

    assert [seconds for seconds in range(79) if not is_fresh(seconds)] == []
    assert [seconds for seconds in range(90, 400) if is_fresh(seconds)] == []
    folder.mark_fresh(checked_at + timedelta(seconds=300))
    assert not is_fresh(0)
    assert len(list((tmp_path / "fresh").iterdir())) <= 9
    folder.close()


def test_a_published_cycle_marks_the_present_as_fresh(publish, folder, wallet):
    publish()

    assert {path.name for path in (folder / "fresh").iterdir()} == {
        str(window) for window in range(int(NOW.timestamp() - 12) // 10, (int(NOW.timestamp()) - 12 + 90) // 10)
    }

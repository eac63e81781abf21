"""wallet.yaml and a running server: a bad file changes nothing, a good one is taken over without a restart."""

import os
import signal
import sqlite3
import subprocess
import threading

import pytest
from installation import PROGRAM, Installation

GOOD = """
page:
  name: {en: Reload Wallet, zh-Hans: 重载钱包}
  url: https://status.wallet.example
  languages: [zh-Hans, en]
  time_zone: Asia/Shanghai
components:
  transfers: {name: {en: Transfers, zh-Hans: 转账}}
"""
MORE = GOOD + "  swap: {name: {en: Swap, zh-Hans: 兑换}}\n"
BAD = GOOD.replace("time_zone: Asia/Shanghai", "time_zone: Asia/Nowhere\n  colour: blue")


@pytest.fixture
def home(tmp_path):
    config = tmp_path / "wallet.yaml"
    config.write_text(GOOD, encoding="utf-8")
    found = Installation(tmp_path / "home", config=config)
    found.config = config
    yield found.start()
    found.kill()


def test_a_bad_file_changes_nothing_and_a_good_one_is_taken_over(home):
    home.config.write_text(BAD, encoding="utf-8")
    os.kill(home.process.pid, signal.SIGHUP)
    said = home.wait_for(lambda: "configuration not applied" in home.log.read_text() and home.log.read_text())
    assert "wallet.yaml:6:" in said
    assert "colour" in said
    assert "转账" in home.get("/zh-Hans/").text

    home.config.write_text(MORE, encoding="utf-8")
    os.kill(home.process.pid, signal.SIGHUP)

    home.wait_for(lambda: "兑换" in home.get("/zh-Hans/").text)
    assert home.process.poll() is None


def test_a_start_with_a_bad_file_ends_with_the_place_of_each_mistake(tmp_path):
    config = tmp_path / "wallet.yaml"
    config.write_text(BAD, encoding="utf-8")
    found = Installation(tmp_path / "home", config=config)

    done = subprocess.run(
        [*PROGRAM, *found.arguments], env=found.environment, capture_output=True, text=True, timeout=60, check=False
    )

    assert done.returncode == 1
    assert "wallet.yaml:6:" in done.stdout + done.stderr
    assert "wallet.yaml:7:" in done.stdout + done.stderr


def test_a_page_without_monitors_lives_by_peoples_words_and_is_not_blind(home):
    def sees():
        live = home.get("/live.json").json()
        return live["verdict"] == "ok" and not live.get("blind")

    home.wait_for(sees)  # before its first round the publisher has given no sign of life

    assert sees()
    assert "转账" in home.get("/zh-Hans/").text


def test_the_exit_is_clean_and_the_next_start_finds_everything(home):
    ref = home.cli("notice", "declare", "--component", "transfers", "--title-en", "Slow", "--title-zh", "变慢",
                   "--body-en", "We look.", "--body-zh", "正在查看。")  # fmt: skip
    assert home.stop() == 0

    home.start()

    home.wait_for(lambda: ref["number"] in home.get("/en/").text)  # the end may have come before the page was written
    assert home.cli("doctor")["signed log"]["ok"]


def test_a_start_beside_a_long_write_waits_for_it(home):
    home.stop()
    writer = sqlite3.connect(home.folder / "var" / "statuspage.db", isolation_level=None)
    writer.execute("BEGIN IMMEDIATE")
    home.launch()
    home.wait_for(lambda: "waiting for the database" in home.log.read_text(), within_s=60)

    writer.execute("ROLLBACK")

    home.wait_for(lambda: home.get("/zh-Hans/").ok, within_s=60)
    writer.close()


def test_a_command_waits_for_the_servers_write(home):
    writer = sqlite3.connect(home.folder / "var" / "statuspage.db", isolation_level=None, check_same_thread=False)
    writer.execute("BEGIN IMMEDIATE")
    end = threading.Timer(6, writer.execute, ["ROLLBACK"])  # three times what a web request waits
    end.start()

    declared = home.cli("notice", "declare", "--component", "transfers", "--title-en", "Down", "--title-zh", "故障",
                        "--body-en", "We look.", "--body-zh", "正在核实。")  # fmt: skip

    assert declared["number"]
    end.join()
    writer.close()

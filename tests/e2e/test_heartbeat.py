"""A job reports to a real installation by curl, falls silent, fails, and comes back; what the page and the console say."""

from __future__ import annotations

import subprocess

import pytest
from installation import Console, Installation

CONFIG = """
page: {name: {en: Job Wallet, zh-Hans: 任务钱包}, url: "https://status.wallet.example", languages: [en, zh-Hans]}
components:
  transfers: {name: {en: Transfers, zh-Hans: 转账}}
monitors:
  settlement: {component: transfers, publish: auto, when_down: degraded, interval: 1s, heartbeat: {every: 3s, grace: 2s}}
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    folder = tmp_path_factory.mktemp("heartbeat")
    (folder / "wallet.yaml").write_text(CONFIG, encoding="utf-8")
    found = Installation(folder, config=folder / "wallet.yaml")
    found.start()
    yield found
    found.stop()


def status(home):
    return home.get("/api/v2/components.json").json()["components"][0]["status"]


def curl(home, rest="", *options):
    path = home.cli("heartbeat", "list")[0]["address"].removeprefix("https://status.wallet.example")
    command = ["curl", "-fsS", "-m", "5", "-o", "/dev/null", "-w", "%{http_code}", *options, home.page + path + rest]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=10).stdout


def test_a_job_that_falls_silent_fails_and_comes_back(home):
    home.wait_for(lambda: home.get("/live.json").json()["checked_at"])
    before = home.get("/live.json").json()["verdict"]

    assert curl(home) == "200"
    home.wait_for(lambda: home.get("/live.json").json()["verdict"] == "ok")
    home.wait_for(lambda: status(home) == "degraded_performance", within_s=15)
    incident = home.wait_for(lambda: home.get("/api/v2/incidents/unresolved.json").json()["incidents"])[0]
    assert curl(home, "", "-I") == "200"
    home.wait_for(lambda: status(home) == "operational", within_s=10)
    assert curl(home, "/3", "--data-binary", "ledger does not balance") == "200"
    home.wait_for(lambda: status(home) == "degraded_performance", within_s=3)
    page = Console(home).sign_in().get("/monitors/settlement").text

    assert before != "ok"
    assert "no signal since" not in incident["incident_updates"][0]["body"]
    assert "ledger does not balance" in page
    assert "exit code 3" in page
    assert curl(home, "x") == "404"

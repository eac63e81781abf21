"""Web and workers apart, on PostgreSQL: two workers of which one probes, a web process with files of its own."""

import subprocess
import sys
from urllib.parse import urlsplit

import psycopg
import pytest
from installation import ROOT, Installation
from outpost import Outpost

CONFIG = """
page:
  name: {en: Cluster Wallet, zh-Hans: 集群钱包}
  url: https://status.wallet.example
  languages: [zh-Hans, en]
  time_zone: Asia/Shanghai
defaults: {interval: 1s, retry: 1s, timeout: 1s, confirm: {failures: 2, successes: 1}}
groups:
  functions: {name: {en: Functions, zh-Hans: 功能}}
components:
  transfers: {group: functions, name: {en: Transfers, zh-Hans: 转账}}
monitors:
  port: {component: transfers, tcp: "127.0.0.1:%d"}
allow_networks: [127.0.0.0/8]
"""


@pytest.fixture
def database_url(postgres_server, tmp_path):
    name = "cluster"
    with psycopg.connect(postgres_server.replace("+psycopg", "") + "postgres", autocommit=True) as admin:
        admin.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        admin.execute(f"CREATE DATABASE {name}")
        yield postgres_server.replace("+psycopg", "") + name
        admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


def seen_from(database_url, region):
    """How many results a region has."""
    joined = "SELECT count(*) FROM check_results JOIN regions ON no = region_no WHERE name = %s"
    with psycopg.connect(database_url) as conn:
        return conn.execute(joined, (region,)).fetchone()[0]


def process(folder, kind, config, database_url, keys):
    found = Installation(folder / kind.replace(" ", "-"), STATUSPAGE_DATABASE_URL=database_url, **keys)
    found.arguments = [kind.split()[0], *(["--config", str(config)] if config else [])]
    return found


def leader(database_url):
    with psycopg.connect(database_url) as conn:
        row = conn.execute("SELECT holder, epoch FROM leases WHERE name='checker'").fetchone()
    return row or (None, 0)


@pytest.mark.timeout(240)
def test_web_and_two_workers_share_the_work_and_a_dead_one_is_replaced(tmp_path, database_url):
    keys = {f"STATUSPAGE_{name}_KEY": digit * 64 for name, digit in (("SECRET", "1"), ("SIGNING", "2"), ("VAPID", "3"))}
    config = tmp_path / "wallet.yaml"
    config.write_text(CONFIG % urlsplit(database_url).port, encoding="utf-8")
    web = process(tmp_path, "web", config, database_url, keys).start(wait_s=60)
    workers = [process(tmp_path, f"worker {number}", None, database_url, keys).launch() for number in (1, 2)]
    web.wait_for(lambda: web.get("/live.json").json()["verdict"] == "ok", within_s=60)
    agent = Outpost(tmp_path / "hk", web.page, web.cli("agents", "add", "hk-1", "--region", "hk")["key"]).start()
    web.wait_for(lambda: seen_from(database_url, "hk") >= 2, within_s=30)
    holder, epoch = leader(database_url)

    next(worker for worker in workers if f":{worker.process.pid}:" in holder).kill()

    web.wait_for(lambda: leader(database_url)[1] > epoch, within_s=40)
    checked, from_hk = web.get("/live.json").json()["checked_at"], seen_from(database_url, "hk")
    web.wait_for(lambda: web.get("/live.json").json()["checked_at"] > checked, within_s=20)
    web.wait_for(lambda: seen_from(database_url, "hk") > from_hk, within_s=20)
    declared = web.cli(
        "notice", "declare", "--component", "transfers", "--title-en", "Slow", "--title-zh", "变慢", "--body-en", "We look.",
        "--body-zh", "正在查看。",
    )  # fmt: skip
    web.wait_for(lambda: declared["number"] in web.get("/en/").text, within_s=20)
    assert web.cli("notice", "verify", declared["number"])["whole"]
    for found in (agent, web, *workers):
        found.kill()


def test_another_wsgi_server_can_serve_the_page_and_keeps_it_up_to_date(tmp_path, database_url):
    keys = {f"STATUSPAGE_{name}_KEY": digit * 64 for name, digit in (("SECRET", "1"), ("SIGNING", "2"), ("VAPID", "3"))}
    config = tmp_path / "wallet.yaml"
    config.write_text(CONFIG % urlsplit(database_url).port, encoding="utf-8")
    applied = process(tmp_path, "web", config, database_url, keys)
    applied.cli("config", "apply", str(config))
    served = process(tmp_path, "granian", None, database_url, keys)
    options = ["--interface", "wsgi", "--factory", "--blocking-threads", "2", "--host", "127.0.0.1"]
    command = [sys.executable, "-m", "granian", *options, "--port", str(served.ports["PORT"]), "statuspage.wsgi:page"]
    with served.log.open("ab") as log:
        served.process = subprocess.Popen(command, env=served.environment, stdout=log, stderr=log, cwd=ROOT)
    served.wait_for(lambda: "Cluster Wallet" in served.get("/en/").text, within_s=60)

    declared = applied.cli(
        "notice", "declare", "--component", "transfers=major_outage", "--title-en", "Transfers fail", "--title-zh", "转账失败",
        "--body-en", "We are looking.", "--body-zh", "正在核实。",
    )  # fmt: skip

    served.wait_for(lambda: "Transfers fail" in served.get("/en/").text, within_s=30)
    assert declared["number"] in served.get("/en/").text
    assert served.get("/en/").headers["ETag"]
    served.process.terminate()
    assert served.process.wait(30) in (0, -15)

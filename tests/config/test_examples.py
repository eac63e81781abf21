"""The files that people copy are right."""

from __future__ import annotations

from pathlib import Path

import pytest

from statuspage.config.check import check_text
from statuspage.config.rows import wanted

HERE = Path(__file__).parent
EXAMPLES = HERE.parent.parent / "examples"
SHAPE = (HERE / "wallet.example.yaml").read_text(encoding="utf-8")


def test_the_shape_is_accepted():
    config, problems = check_text(SHAPE, environ={})

    assert [str(problem) for problem in problems if problem.severity == "error"] == []
    assert config.document.page.official.sms_senders == ["#DemoWallet"]
    assert config.document.defaults.confirm.failures == 3
    assert config.checks["transfers-api"].options["expect"]["certificate_days"] == 14


def test_the_shape_brings_the_expected_rows():
    config, _problems = check_text(SHAPE, environ={})

    rows = wanted(config).rows
    assert list(rows["components"]) == ["transfers", "login", "bank_cards", "ethereum", "tron"]
    assert rows["components"]["ethereum"]["names"] == {"zh-Hans": "以太坊", "en": "Ethereum"}
    assert rows["components"]["tron"]["group_id"] == "networks"
    assert list(rows["monitors"]) == ["transfers-api", "transfers-flow", "login-api", "bank-status",
                                     "settlement", "ethereum-own", "tron-own"]  # fmt: skip
    ethereum = rows["monitors"]["ethereum-own"]
    assert (ethereum["component_id"], ethereum["kind"], ethereum["target"]) == ("ethereum", "chain", "ethereum")
    assert ethereum["options"]["endpoints"][0]["url"] == "${env:ETH_RPC_OWN}"
    assert ethereum["options"]["chain_id"] == 1
    assert ethereum["options"]["head_age_down"] == "180s"
    assert ethereum["options"]["canary"]["address"] == "0x00000000219ab540356cBB839Cbe05303d7705Fa"


def test_settings_keep_their_references_unresolved():
    config, _problems = check_text(SHAPE, environ={"TWILIO_AUTH_TOKEN": "s3cret"})

    settings = wanted(config).settings
    assert settings["channels"]["sms"]["twilio"]["auth_token"] == "${env:TWILIO_AUTH_TOKEN}"
    assert settings["channels"]["email"]["from"] == "status@wallet.example"
    assert settings["channels"]["webhook"] == {}
    assert settings["maintenance"][0]["lasts_s"] == 7200
    assert settings["chains"]["ethereum"]["capabilities"] == ["send", "receive", "balances", "fees"]


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.yaml")), ids=lambda path: path.name)
def test_a_shipped_example_has_no_mistake(path):
    config, problems = check_text(path.read_text(encoding="utf-8"), environ={})

    assert [str(problem) for problem in problems if problem.severity == "error"] == []
    assert wanted(config).rows["monitors"]


def test_a_file_with_thousands_of_monitors_is_read_in_seconds():
    many = "".join(f"  m{n}: {{component: c{n % 50}, http: https://a.example/{n}}}\n" for n in range(5000))
    shown = "".join(f"  c{n}: {{name: C{n}}}\n" for n in range(50))

    config, problems = check_text(f"page: {{name: D, url: https://s.example}}\ncomponents:\n{shown}monitors:\n{many}")

    assert problems == []
    assert len(config.checks) == 5000

"""What an agent lets a server make it do, and what it says when it was started wrongly."""

import argparse
import asyncio
import os

import pytest

from probes.__main__ import main, run_once
from probes.agent import Agent
from probes.agent_clock import Clock
from probes.agent_options import Limits, Usage, add_arguments, read
from probes.agent_spool import Spool
from probes.result import CheckResult
from probes.spec import ProbeSpec

KEY = "wsa1.hk-1." + "a" * 43
SERVER = ["--server", "https://status.example.com"]


def options(*words):
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    return read(parser.parse_args(list(words)))


@pytest.fixture
def key(tmp_path, monkeypatch):
    monkeypatch.delenv("AGENT_KEY", raising=False)
    (tmp_path / "key").write_text(f"{KEY}\n")
    return ["--key-file", str(tmp_path / "key")]


def test_the_key_leaves_the_environment(monkeypatch):
    monkeypatch.setenv("AGENT_KEY", KEY)

    found = options(*SERVER)

    assert found.key.name == "hk-1"
    assert "AGENT_KEY" not in os.environ


@pytest.mark.parametrize("url", ["http://status.example.com", "http://10.0.0.1", "http://127.evil.example", "http://[2001:db8::1]"])
def test_plain_http_leaves_this_machine_only_when_asked_for(url, key):
    with pytest.raises(Usage, match="use https"):
        options("--server", url, *key)

    assert options("--server", url, "--plain-http", *key).server == url


@pytest.mark.parametrize("url", ["http://127.0.0.1:8000", "http://localhost:8000", "http://[::1]:8000", "https://a.example/status"])
def test_this_machine_and_https_need_no_permission(url, key):
    assert options("--server", url, *key).server == url


@pytest.mark.parametrize(
    "words",
    [["--server", "status.example.com"], ["--server", "ftp://a"], ["--server", "https://a?b"], ["--server", "https://u:p@a"], [],
     [*SERVER, "--allow-network", "10.0.0.0/99"], [*SERVER, "--spool-age", "long"], [*SERVER, "--spool-size", "big"]],
    ids=str,
)  # fmt: skip
def test_a_wrong_start_says_what_to_change(words, key):
    with pytest.raises(ValueError, match=r"server|key|network|duration|float"):
        options(*words, *key)


def test_the_program_ends_with_2_and_a_line(tmp_path, monkeypatch, caplog):
    monkeypatch.delenv("AGENT_KEY", raising=False)

    assert main(["agent", *SERVER, "--spool", str(tmp_path)]) == 2
    assert "no key" in caplog.text


def spec(**changes):
    return ProbeSpec(**{"monitor_id": "m", "kind": "http", "target": "http://127.0.0.1:1/", **changes})


@pytest.mark.parametrize(
    ("mine", "theirs", "both"),
    [((), ("10.0.0.0/8",), ()), (("10.0.0.0/8",), (), ()), (("10.1.0.0/16",), ("10.0.0.0/8",), ("10.1.0.0/16",)),
     (("10.0.0.0/8",), ("10.1.0.0/16",), ("10.1.0.0/16",)), (("10.0.0.0/8",), ("192.168.0.0/16", "::/0"), ()),
     (("0.0.0.0/0",), ("nonsense",), ())],
)  # fmt: skip
def test_a_network_must_be_allowed_by_both(mine, theirs, both):
    assert Limits(networks=mine).apply(spec(allow_networks=theirs)).allow_networks == both


def test_only_named_secrets_resolve_and_the_others_say_so(monkeypatch, tmp_path):
    monkeypatch.setenv("TOKEN", "t-o-k-e-n")
    monkeypatch.setenv("OTHER", "o-t-h-e-r")
    (tmp_path / "in").write_text("inside")
    told = {"headers": {"A": "${env:TOKEN}", "B": [f"${{file:{tmp_path}/in}}"]}}
    limits = Limits(secrets=("TOKEN",), files=str(tmp_path))

    kept = limits.apply(spec(options=told, target="http://a/${env:TOKEN}"))
    refused = limits.apply(spec(options={"headers": {"A": "x${env:OTHER}y", "B": "${file:/etc/hostname}",
                                                     "C": f"${{file:{tmp_path}/../../etc/passwd}}"}}))  # fmt: skip

    assert (kept.options, kept.target) == (told, "http://a/${env:TOKEN}")
    assert all("is not allowed on this agent" in each for each in refused.options["headers"].values())
    result = asyncio.run(run_once(refused))
    assert (result.outcome, result.error_class) == ("unknown", "client_error")
    assert "OTHER is not allowed on this agent" in result.message
    assert "o-t-h-e-r" not in str(result)


def test_nothing_resolves_unless_it_was_allowed(monkeypatch):
    monkeypatch.setenv("TOKEN", "t-o-k-e-n")

    assert "not allowed" in Limits().apply(spec(target="http://a/${env:TOKEN}")).target
    assert "${env:TOKEN}" not in Limits().apply(spec(target="http://a/${env:${env:TOKEN}}")).target.replace("not allowed", "")


class Still:
    """A link that only notes what it is woken for."""

    first_refusal = ""

    def __init__(self):
        self.wake = self

    def set(self):
        """Woken."""


@pytest.fixture
def agent(tmp_path):
    spool = Spool(tmp_path / "spool")
    found = Agent(lambda _agent: Still(), spool, Clock.start(), Limits(), tmp_path / "spool", "hk")
    found.spool = spool
    yield found
    spool.close()


def test_results_are_cut_into_batches_that_fit_a_request(agent):
    evidence = {"body": "z" * 7000}
    agent._put([CheckResult(f"m{number}", "down", 1, 1.0, "status", "m" * 900, {}, evidence) for number in range(100)])
    agent._put([CheckResult("big", "down", 1, 1.0, "status", "", {}, {"body": "z" * 50_000})])
    agent._keep()

    batches = [each for _token, each in agent.spool.peek(10**9)]
    assert [each.sequence for each in batches] == list(range(1, len(batches) + 1))
    assert max(len(each.to_line()) for each in batches) < 110_000
    assert sum(len(each.results) for each in batches) == 101
    assert batches[-1].results[-1]["evidence"] == {"cut": "the evidence was larger than is kept"}
    assert len(batches[0].results[0]["message"]) == 500


def test_what_was_to_be_watched_is_known_after_a_restart_in_the_same_region(agent, tmp_path):
    agent._write_cache({"region": "hk", "specs": [spec().to_json()], "self_test": [], "etag": "one"})

    def again(region):
        return Agent(lambda _agent: Still(), agent.spool, Clock.start(), Limits(), tmp_path / "spool", region)

    assert (again("hk").known, again("").known, again("sg").known) == ("one", "one", "")
    assert (tmp_path / "spool" / "assignments.json").stat().st_mode & 0o077 == 0


def test_a_spec_of_a_newer_server_costs_only_itself(agent, caplog):
    assert agent._read_spec({**spec().to_json(), "version": 99}) is None
    assert agent._read_spec("nonsense") is None
    assert agent._read_spec(spec().to_json()).monitor_id == "m"
    assert "update the agent" in caplog.text

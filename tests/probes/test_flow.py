"""The flow probe against a small wallet that signs in, tells a balance and takes a transfer, and against liars."""

from __future__ import annotations

import json
import time

import pytest

from probes.registry import PROBES
from probes.secrets_at_use import Vault

TOKEN = "tok-" + "s3cr3t" * 40
STEPS = [
    {"post": "/session", "json": {"user": "probe"}, "capture": {"token": "token", "account": "user.id"}},
    {
        "get": "/accounts/{account}",
        "headers": {"Authorization": "Bearer {token}"},
        "expect": {"json": ["amount >= `0`"]},
    },
    {"post": "/transfers", "headers": {"X-Session": "{token}"}, "json": {"from": "{account}", "dry_run": True}},
]


@pytest.fixture
def wallet(serve, answer):
    """`wallet(session=..., balance=..., transfer=..., wait_s=...)`: each a body, or a whole answer in bytes."""

    def start(session=None, balance=None, transfer=None, wait_s=0.0):
        bodies = {
            b"POST /session": session or {"token": TOKEN, "user": {"id": 7001}},
            b"GET /accounts": balance or {"amount": 5},
            b"POST /transfers": transfer or {"accepted": True},
        }

        def behave(connection):
            request = connection.recv(65536)
            while b"json" in request and not request.partition(b"\r\n\r\n")[2]:
                request += connection.recv(65536)
            server.requests.append(request)
            time.sleep(wait_s)
            body = next((body for start, body in bodies.items() if request.startswith(start)), b"")
            connection.sendall(body if isinstance(body, bytes) else answer(json.dumps(body).encode()))

        server = serve(behave)
        return server

    return start


def test_every_step_up_is_up_and_each_has_its_time(wallet, probe):
    server = wallet()

    result = probe("flow", server.url, {"steps": STEPS})

    assert (result.outcome, result.error_class, result.message) == ("up", None, "")
    assert [step["status"] for step in result.evidence["steps"]] == [200, 200, 200]
    assert [step["step"] for step in result.evidence["steps"]] == [
        "1 POST /session",
        "2 GET /accounts/{account}",
        "3 POST /transfers",
    ]
    assert all(step["ms"] > 0 and {"connect", "first_byte"} <= set(step["phases"]) for step in result.evidence["steps"])
    assert result.phases["total"] >= sum(step["ms"] for step in result.evidence["steps"]) * 0.9
    connects = [step["phases"]["connect"] for step in result.evidence["steps"]]
    assert result.phases["connect"] == pytest.approx(sum(connects), abs=0.01)


def test_captured_values_go_into_address_header_and_json(wallet, probe):
    server = wallet()

    assert probe("flow", server.url, {"steps": STEPS}).outcome == "up"

    _session, balance, transfer = server.requests
    assert balance.startswith(b"GET /accounts/7001 HTTP/1.1\r\n")
    assert f"Authorization: Bearer {TOKEN}\r\n".encode() in balance
    assert json.loads(transfer.partition(b"\r\n\r\n")[2]) == {"from": "7001", "dry_run": True}


@pytest.mark.parametrize(
    ("bad", "error_class", "said"),
    [
        ({"session": {"user": {"id": 1}}}, "assertion", "step 1 POST /session: capture token"),
        ({"session": {"token": {"a": 1}, "user": {"id": 1}}}, "assertion", "capture token"),
        ({"session": {"token": "x" * 9000, "user": {"id": 1}}}, "assertion", "capture token"),
        ({"session": b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n<html>"}, "bad_body", "not JSON"),
        ({"session": b"HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n"}, "status", "found 401"),
        ({"session": b"HTTP/1.1 302 Go\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n"}, "redirect", "found 302"),
        ({"session": {"token": "a\r\nX-Evil: 1", "user": {"id": 1}}}, "assertion", "cannot stand in a header"),
        ({"balance": {"amount": -1}}, "assertion", "step 2 GET /accounts/{account}: amount"),
        ({"balance": b"\x00\x01junk\r\n\r\n"}, "protocol", "step 2"),
        ({"transfer": b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n"}, "status", "step 3"),
        ({"transfer": b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf"}, "reset", "step 3"),
    ],
)
def test_a_step_that_fails_is_named_and_ends_the_run(wallet, probe, bad, error_class, said):
    server = wallet(**bad)

    result = probe("flow", server.url, {"steps": STEPS})

    assert (result.outcome, result.error_class) == ("down", error_class), result.message
    assert said in result.message
    assert len(server.requests) <= len(result.evidence["steps"])


@pytest.mark.parametrize("padding", [0, 60, 300, 380, 490])
def test_what_was_captured_is_masked_wherever_it_is_shown(wallet, probe, padding):
    said = {"p": "x" * padding, "token": TOKEN, "user": {"id": "acct-9931"}, "amount": -1, "echo": [TOKEN, "acct-9931"]}
    server = wallet(session=said, balance=said)

    result = probe("flow", server.url, {"steps": STEPS}, detail=True)

    shown = json.dumps(result.to_json())
    assert result.outcome == "down"
    assert "tok-s3" not in shown
    assert "acct-9931" not in shown
    assert "***" in shown


def test_an_answer_that_fails_is_masked_too(wallet, probe):
    steps = [{**STEPS[0], "expect": {"json": ["ok", "token == 'x'"]}}]

    result = probe("flow", wallet().url, {"steps": steps})

    assert result.error_class == "assertion"
    assert "tok-s3" not in json.dumps(result.to_json())


def test_what_a_server_says_is_text_never_an_instruction(wallet, probe, monkeypatch):
    monkeypatch.setenv("PROBE_SECRET", "do-not-tell")
    said = {"token": "${env:PROBE_SECRET} {account} {token}", "user": {"id": "../../@evil.example/?x=#"}}
    server = wallet(session=said)

    result = probe("flow", server.url, {"steps": STEPS})

    assert result.outcome == "up", result.message
    assert server.requests[1].startswith(b"GET /accounts/..%2F..%2F%40evil.example%2F%3Fx%3D%23 HTTP/1.1")
    assert b"Bearer ${env:PROBE_SECRET} {account} {token}\r\n" in server.requests[1]


def test_one_deadline_is_for_all_steps(wallet, probe):
    server = wallet(wait_s=0.3)
    began = time.monotonic()

    result = probe("flow", server.url, {"steps": STEPS}, timeout_s=0.5)

    assert time.monotonic() - began < 2.8
    assert (result.outcome, result.error_class) == ("down", "timeout")
    assert result.message.startswith("step 2")


def test_steps_that_are_slow_together_are_degraded(wallet, probe):
    result = probe("flow", wallet(wait_s=0.1).url, {"steps": STEPS, "degraded_above": "200ms"})

    assert (result.outcome, result.error_class) == ("degraded", "slow")


@pytest.mark.parametrize("path", ["http://127.0.0.2:{port}/", "http://[::ffff:127.0.0.2]:{port}/"])
def test_every_step_goes_through_the_guard(wallet, serve, answer, probe, path):
    canary = serve(answer(), "127.0.0.2")
    steps = [STEPS[0], {"get": path.replace("{port}", str(canary.port))}]

    result = probe("flow", wallet().url, {"steps": steps}, networks=("127.0.0.1/32",))

    assert (result.outcome, result.error_class) == ("unknown", "blocked")
    assert result.message.startswith("step 2")
    assert canary.connections == 0


@pytest.mark.parametrize(
    ("steps", "path", "said"),
    [
        ([], ("steps",), "1 to 20 steps"),
        ([{"get": "https://a.b"}] * 21, ("steps",), "1 to 20 steps"),
        (["https://a.b"], ("steps", 0), "mapping"),
        ([{"json": {}}], ("steps", 0), "has one of"),
        ([{"get": "/", "post": "/"}], ("steps", 0, "post"), "has one of"),
        ([{"get": "ftp://a.b"}], ("steps", 0, "get"), "http"),
        ([{"get": "//a.b"}], ("steps", 0, "get"), "http"),
        ([{"get": "/", "body": "a", "json": 1}], ("steps", 0, "json"), "not both"),
        ([{"get": "/{token}"}], ("steps", 0, "get"), "no earlier step captures token"),
        ([{"get": "/", "headers": {"A": "{b}"}}], ("steps", 0, "headers", "A"), "no earlier step captures b"),
        ([{"get": "/", "headers": {"A": "x\ny"}}], ("steps", 0, "headers", "A"), "line break"),
        ([{"get": "/", "capture": {"a": "["}}], ("steps", 0, "capture", "a"), "JMESPath"),
        ([{"get": "/", "capture": {"A b": "a"}}], ("steps", 0, "capture", "A b"), "a name is"),
        ([{"get": "/", "capture": {"h": "a"}}, {"get": "https://{h}/"}], ("steps", 1, "get"), "cannot choose the host"),
        ([{"get": "/", "expect": {"status": 99}}], ("steps", 0, "expect", "status"), "status"),
        ([{"get": "/", "follow": 1}], ("steps", 0, "follow"), "unknown option"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(steps, path, said):
    problems = PROBES["flow"].validate("https://a.b", {"steps": steps})

    assert [found for found, _ in problems] == [path]
    assert said in problems[0][1]


def test_the_short_form_takes_its_target_from_the_first_step():
    target, options = PROBES["flow"].normalise([{"get": "https://a.b/c"}, {"post": "/d"}])

    assert (target, len(options["steps"])) == ("https://a.b/c", 2)
    assert PROBES["flow"].validate(target, options) == []


@pytest.mark.parametrize("value", ["https://a.b", [], {}, {"steps": []}, [{}], 5, {"steps": [{"get": 1}]}])
def test_a_value_of_another_shape_is_refused(value):
    with pytest.raises(ValueError, match="step"):
        PROBES["flow"].normalise(value)


def test_the_beginning_of_a_secret_at_the_end_of_an_excerpt_is_masked():
    vault = Vault()
    vault.remember("abcdefgh" * 20)

    assert vault.mask("x" * 100 + "abcdefghabc") == "x" * 100 + "***"
    assert vault.mask("x" * 100 + "abcdefghabc…") == "x" * 100 + "***…"
    assert vault.mask("x" * 100 + "abc") == "x" * 100 + "abc"
    assert vault.mask("dialled abcd") == "dialled abcd"

"""What operators are shown: everything when they ask for it, enough when something failed, and never a credential."""

from __future__ import annotations

import json
import time

import pytest

from probes import evidence, view
from probes.engine import Engine
from probes.result import CheckResult
from probes.spec import ProbeSpec

LOCAL = ("127.0.0.0/8",)


@pytest.mark.parametrize(
    "line",
    ["Authorization: Basic aaa", "Set-Cookie: sid=aaa", "X-Auth-Token: aaa", "x-api-key: aaa", "X-Amz-Security-Token: aaa",
     "Proxy-Authorization: aaa", "X-Session-Id: aaa", "Client-Secret: aaa"],
)  # fmt: skip
def test_headers_that_are_credentials_by_their_names_are_masked(line):
    assert "aaa" not in evidence.header(line)


@pytest.mark.parametrize("line", ["Content-Type: text/html", "X-Request-Id: aaa", "Keep-Alive: aaa", "no header at all"])
def test_other_headers_are_shown(line):
    assert evidence.header(line) == line


@pytest.mark.parametrize(
    "text",
    ['{"access_token": "aaa", "x": 1}', '{"password":"a\\"aaa"}', '{"seedPhrase":"aaa aaa"}', "a=1&api_key=aaa&b=2",
     '{"sessionId":"aaa', '{"privateKey" : "aaa"}', "token=aaa; other", '{"otp": 1234567}'.replace("1234567", "1aaa")],
)  # fmt: skip
def test_values_that_are_credentials_by_their_names_are_masked(text):
    assert "aaa" not in evidence.body(text.encode(), 500)


def test_a_value_that_lies_across_the_cut_is_masked_whole():
    text = '{"a": "' + "x" * 480 + '", "token": "aaaaaaaaaaaaaaaaaaaaaaaa"}'

    assert "aaa" not in evidence.body(text.encode(), 500)


def test_the_rest_of_a_body_is_shown_as_it_is():
    text = '{"status": "ok", "balance": 7, "tokens": {"USDT": 5}}'

    assert evidence.body(text.encode(), 500) == text


def test_what_is_small_is_kept_as_it_is_and_what_is_large_is_cut_until_it_fits():
    small = {"status": 200, "body": "x" * 400}
    large = {"path": ["why"], "body": "x" * 5000, "endpoints": [{"body": "y" * 300, "name": f"e{n}"} for n in range(16)]}
    monstrous = {"path": ["why"], **{f"k{n}": "x" * 300 for n in range(500)}}

    assert evidence.fitted(small) is small
    assert evidence.fitted(large)["endpoints"][15]["name"] == "e15"
    assert evidence.fitted(large)["path"] == ["why"]
    assert evidence.fitted(monstrous)["path"] == ["why"]
    assert "too large" in evidence.fitted(monstrous)["cut"]
    assert all(len(json.dumps(evidence.fitted(each), ensure_ascii=False)) <= evidence.LIMIT for each in (large, monstrous))


def test_sixteen_failing_endpoints_leave_evidence_that_can_be_kept(serve, answer, probe):
    server = serve(answer(b"<html>" + b"no such thing " * 200, "502 Bad Gateway"))
    endpoints = [{"url": f"{server.url}{n}", "role": "own" if n < 8 else "reference", "supplier": f"s{n}"} for n in range(16)]

    result = probe("chain", "ethereum", {"family": "evm", "endpoints": endpoints})

    assert result.outcome == "unknown"
    assert len(json.dumps(result.evidence, ensure_ascii=False)) <= evidence.LIMIT
    assert result.evidence["path"]
    assert len(result.evidence["endpoints"]) == 16
    assert {each["error_class"] for each in result.evidence["endpoints"]} == {"overloaded"}


def test_the_failing_step_of_a_flow_keeps_its_heads_and_all_steps_do_when_asked(serve, answer, probe):
    server = serve(answer(b'{"token": "s3cr3t-of-the-session", "n": 1}'))
    steps = [{"post": f"{server.url}session", "capture": {"t": "token"}}, {"get": server.url, "expect": {"json": "n == `2`"}}]

    failed = probe("flow", server.url, {"steps": steps})
    whole = probe("flow", server.url, {"steps": steps}, detail=True)

    assert failed.evidence["request"][0] == f"GET {server.url}"
    assert failed.evidence["assertions"] == [{"what": "n == `2`", "ok": False, "found": "false"}]
    assert [step["request"][0] for step in whole.evidence["steps"]] == [f"POST {server.url}session", f"GET {server.url}"]
    assert [step["assertions"][0]["ok"] for step in whole.evidence["steps"]] == [True, True]
    assert "s3cr3t" not in str(failed) + str(whole)


def test_run_now_shows_everything_even_when_all_is_well_and_only_that_once(serve, answer, until):
    server = serve(answer(b'{"n": 1}'))
    results = []
    spec = ProbeSpec("m", "http", server.url, {"expect": {"json": "n == `1`"}}, interval_s=0.3, allow_networks=LOCAL)
    engine = Engine([spec], results.extend)
    engine.start()
    try:
        until(lambda: len(results) >= 1)
        engine.run_now("m")
        until(lambda: any("request" in result.evidence for result in results))
        seen = len(results)
        until(lambda: len(results) >= seen + 2)
    finally:
        engine.stop()

    shown = [result for result in results if "request" in result.evidence]
    assert [result.outcome for result in shown] == ["up"]
    assert shown[0].evidence["response"][0] == "HTTP/1.1 200 OK"
    assert [each["what"] for each in shown[0].evidence["assertions"]] == ["status is 2xx", "n == `1`"]


def test_a_view_has_a_line_for_everything_and_ends_with_the_verdict():
    result = CheckResult("m", "down", 0, 12.5, "assertion", "it fails", {"total": 12.5, "connect": 1.0}, {
        "resolved": ["192.0.2.1", "192.0.2.2"], "dialled": "192.0.2.1", "request": ["GET /"], "status": 200,
        "steps": [{"step": "1 GET /", "ms": 5.0, "response": ["HTTP/1.1 200 OK"]}],
        "assertions": [{"what": "a", "ok": False, "found": "b"}], "path": ["is it late?"],
    })  # fmt: skip

    lines = view.lines(ProbeSpec("m", "http", "http://x/"), result)

    assert lines == [
        "http http://x/", "  resolved           192.0.2.1, 192.0.2.2", "  dialled            192.0.2.1",
        "  phases ms          connect 1.0, total 12.5", "  > GET /", "  status             200", "  - 1 GET /",
        "      < HTTP/1.1 200 OK", "      ms                 5.0", "  FAIL a: b", "  ? is it late?",
        "down in 12.5 ms: assertion: it fails",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "piece", ["token-", "token", '"token"', '"token":"', "seed-token_", '"', "\\", "-", "a=1", '"token": ', "x"]
)
def test_a_hostile_body_is_searched_in_no_time(piece):
    body = (piece * 1000)[:1000].encode()
    began = time.process_time()

    evidence.body(body, 500)

    assert time.process_time() - began < 0.1

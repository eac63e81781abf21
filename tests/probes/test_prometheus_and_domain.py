"""The Prometheus and domain probes against HTTP servers that answer as those do, and as they should not."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime, timedelta
from urllib.parse import unquote

import pytest

from probes.registry import PROBES


def verdict(result):
    return result.outcome, result.error_class


@pytest.fixture
def says(serve, answer):
    """`says(value, status)` serves it as JSON, or bytes as they are."""

    def start(value, status="200 OK"):
        return serve(answer(value if isinstance(value, bytes) else json.dumps(value).encode(), status))

    return start


# --- prometheus ---


def vector(*values):
    series = [{"metric": {"n": str(place)}, "value": [1700000000.1, value]} for place, value in enumerate(values)]
    return {"status": "success", "data": {"resultType": "vector", "result": series}}


@pytest.mark.parametrize(
    ("said", "options", "expected"),
    [
        (vector("5"), {}, ("up", None)),
        (vector("5", "150"), {}, ("degraded", "assertion")),
        (vector("150", "5", "501.5"), {}, ("down", "assertion")),
        (vector("+Inf"), {}, ("down", "assertion")),
        (vector("NaN"), {}, ("unknown", "assertion")),
        (vector("1e3"), {"down_if": "<= 1e3"}, ("down", "assertion")),
        (vector("1"), {"down_if": "!= 1", "degraded_if": "== 1"}, ("degraded", "assertion")),
        (vector("-0.5"), {"down_if": "< -0.4"}, ("down", "assertion")),
        (vector(), {}, ("unknown", "assertion")),
        (vector(), {"empty": "up"}, ("up", None)),
        (vector(), {"empty": "down"}, ("down", "assertion")),
        ({"status": "success", "data": {"resultType": "scalar", "result": [1.5, "600"]}}, {}, ("down", "assertion")),
        ({"status": "success", "data": {"resultType": "matrix", "result": []}}, {}, ("unknown", "client_error")),
        ({"status": "error", "errorType": "bad_data", "error": "parse error"}, {}, ("unknown", "client_error")),
        ({"status": "error", "errorType": "timeout", "error": "too long"}, {}, ("unknown", "overloaded")),
        ({"status": "success"}, {}, ("unknown", "bad_body")),
        ({"status": "success", "data": {"resultType": "vector", "result": [7]}}, {}, ("unknown", "bad_body")),
        (vector("five"), {}, ("unknown", "bad_body")),
        ([1], {}, ("unknown", "bad_body")),
        (b"<html>", {}, ("unknown", "bad_body")),
    ],
)
def test_the_worst_series_is_held_against_the_thresholds(says, probe, said, options, expected):
    server = says(said)

    result = probe("prometheus", server.url, {"query": "q", "down_if": "> 500", "degraded_if": ">100", **options})

    assert verdict(result) == expected, result.message


def test_the_query_and_the_sign_in_are_sent(says, probe):
    server = says(vector("1"))
    query = 'sum(rate(x{a="b&c"}[5m])) > 0 # ü'

    assert (
        probe("prometheus", f"{server.url}prom/", {"query": query, "down_if": "> 5", "bearer": "t0ken"}).outcome == "up"
    )

    line, *head = server.requests[0].decode().split("\r\n")
    assert line.startswith("GET /prom/api/v1/query?query=")
    assert unquote(line.split("=", 1)[1].removesuffix(" HTTP/1.1")) == query
    assert "Authorization: Bearer t0ken" in head


# --- domain ---


def registration(days=100, **more):
    ends = (datetime.now(UTC) + timedelta(days=days)).isoformat()
    events = [
        {"eventAction": "registration", "eventDate": "2001-01-01T00:00:00Z"},
        {"eventAction": "expiration", "eventDate": ends},
    ]
    return {"objectClassName": "domain", "ldhName": "WALLET.example", "status": ["active"], "events": events, **more}


@pytest.mark.parametrize(
    ("said", "status", "expected"),
    [
        (registration(), "200 OK", ("up", None)),
        (registration(20), "200 OK", ("degraded", "assertion")),
        (registration(-2), "200 OK", ("down", "assertion")),
        (registration(status=["client transfer prohibited", "server hold"]), "200 OK", ("down", "assertion")),
        (registration(status=["Redemption Period"]), "200 OK", ("down", "assertion")),
        (registration(status=7), "200 OK", ("up", None)),
        ({"errorCode": 404, "title": "Not Found"}, "404 Not Found", ("down", "assertion")),
        (b"not here", "404 Not Found", ("unknown", "bad_body")),
        ({"errorCode": 429}, "429 Slow down", ("unknown", "rate_limited")),
        (registration(ldhName="other.example"), "200 OK", ("unknown", "bad_body")),
        (registration(objectClassName="entity"), "200 OK", ("unknown", "bad_body")),
        (registration(events=[]), "200 OK", ("unknown", "bad_body")),
        (registration(events=[{"eventAction": "expiration", "eventDate": "soon"}]), "200 OK", ("unknown", "bad_body")),
        (registration(events=[{"eventAction": "expiration"}, 5]), "200 OK", ("unknown", "bad_body")),
        (b"[" * 60_000, "200 OK", ("unknown", "bad_body")),
        (b"", "200 OK", ("unknown", "bad_body")),
    ],
)
def test_what_the_registry_says_of_the_domain(says, probe, said, status, expected):
    server = says(said, status)

    result = probe("domain", f"{server.url}v1/domain/wallet.example")

    assert verdict(result) == expected, result.message


# --- both ---


@pytest.mark.parametrize(("kind", "options"), [("prometheus", {"query": "q", "down_if": "> 1"}), ("domain", {})])
def test_a_server_that_fails_says_nothing(serve, probe, kind, options):
    began = time.monotonic()
    mute = serve(lambda _: time.sleep(3))
    half = serve(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{")
    canary = serve(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    assert verdict(probe(kind, mute.url, options, timeout_s=0.4)) == ("unknown", "timeout")
    assert verdict(probe(kind, half.url, options)) == ("unknown", "reset")
    assert verdict(probe(kind, canary.url, options, networks=())) == ("unknown", "blocked")
    assert canary.connections == 0
    assert time.monotonic() - began < 2.0


@pytest.mark.parametrize(
    ("kind", "url", "options", "path"),
    [
        ("prometheus", "https://a.b", {"query": "q"}, ()),
        ("prometheus", "https://a.b", {"down_if": "> 1"}, ()),
        ("prometheus", "https://a.b", {"query": "q", "down_if": "5"}, ("down_if",)),
        ("prometheus", "https://a.b", {"query": "q", "down_if": "> x"}, ("down_if",)),
        ("prometheus", "https://a.b", {"query": "q", "down_if": "> 1", "empty": "no"}, ("empty",)),
        ("prometheus", "https://a.b/?x=1", {"query": "q", "down_if": "> 1"}, ("url",)),
        ("domain", "wallet.example", {}, ("url",)),
        ("domain", "https://a.b/domain/x", {"days": "30"}, ("days",)),
    ],
)
def test_what_is_wrong_is_said_with_its_place(kind, url, options, path):
    assert [found for found, _ in PROBES[kind].validate(url, options)] == [path]

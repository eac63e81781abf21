"""A partner's status page: its summary.json, its feeds, and pages that are slow, broken or lying."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from probes import feed
from probes.registry import PROBES


def summary(indicator="none", *, components=(), incidents=()):
    return {
        "page": {"id": "y2j98763l56x", "name": "Bank", "url": "https://status.bank.example"},
        "status": {"indicator": indicator, "description": "as it says"},
        "components": [{"id": f"c{n}", "name": name, "status": state} for n, (name, state) in enumerate(components)],
        "incidents": [{"name": name, "status": "investigating", "impact": "minor"} for name in incidents],
        "scheduled_maintenances": [],
    }


@pytest.fixture
def page(serve, answer):
    """`page(value)` serves it as JSON, or bytes as they are, and returns the server."""
    return lambda value: serve(answer(value if isinstance(value, bytes) else json.dumps(value).encode()))


def verdict(result):
    return result.outcome, result.error_class


@pytest.mark.parametrize(
    ("indicator", "expected"),
    [
        ("none", ("up", None)),
        ("minor", ("degraded", "assertion")),
        ("maintenance", ("degraded", "assertion")),
        ("major", ("down", "assertion")),
        ("critical", ("down", "assertion")),
        ("great", ("unknown", "bad_body")),
        (None, ("unknown", "bad_body")),
        (["none"], ("unknown", "bad_body")),
    ],
)
def test_the_indicator_is_the_state(page, probe, indicator, expected):
    server = page(summary(indicator, incidents=["Cards are declined"]))

    result = probe("upstream", server.url)

    assert verdict(result) == expected
    assert server.requests[0].startswith(b"GET /api/v2/summary.json HTTP/1.1\r\n")
    if expected[1] == "assertion":
        assert result.message == f"the partner reports {indicator}: Cards are declined"


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        ("operational", "up"),
        ("degraded_performance", "degraded"),
        ("partial_outage", "degraded"),
        ("under_maintenance", "degraded"),
        ("major_outage", "down"),
        ("fine", "unknown"),
    ],
)
@pytest.mark.parametrize("named", ["Cards", "c1"])
def test_one_component_may_be_all_that_matters(page, probe, state, expected, named):
    server = page(summary("critical", components=[("Website", "major_outage"), ("Cards", state)]))

    assert probe("upstream", server.url, {"component": named}).outcome == expected


def test_a_component_that_is_gone_is_unknown(page, probe):
    result = probe("upstream", page(summary()).url, {"component": "Cards"})

    assert verdict(result) == ("unknown", "client_error")
    assert "no component 'Cards'" in result.message


@pytest.mark.parametrize(
    "body",
    [b"", b"null", b"[]", b"{}", b'{"status":"none"}', b'{"status":{"indicator":', b"[" * 60_000, b"<html><p>x</p></html>",
     b"<", b"\xff\xfe\x00", b'{"status":{"indicator":5},"components":7,"incidents":{"a":1}}'],
)  # fmt: skip
def test_what_cannot_be_read_is_unknown(page, probe, body):
    assert verdict(probe("upstream", page(body).url)) == ("unknown", "bad_body")


@pytest.mark.parametrize(
    ("raw", "error_class"),
    [
        (b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n", "status"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nhalf", "reset"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2000000\r\n\r\n" + b" " * 2_000_000, "body_cap"),
        (b"junk\r\n\r\n", "protocol"),
    ],
)
def test_a_page_that_fails_says_nothing_of_the_partner(serve, probe, raw, error_class):
    assert verdict(probe("upstream", serve(raw).url)) == ("unknown", error_class)


def test_a_slow_page_is_unknown_at_the_deadline(serve, probe):
    server = serve(lambda _: time.sleep(5))
    began = time.monotonic()

    result = probe("upstream", server.url, timeout_s=0.4)

    assert verdict(result) == ("unknown", "timeout")
    assert time.monotonic() - began < 2.8


def test_redirects_are_followed_through_the_guard(serve, answer, page, probe):
    good = page(summary("minor"))
    server = serve(answer(b"", "301 Moved", f"Location: {good.url}api/v2/summary.json"))
    canary = serve(answer(json.dumps(summary()).encode()), "127.0.0.2")
    evil = serve(answer(b"", "301 Moved", f"Location: {canary.url}"))

    assert probe("upstream", server.url).outcome == "degraded"
    assert verdict(probe("upstream", evil.url, networks=("127.0.0.1/32",))) == ("unknown", "blocked")
    assert canary.connections == 0


def test_a_whole_address_is_taken_as_it_is(page, probe):
    server = page(summary())

    probe("upstream", f"{server.url}history.json?a=1")

    assert server.requests[0].startswith(b"GET /history.json?a=1 ")


# --- feeds ---


def moment(hours):
    return datetime.now(UTC) - timedelta(hours=hours)


def atom(*entries):
    body = "".join(
        f"<entry><id>x</id><published>2020-01-01T00:00:00Z</published><updated>{moment(hours).isoformat()}</updated>"
        f'<title>{title}</title><content type="html">{text}</content></entry>'
        for title, text, hours in entries
    )
    return f'<?xml version="1.0" encoding="UTF-8"?><feed xmlns="http://www.w3.org/2005/Atom"><title>Outage</title>{body}</feed>'.encode()


def rss(*entries):
    body = "".join(
        f"<item><title>{title}</title><description>{text}</description><pubDate>{format_datetime(moment(hours))}</pubDate></item>"
        for title, text, hours in entries
    )
    return f'<rss version="2.0"><channel><title>Outage</title>{body}</channel></rss>'.encode()


STATEMENTS = [
    ([], "up"),
    ([("Cards", "&lt;strong&gt;Investigating&lt;/strong&gt; - we look into it", 1)], "degraded"),
    ([("Cards", "&lt;b&gt;Resolved&lt;/b&gt; - it is over. &lt;b&gt;Investigating&lt;/b&gt; - we look", 1)], "up"),
    ([("Cards", "&lt;b&gt;Monitoring&lt;/b&gt; - a fix is in, service was restored for most", 1)], "degraded"),
    ([("Cards", "Investigating", 30)], "up"),
    ([("Resolved: cards", "We are investigating", 1)], "up"),
    ([("Night work", "&lt;b&gt;Scheduled&lt;/b&gt; - on Monday, an outage of minutes", -24)], "up"),
    ([("Night work", "&lt;b&gt;In progress&lt;/b&gt; - scheduled work is under way", 1)], "degraded"),
    ([("New cards in blue", "Order yours", 1)], "up"),
    ([("Cards", "Resolved", 1), ("Transfers", "Identified - a cause", 2)], "degraded"),
    ([("转账", "调查中 - 我们正在处理", 1)], "degraded"),
    ([("转账", "已恢复 - 调查中", 1)], "up"),
]


@pytest.mark.parametrize("form", [atom, rss])
@pytest.mark.parametrize(("entries", "expected"), STATEMENTS)
def test_a_feed_with_an_open_entry_is_degraded(page, probe, form, entries, expected):
    result = probe("upstream", page(form(*entries)).url + "history.feed")

    assert result.outcome == expected, result.message


def test_patterns_choose_entries_and_what_is_down(page, probe):
    server = page(rss(("Loans: outage", "Investigating", 1), ("Cards: major outage", "Investigating", 2)))

    assert probe("upstream", server.url, {"match": "Savings"}).outcome == "up"
    assert probe("upstream", server.url, {"match": "Loans", "down_match": "major"}).outcome == "degraded"
    assert probe("upstream", server.url, {"down_match": "(?i)MAJOR"}).outcome == "down"
    assert probe("upstream", server.url, {"feed_age": "30m"}).outcome == "up"
    assert verdict(probe("upstream", server.url, {"component": "Cards"})) == ("unknown", "client_error")


BILLION = b'<?xml version="1.0"?><!DOCTYPE rss [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]><rss><channel>&b;</channel></rss>'
OUTSIDE = b'<!DOCTYPE rss [<!ENTITY a SYSTEM "file:///etc/passwd">]><rss><item><title>&a;</title></item></rss>'


@pytest.mark.parametrize(
    "body",
    [
        BILLION,
        OUTSIDE,
        BILLION.decode().replace('"1.0"', '"1.0" encoding="UTF-16"').encode("utf-16"),
        b"<rss>" + b"<a>" * 300_000,
        b"<rss><item><title>x</title>",
        b"<rss><item><title>Investigating</title><pubDate>soon</pubDate></item></rss>",
        b"<opml></opml>",
    ],
)
def test_a_hostile_feed_is_unknown(page, probe, body):
    began = time.monotonic()

    assert verdict(probe("upstream", page(body).url)) == ("unknown", "bad_body")
    assert time.monotonic() - began < 2.8


def test_much_text_and_many_entries_cost_little():
    angles = b"<rss><item><description>" + b"&lt;" * 200_000 + b"</description></item></rss>"
    many = b"<rss>" + b"<item><title>x</title></item>" * 30_000 + b"</rss>"
    began = time.process_time()

    assert len(feed.read_feed(angles)[0].text) <= 20_000
    assert len(feed.read_feed(many)) == 50
    assert time.process_time() - began < 5


@pytest.mark.parametrize(
    ("url", "options", "path"),
    [
        ("status.bank.example", {}, ("url",)),
        ("https://a.b", {"match": "("}, ("match",)),
        ("https://a.b", {"feed_age": "a day"}, ("feed_age",)),
        ("https://a.b", {"component": 5}, ("component",)),
        ("https://a.b", {"headers": {"A": "x\ny"}}, ("headers", "A")),
        ("https://a.b", {"nope": 5}, ("nope",)),
    ],
)
def test_what_is_wrong_is_said_with_its_place(url, options, path):
    assert [found for found, _ in PROBES["upstream"].validate(url, options)] == [path]

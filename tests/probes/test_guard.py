"""The whole table of ways to reach an address inside: spelled, embedded, parsed twice, resolved twice."""

from __future__ import annotations

import time
from ipaddress import ip_address

import dns.resolver
import pytest

from probes import guard, resolve
from probes.guard import OPERATOR, VISITOR, Policy, Refused

SPELLINGS = [
    "2130706433",
    "0x7f000001",
    "0177.0.0.1",
    "127.1",
    "0",
    "0x0",
    "127.0.1",
    "localhost",
    "LOCALHOST",
    "localhost.",
    "a.localhost",
    "[::1]",
    "[::]",
    "[::ffff:7f00:1]",
    "[::ffff:127.0.0.1]",
    "[::127.0.0.1]",
    "[fe80::1%25lo]",
    "[fe80::1%lo]",
    "0.0.0.0",  # noqa: S104 - to be refused, not bound
    "127.0.0.1",
    "127.255.255.254",
    "127.0.0.1.",
    "0x7f.1",
    "017700000001",
    "4294967295",
    "[0:0:0:0:0:0:0:1]",
    "[0000::1]",
    "\uff11\uff12\uff17.0.0.1",
    "127\u30020.0.1",
    "\u2460\u2461\u2466.0.0.1",
    "127.0.0.1%00",
    "1.1.1.1 &@127.0.0.1",
]

PARSER_TRICKS = [
    "http://127.0.0.1\\@example.com/",
    "http://example.com:pw@127.0.0.1/",
    "http://127.0.0.1#@example.com/",
    "http://a@b@c/",
    " http://127.0.0.1/",
    "http:127.0.0.1",
    "http:///127.0.0.1",
    "http://example.com\\.127.0.0.1/",
    "http://example.com\t/",
    "http://exam\nple.com/",
    "http://127.0.0.1:80:80/",
    "http://[::1/",
    "http://::1/",
    "http://127.0.0.1:0/",
    "http://1.1.1.1:65536/",
    "http://[::1]@example.com/",
    "http://[127.0.0.1]/",
    "http://example.com:80@127.0.0.1/",
    "http://",
    "http:///",
    "//127.0.0.1/",
    "http://-a.com/",
    "http://a..b/",
    "http://" + "a" * 64 + ".com/",
    "http://*/",
    "http://[v1.x]/",
    "http://example.com:/@127.0.0.1:x",
    "http:\\\\127.0.0.1",
    "http://1.1.1.1%2f@127.0.0.1/",
    "http://1.1.1.1:+80/",
    "http://1.1.1.1: 80/",
]

SCHEMES = [
    "file:///etc/passwd",
    "ftp://1.1.1.1/",
    "gopher://1.1.1.1/",
    "data:,x",
    "unix:/run/x",
    "1.1.1.1/",
    "",
    "javascript:x",
    "httpx://1.1.1.1/",
]

SPECIAL = [
    "169.254.169.254",
    "fd00:ec2::254",
    "::ffff:169.254.169.254",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::a9fe:a9fe",
    "2002:a9fe:a9fe::1",
    "100.64.0.1",
    "192.0.0.8",
    "198.18.0.1",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "fec0::1",
    "3fff::1",
    "5f00::1",
    "ff02::1",
    "10.0.0.1",
    "172.16.0.1",
    "192.168.1.1",
    "fc00::1",
    "fe80::1",
    "2001:db8::1",
    "2001::1",
    "192.0.2.1",
    "198.51.100.1",
    "203.0.113.1",
    "192.88.99.1",
    "168.63.129.16",
    "100.100.100.200",
    "::",
    "::1",
    "0.0.0.0",  # noqa: S104 - to be refused, not bound
    "127.0.0.1",
    "::127.0.0.1",
    "::ffff:10.0.0.1",
    "100::1",
]

METADATA = [
    "169.254.169.254",
    "169.254.170.2",
    "fd00:ec2::254",
    "::ffff:169.254.169.254",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::a9fe:a9fe",
    "2002:a9fe:a9fe::1",
    "100.100.100.200",
    "168.63.129.16",
    "fe80::1",
    "fd20:ce::254",
    "::169.254.169.254",
]

EVERYTHING = Policy(("0.0.0.0/0", "::/0"))


@pytest.fixture
def system_dns(name_server, monkeypatch):
    resolver = dns.resolver.Resolver(configure=False)
    resolver.nameservers = ["127.0.0.1"]
    resolver.port = name_server.port
    monkeypatch.setattr(resolve, "_system_resolver", lambda: resolver)
    return name_server


@pytest.mark.parametrize("policy", [VISITOR, OPERATOR], ids=["visitor", "operator"])
@pytest.mark.parametrize("host", SPELLINGS)
def test_no_spelling_of_loopback_passes(host, policy):
    with pytest.raises(Refused):
        guard.check_url(f"http://{host}:8080/", policy)


@pytest.mark.parametrize("host", SPELLINGS)
def test_no_spelling_of_loopback_passes_where_only_a_host_is_given(host):
    with pytest.raises(Refused):
        guard.resolve_and_check(host, 8080, VISITOR, 1.0)


@pytest.mark.parametrize("url", PARSER_TRICKS)
def test_what_parsers_read_differently_is_refused_even_where_everything_may_be_dialled(url):
    with pytest.raises(Refused):
        guard.check_url(url, EVERYTHING)


def test_credentials_in_a_url_are_told_where_they_belong():
    with pytest.raises(Refused, match="in a header"):
        guard.check_url("https://user:pw@example.com/", EVERYTHING)


@pytest.mark.parametrize("url", SCHEMES)
def test_only_http_and_https_are_urls(url):
    with pytest.raises(Refused):
        guard.check_url(url, EVERYTHING)


@pytest.mark.parametrize("address", SPECIAL)
def test_no_special_address_is_public(address):
    assert not guard.allowed(ip_address(address), VISITOR)
    assert not guard.allowed(ip_address(address), OPERATOR)


@pytest.mark.parametrize("address", METADATA)
def test_metadata_is_refused_whatever_the_operator_allows(address):
    assert not guard.allowed(ip_address(address), EVERYTHING)


@pytest.mark.parametrize("address", ["1.1.1.1", "8.8.8.8", "2606:4700::1111", "::ffff:1.1.1.1"])
def test_public_addresses_pass_for_everybody(address):
    assert guard.allowed(ip_address(address), VISITOR)
    assert guard.allowed(ip_address(address), OPERATOR)


def test_an_operator_reaches_his_own_networks_and_a_visitor_does_not():
    own = ("127.0.0.0/8", "10.20.0.0/16")

    operator, visitor = Policy(own), Policy(own, public_only=True)

    assert guard.allowed(ip_address("127.0.0.1"), operator)
    assert guard.allowed(ip_address("::ffff:10.20.1.1"), operator)
    assert not guard.allowed(ip_address("10.21.0.1"), operator)
    assert not guard.allowed(ip_address("127.0.0.1"), visitor)


def test_a_network_that_is_none_is_an_error_at_once():
    with pytest.raises(ValueError, match=r"10\.0\.0"):
        Policy(("10.0.0.1/8",))


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("HTTPS://Example.COM", "https://example.com/"),
        ("http://example.com:8080/a?b=c#d", "http://example.com:8080/a?b=c"),
        ("http://example.com./x", "http://example.com/x"),
        ("https://example.com:443/?x=office.com", "https://example.com/?x=office.com"),
        ("http://[2606:4700:0::1111]:81/", "http://[2606:4700::1111]:81/"),
        ("http://a_b.example.com/", "http://a_b.example.com/"),
        ("https://example.com/a@b", "https://example.com/a@b"),
    ],
)
def test_an_ordinary_url_is_read_and_written_in_one_way(url, expected):
    assert str(guard.check_url(url, OPERATOR)) == expected


def test_refused_survives_clients_that_wrap_everything_but_oserror():
    assert issubclass(Refused, OSError)


def test_a_name_is_resolved_once_and_every_answer_is_dialled_as_judged(system_dns):
    system_dns.records["good.test", "A"] = ["1.1.1.1", "8.8.8.8"]

    addresses = guard.resolve_and_check("good.test", 443, VISITOR, 2.0)

    assert sorted(addresses) == [("1.1.1.1", 443), ("8.8.8.8", 443)]
    assert system_dns.asked.count(("good.test", "A")) == 1


def test_one_internal_answer_among_public_ones_refuses_the_name(system_dns):
    system_dns.records["mixed.test", "A"] = ["1.1.1.1", "127.0.0.1"]
    system_dns.records["mixed6.test", "A"] = ["1.1.1.1"]
    system_dns.records["mixed6.test", "AAAA"] = ["::1"]

    for host in ("mixed.test", "mixed6.test"):
        with pytest.raises(Refused, match="may not be dialled"):
            guard.resolve_and_check(host, 443, VISITOR, 2.0)


def test_a_cname_to_an_internal_name_is_refused(system_dns):
    system_dns.records["alias.test", "CNAME"] = ["inside.test."]
    system_dns.records["inside.test", "A"] = ["10.0.0.1"]

    with pytest.raises(Refused):
        guard.resolve_and_check("alias.test", 443, OPERATOR, 2.0)


def test_a_rebinding_name_gets_only_its_first_answer(system_dns):
    system_dns.turns["rebind.test", "A"] = [["1.1.1.1"], ["127.0.0.1"]]

    first = guard.resolve_and_check("rebind.test", 80, VISITOR, 2.0)

    assert first == [("1.1.1.1", 80)]
    with pytest.raises(Refused):
        guard.resolve_and_check("rebind.test", 80, VISITOR, 2.0)


def test_empty_unknown_and_broken_names_are_no_answer(system_dns):
    system_dns.records["empty.test", "TXT"] = ['"x"']
    system_dns.broken.add("broken.test")

    for host, text in (
        ("empty.test", "has no address"),
        ("nowhere.test", "does not exist"),
        ("broken.test", "refused"),
    ):
        with pytest.raises(resolve.NoAnswer, match=text):
            guard.resolve_and_check(host, 80, VISITOR, 2.0)


def test_a_silent_resolver_ends_at_the_deadline(system_dns):
    system_dns.silent.add("silent.test")
    began = time.monotonic()

    with pytest.raises(resolve.NoAnswer):
        guard.resolve_and_check("silent.test", 80, VISITOR, 0.5)

    assert time.monotonic() - began < 2.8


def test_a_thousand_answers_are_cut_to_the_first_ones_all_judged(system_dns):
    many = [f"1.1.{high}.{low}" for high in range(1, 3) for low in range(1, 101)]
    system_dns.records["many.test", "A"] = many

    addresses = guard.resolve_and_check("many.test", 80, VISITOR, 2.0)

    assert len(addresses) == resolve.MAX_ADDRESSES

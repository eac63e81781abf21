"""The Redis and SMTP probes against servers that speak the protocol over real sockets: good, bad, slow and lying."""

from __future__ import annotations

import ssl
import time
from datetime import UTC, datetime, timedelta

import pytest
import trustme

from probes.registry import PROBES


def verdict(result):
    return result.outcome, result.error_class


@pytest.fixture(scope="module")
def authority():
    return trustme.CA(key_type=trustme.KeyType.ECDSA)


@pytest.fixture
def ca_file(authority, tmp_path):
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    return str(tmp_path / "ca.pem")


@pytest.fixture
def secure(authority):
    """`secure(connection, name, days)` is the server's side of a handshake."""
    wrapped = []

    def wrap(connection, name="127.0.0.1", days=90):
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        ends = datetime.now(UTC) + timedelta(days=days)
        authority.issue_cert(name, key_type=trustme.KeyType.ECDSA, not_after=ends).configure_cert(context)
        wrapped.append(context.wrap_socket(connection, server_side=True))
        return wrapped[-1]

    yield wrap
    for each in wrapped:
        each.close()


def at(server):
    return f"127.0.0.1:{server.port}"


# --- redis ---


class Redis:
    """What a Redis server says to AUTH and PING. `user` and `password` are needed when set."""

    def __init__(self, password=None, user="default", says=None):
        self.password, self.user, self.says = password, user, says

    def __call__(self, connection):
        if self.says is not None:
            connection.recv(999)
            connection.sendall(self.says)
            connection.recv(999)
            return
        reader = connection.makefile("rb")
        known = self.password is None
        while (line := reader.readline())[:1] == b"*":
            words = []
            for _ in range(int(line[1:])):
                size = int(reader.readline()[1:])
                words.append(reader.read(size + 2)[:-2].decode())
            if words[0] == "AUTH":
                known = [self.user, self.password] == (words[1:] if len(words) == 3 else ["default", *words[1:]])
                connection.sendall(b"+OK\r\n" if known else b"-WRONGPASS invalid username-password pair\r\n")
            elif words[0] == "PING":
                connection.sendall(b"+PONG\r\n" if known else b"-NOAUTH Authentication required.\r\n")


@pytest.mark.parametrize(
    ("server", "options", "expected"),
    [
        (Redis(), {}, ("up", None)),
        (Redis("s3cret pass\r\n"), {"password": "s3cret pass\r\n"}, ("up", None)),
        (Redis("s3cret", "probe"), {"user": "probe", "password": "s3cret"}, ("up", None)),
        (Redis("s3cret"), {}, ("unknown", "auth")),
        (Redis("s3cret"), {"password": "wrong"}, ("unknown", "auth")),
        (Redis(says=b"-LOADING Redis is loading the dataset in memory\r\n"), {}, ("down", "overloaded")),
        (Redis(says=b"-ERR max number of clients reached\r\n"), {}, ("down", "overloaded")),
        (Redis(says=b"-DENIED Redis is running in protected mode\r\n"), {}, ("unknown", "auth")),
        (Redis(says=b"-MISCONF Errors writing to disk\r\n"), {}, ("down", "assertion")),
        (Redis(says=b"HTTP/1.1 400 Bad Request\r\n"), {}, ("down", "protocol")),
        (Redis(says=b"+OK\r\n"), {}, ("down", "protocol")),
        (Redis(says=b"x" * 5000), {}, ("down", "protocol")),
        (Redis(says=b"+PON"), {}, ("down", "timeout")),
        (lambda _: None, {}, ("down", "reset")),
        (lambda _: time.sleep(3), {}, ("down", "timeout")),
    ],
)
def test_what_redis_says_is_what_we_say(serve, probe, server, options, expected):
    began = time.monotonic()

    result = probe("redis", at(serve(server)), options, timeout_s=0.5)

    assert verdict(result) == expected, result.message
    assert time.monotonic() - began < 2.8


def test_redis_in_tls_is_held_to_its_certificate(serve, probe, secure, ca_file):
    good = serve(lambda connection: Redis("s3cret")(secure(connection)))
    bad = serve(lambda connection: Redis("s3cret")(secure(connection, "other.test")))
    plain = serve(Redis(says=b"-ERR unknown command\r\n"))
    options = {"tls": True, "ca_file": ca_file, "password": "s3cret"}

    assert verdict(probe("redis", at(good), options)) == ("up", None)
    assert verdict(probe("redis", at(bad), options)) == ("down", "certificate")
    assert verdict(probe("redis", at(plain), options)) == ("down", "tls")


def test_a_slow_redis_is_degraded(serve, probe):
    def slow(connection):
        time.sleep(0.15)
        Redis()(connection)

    assert verdict(probe("redis", at(serve(slow)), {"degraded_above": "100ms"})) == ("degraded", "slow")


# --- smtp ---


class Smtp:
    """A mail server as far as EHLO and STARTTLS. `sends` replaces single answers; `name` and `days` its certificate."""

    def __init__(self, *, implicit=False, offers=True, after=b"", name="127.0.0.1", days=90, **sends):
        self.implicit, self.offers, self.after, self.name, self.days, self.sends = (
            implicit,
            offers,
            after,
            name,
            days,
            sends,
        )
        self.secure = None
        self.heard = []

    def __call__(self, connection):
        safe = self.implicit
        if safe:
            connection = self.secure(connection, self.name, self.days)
        connection.sendall(self.sends.get("greeting", b"220-mail.test\r\n220 ready\r\n"))
        reader = connection.makefile("rb")
        while line := reader.readline().strip().upper():
            self.heard.append((line, safe))
            if line.startswith(b"EHLO"):
                offer = b"250-STARTTLS\r\n" if self.offers and not safe else b""
                connection.sendall(self.sends.get("ehlo", b"250-mail.test\r\n" + offer + b"250 SIZE 1000\r\n"))
            elif line == b"STARTTLS":
                connection.sendall(self.sends.get("starttls", b"220 go ahead\r\n") + self.after)
                if not self.after and "starttls" not in self.sends:
                    connection = self.secure(connection, self.name, self.days)
                    reader, safe = connection.makefile("rb"), True


@pytest.fixture
def mail(serve, secure):
    def start(server):
        server.secure = secure
        return at(serve(server))

    return start


def test_a_mail_server_is_up_and_hears_no_mail(mail, probe, ca_file):
    server = Smtp()

    result = probe("smtp", mail(server), {"ca_file": ca_file, "helo": "probe.wallet.test"})

    assert verdict(result) == ("up", None), result.message
    assert server.heard[:3] == [
        (b"EHLO PROBE.WALLET.TEST", False),
        (b"STARTTLS", False),
        (b"EHLO PROBE.WALLET.TEST", True),
    ]
    assert 85 < result.evidence["certificate_days"] < 91
    assert {"connect", "tls", "first_byte"} <= set(result.phases)


@pytest.mark.parametrize(
    ("server", "options", "expected"),
    [
        (Smtp(implicit=True), {"tls": "implicit"}, ("up", None)),
        (Smtp(offers=False), {"tls": "none"}, ("up", None)),
        (Smtp(days=5), {}, ("degraded", "certificate")),
        (Smtp(days=5), {"certificate_days": 3}, ("up", None)),
        (Smtp(offers=False), {}, ("down", "tls")),
        (Smtp(name="other.test"), {}, ("down", "certificate")),
        (Smtp(days=-1), {}, ("down", "certificate")),
        (Smtp(after=b"250 injected\r\n"), {}, ("down", "protocol")),
        (Smtp(starttls=b"454 TLS not available\r\n"), {}, ("down", "overloaded")),
        (Smtp(greeting=b"554 no service\r\n"), {}, ("down", "assertion")),
        (Smtp(greeting=b"421 too busy\r\n"), {}, ("down", "overloaded")),
        (Smtp(greeting=b"HTTP/1.1 200 OK\r\n\r\n"), {}, ("down", "protocol")),
        (Smtp(greeting=b"220-again\r\n" * 99), {}, ("down", "protocol")),
        (Smtp(greeting=b"220 " + b"x" * 9999), {}, ("down", "protocol")),
        (Smtp(ehlo=b"502 what?\r\n"), {}, ("down", "assertion")),
        (Smtp(greeting=b"220-wait"), {}, ("down", "timeout")),
        (Smtp(greeting=b""), {}, ("down", "timeout")),
    ],
)
def test_what_a_mail_server_says_is_what_we_say(mail, probe, ca_file, server, options, expected):
    began = time.monotonic()

    result = probe("smtp", mail(server), {"ca_file": ca_file, **options}, timeout_s=0.6)

    assert verdict(result) == expected, result.message
    assert time.monotonic() - began < 2.8


@pytest.mark.parametrize("kind", ["redis", "smtp", "postgres"])
def test_the_address_goes_through_the_guard(serve, probe, kind):
    canary = serve(lambda _: None)

    assert verdict(probe(kind, at(canary), networks=())) == ("unknown", "blocked")
    assert canary.connections == 0


@pytest.mark.parametrize(
    ("kind", "target", "options", "path"),
    [
        ("redis", "a b", {}, ("address",)),
        ("redis", "a:99999", {}, ("address",)),
        ("redis", "a", {"user": "x"}, ("user",)),
        ("redis", "a", {"tls": "yes"}, ("tls",)),
        ("smtp", "a", {"helo": "a\r\nMAIL"}, ("helo",)),
        ("smtp", "a", {"tls": True}, ("tls",)),
        ("smtp", "http://a", {}, ("address",)),
        ("postgres", "a", {"user": "x\0y"}, ("user",)),
        ("postgres", "a", {"tls": "prefer"}, ("tls",)),
        ("postgres", "a:b", {}, ("address",)),
    ],
)
def test_what_is_wrong_is_said_with_its_place(kind, target, options, path):
    assert [found for found, _ in PROBES[kind].validate(target, options)] == [path]

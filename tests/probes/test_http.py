"""The HTTP probe against servers that are good, bad, slow and lying."""

from __future__ import annotations

import asyncio
import gzip
import json
import socket
import ssl
import time
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from probes import expect, http
from probes.registry import PROBES
from probes.run import Run
from probes.secrets_at_use import Vault
from probes.spec import ProbeSpec
from probes.transfer import Client

LOCAL = ("127.0.0.0/8", "::1/128")


def probe(target, options=None, *, kind="http", timeout_s=2.0, networks=LOCAL, nameservers=(), detail=False):
    """One run, as the engine makes it."""
    spec = ProbeSpec("m", kind, target, options or {}, timeout_s=timeout_s, allow_networks=networks)

    async def run():
        client = Client(nameservers)
        place = Run(spec, client, detail=detail)
        place.begin(time.time_ns() // 1_000_000, 0.0)
        try:
            return await PROBES[kind].load().check(spec, place)
        except Exception as error:  # noqa: BLE001 - as the engine does
            return place.failure(error)
        finally:
            await client.close()

    return asyncio.run(run())


def test_a_good_answer_is_up_with_phases_and_the_dialled_address(serve, answer):
    server = serve(answer(b'{"status":"ok"}'))

    result = probe(server.url, {"expect": {"status": [200], "json": ["status == 'ok'"]}})

    assert (result.outcome, result.error_class, result.message) == ("up", None, "")
    assert result.evidence == {"dialled": "127.0.0.1", "status": 200}
    assert {"connect", "first_byte", "total"} <= set(result.phases)
    assert b"Accept-Encoding: identity\r\n" in server.requests[0]


@pytest.mark.parametrize(
    ("expect", "error_class", "said"),
    [
        ({"status": [201, "3xx"]}, "status", "found 200"),
        ({"header": {"X-Version": "7"}}, "assertion", "found 6.1"),
        ({"header": {"X-Missing": "7"}}, "assertion", "not sent"),
        ({"body_contains": ["queue", "absent"]}, "assertion", "absent"),
        ({"body_matches": r"queue_depth.:\d{4}"}, "assertion", "body matches"),
        ({"json": ["status == 'ok'", "queue_depth < `500`"]}, "assertion", "queue_depth < `500`: found false"),
        ({"json": ["nothing.here == 'ok'"]}, "assertion", "found false"),
        ({"json": ["nothing < `5`"]}, "assertion", "null"),
        ({"json": ["status"]}, "assertion", "found ok"),
        ({"json": ["nope(status)"]}, "assertion", "nope"),
    ],
)
def test_an_answer_that_is_not_as_expected_is_down_and_says_why(serve, answer, expect, error_class, said):
    server = serve(answer(b'{"status":"ok","queue_depth":777}', "200 OK", "X-Version: 6.1"))

    result = probe(server.url, {"expect": expect})

    assert (result.outcome, result.error_class) == ("down", error_class)
    assert said in result.message
    assert result.evidence["response"][0] == "HTTP/1.1 200 OK"


@pytest.mark.parametrize(
    "expect",
    [
        {"status": ["2xx"], "header": {"content-type": "json"}},
        {"body_contains": "depth", "body_matches": ["depth.:7+", "^.{5,50}$"]},
        {"json": ["queue_depth >= `777`", "hex(head) == `31`", "length(list) == `2`"]},
    ],
)
def test_every_kind_of_expectation_can_be_met(serve, answer, expect):
    body = b'{"queue_depth":777,"head":"0x1f","list":[1,2]}'
    server = serve(answer(body, "200 OK", "Content-Type: application/json"))

    result = probe(server.url, {"expect": expect}, detail=True)

    assert result.outcome == "up", result.message
    assert all(each["ok"] for each in result.evidence["assertions"])


@pytest.mark.parametrize("body", [b"<html>", b"", b'{"a":', b"[" * 60_000])
def test_a_body_that_is_no_json_is_a_bad_body(serve, answer, body):
    server = serve(answer(body))

    result = probe(server.url, {"expect": {"json": ["a"]}})

    assert (result.outcome, result.error_class) == ("down", "bad_body")


def test_method_headers_and_json_body_are_sent(serve, answer):
    server = serve(answer())

    result = probe(server.url, {"method": "PUT", "json": {"dry_run": True}, "headers": {"X-A": "b"}})

    assert result.outcome == "up"
    head, _, body = server.requests[0].partition(b"\r\n\r\n")
    assert head.startswith(b"PUT / HTTP/1.1\r\n")
    assert {b"X-A: b", b"Content-Type: application/json"} <= set(head.split(b"\r\n"))
    assert json.loads(body) == {"dry_run": True}


def test_a_body_makes_it_a_post_and_head_asks_for_no_body(serve, answer):
    server = serve(answer())

    assert probe(server.url, {"body": "x=1"}).outcome == "up"
    assert probe(server.url, {"method": "HEAD"}).outcome == "up"

    assert [request.split(b" ")[0] for request in server.requests] == [b"POST", b"HEAD"]


def test_a_slow_answer_is_degraded(serve, answer):
    def late(connection):
        connection.recv(65536)
        time.sleep(0.2)
        connection.sendall(answer())

    result = probe(serve(late).url, {"degraded_above": "100ms"})

    assert (result.outcome, result.error_class) == ("degraded", "slow")


@pytest.mark.parametrize("status", ["301 x", "302 x", "303 x", "307 x", "308 x"])
@pytest.mark.parametrize("follow", [0, 5])
@pytest.mark.parametrize(
    "to",
    [
        "http://[::ffff:127.0.0.1]:{port}/",
        "http://127.1:{port}/",
        "http://2130706433:{port}/",
        "file:///etc/passwd",
        "gopher://127.0.0.1:{port}/",
        "//localhost:{port}/",
    ],
)
def test_no_redirect_reaches_an_address_inside(serve, answer, status, follow, to):
    canary = serve(answer(b"SECRET"))
    server = serve(answer(b"", status, "Location: " + to.format(port=canary.port)), host="127.0.0.2")

    result = probe(server.url, {"follow_redirects": follow}, networks=("127.0.0.2/32",))

    assert result.outcome != "up"
    assert result.error_class == ("blocked" if follow else "redirect")
    assert canary.connections == 0


def test_a_redirect_is_followed_where_asked_for_and_credentials_stay(serve, answer):
    goal = serve(answer(b"goal"))
    server = serve(answer(b"", "302 Found", f"Location: {goal.url}"))

    result = probe(
        server.url,
        {"follow_redirects": 1, "headers": {"Authorization": "Bearer tok"}, "expect": {"body_contains": "goal"}},
    )

    assert result.outcome == "up"
    assert b"Bearer tok" in server.requests[0]
    assert b"Bearer" not in goal.requests[0]


def test_redirects_in_a_circle_end(serve, answer):
    server = serve(answer(b"", "302 Found", "Location: /again"))

    result = probe(server.url, {"follow_redirects": 10})

    assert (result.outcome, result.error_class) == ("down", "redirect")
    assert server.connections == 11


def test_a_proxy_in_the_environment_is_not_used(serve, answer, monkeypatch):
    proxy = serve(answer(b"proxy"))
    server = serve(answer(b"direct"))
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, proxy.url)

    result = probe(server.url, {"expect": {"body_contains": "direct"}})

    assert result.outcome == "up"
    assert proxy.connections == 0


def test_nothing_listening_is_refused():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

    result = probe(f"http://127.0.0.1:{port}/")

    assert (result.outcome, result.error_class) == ("down", "refused")


@pytest.mark.parametrize(
    "host", ["2130706433", "127.1", "0x7f000001", "0", "localhost", "[::1]", "[::ffff:7f00:1]", "127.0.0.1", "0x0"]
)
def test_no_spelling_of_loopback_is_dialled_without_leave(serve, answer, host):
    canary = serve(answer())

    result = probe(f"http://{host}:{canary.port}/", networks=())

    assert (result.outcome, result.error_class) == ("unknown", "blocked")
    assert canary.connections == 0


def test_a_socket_is_judged_even_when_the_name_was_not(serve, answer, monkeypatch):
    canary = serve(answer())
    monkeypatch.setattr("probes.guard.judge", lambda addresses, _host, _policy: addresses)

    result = probe(canary.url, networks=())

    assert (result.outcome, result.error_class) == ("unknown", "blocked")
    assert canary.connections == 0


def test_a_rebinding_name_is_dialled_at_its_first_answer_with_one_lookup(serve, answer, name_server):
    server = serve(answer(), host="127.0.0.2")
    name_server.turns["rebind.test", "A"] = [["127.0.0.2"], ["10.0.0.1"]]

    result = probe(f"http://rebind.test:{server.port}/", networks=("127.0.0.2/32",), nameservers=(name_server.address,))

    assert result.outcome == "up", result.message
    assert result.evidence["dialled"] == "127.0.0.2"
    assert name_server.asked.count(("rebind.test", "A")) == 1


@pytest.mark.parametrize(
    "records",
    [
        {("m.test", "A"): ["127.0.0.2", "127.0.0.3"]},
        {("m.test", "CNAME"): ["in.test."], ("in.test", "A"): ["127.0.0.3"]},
    ],
)
def test_mixed_answers_and_aliases_to_the_inside_are_refused(serve, answer, name_server, records):
    canary = serve(answer(), host="127.0.0.3")
    name_server.records |= records

    result = probe(f"http://m.test:{canary.port}/", networks=("127.0.0.2/32",), nameservers=(name_server.address,))

    assert (result.outcome, result.error_class) == ("unknown", "blocked")
    assert canary.connections == 0


def test_one_refused_answer_refuses_a_name_whose_other_address_would_do(serve, answer, name_server):
    canary = serve(answer(), host="127.0.0.3")
    name_server.records["m.test", "A"] = ["127.0.0.2", "127.0.0.3"]

    with socket.create_server(("127.0.0.2", canary.port)) as good:
        good.settimeout(0)
        result = probe(f"http://m.test:{canary.port}/", networks=("127.0.0.2/32",), nameservers=(name_server.address,))

        assert (result.outcome, result.error_class) == ("unknown", "blocked")
        with pytest.raises(BlockingIOError):
            good.accept()
    assert canary.connections == 0


def test_a_second_address_is_tried_when_the_first_is_dead(serve, answer, name_server):
    server = serve(answer(), host="127.0.0.2")
    name_server.records["two.test", "A"] = ["127.0.0.2", "127.0.0.4"]

    results = [probe(f"http://two.test:{server.port}/", nameservers=(name_server.address,)) for _ in range(4)]

    assert [result.outcome for result in results] == ["up"] * 4


@pytest.mark.parametrize(
    ("name", "said"), [("nowhere.test", "does not exist"), ("broken.test", "refused"), ("silent.test", "in time")]
)
def test_names_that_lead_nowhere_are_down_with_dns(name_server, name, said):
    name_server.broken.add("broken.test")
    name_server.silent.add("silent.test")
    began = time.monotonic()

    result = probe(f"http://{name}/", timeout_s=1.0, nameservers=(name_server.address,))

    assert (result.outcome, result.error_class) == ("down", "dns")
    assert said in result.message
    assert time.monotonic() - began < 4


# --- hostile servers ---


def _drip(connection, first, piece):
    connection.recv(65536)
    connection.sendall(first)
    while True:
        connection.sendall(piece)
        time.sleep(0.1)


def _endless(connection):
    connection.recv(65536)
    connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while True:
        connection.sendall(b"4000\r\n" + b"x" * 0x4000 + b"\r\n")


BOMB = gzip.compress(bytes(64 << 20))


def _bomb(connection):
    connection.recv(65536)
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(BOMB) + BOMB)


def _half(connection):
    connection.recv(65536)
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")


def _junk(connection):
    connection.recv(65536)
    connection.sendall(b"\x00\x16\x03 SSH-2.0 what\r\n\r\n" * 20)


def _redirect(connection):
    connection.recv(65536)
    connection.sendall(b"HTTP/1.1 302 Found\r\nLocation: http://[::ffff:127.0.0.1]:1/\r\nContent-Length: 0\r\n\r\n")


def _big_head(connection):
    connection.recv(65536)
    connection.sendall(b"HTTP/1.1 200 OK\r\n")
    while True:
        connection.sendall(b"X-More: " + b"y" * 4000 + b"\r\n")


def _mute(connection):
    connection.recv(65536)
    time.sleep(20)


HOSTILE = {
    "dripped headers": (lambda c: _drip(c, b"HTTP/1.1 200 OK\r\n", b"X: y\r\n"), {}, "timeout"),
    "dripped body": (lambda c: _drip(c, b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n", b"x"), {}, "timeout"),
    "endless body": (_endless, {"expect": {"json": ["a"]}}, "body_cap"),
    "gzip bomb": (_bomb, {"expect": {"json": ["a"]}}, "bad_body"),
    "half body": (_half, {}, "reset"),
    "junk": (_junk, {}, "protocol"),
    "redirect inside": (_redirect, {}, "redirect"),
    "endless header": (_big_head, {}, "protocol"),
    "no answer": (_mute, {}, "timeout"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_server_ends_within_the_deadline_and_is_named_right(serve, name):
    behave, options, error_class = HOSTILE[name]
    server = serve(behave)
    began = time.monotonic()

    result = probe(server.url, options, timeout_s=1.0)

    assert time.monotonic() - began < 4
    assert result.outcome == "down"
    assert result.error_class == error_class or (name == "gzip bomb" and result.error_class == "body_cap")


def test_an_endless_body_costs_no_more_than_its_cap_and_its_status_counts(serve):
    server = serve(_endless)

    result = probe(server.url)

    assert result.outcome == "up"
    assert result.evidence["body_cut_at"] == 64 * 1024


def test_text_found_before_the_cap_is_enough(serve):
    server = serve(_endless)

    assert probe(server.url, {"expect": {"body_contains": "xxx"}}).outcome == "up"
    assert probe(server.url, {"expect": {"body_contains": "zzz"}}).error_class == "body_cap"


def test_a_pattern_that_explodes_elsewhere_is_linear_here(serve, answer):
    server = serve(answer(b"a" * 60_000 + b"!"))
    began = time.monotonic()

    result = probe(server.url, {"expect": {"body_matches": "^(a+)+$"}})

    assert result.error_class == "assertion"
    assert time.monotonic() - began < 2.8


# --- certificates ---


@pytest.fixture(scope="session")
def authority():
    return trustme.CA(key_type=trustme.KeyType.ECDSA)


@pytest.fixture
def tls(serve, authority, answer, tmp_path):
    """`tls(names, ...)` starts a TLS server and returns it with the file of its authority."""
    ca_file = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(ca_file)

    def start(*names, issuer=authority, days=None):
        extra = {} if days is None else {"not_after": _in_days(days)}
        leaf = issuer.issue_cert(*names, key_type=trustme.KeyType.ECDSA, **extra)
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        leaf.configure_cert(context)

        def behave(connection):
            with context.wrap_socket(connection, server_side=True) as secure:
                secure.recv(65536)
                secure.sendall(answer(b"secure"))

        server = serve(behave)
        return server, str(ca_file)

    return start


class SelfSigned:
    """Issues certificates that vouch for themselves."""

    @staticmethod
    def issue_cert(name, key_type):
        del key_type
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        names = x509.SubjectAlternativeName([x509.IPAddress(ip_address(name))])
        builder = x509.CertificateBuilder(subject, subject, key.public_key(), 7, _in_days(-1), _in_days(30), [])
        made = builder.add_extension(names, critical=False).sign(key, hashes.SHA256())
        pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        return trustme.LeafCert(pem, made.public_bytes(serialization.Encoding.PEM), [])


def _in_days(days):
    return datetime.now(UTC) + timedelta(days=days)


def https(server):
    return f"https://127.0.0.1:{server.port}/"


def test_a_valid_certificate_is_up_and_its_days_are_read(tls):
    server, ca_file = tls("127.0.0.1", days=40)

    result = probe(https(server), {"ca_file": ca_file, "expect": {"certificate_days": 14, "body_contains": "secure"}})

    assert result.outcome == "up", result.message
    assert 38 < result.evidence["certificate_days"] < 41
    assert "tls" in result.phases


def test_a_certificate_that_ends_soon_is_degraded(tls):
    server, ca_file = tls("127.0.0.1", days=5)

    result = probe(https(server), {"ca_file": ca_file, "expect": {"certificate_days": 14}})

    assert (result.outcome, result.error_class) == ("degraded", "certificate")


def test_the_days_of_a_chain_are_remembered_while_they_are_many_and_read_while_they_are_few():
    plan = http.make_plan(ProbeSpec("m", "http", "https://x.test/", {"expect": {"certificate_days": 14}}))
    first = plan.choose()
    plan.chain_read, plan.chain_ends = time.monotonic(), time.time() + 90 * 86400
    later = plan.choose()
    plan.chain_ends = time.time() + 14.5 * 86400
    soon = plan.choose()
    plan.chain_ends, plan.chain_read = time.time() + 90 * 86400, time.monotonic() - 601
    old = plan.choose()

    assert [each.certificates for each in (first, later, soon, old)] == [True, False, True, True]


@pytest.mark.parametrize("case", ["expired", "wrong host", "unknown authority", "self-signed"])
@pytest.mark.parametrize("kind", ["http", "tls"])
def test_a_bad_certificate_is_down(tls, case, kind):
    other = trustme.CA(key_type=trustme.KeyType.ECDSA)
    arguments = {
        "expired": (("127.0.0.1",), {"days": -1}),
        "wrong host": (("other.test",), {}),
        "unknown authority": (("127.0.0.1",), {"issuer": other}),
        "self-signed": (("127.0.0.1",), {"issuer": SelfSigned}),
    }
    names, extra = arguments[case]
    server, ca_file = tls(*names, **extra)

    result = probe(https(server) if kind == "http" else f"127.0.0.1:{server.port}", {"ca_file": ca_file}, kind=kind)

    assert (result.outcome, result.error_class) == ("down", "certificate"), result.message


def test_http_spoken_to_a_tls_probe_and_tls_refused_are_tls_failures(serve):
    server = serve(lambda connection: connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n"))

    result = probe(https(server))

    assert (result.outcome, result.error_class) == ("down", "tls")


# --- secrets ---


def test_secrets_are_resolved_at_use_and_never_shown(serve, monkeypatch, tmp_path):
    monkeypatch.setenv("PROBE_TOKEN", "s3cr3t-token")
    (tmp_path / "key").write_text("file-secret\n")

    def echo(connection):
        data = connection.recv(65536)
        connection.sendall(
            b"HTTP/1.1 500 Oops\r\nX-Echo: s3cr3t-token\r\nContent-Length: %d\r\n\r\n" % len(data) + data
        )

    seen = []

    def remember(connection):
        seen.append(connection.recv(65536, socket.MSG_PEEK))
        echo(connection)

    server = serve(remember)
    options = {"headers": {"Authorization": "Bearer ${env:PROBE_TOKEN}", "X-Key": f"${{file:{tmp_path}/key}}"}}

    result = probe(server.url, options)

    assert b"Bearer s3cr3t-token" in seen[0]
    assert b"X-Key: file-secret\r\n" in seen[0]
    shown = json.dumps(result.to_json())
    assert "s3cr3t" not in shown
    assert "file-secret" not in shown
    assert "***" in shown


def test_an_address_that_is_a_secret_is_not_shown(serve, answer, monkeypatch):
    server = serve(answer(b"", "500 x"))
    monkeypatch.setenv("ETH_RPC", f"{server.url}v3/0123456789abcdef?key=zyxwvut")

    result = probe("${env:ETH_RPC}")

    shown = json.dumps(result.to_json())
    assert result.error_class == "status"
    assert b"GET /v3/0123456789abcdef?key=zyxwvut " in server.requests[0]
    assert "0123456789abcdef" not in shown
    assert "zyxwvut" not in shown


def test_a_missing_secret_is_unknown_and_says_which(serve, answer):
    result = probe(serve(answer()).url, {"headers": {"A": "${env:NOT_THERE_AT_ALL}"}})

    assert (result.outcome, result.error_class) == ("unknown", "client_error")
    assert "NOT_THERE_AT_ALL" in result.message


def test_a_secret_with_a_line_break_cannot_smuggle_a_header(serve, answer, monkeypatch):
    server = serve(answer())
    monkeypatch.setenv("EVIL", "x\r\nX-Injected: 1")

    result = probe(server.url, {"headers": {"A": "${env:EVIL}"}})

    assert (result.outcome, result.error_class) == ("unknown", "client_error")
    assert server.connections == 0


def test_masking_covers_forms_a_server_may_send_back(monkeypatch):
    monkeypatch.setenv("S", 'a/b"c d')
    vault = Vault()
    vault.resolve("${env:S}")

    assert vault.mask('a/b"c d a%2Fb%22c%20d a/b\\"c d') == "*** *** ***"


# --- validation ---


@pytest.mark.parametrize(
    ("value", "path"),
    [
        ({"url": "ftp://x/"}, ("url",)),
        ({"url": "https://x/", "metod": "GET"}, ("metod",)),
        ({"url": "https://x/", "method": "get"}, ("method",)),
        ({"url": "https://x/", "expect": {"status": [200, 99]}}, ("expect", "status", 1)),
        ({"url": "https://x/", "expect": {"json": ["a ==="]}}, ("expect", "json", 0)),
        ({"url": "https://x/", "expect": {"body_matches": "(?=x)"}}, ("expect", "body_matches")),
        ({"url": "https://x/", "expect": {"body_matches": ["x" * 600]}}, ("expect", "body_matches", 0)),
        ({"url": "https://x/", "expect": {"nope": 1}}, ("expect", "nope")),
        ({"url": "https://x/", "degraded_above": "800"}, ("degraded_above",)),
        ({"url": "https://x/", "headers": {"A": "b\nC: d"}}, ("headers", "A")),
        ({"url": "https://x/", "headers": {"A": 1}}, ("headers", "A")),
        ({"url": "https://x/", "body": "a", "json": {}}, ("json",)),
        ({"url": "https://user:pw@x/"}, ("url",)),
    ],
)
def test_a_mistake_is_found_where_it_stands(value, path):
    target, options = http.normalise(value)

    problems = http.validate(target, options)

    assert [where for where, _ in problems] == [path]


def test_all_mistakes_are_found_at_once_and_the_example_has_none():
    target, options = http.normalise("https://api.wallet.example/login/health")
    bad = http.validate("nowhere", {"method": "X", "follow_redirects": 99, "expect": {"status": "abc"}})
    good = {
        "headers": {"Authorization": "Bearer ${env:PROBE_TOKEN}"},
        "expect": {
            "status": [200],
            "json": ["status == 'ok'", "queue_depth < `500`"],
            "body_matches": '"version":"\\d+\\.\\d+',
            "certificate_days": 14,
        },
        "degraded_above": "800ms",
    }

    assert len(bad) == 4
    assert (target, options) == ("https://api.wallet.example/login/health", {})
    assert http.validate("https://api.wallet.example/transfers/health", good) == []
    assert http.validate("${env:ANYTHING}", {}) == []


def test_patterns_that_are_too_much_together_are_asked_one_by_one(serve, answer):
    server = serve(answer(b"x" * 40 + b"a" + b"x" * 40 + b"b" + b"x" * 40 + b"c"))
    greedy = [rf"\pL{{40}}{letter}" for letter in "abc"]

    fits = probe(server.url, {"expect": {"body_matches": greedy}})
    misses = probe(server.url, {"expect": {"body_matches": [*greedy, "k{3}"]}})

    assert expect.compile_expectation({"body_matches": greedy}).patterns_together is None
    assert (fits.outcome, misses.outcome, misses.message[:20]) == ("up", "down", "body matches 'k{3}':")

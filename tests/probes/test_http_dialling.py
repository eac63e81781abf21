"""How the HTTP probe signs in, and which address it dials."""

from __future__ import annotations

import asyncio
import base64
import ssl
import time

import pytest
import trustme

from probes.registry import PROBES
from probes.run import Run
from probes.spec import ProbeSpec
from probes.transfer import Client

LOCAL = ("127.0.0.0/8", "::1/128")


@pytest.fixture
def guarded(serve, answer):
    """A server that lets `Authorization: <expected>` in and shows others what they sent."""

    def start(expected, host="127.0.0.1"):
        def behave(connection):
            request = connection.recv(65536)
            server.requests.append(request)
            sent = next((line for line in request.split(b"\r\n") if line.startswith(b"Authorization:")), b"nothing")
            good = sent == f"Authorization: {expected}".encode()
            connection.sendall(answer(b"in", "200 OK") if good else answer(b"you sent " + sent, "401 Unauthorized"))

        server = serve(behave, host)
        return server

    return start


@pytest.mark.parametrize("right", [True, False])
def test_basic_sign_in(guarded, probe, monkeypatch, right):
    monkeypatch.setenv("PROBE_PASSWORD", "pä:ss" if right else "wrong-one")
    pair = base64.b64encode("probe:pä:ss".encode()).decode()

    result = probe(
        "http", guarded(f"Basic {pair}").url, {"basic": {"user": "probe", "password": "${env:PROBE_PASSWORD}"}}
    )

    assert (result.outcome, result.error_class) == (("up", None) if right else ("down", "status"))
    assert base64.b64encode(b"probe:wrong-one").decode() not in str(result.to_json())


@pytest.mark.parametrize("right", [True, False])
def test_bearer_sign_in(guarded, probe, right):
    result = probe("http", guarded("Bearer tok-123").url, {"bearer": "tok-123" if right else "tok-999"})

    assert (result.outcome, result.error_class) == (("up", None) if right else ("down", "status"))
    assert "tok-" not in str(result.to_json())


def test_credentials_do_not_follow_a_redirect_to_another_host(guarded, serve, answer, probe):
    other = guarded("nobody")
    server = serve(answer(b"", "302 Found", f"Location: {other.url}"), "127.0.0.2")

    result = probe("http", server.url, {"bearer": "tok-123", "follow_redirects": 2})

    assert result.error_class == "status"
    assert b"tok-123" in server.requests[0]
    assert b"tok-123" not in other.requests[0]


@pytest.mark.parametrize(("version", "host"), [(4, "127.0.0.1"), (6, "::1")])
def test_an_ip_version_dials_its_family_only(serve, answer, probe, name_server, version, host):
    name_server.records = {("two.test", "A"): ["127.0.0.1"], ("two.test", "AAAA"): ["::1"]}
    server = serve(answer(), host)

    result = probe(
        "http", f"http://two.test:{server.port}/", {"ip_version": version}, nameservers=(name_server.address,)
    )

    assert (result.outcome, result.evidence["dialled"]) == ("up", host)


def test_a_name_without_an_address_of_the_family_is_down(serve, answer, probe, name_server):
    name_server.records = {("one.test", "A"): ["127.0.0.1"]}
    server = serve(answer())

    result = probe("http", f"http://one.test:{server.port}/", {"ip_version": 6}, nameservers=(name_server.address,))

    assert (result.outcome, result.error_class) == ("down", "dns")
    assert "no IPv6 address" in result.message
    assert server.connections == 0


def test_a_resolve_override_is_dialled_and_the_name_stays(serve, answer, probe, name_server):
    server = serve(answer(), "127.0.0.3")

    result = probe(
        "http", f"http://wallet.test:{server.port}/", {"resolve": "127.0.0.3"}, nameservers=(name_server.address,)
    )

    assert (result.outcome, result.evidence["dialled"]) == ("up", "127.0.0.3")
    assert f"Host: wallet.test:{server.port}".encode() in server.requests[0]
    assert name_server.asked == []


def test_a_resolve_override_is_held_to_the_names_certificate(serve, answer, probe, tmp_path):
    authority = trustme.CA(key_type=trustme.KeyType.ECDSA)
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("wallet.test", key_type=trustme.KeyType.ECDSA).configure_cert(context)

    def behave(connection):
        with context.wrap_socket(connection, server_side=True) as secure:
            secure.recv(65536)
            secure.sendall(answer())

    port = serve(behave).port
    options = {"resolve": "127.0.0.1", "ca_file": str(tmp_path / "ca.pem")}

    assert probe("http", f"https://wallet.test:{port}/", options).outcome == "up"
    assert probe("http", f"https://other.test:{port}/", options).error_class == "certificate"


@pytest.mark.parametrize("address", ["127.0.0.2", "169.254.169.254", "::ffff:127.0.0.2", "10.0.0.1"])
def test_a_resolve_override_goes_through_the_guard(serve, answer, probe, address):
    canary = serve(answer(), "127.0.0.2")

    result = probe("http", f"http://wallet.test:{canary.port}/", {"resolve": address}, networks=("127.0.0.1/32",))

    assert (result.outcome, result.error_class) == ("unknown", "blocked")
    assert canary.connections == 0


def test_two_overrides_of_one_name_at_once_each_reach_their_own(serve, answer):
    servers = {"127.0.0.2": serve(answer(b"two"), "127.0.0.2")}
    port = servers["127.0.0.2"].port
    specs = [
        ProbeSpec("m", "http", f"http://wallet.test:{port}/", {"resolve": address}, timeout_s=2.0, allow_networks=LOCAL)
        for address in ("127.0.0.2", "127.0.0.4") * 20
    ]

    async def go():
        client = Client()

        async def one(spec):
            run = Run(spec, client)
            run.begin(time.time_ns() // 1_000_000, 0.0)
            try:
                return await PROBES["http"].load().check(spec, run)
            except Exception as error:  # noqa: BLE001 - as the engine does
                return run.failure(error)

        try:
            return await asyncio.gather(*map(one, specs))
        finally:
            await client.close()

    results = asyncio.run(go())

    assert [result.evidence["dialled"] for result in results] == [spec.options["resolve"] for spec in specs]
    assert {result.outcome for result in results[::2]} == {"up"}
    assert {result.error_class for result in results[1::2]} == {"refused"}


@pytest.mark.parametrize(
    ("url", "options", "path", "said"),
    [
        ("https://a.b", {"basic": {"user": "a"}}, ("basic",), "password is missing"),
        ("https://a.b", {"basic": {"user": "a:b", "password": "c"}}, ("basic", "user"), "colon"),
        ("https://a.b", {"basic": "a:b"}, ("basic",), "must be a mapping"),
        ("https://a.b", {"basic": {"user": "a", "password": "b"}, "bearer": "c"}, ("bearer",), "one way"),
        ("https://a.b", {"bearer": "c", "headers": {"authorization": "x"}}, ("bearer",), "one way"),
        ("https://a.b", {"ip_version": 5}, ("ip_version",), "one of 4, 6"),
        ("https://a.b", {"ip_version": "4"}, ("ip_version",), "one of 4, 6"),
        ("https://a.b", {"resolve": "a.b"}, ("resolve",), "must be an IPv4"),
        ("https://a.b", {"resolve": "[::1]"}, ("resolve",), "without brackets"),
        ("https://a.b", {"resolve": "1.2.3.4", "ip_version": 6}, ("resolve",), "no IPv6 address"),
        ("https://1.1.1.1", {"resolve": "1.2.3.4"}, ("resolve",), "names an address already"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(url, options, path, said):
    problems = PROBES["http"].validate(url, options)

    assert [found for found, _ in problems] == [path]
    assert said in problems[0][1]

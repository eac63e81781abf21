"""The whole table of ways to an address inside, by every kind that dials, with a canary in every place they lead to.

The guard's own table is in test_guard.py; deliveries to visitors' addresses have theirs in tests/channels/test_safehttp.py.
Here real probes run, and the canary must hear nothing at all.
"""

from __future__ import annotations

import asyncio
import socket
import threading
import time

import pytest

from probes.guard import Policy
from probes.registry import PROBES
from probes.run import Run
from probes.spec import ProbeSpec
from probes.transfer import Client
from tests.probes.test_guard import METADATA, PARSER_TRICKS, SCHEMES, SPECIAL, SPELLINGS

EVERYTHING = ("0.0.0.0/0", "::/0")
# Where a visitor could have named the address, the networks that an operator allowed count for nothing.
POLICIES = {"operator": Policy(), "visitor": Policy(EVERYTHING, public_only=True)}
BY_URL = {
    "http": {},
    "flow": {"steps": [{"get": "{url}"}]},
    "upstream": {},
    "prometheus": {"query": "up", "down_if": "> 1"},
    "domain": {},
    "evm": {},
    "websocket": {},
}
BY_HOST = {"tcp": {}, "tls": {}, "redis": {}, "smtp": {}, "postgres": {}, "grpc": {"tls": False}}
CHAINS = ("evm", "bitcoin", "tron", "solana", "aptos", "substrate", "antelope")


class Canary:
    """Listens on every address of this machine, IPv4 and IPv6, TCP and UDP alike."""

    def __init__(self):
        self.heard = []
        self._tcp, self._udp, self.port = self._one_port()
        threading.Thread(target=self._accept, daemon=True).start()
        threading.Thread(target=self._receive, daemon=True).start()

    @staticmethod
    def _one_port():
        """A port that is free for both: another test's socket may have its number for the other protocol."""
        for _ in range(20):
            tcp = socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True, backlog=512)
            port = tcp.getsockname()[1]
            udp = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
            udp.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
            try:
                udp.bind(("::", port))
            except OSError:
                udp.close()
                tcp.close()
            else:
                return tcp, udp, port
        raise OSError("no port is free for both")

    def _accept(self):
        while True:
            try:
                connection, peer = self._tcp.accept()
            except OSError:
                return
            self.heard.append(peer)
            connection.close()

    def _receive(self):
        while True:
            try:
                self.heard.append(self._udp.recvfrom(4096)[1])
            except OSError:
                return

    def close(self):
        for each in (self._tcp, self._udp):
            each.shutdown(socket.SHUT_RDWR) if each is self._tcp else None
            each.close()


@pytest.fixture
def canary():
    found = Canary()
    yield found
    found.close()


def run_all(specs, policy=None, nameservers=()):
    async def one(client, spec):
        place = Run(spec, client)
        if policy is not None:
            place.policy = policy
        place.begin(time.time_ns() // 1_000_000, 0.0)
        try:
            return await PROBES[spec.kind].load().check(spec, place)
        except Exception as error:  # noqa: BLE001 - as the engine does
            return place.failure(error)

    async def every():
        client = Client(nameservers)
        try:
            return await asyncio.gather(*(one(client, spec) for spec in specs))
        finally:
            await client.close()

    return asyncio.run(every())


def spec_of(kind, target, options, networks=()):
    def fill(value):
        if isinstance(value, str):
            return value.replace("{url}", target)
        if isinstance(value, dict):
            return {name: fill(each) for name, each in value.items()}
        return [fill(each) for each in value] if isinstance(value, list) else value

    return ProbeSpec(f"{kind} {target}", kind, target, fill(options), timeout_s=5.0, allow_networks=networks)


def every_kind(host, port):
    """A probe of each kind that dials, aimed at `host`; no form asked before, as with a row put in by hand."""
    for kind, options in BY_URL.items():
        yield spec_of(kind, f"{'ws' if kind == 'websocket' else 'http'}://{host}:{port}/", options)
    for kind, options in BY_HOST.items():
        yield spec_of(kind, f"{host}:{port}", options)
    for family in CHAINS:
        yield spec_of("chain", family, {"family": family, "endpoints": [{"url": f"http://{host}:{port}/"}]})


def refused(result):
    """Whether a run ended at the guard: nothing was dialled, and it is our setting, not their failure."""
    if "endpoints" in result.evidence:
        return result.outcome == "unknown" and all(each["error_class"] == "blocked" for each in result.evidence["endpoints"])
    return (result.outcome, result.error_class) == ("unknown", "blocked") and not result.evidence.get("dialled")


@pytest.mark.parametrize("policy", POLICIES)
def test_no_spelling_of_loopback_reaches_the_canary_by_any_kind(canary, policy):
    specs = [each for host in SPELLINGS for each in every_kind(host, canary.port)]

    results = run_all(specs, POLICIES[policy])

    assert len(results) == len(SPELLINGS) * 20
    assert [result.monitor_id for result in results if not refused(result)] == []
    time.sleep(0.05)
    assert canary.heard == []


@pytest.mark.parametrize("policy", POLICIES)
def test_no_special_address_is_dialled_by_any_kind(canary, policy):
    hosts = [f"[{address}]" if ":" in address else address for address in SPECIAL]
    specs = [each for host in hosts for each in every_kind(host, canary.port)]

    results = run_all(specs, POLICIES[policy])

    assert [result.monitor_id for result in results if not refused(result)] == []
    assert canary.heard == []


def test_metadata_is_dialled_by_no_kind_whatever_the_operator_allows(canary):
    hosts = [f"[{address}]" if ":" in address else address for address in METADATA]
    specs = [each for host in hosts for each in every_kind(host, canary.port)]

    results = run_all(specs, Policy(EVERYTHING))

    assert [result.monitor_id for result in results if not refused(result)] == []
    assert canary.heard == []


def test_what_parsers_read_differently_and_other_schemes_end_before_a_look_up(canary, name_server):
    urls = [url.replace("127.0.0.1", f"127.0.0.1:{canary.port}") for url in PARSER_TRICKS] + PARSER_TRICKS + SCHEMES
    specs = [spec_of(kind, url, options) for url in urls for kind, options in BY_URL.items() if kind != "websocket"]

    results = run_all(specs, Policy(EVERYTHING), (name_server.address,))

    assert [result.monitor_id for result in results if not refused(result)] == []
    assert (canary.heard, name_server.asked) == ([], [])


NAMES = {
    "inside.test": {("inside.test", "A"): ["127.0.0.1"]},
    "inside6.test": {("inside6.test", "AAAA"): ["::1"]},
    "mapped.test": {("mapped.test", "AAAA"): ["::ffff:127.0.0.1"]},
    "mixed.test": {("mixed.test", "A"): ["1.1.1.1", "127.0.0.1"]},
    "half.test": {("half.test", "A"): ["1.1.1.1"], ("half.test", "AAAA"): ["::1"]},
    "alias.test": {("alias.test", "CNAME"): ["inside.test."], ("inside.test", "A"): ["127.0.0.1"]},
    "metadata.test": {("metadata.test", "A"): ["169.254.169.254"]},
}


@pytest.mark.parametrize("policy", POLICIES)
def test_no_name_leads_inside_by_any_kind(canary, name_server, policy):
    for records in NAMES.values():
        name_server.records |= records
    results = []
    for host in NAMES:  # one after the other: the test's name server has one small buffer
        results += run_all(list(every_kind(host, canary.port)), POLICIES[policy], (name_server.address,))

    assert [(result.monitor_id, result.message) for result in results if not refused(result)] == []
    assert canary.heard == []


def test_a_name_that_changes_its_mind_is_dialled_at_the_address_that_was_judged(canary, name_server):
    listener = socket.create_server(("127.0.0.2", 0))
    name_server.turns["rebind.test", "A"] = [["127.0.0.2"], ["127.0.0.1"]]
    spec = spec_of("tcp", f"rebind.test:{listener.getsockname()[1]}", {}, ("127.0.0.2/32",))

    with listener:
        [result] = run_all([spec], nameservers=(name_server.address,))

    assert (result.outcome, result.evidence["dialled"]) == ("up", "127.0.0.2")
    assert name_server.asked.count(("rebind.test", "A")) == 1


INSIDE = ["http://[::ffff:127.0.0.1]:{port}/", "http://127.1:{port}/", "//localhost:{port}/", "file:///etc/passwd",
          "gopher://127.0.0.1:{port}/", "http://127.0.0.1:{port}\\@127.0.0.2/", "http://user@127.0.0.1:{port}/"]  # fmt: skip


@pytest.mark.parametrize("status", ["301 x", "302 x", "303 x", "307 x", "308 x"])
def test_no_redirect_leads_inside_by_any_kind_that_follows_them(canary, serve, answer, status):
    servers = [serve(answer(b"", status, "Location: " + to.format(port=canary.port)), host="127.0.0.2") for to in INSIDE]
    kinds = {"http": {"follow_redirects": 10}, "upstream": {}, "prometheus": BY_URL["prometheus"], "domain": {}}
    specs = [spec_of(kind, server.url, options, ("127.0.0.2/32",)) for server in servers for kind, options in kinds.items()]

    results = run_all(specs)

    assert [result.monitor_id for result in results if (result.outcome, result.error_class) != ("unknown", "blocked")] == []
    assert canary.heard == []


def test_thirty_one_hops_are_not_followed_to_their_end(canary, serve, read_request):
    def hop(connection):
        path = read_request(connection).split(b" ")[1].decode().strip("/") or "0"
        to = f"/{int(path) + 1}" if int(path) < 30 else f"http://127.0.0.1:{canary.port}/"
        connection.sendall(f"HTTP/1.1 302 x\r\nLocation: {to}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())

    server = serve(hop, host="127.0.0.2")
    [result] = run_all([spec_of("http", server.url, {"follow_redirects": 10}, ("127.0.0.0/8",))])

    assert (result.outcome, result.error_class) == ("down", "redirect")
    assert server.connections == 11
    assert canary.heard == []


def test_a_name_server_inside_is_not_asked_without_leave(canary):
    spec = spec_of("dns", "wallet.example", {"nameserver": f"127.0.0.1:{canary.port}"})

    [result] = run_all([spec])

    assert refused(result)
    time.sleep(0.05)
    assert canary.heard == []


def test_the_canary_hears_what_is_allowed(canary):
    run_all([spec_of("http", f"http://127.0.0.1:{canary.port}/", {}, ("127.0.0.0/8",))])
    time.sleep(0.05)

    assert len(canary.heard) == 1

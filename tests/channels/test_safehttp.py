import socket
import struct
import threading
import time

import pytest

from probes.guard import VISITOR, Policy
from statuspage.channels import safehttp
from statuspage.channels.safehttp import GuardedSession, Sessions
from statuspage.errors import DeliveryError, Permanent, Throttled, Transient, Unknown

LOOPBACK = Policy(("127.0.0.0/8",))

SPELLINGS = [
    "http://2130706433", "http://0x7f000001", "http://0177.0.0.1", "http://127.1", "http://0", "http://localhost", "http://LOCALHOST",
    "http://localhost.", "http://[::1]", "http://[::]", "http://[::ffff:7f00:1]", "http://[::ffff:127.0.0.1]", "http://[::127.0.0.1]",
    "http://[fe80::1%25lo]", "http://127.0.0.1", "http://127.0.0.2", "http://0.0.0.0",
    "http://127.0.0.1\\@example.com", "http://example.com:pw@127.0.0.1", "http://127.0.0.1#@example.com", "http://a@b@127.0.0.1",
    " http://127.0.0.1", "http:127.0.0.1", "http:///127.0.0.1", "http://１２７.０.０.１", "http://127。0。0。1", "http://a.localhost",
]  # fmt: skip
SPECIAL = [
    "169.254.169.254", "[fd00:ec2::254]", "[::ffff:169.254.169.254]", "[64:ff9b::a9fe:a9fe]", "[64:ff9b:1::a9fe:a9fe]",
    "[2002:a9fe:a9fe::1]", "100.64.0.1", "192.0.0.8", "198.18.0.1", "224.0.0.1", "240.0.0.1", "[fec0::1]", "[3fff::1]",
    "[5f00::1]", "10.0.0.1", "172.16.0.1", "192.168.1.1", "[fd12::1]", "[ff02::1]",
]  # fmt: skip


def port_of(url):
    return int(url.rpartition(":")[2])


def with_port(url, port):
    """The same spelling, aimed at our canary's port."""
    return f"{url}:{port}/" if "@" not in url and "#" not in url and url.strip().startswith("http://") else f"{url}/"


@pytest.mark.parametrize("url", SPELLINGS)
def test_no_spelling_of_loopback_reaches_the_canary(peer, url):
    target = with_port(url, port_of(peer.url))

    with pytest.raises(DeliveryError), GuardedSession(VISITOR) as session:
        session.post(target, data=b"x")
    assert peer.requests == []


@pytest.mark.parametrize("host", SPECIAL)
def test_special_ranges_are_refused_for_visitors_and_without_being_dialled(host):
    with GuardedSession(VISITOR) as session, pytest.raises(Permanent, match="may not be dialled"):
        session.get(f"http://{host}/")


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://example.com/", "gopher://example.com/", "data:text/plain,x", "x"])
def test_other_schemes_are_refused(url):
    with GuardedSession(Policy(("127.0.0.0/8",))) as session, pytest.raises(Permanent):
        session.get(url)


def test_an_operator_reaches_the_networks_it_listed(peer):
    with GuardedSession(LOOPBACK) as session:
        answered = session.post(peer.url, data=b"hello")

    assert (answered.status_code, peer.requests[0]["body"]) == (200, b"hello")


def test_metadata_is_refused_even_when_listed():
    with GuardedSession(Policy(("169.254.0.0/16",))) as session, pytest.raises(Permanent):
        session.get("http://169.254.169.254/latest/meta-data/")


def test_a_name_that_answers_differently_the_second_time_is_looked_up_once(peer, monkeypatch):
    answers = [["127.0.0.1"], ["169.254.169.254"]]
    asked = []
    monkeypatch.setattr("probes.resolve.lookup", lambda host, _timeout_s: asked.append(host) or answers[len(asked) - 1])

    with GuardedSession(LOOPBACK) as session:
        session.get(f"http://rebinding.example:{port_of(peer.url)}/")

    assert (len(peer.requests), asked) == (1, ["rebinding.example"])


@pytest.mark.parametrize("answers", [["127.0.0.1"], ["93.184.216.34", "127.0.0.1"], ["127.0.0.1", "93.184.216.34"]])
def test_a_name_with_one_internal_answer_is_refused(peer, monkeypatch, answers):
    monkeypatch.setattr("probes.resolve.lookup", lambda *_arguments: answers)

    with GuardedSession(VISITOR) as session, pytest.raises(Permanent):
        session.get(f"http://mixed.example:{port_of(peer.url)}/")
    assert peer.requests == []


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("place", ["internal", "file:///etc/passwd", "gopher://127.0.0.1/"])
def test_redirects_are_not_followed(peer, reply, status, place):
    target = f"{peer.url}/secret" if place == "internal" else place
    peer.script = lambda handler, _request: reply(handler, status, headers={"Location": target})

    with GuardedSession(LOOPBACK) as session:
        answered = session.post(f"{peer.url}/hook", data=b"x", allow_redirects=True)

    assert answered.status_code == status
    assert [request["path"] for request in peer.requests] == ["/hook"]


def test_a_proxy_variable_is_ignored(peer, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", peer.url)
    monkeypatch.setenv("http_proxy", peer.url)

    with GuardedSession(VISITOR) as session, pytest.raises(Permanent):
        session.get("http://10.0.0.1/", proxies={"http": peer.url})
    assert peer.requests == []


@pytest.mark.parametrize(("head", "tail"), [
    (b"", b"H"), (b"HTTP/1.1 200 OK\r\nX: ", b"a"), (b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n", b"x"),
])  # fmt: skip
def test_a_dripping_peer_is_cut_at_the_deadline_and_never_reads_as_success(raw_peer, drip, head, tail):
    url = raw_peer(drip(head, tail))

    started = time.monotonic()
    with GuardedSession(LOOPBACK, deadline_s=0.5) as session, pytest.raises(Unknown):
        session.get(url)
    assert time.monotonic() - started < 2.8


def test_a_peer_that_says_nothing_in_the_handshake_is_cut(raw_peer):
    url = raw_peer(lambda _line, stop: stop.wait(10)).replace("http:", "https:")

    started = time.monotonic()
    with GuardedSession(LOOPBACK, deadline_s=0.5) as session, pytest.raises(Transient):
        session.get(url)
    assert time.monotonic() - started < 2.8


def test_an_endless_body_is_read_up_to_the_cap(raw_peer):
    def endless(line, stop):
        line.recv(65_536)
        line.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        while not stop.is_set():
            line.sendall(b"x" * 65_536)

    with GuardedSession(LOOPBACK, deadline_s=5) as session:
        answered = session.get(raw_peer(endless))

    assert len(answered.content) == safehttp.BODY_BYTES


def test_a_connection_reset_after_the_request_is_unknown(raw_peer):
    def reset(line, _stop):
        line.recv(65_536)
        line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    with GuardedSession(LOOPBACK) as session, pytest.raises(Unknown):
        session.post(raw_peer(reset), data=b"x")


def test_a_closed_port_is_transient(free_port):
    with GuardedSession(LOOPBACK) as session, pytest.raises(Transient):
        session.get(f"http://127.0.0.1:{free_port()}/")


def test_a_certificate_of_an_unknown_authority_is_not_accepted(tls_peer):
    with GuardedSession(LOOPBACK) as session, pytest.raises(Transient, match="certificate"):
        session.get(tls_peer.url, verify=False)
    assert tls_peer.requests == []


def test_the_name_in_the_certificate_is_checked(tls_peer, authority, monkeypatch):
    monkeypatch.setattr("probes.resolve.lookup", lambda *_arguments: ["127.0.0.1"])

    with GuardedSession(LOOPBACK, ca_file=authority[0]) as session, pytest.raises(Transient, match="certificate"):
        session.get(f"https://other.example:{tls_peer.server_address[1]}/")


def test_a_connection_is_kept_and_the_second_request_has_its_own_deadline(peer, authority):
    seen = set()
    peer.script = lambda handler, _request: (seen.add(handler.client_address), _slow(handler))

    with GuardedSession(LOOPBACK, deadline_s=1.0) as session:
        for _turn in range(4):
            assert session.get(peer.url).status_code == 200

    assert len(seen) == 1


def _slow(handler):
    time.sleep(0.4)
    handler.send_response(200)
    handler.send_header("Content-Length", "0")
    handler.end_headers()


def test_a_kept_connection_is_cut_at_the_deadline_too(raw_peer):
    def once(line, stop):
        line.recv(65_536)
        line.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        line.recv(65_536)
        while not stop.is_set():
            line.sendall(b"H")
            time.sleep(0.1)

    url = raw_peer(once)
    with GuardedSession(LOOPBACK, deadline_s=0.5) as session:
        session.get(url)
        started = time.monotonic()
        with pytest.raises(Unknown):
            session.get(url)

    assert time.monotonic() - started < 2.8


def test_hostile_peers_leave_no_thread_behind_and_do_not_delay_a_good_one(raw_peer, drip, peer):
    bad = raw_peer(drip(b"HTTP/1.1 200 OK\r\nX: ", b"a"))
    sessions = Sessions(deadline_s=0.5)
    before = threading.active_count()

    def call():
        with pytest.raises(Unknown):
            sessions.get(LOOPBACK).get(bad)

    threads = [threading.Thread(target=call) for _turn in range(20)]
    for thread in threads:
        thread.start()
    started = time.monotonic()
    sessions.get(LOOPBACK).get(peer.url)
    took_s = time.monotonic() - started
    for thread in threads:
        thread.join(5)

    assert took_s < 0.4
    assert threading.active_count() <= before + 2 + 20  # the peers' own threads end when their next byte finds no one


@pytest.mark.parametrize(("status", "error"), [
    (429, Throttled), (503, Throttled), (500, Transient), (302, Transient), (404, Transient), (410, Permanent),
])  # fmt: skip
def test_a_status_becomes_the_error_that_it_means(peer, reply, status, error):
    peer.script = lambda handler, _request: reply(handler, status, headers={"Retry-After": "7"})

    with GuardedSession(LOOPBACK) as session, pytest.raises(error) as caught:
        safehttp.check_status(session.get(peer.url), "the peer", time.time())
    assert type(caught.value) is error
    if error is Throttled:
        assert caught.value.retry_after_s == 7


def test_retry_after_is_read_as_seconds_or_date_and_nonsense_is_none():
    written = ("120", "Sun, 06 Nov 1994 08:50:37 GMT", "soon", "", "9" * 30)

    read = [safehttp.retry_after_s({"Retry-After": raw}, 784111777.0) for raw in written]

    assert read == [120.0, 60.0, None, None, None]

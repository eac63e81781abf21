"""The agent's link against a real server on loopback that answers as servers, proxies and bad days do."""

import base64
import hashlib
import json
import re
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from probes import agent_link
from probes.agent_clock import Clock
from probes.agent_link import ASSIGNMENTS, BATCHES, Link, NoServer, Wire
from probes.agent_signature import BadKey, read_key
from probes.agent_spool import Batch, Spool

KEY = read_key("wsa1.hk-1." + base64.urlsafe_b64encode(b"k" * 32).decode().rstrip("="))
NOTHING = {"version": 1, "region": "hk", "specs": [], "self_test": []}
OK = (200, {"accepted": 1, "duplicates": 0, "server_ms": 0}, {})


@pytest.fixture
def server():
    """A server whose answers are scripted: `answers` is taken from the front, its last one again and again."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        answers, requests, connections = [], [], set()

        def _answer(self):
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.requests.append((self.command, self.path, {k.lower(): v for k, v in self.headers.items()}, body))
            self.connections.add(self.client_address)
            answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
            if answer == "reset":
                self.close_connection = True
                return
            status, data, headers = answer
            text = data if isinstance(data, bytes) else json.dumps(data).encode()
            self.send_response(status)
            for name, value in {"Content-Length": str(len(text)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(text)

        def do_GET(self):
            self._answer()

        def do_POST(self):
            self._answer()

        def log_message(self, *_):
            """Quiet."""

    found = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found.daemon_threads = True
    threading.Thread(target=found.serve_forever, daemon=True).start()
    Handler.url = f"http://127.0.0.1:{found.server_port}"
    yield Handler
    found.shutdown()
    found.server_close()


@pytest.fixture
def spool(tmp_path):
    found = Spool(tmp_path / "spool")
    yield found
    found.close()


@pytest.fixture
def link(server, spool):
    """A function that makes a link which has its assignments already, so that each turn sends."""
    wires, heard = [], []

    def make(*answers, path="", polled=True):
        server.answers[:] = [(200, NOTHING, {"ETag": '"one"'}), *answers] if polled else list(answers)
        wires.append(Wire(server.url + path))
        made = Link(wires[-1], KEY, Clock.start(), spool, heard.append)
        made.heard = heard
        if polled:
            made.turn()
            server.requests.clear()
        return made

    yield make
    for wire in wires:
        wire.close()


def fill(spool, *sequences, text="x"):
    clock = Clock.start()
    for sequence in sequences:
        spool.append(Batch("0123456789abcdef", sequence, clock, clock.now_ms(), [{"monitor_id": "m", "message": text}]))


def sent(server):
    return [[each["sequence"] for each in json.loads(body)["batches"]] for method, _path, _head, body in server.requests
            if method == "POST"]  # fmt: skip


def check_signature(method, path, headers, body):
    """RFC 9421 read from the standard, for any set of components: the base is rebuilt from what was received."""
    label, _, parameters = headers["signature-input"].partition("=")
    values = {"@method": method, "@path": path, **headers}
    names = re.match(r"\(([^)]*)\)", parameters)[1].replace('"', "").split()
    base = "".join(f'"{name}": {values[name]}\n' for name in names) + f'"@signature-params": {parameters}'
    signature = base64.b64decode(re.fullmatch(rf"{label}=:(.*):", headers["signature"])[1])
    Ed25519PublicKey.from_public_bytes(KEY.private.public_key().public_bytes_raw()).verify(signature, base.encode())
    if body:
        assert headers["content-digest"] == f"sha-256=:{base64.b64encode(hashlib.sha256(body).digest()).decode()}:"
        assert {"content-digest", "content-type"} <= set(names)
    return names


def test_requests_are_signed_as_the_standard_says_also_below_a_path(server, link, spool):
    fill(spool, 1)
    made = link(OK, path="/status", polled=False)
    server.answers[:] = [(200, NOTHING, {}), OK]
    made.turn()
    made.turn()

    (get, get_path, get_head, _), (post, post_path, post_head, body) = server.requests
    assert (get_path, post_path) == (f"/status{ASSIGNMENTS}", f"/status{BATCHES}")
    assert check_signature(get, get_path, get_head, b"") == ["@method", "@path"]
    assert check_signature(post, post_path, post_head, body)
    with pytest.raises(InvalidSignature):
        check_signature("GET", post_path, post_head, body)


def test_a_backlog_goes_in_few_requests_in_order_over_one_connection(server, link, spool):
    made = link(OK)
    fill(spool, *range(1, 301), text="y" * 1000)
    while spool.waiting():
        made.turn()

    assert [each for request in sent(server) for each in request] == list(range(1, 301))
    assert 2 <= len(sent(server)) <= 4
    assert len(server.connections) == 1
    assert all(len(body) < 200 * 1024 for *_, body in server.requests)


NOT_TAKEN = [
    (500, b"oops", {}), (502, b"<html>bad gateway</html>", {}), (200, b"<html>a hotel asks you to sign in</html>", {}),
    (200, {"something": "else"}, {}), (302, b"", {"Location": "https://elsewhere.example/"}), (403, b"<html>no</html>", {}),
    (404, b"", {}), (503, {"error": "unavailable"}, {"Retry-After": "5"}), "reset",
]  # fmt: skip


@pytest.mark.parametrize("answer", NOT_TAKEN, ids=str)
def test_what_is_no_receipt_keeps_the_batch_and_slows_down(answer, server, link, spool):
    fill(spool, 1, 2)
    made = link(answer)

    pauses = [made.turn() for _ in range(4)]

    assert spool.waiting() == 2
    assert 0.5 <= pauses[0] <= 5
    assert pauses[3] > 3
    assert sent(server) in ([[1, 2]] * 4, [[1, 2]] * 5)  # libcurl itself repeats once on a kept connection that was closed
    server.answers[:] = [OK]
    assert made.turn() == 0
    assert spool.waiting() == 0


def test_retry_after_is_waited_for_within_reason(server, link, spool):
    fill(spool, 1)

    assert link((429, {"error": "too_often"}, {"Retry-After": "7"})).turn() >= 7
    assert link((429, {"error": "too_often"}, {"Retry-After": "999999"})).turn() == 300


def test_one_bad_batch_does_not_hold_up_the_others(server, link, spool, caplog):
    fill(spool, 1, 2, 3)
    bad = (422, {"error": "invalid", "message": "batches.0: odd"}, {})
    made = link(bad, bad, OK)
    for _ in range(3):
        made.turn()

    assert sent(server) == [[1, 2, 3], [1], [2, 3]]
    assert (spool.waiting(), made.refused) == (0, 1)
    assert "batches.0: odd" in caplog.text


def test_a_clock_that_is_far_off_signs_with_the_servers_time(server, link, spool, caplog):
    fill(spool, 1)
    ahead_ms = 7_200_000
    now_ms = Clock.start().now_ms()
    made = link((401, {"error": "clock", "message": "", "server_ms": now_ms + ahead_ms}, {}), OK)

    assert made.turn() == 0

    created = [int(re.search(r"created=(\d+)", head["signature-input"])[1]) for _, _, head, _ in server.requests]
    assert 7190 <= created[1] - created[0] <= 7210
    assert "7200 s apart" in caplog.text


def test_who_is_refused_stops_probing_and_asks_rarely(server, link, spool):
    fill(spool, 1)
    made = link((403, {"error": "revoked", "message": "gone"}, {}))

    assert 200 < made.turn() < 400
    assert made.heard[-1] is None
    assert (spool.waiting(), made.first_refusal) == (1, "")
    assert link((401, {"error": "signature", "message": "no"}, {}), polled=False).turn() > 200


def test_assignments_are_taken_over_once_and_asked_for_by_their_tag(server, link, monkeypatch):
    monkeypatch.setattr(agent_link, "POLL_S", 0.0)
    made = link((304, b"", {}))
    made.turn()
    server.answers[:] = [(200, {**NOTHING, "specs": [{}]}, {"ETag": '"two"'})]
    made.turn()

    assert server.requests[0][2]["if-none-match"] == '"one"'
    assert [each["etag"] for each in made.heard] == ['"one"', '"two"']


def test_an_answer_without_end_and_a_server_without_answer_cost_a_time_out(server, spool, monkeypatch):
    monkeypatch.setattr(agent_link, "_TIMEOUT_S", 0.5)
    monkeypatch.setattr(agent_link, "_MAX_ANSWER", 1000)
    wire = Wire(server.url)
    began = time.monotonic()

    server.answers[:] = [(200, b"x" * 5000, {})]
    with pytest.raises(NoServer):
        wire.ask("GET", "/", {})
    server.answers[:] = [(200, b"x", {"Content-Length": "10"})]
    with pytest.raises(NoServer):
        wire.ask("GET", "/", {})
    wire.close()

    assert time.monotonic() - began < 5


@pytest.mark.parametrize("text", ["", "wsa1.hk", "wsa1.HK." + "a" * 43, "wsa2.hk." + "a" * 43, "wsa1.hk." + "a" * 42, "x" * 5000])
def test_what_is_no_key_is_refused_without_showing_it(text):
    with pytest.raises(BadKey) as found:
        read_key(text)

    assert not text or text not in str(found.value)

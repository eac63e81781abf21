"""A running demo wallet, and a client that sees only what the network shows."""

import http.client
import json
import ssl
import time
from dataclasses import dataclass

import pytest

from statuspage.demo import service


@dataclass
class Answer:
    status: int
    body: bytes
    seconds: float

    @property
    def json(self):
        return json.loads(self.body)


class Client:
    def __init__(self, demo):
        self.demo = demo
        self.headers = {}

    def ask(self, method, path, body=None, connection=None, headers=None):
        link = connection or http.client.HTTPConnection("127.0.0.1", self.demo.port, timeout=10)
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        began = time.monotonic()
        try:
            link.request(method, path, body=data, headers={**self.headers, **(headers or {})})
            reply = link.getresponse()
            return Answer(reply.status, reply.read(), time.monotonic() - began)
        finally:
            if connection is None:
                link.close()

    def get(self, path, **rest):
        return self.ask("GET", path, **rest)

    def post(self, path, body, **rest):
        return self.ask("POST", path, body, **rest)

    def sign_in(self, user="probe"):
        token = self.post("/session", {"user": user, "secret": "demo"}).json["token"]
        self.headers = {"Authorization": f"Bearer {token}"}

    def rpc(self, method, *params):
        return self.post("/rpc", {"jsonrpc": "2.0", "id": 7, "method": method, "params": list(params)}).json

    def block(self, tag):
        with_transactions = False
        return self.rpc("eth_getBlockByNumber", tag, with_transactions)["result"]

    def head(self):
        block = self.block("latest")
        return int(block["number"], 16), int(block["timestamp"], 16)

    def secure(self):
        context = ssl.create_default_context(cafile=self.demo.ca_path)
        return http.client.HTTPSConnection("127.0.0.1", self.demo.tls_port, timeout=10, context=context)


def start(folder, port=0, tls_port=0):
    return service.start_in_thread(port=port, data_dir=folder, tls_port=tls_port, block_s=0.2)


@pytest.fixture
def begin(tmp_path):
    """Start a demo wallet on the test's folder; called again after `stop`, the same one on the same ports."""
    started = []

    def again():
        ports = (started[0].port, started[0].tls_port) if started else (0, 0)
        started.append(start(tmp_path / "demo", *ports))
        return started[-1]

    yield again
    for one in started:
        one.stop()


@pytest.fixture
def demo(begin):
    return begin()


@pytest.fixture
def client(demo):
    return Client(demo)


@pytest.fixture
def until():
    """Wait until a condition holds; fail with what it last returned."""

    def wait(condition, seconds=10):
        ends = time.monotonic() + seconds
        while not (last := condition()):
            assert time.monotonic() < ends, f"still not so after {seconds} s: {last!r}"
            time.sleep(0.05)
        return last

    return wait

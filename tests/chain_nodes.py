"""RPC nodes of every family for tests: real local servers that answer in the real shapes, good and treacherous."""

from __future__ import annotations

import asyncio
import json
import time
from collections import namedtuple

from probes.chains.record import Endpoint, Record
from probes.run import Run
from probes.spec import ProbeSpec
from probes.transfer import Client

AGE_S = 7
Fault = namedtuple("Fault", "code message")  # noqa: PYI024 - what a method may answer instead of a result


def asked(family, url, *, at_ms=None, **more):
    """One reading; the endpoint remembers, as it does in the probe."""
    endpoint = more.pop("endpoint", None) or Endpoint("c", "own-1", url, **more)

    async def run():
        client = Client()
        spec = ProbeSpec("m", "evm", url, timeout_s=2.0, allow_networks=("127.0.0.0/8",))
        place = Run(spec, client)
        place.begin(at_ms or time.time_ns() // 1_000_000, 0.0)
        try:
            return await family.read(endpoint, place)
        finally:
            await client.close()

    return asyncio.run(run())


class Node:
    """A node: `paths[path]` or `methods[method]` is a value, or a (status, bytes) to send as it is."""

    def __init__(self, serve, answer, read_request):
        self.paths, self.methods, self.errors, self.asked, self.batches = {}, {}, {}, [], True

        def behave(connection):
            head, _, body = read_request(connection).partition(b"\r\n\r\n")
            value = self.answer_to(head.split()[1].decode(), json.loads(body) if body else None)
            status, sent = value if isinstance(value, tuple) else ("200 OK", json.dumps(value).encode())
            connection.sendall(answer(sent, status))

        self.server = serve(behave)
        self.url = self.server.url

    def reply(self, call):
        self.asked.append(call["method"])
        value = self.errors.get(call["method"], self.methods.get(call["method"]))
        value = value(call["params"]) if callable(value) else value
        fault = value._asdict() if isinstance(value, Fault) else value if call["method"] in self.errors else None
        return {"jsonrpc": "2.0", "id": call["id"], **({"error": fault} if fault else {"result": value})}

    def answer_to(self, path, calls):
        if path in self.paths:
            self.asked.append(path)
            value = self.paths[path]
            return value(calls) if callable(value) else value
        if not calls or "method" not in str(calls):
            return "404 Not Found", b"nothing here"
        if isinstance(calls, list) and not self.batches:
            return {"jsonrpc": "2.0", "id": None, "error": {"code": -32600, "message": "batch not supported"}}
        return [self.reply(call) for call in reversed(calls)] if isinstance(calls, list) else self.reply(calls)


def head_ms():
    return (int(time.time()) - AGE_S) * 1000


def young(record: Record):
    return record.head_age_s is not None and AGE_S - 2 <= record.head_age_s <= AGE_S + 5

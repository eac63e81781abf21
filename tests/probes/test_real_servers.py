"""Probes against servers that others wrote: Redis, aiosmtpd, websockets. Good, with wrong credentials, slow, and gone."""

from __future__ import annotations

import asyncio
import ctypes
import signal
import ssl
import subprocess
import sys
import threading
import time

import pytest
import trustme
import websockets
from aiosmtpd.controller import Controller
from aiosmtpd.handlers import Sink
from installation import free_ports

PASSWORD = "redis-s3cret"


def verdict(result):
    return result.outcome, result.error_class


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A file with the authority, and one with key and chain of 127.0.0.1."""
    folder = tmp_path_factory.mktemp("tls")
    authority = trustme.CA()
    leaf = authority.issue_cert("127.0.0.1")
    authority.cert_pem.write_to_path(folder / "ca.pem")
    leaf.private_key_pem.write_to_path(folder / "key.pem")
    for number, pem in enumerate(leaf.cert_chain_pems):
        pem.write_to_path(folder / "chain.pem", append=number > 0)
    return folder


# --- Redis ---


def _die_with_parent():
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)


@pytest.fixture(scope="module")
def redis(tmp_path_factory, certificate):
    """Ports of one Redis: in the clear, and in TLS. It has a password, and a user who may not ping."""
    folder = tmp_path_factory.mktemp("redis")
    plain, secure = free_ports(2)
    options = [
        "--port", plain, "--tls-port", secure, "--bind", "127.0.0.1", "--save", "", "--dir", folder, "--requirepass", PASSWORD,
        "--tls-cert-file", certificate / "chain.pem", "--tls-key-file", certificate / "key.pem",
        "--tls-ca-cert-file", certificate / "ca.pem", "--tls-auth-clients", "no", "--user", "mute", "on", ">mute-s3cret", "-@all",
    ]  # fmt: skip
    process = subprocess.Popen(
        ["redis-server", *map(str, options)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, preexec_fn=_die_with_parent  # noqa: PLW1509
    )
    yield plain, secure, process
    process.kill()
    process.wait(10)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"password": PASSWORD}, ("up", None)),
        ({"user": "default", "password": PASSWORD}, ("up", None)),
        ({"password": "wrong"}, ("unknown", "auth")),
        ({}, ("unknown", "auth")),
        ({"user": "mute", "password": "mute-s3cret"}, ("unknown", "auth")),
    ],
)
def test_a_real_redis(redis, probe, until, options, expected):
    plain, _, _ = redis
    until(lambda: probe("redis", f"127.0.0.1:{plain}", {}).error_class != "refused", 10)

    result = probe("redis", f"127.0.0.1:{plain}", options)

    assert verdict(result) == expected, result.message
    assert PASSWORD not in str(result)


def test_a_real_redis_in_tls(redis, certificate, probe, until):
    plain, secure, _ = redis
    until(lambda: probe("redis", f"127.0.0.1:{plain}", {}).error_class != "refused", 10)
    options = {"password": PASSWORD, "tls": True, "ca_file": str(certificate / "ca.pem")}

    assert verdict(probe("redis", f"127.0.0.1:{secure}", options)) == ("up", None)
    assert verdict(probe("redis", f"127.0.0.1:{secure}", {"password": PASSWORD, "tls": True})) == ("down", "certificate")
    assert probe("redis", f"127.0.0.1:{plain}", options).outcome == "down"


def test_a_frozen_redis_is_down_at_the_deadline(redis, probe, until):
    plain, _, process = redis
    until(lambda: probe("redis", f"127.0.0.1:{plain}", {}).error_class != "refused", 10)
    process.send_signal(signal.SIGSTOP)
    try:
        began = time.monotonic()
        result = probe("redis", f"127.0.0.1:{plain}", {"password": PASSWORD}, timeout_s=0.5)
        took_s = time.monotonic() - began
    finally:
        process.send_signal(signal.SIGCONT)

    assert verdict(result) == ("down", "timeout")
    assert took_s < 1.0


# --- SMTP ---


@pytest.fixture
def smtp(certificate):
    """`smtp(tls=...)` starts aiosmtpd; its port. `slow_s`: how long it thinks about EHLO."""
    running = []

    class Slow(Sink):
        def __init__(self, slow_s):
            super().__init__()
            self.slow_s, self.mails = slow_s, 0

        async def handle_EHLO(self, _server, session, _envelope, hostname, responses):  # noqa: N802 - aiosmtpd's name
            await asyncio.sleep(self.slow_s)
            session.host_name = hostname
            return responses

        async def handle_DATA(self, *_):  # noqa: N802 - aiosmtpd's name
            self.mails += 1
            return "250 OK"

    def start(*, tls=True, slow_s=0.0):
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificate / "chain.pem", certificate / "key.pem")
        handler = Slow(slow_s)
        controller = Controller(handler, "127.0.0.1", free_ports(1)[0], tls_context=context if tls else None)
        controller.start()
        running.append(controller)
        return controller.port, handler

    yield start
    for controller in running:
        controller.stop()


def test_a_real_mail_server_hears_no_mail(smtp, certificate, probe):
    port, handler = smtp()

    result = probe("smtp", f"127.0.0.1:{port}", {"ca_file": str(certificate / "ca.pem")})

    assert verdict(result) == ("up", None), result.message
    assert handler.mails == 0


def test_a_real_mail_server_without_tls_or_with_a_strange_certificate_is_down(smtp, probe):
    assert verdict(probe("smtp", f"127.0.0.1:{smtp(tls=False)[0]}")) == ("down", "tls")
    assert verdict(probe("smtp", f"127.0.0.1:{smtp()[0]}")) == ("down", "certificate")


def test_a_slow_mail_server_is_degraded_or_down_at_the_deadline(smtp, certificate, probe):
    port, _ = smtp(slow_s=0.3)
    options = {"ca_file": str(certificate / "ca.pem")}

    assert verdict(probe("smtp", f"127.0.0.1:{port}", {**options, "degraded_above": "200ms"})) == ("degraded", "slow")
    assert verdict(probe("smtp", f"127.0.0.1:{port}", options, timeout_s=0.2)) == ("down", "timeout")


# --- WebSocket ---


@pytest.fixture
def chat(certificate):
    """`chat(answer, ...)` starts a server of the websockets library whose `answer(message)` is sent back; its port."""
    stops = []

    def start(answer, *, tls=False, **more):
        context = None
        if tls:
            context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            context.load_cert_chain(certificate / "chain.pem", certificate / "key.pem")
        loop, ready, ports = asyncio.new_event_loop(), threading.Event(), []

        async def talk(connection):
            async for message in connection:
                found = answer(message)
                if asyncio.iscoroutine(found):
                    found = await found
                await connection.send(found)

        async def serve():
            stop = asyncio.Event()
            async with websockets.serve(talk, "127.0.0.1", 0, ssl=context, **more) as server:
                ports.append(next(iter(server.sockets)).getsockname()[1])
                stops.append((loop, stop, thread))
                ready.set()
                await stop.wait()

        thread = threading.Thread(target=loop.run_until_complete, args=(serve(),), daemon=True)
        thread.start()
        assert ready.wait(10)
        return ports[0]

    yield start
    for loop, stop, thread in stops:
        loop.call_soon_threadsafe(stop.set)
        thread.join(10)
        loop.close()


def test_a_real_websocket_server(chat, certificate, probe):
    options = {"send": '{"op":"ping"}', "reply_json": "op == 'pong'"}

    plain = probe("websocket", f"ws://127.0.0.1:{chat(lambda _: json_pong)}/", options)
    secure = chat(lambda _: json_pong, tls=True)
    trusted = probe("websocket", f"wss://127.0.0.1:{secure}/", {**options, "ca_file": str(certificate / "ca.pem")})
    strange = probe("websocket", f"wss://127.0.0.1:{secure}/", options)

    assert (verdict(plain), verdict(trusted)) == (("up", None), ("up", None)), (plain.message, trusted.message)
    assert verdict(strange) == ("down", "certificate")


json_pong = '{"op":"pong"}'


async def _late(message):
    await asyncio.sleep(0.3)
    return message


def test_a_real_websocket_server_that_says_another_thing_or_says_it_late(chat, probe):
    options = {"send": "hello", "reply_contains": "hello"}

    wrong = probe("websocket", f"ws://127.0.0.1:{chat(lambda _: 'bye')}/", options, timeout_s=0.5)
    late = chat(_late)
    slow = probe("websocket", f"ws://127.0.0.1:{late}/", {**options, "degraded_above": "200ms"})
    mute = probe("websocket", f"ws://127.0.0.1:{late}/", options, timeout_s=0.2)

    assert wrong.outcome == "down"
    assert verdict(slow) == ("degraded", "slow")
    assert verdict(mute) == ("down", "timeout")


def test_a_real_websocket_server_agrees_on_a_subprotocol_and_refuses_others(chat, probe):
    port = chat(lambda message: message, subprotocols=["prices"])

    assert verdict(probe("websocket", f"ws://127.0.0.1:{port}/", {"subprotocol": "prices"})) == ("up", None)
    assert probe("websocket", f"ws://127.0.0.1:{port}/", {"subprotocol": "orders"}).outcome == "down"


def test_a_real_websocket_server_that_wants_to_know_who_we_are(chat, probe):
    async def only_known(connection, request):
        if request.headers.get("Authorization") != "Bearer s3cret":
            return connection.respond(401, "who are you?\n")
        return None

    port = chat(lambda message: message, process_request=only_known)

    assert verdict(probe("websocket", f"ws://127.0.0.1:{port}/", {"bearer": "s3cret"})) == ("up", None)
    assert verdict(probe("websocket", f"ws://127.0.0.1:{port}/", {"bearer": "wrong"})) == ("down", "status")


# --- TLS ---


def test_the_tls_kind_takes_a_good_server_for_good_and_a_plain_one_for_bad(redis, certificate, probe, until):
    plain, secure, _ = redis
    until(lambda: probe("tcp", f"127.0.0.1:{secure}").outcome == "up", 10)
    options = {"ca_file": str(certificate / "ca.pem")}

    good = probe("tls", f"127.0.0.1:{secure}", options)
    slow = probe("tls", f"127.0.0.1:{secure}", {**options, "degraded_above": "0ms"})

    assert verdict(good) == ("up", None), good.message
    assert verdict(slow) == ("degraded", "slow")
    assert verdict(probe("tls", f"127.0.0.1:{plain}", options, timeout_s=1.0))[0] == "down"

import socket
import time
from contextlib import ExitStack

import pytest
import requests
from faulted import Wallet

COUNT = 300
ORDINARY = 20
WITHIN_S = 3
HALF_HEADER = b"GET /en/ HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: "
HALF_BODY = (
    b"POST %s HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/x-www-form-urlencoded\r\n"
    b"Content-Length: 1000\r\n\r\na=b"
)
GET = b"GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"


@pytest.fixture(scope="module")
def wallet(tmp_path_factory):
    found = Wallet(tmp_path_factory.mktemp("slow"))
    yield found
    found.close()


def slow_clients(stack, port, said, *, reads):
    """COUNT connections that have said `said` and stay."""
    lines = []
    for _ in range(COUNT):
        line = stack.enter_context(socket.socket())
        if not reads:
            line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        line.connect(("127.0.0.1", port))
        line.sendall(said)
        lines.append(line)
    if reads:
        assert all(line.recv(12) == b"HTTP/1.1 200" for line in lines)


def ordinary(url):
    """ORDINARY requests, each a connection of its own; the statuses and how long the slowest took."""
    statuses, slowest_s = [], 0.0
    for _ in range(ORDINARY):
        began = time.monotonic()
        statuses.append(requests.get(url, timeout=WITHIN_S).status_code)
        slowest_s = max(slowest_s, time.monotonic() - began)
    return statuses, slowest_s


@pytest.mark.parametrize("port", ["PORT", "CONSOLE_PORT"])
@pytest.mark.parametrize(
    ("said", "times", "path", "reads"),
    [
        (HALF_HEADER, 1, {}, False),
        (HALF_BODY, 1, {"PORT": b"/subscribe", "CONSOLE_PORT": b"/sign-in"}, False),
        (GET, 4, {"PORT": b"/zh-Hans/", "CONSOLE_PORT": b"/static/console.css"}, False),
        (GET, 1, {"PORT": b"/en/", "CONSOLE_PORT": b"/healthz"}, True),
    ],
    ids=["half a header", "half a body", "never reading", "idle after the answer"],
)
def test_three_hundred_slow_clients_keep_nobody_from_page_and_console(wallet, port, said, times, path, reads):
    said = (said % path[port] if path else said) * times
    with ExitStack() as stack:
        slow_clients(stack, wallet.home.ports[port], said, reads=reads)
        page, page_s = ordinary(f"{wallet.home.page}/en/")
        console, console_s = ordinary(f"{wallet.home.console}/sign-in")
        declared = wallet.console.declare(f"Among the slow {time.monotonic_ns()}")

    print(f"{COUNT} slow clients: page within {page_s:.2f} s, console within {console_s:.2f} s")
    assert page == console == [200] * ORDINARY
    assert declared.status_code == 303

"""waitress in a crowd: newcomers are taken many at a time, and there is room for thousands who stay."""

from __future__ import annotations

import resource
import socket
import threading
from contextlib import ExitStack, suppress

import pytest

from statuspage.web import crowd

PAGE = b"the page"
GET = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"


def page(_environ, start):
    start("200 OK", [("Content-Length", str(len(PAGE)))])
    return [PAGE]


@pytest.fixture
def server():
    made = crowd.listen(page, "127.0.0.1", 0, 4)
    yield made
    made.close()


def readers(stack, server, count):
    """`count` connections that have asked."""
    lines = [stack.enter_context(socket.create_connection(("127.0.0.1", server.effective_port), 5)) for _ in range(count)]
    for line in lines:
        line.sendall(GET)
    return lines


def test_those_who_wait_are_taken_together_and_nobody_is_waited_for(server):
    with ExitStack() as stack:
        readers(stack, server, 40)
        before = len(server._map)
        server.handle_accept()

        assert len(server._map) == before + 40
        server.handle_accept()
        assert len(server._map) == before + 40


def test_nobody_is_taken_beyond_the_limit(server):
    server.adj.connection_limit = len(server._map) + 10
    with ExitStack() as stack:
        readers(stack, server, 40)
        server.handle_accept()

        assert len(server._map) == server.adj.connection_limit


def test_a_crowd_that_stays_connected_is_served_whole(server):
    def run():
        with suppress(OSError):
            server.run()

    thread = threading.Thread(target=run, daemon=True)
    with ExitStack() as stack:
        lines = readers(stack, server, 300)
        thread.start()

        answers = [stack.enter_context(line.makefile("rb")) for line in lines]
        heads = [b"".join(iter(answer.readline, b"\r\n")) for answer in answers]

        assert all(head.startswith(b"HTTP/1.1 200") for head in heads)
        assert all(answer.read(len(PAGE)) == PAGE for answer in answers)
    server.close()
    thread.join(5)


def test_as_many_files_as_the_system_grants_are_taken_and_no_more_than_a_full_house_needs(server):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)

    files = crowd.raise_file_limit()

    assert files == soft
    assert soft >= min(crowd._FILES, hard if hard != resource.RLIM_INFINITY else crowd._FILES)
    assert server.adj.connection_limit == min(crowd.CONNECTIONS, files * 3 // 4)

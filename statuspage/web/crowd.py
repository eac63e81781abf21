"""waitress as it must stand when everybody looks at once: ten thousand browsers that keep their connection, all served.

As it comes, waitress takes one new connection for each look at all it has: with thousands open that is a few hundred a second.
And beyond its limit of connections nobody is taken at all until others leave, which a browser does only after half a minute.
"""

from __future__ import annotations

import resource
from collections.abc import Callable
from typing import Any

from waitress.server import BaseWSGIServer, create_server

CONNECTIONS = 12_000  # about 60 MB when all are taken
_FILES = 16_384  # one for each connection; the rest for the database, probes and pages
_AT_ONCE = 256  # newcomers taken before those who are in are answered
_QUEUE = 4096  # newcomers that the kernel keeps waiting


def listen(wsgi: object, host: str, port: int, threads: int) -> Any:  # noqa: ANN401 - waitress publishes no types
    """A waitress server bound to host and port; `run()` it in a thread. Raises OSError when the port is taken."""
    files = raise_file_limit()
    sockets: dict[int, Any] = {}  # a name with two addresses has a listener for each
    server = create_server(
        wsgi, map=sockets, host=host, port=port, threads=threads, ident=None, clear_untrusted_proxy_headers=False,
        connection_limit=max(256, min(CONNECTIONS, files * 3 // 4)), backlog=_QUEUE, channel_timeout=30, cleanup_interval=5,
        max_request_body_size=256 * 1024, asyncore_use_poll=True,
    )  # fmt: skip
    for one in list(sockets.values()):
        if isinstance(one, BaseWSGIServer):
            one.handle_accept = _in_turns(one, sockets, one.handle_accept)
    return server


def raise_file_limit() -> int:
    """Take as many open files as the system grants, at most what a full house needs; how many that are."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _FILES if hard == resource.RLIM_INFINITY else min(hard, _FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        return wanted
    return _FILES if soft == resource.RLIM_INFINITY else soft


def _in_turns(listener: Any, sockets: dict[int, Any], accept_one: Callable[[], None]) -> Callable[[], None]:  # noqa: ANN401 - the same
    """A handler that takes whoever waits, some at once, and not only the first."""

    def accept_some() -> None:
        for _ in range(_AT_ONCE):
            before = len(sockets)
            accept_one()
            if len(sockets) == before or len(sockets) >= listener.adj.connection_limit:
                return

    return accept_some

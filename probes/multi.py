"""libcurl's multi interface on an asyncio loop, through one epoll of its own.

pycurl.AsyncCurlMulti does the same with a reader and a writer per socket in the loop's selector, which costs about half
as much again per probe (bench/probe_http.py). Here the loop watches a single descriptor and a wake-up serves every
socket that is ready. Where there is no epoll, AsyncCurlMulti is used.
"""

from __future__ import annotations

import asyncio
import contextlib
import select
from typing import Any, Protocol

import pycurl  # type: ignore[import-untyped]

Handle = Any  # pycurl.Curl; pycurl ships no types
_EVENTS = 64  # per wake-up; the rest comes with the next one


class Multi(Protocol):
    """What the client needs."""

    async def perform(self, curl: Handle, /) -> object:
        """Run one transfer. Raises pycurl.error. Cancelling it takes the handle out."""

    async def aclose(self) -> None:
        """End every transfer and close."""


class EpollMulti:
    """A multi handle bound to the loop it was made on."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._multi = pycurl.CurlMulti()
        self._epoll = select.epoll()
        self._masks: dict[int, int] = {}
        self._futures: dict[Handle, asyncio.Future[None]] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._kick_pending = False
        self._closed = False
        self._multi.setopt(pycurl.M_SOCKETFUNCTION, self._on_socket)
        self._multi.setopt(pycurl.M_TIMERFUNCTION, self._on_timer)
        self._loop.add_reader(self._epoll.fileno(), self._on_ready)

    async def perform(self, curl: Handle, /) -> None:
        """Run one transfer. Raises pycurl.error. Cancelling it takes the handle out."""
        future: asyncio.Future[None] = self._loop.create_future()
        self._futures[curl] = future
        try:
            self._multi.add_handle(curl)
            await future
        except BaseException:
            if self._futures.pop(curl, None) is not None:
                with contextlib.suppress(pycurl.error):
                    self._multi.remove_handle(curl)
            raise

    def _on_socket(self, what: int, fd: int, _multi: object, _data: object) -> None:
        """libcurl's wish to be told about `fd`. A descriptor's number may come back before we forgot it."""
        if what == pycurl.POLL_REMOVE:
            if self._masks.pop(fd, None) is not None:
                with contextlib.suppress(OSError):
                    self._epoll.unregister(fd)
            return
        mask = (select.EPOLLIN if what & pycurl.POLL_IN else 0) | (select.EPOLLOUT if what & pycurl.POLL_OUT else 0)
        known = self._masks.get(fd)
        if known == mask:
            return
        self._masks[fd] = mask
        try:
            if known is None:
                self._epoll.register(fd, mask)
            else:
                self._epoll.modify(fd, mask)
        except FileExistsError:
            self._epoll.modify(fd, mask)
        except FileNotFoundError:
            self._epoll.register(fd, mask)

    def _on_timer(self, timeout_ms: int) -> None:
        """libcurl's wish to be called. It changes its mind with every transfer: a timer that fires early is harmless."""
        if timeout_ms < 0 or self._closed:
            return
        if timeout_ms == 0:
            if not self._kick_pending:
                self._kick_pending = True
                self._loop.call_soon(self._kick)
            return
        at = self._loop.time() + timeout_ms / 1000
        if self._timer is not None:
            if self._timer.when() <= at:
                return
            self._timer.cancel()
        self._timer = self._loop.call_at(at, self._on_time)

    def _on_time(self) -> None:
        self._timer = None
        self._kick()

    def _kick(self) -> None:
        self._kick_pending = False
        if not self._closed:
            self._act(((pycurl.SOCKET_TIMEOUT, 0),))
            if self._timer is None and self._futures:
                self._on_timer(self._multi.timeout())

    def _on_ready(self) -> None:
        self._act(self._epoll.poll(0, _EVENTS))

    def _act(self, events: Any) -> None:  # noqa: ANN401 - pairs of descriptor and epoll mask
        action = self._multi.socket_action
        try:
            for fd, event in events:
                action(fd, _SELECT[event & 0x1F] if event else 0)
            _, good, bad = self._multi.info_read()
        except pycurl.error as error:
            self._fail_all(error)
            return
        for curl in good:
            self._finish(curl, None)
        for curl, code, text in bad:
            self._finish(curl, pycurl.error(code, text))

    def _finish(self, curl: Handle, error: Exception | None) -> None:
        future = self._futures.pop(curl, None)
        if future is None:
            return
        self._multi.remove_handle(curl)
        if future.done():
            return
        if error is None:
            future.set_result(None)
        else:
            future.set_exception(error)

    def _fail_all(self, error: Exception) -> None:
        """The multi handle itself is unwell: nobody would ever be told."""
        for curl in list(self._futures):
            with contextlib.suppress(pycurl.error):
                self._finish(curl, error)

    async def aclose(self) -> None:
        """End every transfer and close."""
        if self._closed:
            return
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
        for curl, future in list(self._futures.items()):
            del self._futures[curl]
            with contextlib.suppress(pycurl.error):
                self._multi.remove_handle(curl)
            future.cancel()
        self._loop.remove_reader(self._epoll.fileno())
        self._multi.close()
        self._epoll.close()


# What epoll says (1 in, 4 out, 8 error, 16 hang-up), as libcurl wants to hear it: trouble wakes both directions.
_SELECT = [
    (pycurl.CSELECT_IN if event & 0b11001 else 0)
    | (pycurl.CSELECT_OUT if event & 0b11100 else 0)
    | (pycurl.CSELECT_ERR if event & 0b01000 else 0)
    for event in range(0x20)
]


def make_multi() -> Multi:
    """The cheaper of the two where there is epoll. Call it on the running loop."""
    return EpollMulti() if hasattr(select, "epoll") else pycurl.AsyncCurlMulti()

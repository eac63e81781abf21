"""Is it them or us? Before many failures are believed, our own network is tested against reference targets.

Peers that lack this sent thousands of messages for one unplugged cable (uptime-kuma#4779).
"""

from __future__ import annotations

import asyncio
import time
from collections import deque

from probes import guard, resolve
from probes.guard import Policy, Refused
from probes.result import CheckResult
from probes.transfer import Client, Request, TransferError

# What a broken network of ours can look like. A wrong status or certificate came over a network that works.
NETWORK_CLASSES = frozenset({"dns", "refused", "unreachable", "timeout", "reset", "tls"})
SHARE = 0.3  # of independent targets; below it the failures are theirs
_GOOD_FOR_S = 1.0
_TIMEOUT_S = 3.0
_REMEMBERED = 4096


class OwnNetwork:
    """Runs the self test when it is needed, never more than once a second, and weighs it against what targets said."""

    def __init__(self, client: Client, urls: tuple[str, ...], policy: Policy) -> None:
        self._client = client
        self._policy = policy
        self._requests = [Request(guard.parse_url(url), max_body=1024) for url in urls]
        self._recent: deque[tuple[float, str, bool]] = deque(maxlen=_REMEMBERED)  # ended, authority, answered
        self._lock = asyncio.Lock()
        self._tested_at = float("-inf")
        self._blamed_at = float("-inf")
        self._is_good = True
        self.was_ever_good = False
        self.has_any_answer = False
        self.tests = 0

    def note(self, authority: str, result: CheckResult) -> None:
        """Remember whether a target answered at all."""
        if not self._requests or result.outcome == "unknown":
            return
        answered = result.error_class not in NETWORK_CLASSES
        self.has_any_answer = self.has_any_answer or answered
        self._recent.append((time.monotonic(), authority, answered))

    async def explains(self, result: CheckResult, started: float) -> bool:
        """Whether a failure is our own network's: every reference fails, and so do many independent targets.

        Judged on what ended since the failing run began: older answers were given by a network that may be gone since.
        References that never answered while targets did are blocked or dead, and say nothing. A run that began before
        the network came back is its victim still.
        """
        if not self._requests or result.outcome != "down" or result.error_class not in NETWORK_CLASSES:
            return False
        if await self.test():
            return self._blamed_at >= started
        if self.has_any_answer and not self.was_ever_good:
            return False
        latest: dict[str, bool] = {}
        for ended, authority, answered in reversed(self._recent):
            if ended < started:
                break
            latest.setdefault(authority, answered)
        failing = sum(1 for answered in latest.values() if not answered)
        if failing < SHARE * len(latest):
            return False
        self._blamed_at = time.monotonic()
        return True

    async def test(self) -> bool:
        """Whether any reference answers, in any way at all. Remembered for 1 s."""
        async with self._lock:
            if time.monotonic() - self._tested_at < _GOOD_FOR_S:
                return self._is_good
            self.tests += 1
            answers = await asyncio.gather(*(self._answers(request) for request in self._requests))
            self._is_good = any(answers) or not answers
            self.was_ever_good = self.was_ever_good or self._is_good
            self._tested_at = time.monotonic()
            return self._is_good

    async def _answers(self, request: Request) -> bool:
        deadline = time.monotonic() + _TIMEOUT_S
        try:
            found = await self._client.resolver.lookup(request.url.host, _TIMEOUT_S)
            addresses = guard.judge(found, request.url.host, self._policy)
            transfer = await self._client.perform(request, self._policy, addresses, deadline)
        except TransferError as error:
            status = error.transfer.status
            self._client.release(error.transfer)
            return status > 0
        except (Refused, resolve.NoAnswer):
            return False
        status = transfer.status
        self._client.release(transfer)
        return status > 0

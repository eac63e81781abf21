"""The loop that says what was written: outbox -> deliveries -> channels -> what became of them.

Lease, send, then mark: what is claimed and not marked is sent again after its lease, so a crash can double a message but never
lose one. No database session is open while a channel sends. Each channel has its own threads: a slow supplier delays no other.
"""

from __future__ import annotations

import json
import logging
import os
import queue
import random
import secrets
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from statuspage.actions import deliveries, quiet_hours, subscribe_limits, subscribers
from statuspage.actions.context import Context
from statuspage.actions.deliveries import Outcome
from statuspage.channels import registry, texts
from statuspage.channels.message import Message, Services
from statuspage.channels.registry import CHANNELS
from statuspage.errors import DeliveryError, Permanent, Throttled, Transient, Unavailable, Unknown
from statuspage.store import deliveries as stored
from statuspage.store.deliveries import Job, Work

LEASE_S = 60.0
CHUNK = 500
IDLE_S = 1.0
_PIECES_PER_STEP = 5  # of the outbox between two rounds of sending: the first of 100,000 go out while the last are written
_LEFT_S = 15.0  # what a lease must still have when sending begins: one deadline and the marking
_QUEUE_FACTOR = 4
_WAIT = timedelta(seconds=1)
_SPEND_WAIT_S = 600.0
_BREAK_AFTER = 5
_BREAK_MOST_S = 60.0
_BEAT_S = 5.0
_log = logging.getLogger(__name__)


@dataclass
class _Breaker:
    """Stops asking a supplier that fails every time: after five failures one message tries, ever more rarely."""

    failures: int = 0
    until: float = 0.0

    def room(self, free: int) -> int:
        if time.monotonic() < self.until:
            return 0
        return min(free, 1) if self.failures >= _BREAK_AFTER else free

    def note(self, outcome: Outcome, wish_s: float | None) -> None:
        if outcome.state == "sent" or outcome.error_class not in {"Transient", "Throttled", "Unknown"}:
            self.failures = 0
            return
        self.failures += 1
        pause_s = min(_BREAK_MOST_S, 2.0 ** (self.failures - _BREAK_AFTER)) if self.failures >= _BREAK_AFTER else 0.0
        self.until = time.monotonic() + max(pause_s, min(wish_s or 0.0, _BREAK_MOST_S))


@dataclass(frozen=True, slots=True)
class _Done:
    job: Job
    outcome: Outcome | None  # None: the lease was lost, or the database did not say whether to send
    wish_s: float | None = None


class Deliverer:
    """One per process; several processes share the work. `services` come from the composition root, settings from the store.

    `beat` is called at most every five seconds, after work was done. `is_alone` says whether no other process can be sending:
    then what a killed one was sending goes on at once instead of after its lease.
    """

    def __init__(
        self, ctx: Context, services: Services, *, lease_s: float = LEASE_S, drain_s: float = 10.0,
        beat: Callable[[], None] | None = None, is_alone: Callable[[], bool] = lambda: False,
    ) -> None:  # fmt: skip
        self._ctx, self._services, self._lease_s, self._drain_s = ctx, services, lease_s, drain_s
        self._beat, self._beaten = beat, 0.0
        self._is_alone = is_alone
        self._owner = f"{os.getpid()}-{secrets.token_hex(4)}"
        self._pools = {name: ThreadPoolExecutor(channel.parallel, f"deliver-{name}") for name, channel in CHANNELS.items()}
        self._breakers = {name: _Breaker() for name in CHANNELS}
        self._flying: dict[int, tuple[Job, Future[None]]] = {}
        self._done: queue.SimpleQueue[_Done] = queue.SimpleQueue()
        self._unrecorded: list[Outcome] = []
        self._wake = threading.Event()

    def run_once(self) -> int:
        """Do all that is due now and wait for it; how many deliveries were attempted. For tests and the command line."""
        count = 0
        while True:
            self._wake.clear()
            count += self._step()
            if not self._flying and not self._unrecorded and not self._has_more():
                return count
            self._wake.wait(IDLE_S)

    def run(self, stop: threading.Event, wake: threading.Event) -> None:
        """Work until `stop`; `wake` is set by commits of this process. Stopping lets what is being sent end, up to `drain_s`."""
        self._wake = wake
        inherits = self._is_alone()
        while not stop.is_set():
            wake.clear()
            try:
                if inherits:
                    deliveries.take_over(self._ctx, self._owner)
                    inherits = False
                busy = bool(self._step()) or self._has_more()
            except Unavailable as error:
                _log.warning("the deliverer waits for the database: %s", error)
                busy = False
                stop.wait(IDLE_S)
            if not busy:
                wake.wait(IDLE_S)
        self.close()

    def close(self) -> None:
        """Give back what was not begun, wait for what was, write it all down."""
        unbegun = [job for job, future in self._flying.values() if future.cancel()]
        for job in unbegun:
            del self._flying[job.id]
        if unbegun:
            deliveries.release(self._ctx, self._owner, unbegun)
        until = time.monotonic() + self._drain_s
        while self._flying and time.monotonic() < until:
            self._wake.wait(0.05)
            self._wake.clear()
            self._record()
        self._record()
        for pool in self._pools.values():
            pool.shutdown(wait=False, cancel_futures=True)

    def _has_more(self) -> bool:
        work = self._look()
        return work.is_unexpanded or any(self._room(name) for name in work.channels if name in CHANNELS)

    def _look(self) -> Work:
        with self._ctx.db.read() as conn:
            return stored.work(conn, self._ctx.now())

    def _step(self) -> int:
        """Record what ended, expand a little, send what is due; how many deliveries were begun."""
        self._record()
        work = self._look()
        if work.is_unexpanded:
            for _piece in range(_PIECES_PER_STEP):
                if deliveries.expand(self._ctx) is None:
                    break
            work = self._look()
        services = replace(self._services, channels=work.settings, allow_networks=work.allow_networks)
        begun = sum(self._begin(name, services, work.quiet_hours) for name in sorted(work.channels) if name in CHANNELS)
        if self._beat is not None and time.monotonic() - self._beaten >= _BEAT_S:
            self._beat()
            self._beaten = time.monotonic()
        return begun

    def _room(self, name: str) -> int:
        flying = sum(job.channel == name for job, _future in self._flying.values())
        return self._breakers[name].room(min(CHUNK, CHANNELS[name].parallel * _QUEUE_FACTOR) - flying)

    def _begin(self, name: str, services: Services, hours: dict[str, Any]) -> int:
        room = self._room(name)
        if room <= 0:
            return 0
        jobs = deliveries.claim(self._ctx, name, self._owner, room, self._lease_s)
        count = len(jobs)
        if CHANNELS[name].rings:
            jobs, waiting = quiet_hours.by_day(self._ctx, jobs, hours)
            self._unrecorded += waiting
        if registry.costs(name, services):
            jobs = self._within_means(jobs, services.settings_of(name))
        for job in jobs:
            self._flying[job.id] = (job, self._pools[name].submit(self._fly, job, services))
        return count

    def _within_means(self, jobs: list[Job], settings: dict[str, Any]) -> list[Job]:
        """Those that the spend ceilings allow; the on-call is paged whatever it costs. The rest waits for the next hour."""
        paid = [job for job in jobs if job.audience == "public"]
        costs = [subscribe_limits.cost_milli(settings, job.label, self._segments(job)) for job in paid]
        if not paid or len(paid) == (allowed := subscribe_limits.reserve(self._ctx, costs)):
            return jobs
        late = paid[allowed:]
        _log.error("the SMS spend ceiling is reached: %d messages wait", len(late))
        for job in late:
            self._unrecorded.append(self._again(job, "Spend", "the spend ceiling is reached", _SPEND_WAIT_S))
        held = {job.id for job in late}
        return [job for job in jobs if job.id not in held]

    def _segments(self, job: Job) -> int:
        try:
            return texts.segments(self._message(job))
        except Exception:  # noqa: BLE001 - a broken row is dead-lettered where it is sent; here it only counts as one
            return 1

    def _fly(self, job: Job, services: Services) -> None:
        """One attempt, on the channel's thread. Whatever happens, the loop hears of it."""
        wish_s = None
        try:
            outcome = self._attempt(job, services)
        except Throttled as error:
            wish_s = error.retry_after_s
            outcome = self._again(job, "Throttled", str(error), wish_s)
        except (Unknown, Transient) as error:
            outcome = self._again(job, type(error).__name__, str(error), None)
        except Permanent as error:
            outcome = Outcome(job, "dead", error_class="Permanent", error=str(error), suppress=job.kind != "confirm")
        except DeliveryError as error:
            outcome = Outcome(job, "dead", error_class="DeliveryError", error=str(error))
        except Unavailable:
            outcome = None
        except BaseException as error:  # noqa: BLE001 - one poisoned row must not stop the others; its text may hold an address
            _log.error("delivery %s could not be sent: %s", job.key, type(error).__name__)
            outcome = Outcome(job, "dead", error_class=type(error).__name__, error="the message could not be made or sent")
        self._done.put(_Done(job, outcome, wish_s))
        self._wake.set()

    def _attempt(self, job: Job, services: Services) -> Outcome | None:
        now = self._ctx.now()
        is_short = job.lease_until - now < timedelta(seconds=min(_LEFT_S, self._lease_s / 2))
        if is_short and not deliveries.extend(self._ctx, job, self._owner, self._lease_s):
            return None
        with self._ctx.db.read() as conn:
            verdict = stored.verdict(conn, job, self._owner, now)
            if verdict == "send" and job.waited and not stored.is_still_true(conn, job, now):
                verdict = "cancelled"
            failure = stored.last_failure(conn, job) if verdict == "expired" else ("", "")
        if failure[1]:  # it became too old while it waited for another try: a dead letter, with what it died of
            return Outcome(job, "dead", error_class=failure[0], error=f"given up: {failure[1]}")
        if verdict == "wait":
            return Outcome(job, "queued", error_class="Unknown" if job.is_ambiguous else "", next_try_at=now + _WAIT)
        if verdict != "send":
            return None if verdict == "lost" else Outcome(job, verdict)
        message, address = self._message(job), self._address(job, services)
        if job.is_ambiguous:
            found = self._find(job, message, address, services)
            if found:
                return Outcome(job, "sent", reference=found)
        return Outcome(job, "sent", reference=registry.sender(job.channel, services)(message, address, services))

    def _find(self, job: Job, message: Message, address: str, services: Services) -> str | None:
        """Ask the supplier whether it has the message. Without its answer we know no more than before: still unknown."""
        find = registry.finder(job.channel, services)
        try:
            return find(message, address, services) if find else None
        except (Transient, Permanent) as error:
            message_text = f"the supplier could not be asked: {error}"
            raise Unknown(message_text) from None

    def _message(self, job: Job) -> Message:
        payload = subscribers.open_payload(self._ctx, job)
        token = subscribers.manage_token(self._ctx, job)
        link = f"{payload['page']['url']}/subscribe/manage?id={job.public_id}&token={token}" if job.audience == "public" else ""
        return Message(
            key=job.key, kind=job.kind, channel=job.channel, audience=job.audience, language=job.language, payload=payload,
            urgency=job.urgency, created_at=job.created_at, expires_at=job.expires_at, manage_url=link,
        )  # fmt: skip

    def _address(self, job: Job, services: Services) -> str:
        """The address in clear. ${env:NAME} becomes a value only in what came from the operator's file, never in a visitor's."""
        text = subscribers.opened(self._ctx, job.address_sealed)
        if job.audience == "public" or job.meta.get("source") != "file":
            return text
        if job.channel != "webhook":
            return services.reveal(text)
        return json.dumps({name: services.reveal(value) for name, value in json.loads(text).items()})

    def _again(self, job: Job, error_class: str, error: str, wish_s: float | None) -> Outcome:
        at = deliveries.decide(job, self._ctx.now(), wish_s, random.random())  # noqa: S311 - jitter
        if at is None:
            return Outcome(job, "dead", error_class=error_class, error=f"given up: {error}")
        return Outcome(job, "queued", error_class=error_class, error=error, next_try_at=at)

    def _record(self) -> None:
        """Write down what ended. What cannot be written now is kept: a sent message must not be forgotten."""
        while not self._done.empty():
            done = self._done.get()
            self._flying.pop(done.job.id, None)
            if done.outcome is not None:
                self._unrecorded.append(done.outcome)
                if CHANNELS[done.job.channel].one_supplier:
                    self._breakers[done.job.channel].note(done.outcome, done.wish_s)
        if self._unrecorded:
            deliveries.record(self._ctx, self._owner, self._unrecorded)
            self._unrecorded = []

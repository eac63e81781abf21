"""The engine: one thread, one event loop, every monitor on a heap of due times on the monotonic clock.

It never raises and never sleeps on a target: a run ends at its deadline whatever the target does. The wall clock is only
read to stamp results, so a jump of it moves nothing.
"""

from __future__ import annotations

import asyncio
import heapq
import logging
import math
import resource
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from typing import Any

from probes.guard import operator_policy
from probes.own_network import OwnNetwork
from probes.registry import PROBES
from probes.result import CheckResult
from probes.retry_after import bounded
from probes.run import Failed, Run
from probes.schedule import Entry, Streak, first_due
from probes.spec import ProbeSpec
from probes.transfer import Client

log = logging.getLogger(__name__)

FLUSH_S = 0.25
# What is due within this time starts in one wake-up: at 1,000 runs a second waking up for each cost a third of the CPU.
_QUANTUM_S = 0.01
_GRACE_S = 0.1  # what a probe gets beyond its own deadline before it is cancelled
_STALLED_S = 1.5  # a loop this late was stopped or starved: what timed out meanwhile timed out on our side
_PER_AUTHORITY = 8  # runs at once against one host and port
_MONITORS_PER_RUN = 64  # beyond 512 monitors of one authority its limit grows with them, or it could not keep up
_REPLACE_SPREAD_S = 2.0

OnResults = Callable[[list[CheckResult]], object]


def _default_concurrency() -> int:
    """Half of the files we may open, at most 500 runs at once."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return max(16, min(500, soft // 2 - 32))


class Engine:
    """Runs probes and hands batches of results to `on_results`, called on the loop's thread at least every 0.25 s.

    `self_test`: URLs of reference targets; without them own network trouble cannot be told from theirs.
    `allow_networks`: for the self test only; each spec brings its own. `now_ms` stamps results (UTC milliseconds).
    """

    def __init__(
        self,
        specs: Sequence[ProbeSpec],
        on_results: OnResults,
        self_test: Sequence[str] = (),
        region: str = "local",
        now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
        *,
        allow_networks: Sequence[str] = (),
        max_concurrent: int | None = None,
        nameservers: Sequence[str] = (),
    ) -> None:
        self._wanted = list(specs)
        self._on_results = on_results
        self._self_test = tuple(self_test)
        self._allow_networks = tuple(allow_networks)
        self._region = region
        self._now_ms = now_ms
        self._max_concurrent = max_concurrent or _default_concurrency()
        self._nameservers = tuple(nameservers)
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._entries: dict[str, Entry] = {}
        self._heap: list[tuple[float, int, int, Entry]] = []
        self._sequence = 0
        self._timer: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._probing: set[Entry] = set()
        self._waiting: deque[Entry] = deque()
        self._waiting_at: dict[str, deque[Entry]] = {}
        self._busy_at: dict[str, int] = {}
        self._limits: dict[str, int] = {}
        self._results: list[CheckResult] = []
        self._last_tick = 0.0
        self._stall_ended = float("-inf")
        self._counts = {"runs": 0, "missed": 0, "own_network": 0, "stalls": 0, "lost_batches": 0, "internal": 0}
        self._latest_late_ms = 0.0
        self._worst_late_ms = 0.0

    # --- from any thread ---

    def start(self) -> None:
        """Start the thread. Returns when the loop runs."""
        ready = threading.Event()
        self._thread = threading.Thread(target=self._thread_main, args=(ready,), name="probes", daemon=True)
        self._thread.start()
        ready.wait(10)

    def stop(self, timeout_s: float = 10.0) -> None:
        """Cancel what runs, hand over what is known, end the thread. Cancelled runs report nothing."""
        loop, thread = self._loop, self._thread
        if loop is None or thread is None:
            return
        self._call(self._stopping.set)
        thread.join(timeout_s)
        self._thread = None

    @property
    def is_alive(self) -> bool:
        """Whether the loop's thread runs."""
        return self._thread is not None and self._thread.is_alive()

    def replace(self, specs: Sequence[ProbeSpec]) -> None:
        """Watch these from now on. Unchanged monitors keep their cadence; results of removed ones are dropped."""
        wanted = list(specs)
        self._wanted = wanted
        self._call(lambda: self._apply(wanted, spread_s=_REPLACE_SPREAD_S))

    def run_now(self, monitor_id: str) -> bool:
        """Run a monitor at once, besides its cadence. False when there is no such monitor."""
        entry = self._entries.get(monitor_id)
        if entry is None:
            return False
        self._call(lambda: self._hurry(entry))
        return True

    def stats(self) -> dict[str, Any]:
        """Figures for metrics and health: counts since start, what runs and waits, lateness, seconds since the last tick."""
        return {
            **self._counts,
            "monitors": len(self._entries),
            "running": len(self._tasks),
            "waiting": len(self._waiting) + sum(map(len, list(self._waiting_at.values()))),
            "late_ms": self._latest_late_ms,
            "worst_late_ms": self._worst_late_ms,
            "tick_age_s": round(time.monotonic() - self._last_tick, 3) if self._last_tick else None,
        }

    def _call(self, what: Callable[[], object]) -> None:
        if self._loop is not None and self.is_alive:
            try:
                self._loop.call_soon_threadsafe(what)
            except RuntimeError:
                log.info("the engine stopped meanwhile")

    # --- on the loop ---

    def _thread_main(self, ready: threading.Event) -> None:
        with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
            runner.run(self._main(ready))

    async def _main(self, ready: threading.Event) -> None:
        self._loop = asyncio.get_running_loop()
        self._loop.set_exception_handler(lambda _loop, context: log.error("engine: %s", context.get("message")))
        self._stopping = asyncio.Event()
        self._client = Client(self._nameservers)
        self._own_network = OwnNetwork(self._client, self._self_test, operator_policy(self._allow_networks))
        self._last_tick = time.monotonic()
        try:
            first_test = self._loop.create_task(self._own_network.test())
            self._apply(self._wanted, spread_s=None)
            self._tick()
            ready.set()
            await self._stopping.wait()
            first_test.cancel()
        finally:
            for task in list(self._tasks):
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            self._flush()
            await self._client.close()

    def _apply(self, specs: list[ProbeSpec], spread_s: float | None) -> None:
        """Bring the entries in line with `specs`. `spread_s` None: a start, whose first round has its own spread."""
        wanted = {spec.monitor_id: spec for spec in specs}
        authorities = {spec.monitor_id: _authority(spec) for spec in specs}  # loads the kinds, which takes its time
        self._limits = {
            authority: count // _MONITORS_PER_RUN
            for authority, count in Counter(authorities.values()).items()
            if count > _PER_AUTHORITY * _MONITORS_PER_RUN
        }
        now = time.monotonic()
        for monitor_id in [each for each in self._entries if each not in wanted]:
            self._entries.pop(monitor_id).removed = True
        fresh = [spec for spec in wanted.values() if self._is_new(spec)]
        for place, spec in enumerate(fresh):
            phase = (place + 0.5) / len(fresh)
            due = first_due(now, phase, spec.interval_s if spread_s is None else min(spread_s, spec.interval_s))
            old = self._entries.get(spec.monitor_id)
            if old is not None:
                old.removed = True
            self._add(spec, authorities[spec.monitor_id], phase, now, due)
        self._arm()

    def _is_new(self, spec: ProbeSpec) -> bool:
        old = self._entries.get(spec.monitor_id)
        return old is None or old.spec != spec

    def _add(self, spec: ProbeSpec, authority: str, phase: float, origin: float, due: float) -> None:
        run = Run(spec, self._client, self._region)
        entry = Entry(spec, run, authority, phase, origin, due, Streak())
        self._entries[spec.monitor_id] = entry
        self._push(entry, due)

    def _push(self, entry: Entry, due: float) -> None:
        entry.due = due
        entry.version += 1
        self._sequence += 1
        heapq.heappush(self._heap, (due, self._sequence, entry.version, entry))

    def _hurry(self, entry: Entry) -> None:
        """Run an entry by hand: at once, with everything it sees."""
        entry.run.detail = True
        if entry.running:
            entry.again = True
        else:
            self._push(entry, time.monotonic())
            self._arm()

    def _arm(self) -> None:
        """Wake when the next entry is due. The loop's clock is the monotonic one."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._heap and self._loop is not None:
            self._timer = self._loop.call_at(_together(self._heap[0][0]), self._fire)

    def _fire(self) -> None:
        self._timer = None
        now = time.monotonic()
        heap = self._heap
        while heap and heap[0][0] <= now:
            _, _, version, entry = heapq.heappop(heap)
            if version == entry.version and not entry.removed and not entry.running:
                entry.running, entry.again = True, False
                self._admit(entry)
        self._arm()

    def _admit(self, entry: Entry) -> None:
        """Start a run, or let it wait for its authority's turn, then for the whole engine's."""
        busy = self._busy_at.get(entry.authority, 0)
        if busy >= self._limits.get(entry.authority, _PER_AUTHORITY):
            self._waiting_at.setdefault(entry.authority, deque()).append(entry)
            return
        self._busy_at[entry.authority] = busy + 1
        if len(self._tasks) >= self._max_concurrent:
            self._waiting.append(entry)
            return
        self._launch(entry)

    def _launch(self, entry: Entry) -> None:
        loop = self._loop
        if loop is None or self._stopping.is_set():
            return
        entry.task = loop.create_task(self._one(entry))
        self._tasks.add(entry.task)

    def _release(self, entry: Entry) -> None:
        left = self._busy_at[entry.authority] - 1
        if left:
            self._busy_at[entry.authority] = left
        else:
            del self._busy_at[entry.authority]
        queue = self._waiting_at.get(entry.authority)
        if queue:
            following = queue.popleft()
            if not queue:
                del self._waiting_at[entry.authority]
            self._admit(following)
        if self._waiting and len(self._tasks) <= self._max_concurrent:
            self._launch(self._waiting.popleft())

    async def _one(self, entry: Entry) -> None:
        """One run: probe, self test if need be, result, next due time."""
        run = entry.run
        started = time.monotonic()
        late_ms = round((started - entry.due) * 1000, 1)
        self._latest_late_ms = late_ms
        self._worst_late_ms = max(self._worst_late_ms, late_ms)
        try:
            result = await self._probe(entry, late_ms)
            if result.outcome == "down":
                result = await self._doubt(entry, result, started)
            else:
                self._own_network.note(entry.authority, result)
            if not entry.removed:
                self._results.append(result)
                self._counts["runs"] += 1
                confirming = entry.streak.add(result.outcome, entry.spec.failures, entry.spec.successes)
                hold_s = bounded(run.retry_after_s, is_failing=result.outcome != "unknown")
                due, missed = entry.next_due(started, time.monotonic(), confirming=confirming, hold_s=hold_s)
                self._counts["missed"] += missed
                self._push(entry, time.monotonic() if entry.again else due)
        finally:
            entry.running = False
            if entry.task is not None:
                self._tasks.discard(entry.task)
                entry.task = None
            self._release(entry)
            run.phases, run.evidence, run.detail = {}, {}, entry.again
            if self._heap and (self._timer is None or _together(self._heap[0][0]) < self._timer.when()):
                self._arm()

    async def _probe(self, entry: Entry, late_ms: float) -> CheckResult:
        """Run the probe; whatever it raises becomes a result."""
        run = entry.run
        run.begin(self._now_ms(), late_ms)
        self._probing.add(entry)
        try:
            return _checked(await PROBES[entry.spec.kind].load().check(entry.spec, run))
        except asyncio.CancelledError as cancelled:
            if cancelled.args != (run,) or entry.task is None:
                raise
            entry.task.uncancel()
            return run.failure(TimeoutError())
        except Exception as error:
            result = run.failure(error)
            if result.error_class == "internal":
                self._counts["internal"] += 1
                log.exception("probe %s of %s failed", entry.spec.kind, entry.spec.monitor_id)
            return result
        finally:
            self._probing.discard(entry)

    async def _doubt(self, entry: Entry, result: CheckResult, started: float) -> CheckResult:
        """A failure, unless it was ours: our process stood still, or our network is down."""
        now = time.monotonic()
        if self._stall_ended > started or now - self._last_tick > _STALLED_S:
            why = Failed("unknown", "internal", "this prober stood still meanwhile; the result says nothing")
            return entry.run.failure(why)
        self._own_network.note(entry.authority, result)
        if await self._own_network.explains(result, started):
            self._counts["own_network"] += 1
            why = Failed("unknown", "own_network", f"our own network is down; the target looked like: {result.message}")
            return entry.run.failure(why)
        return result

    def _tick(self) -> None:
        now = time.monotonic()
        if now - self._last_tick > _STALLED_S:
            self._stall_ended = now
            self._counts["stalls"] += 1
            log.warning("the prober stood still for %.1f s", now - self._last_tick)
        self._last_tick = now
        self._cancel_overdue(now)
        self._flush()
        if self._loop is not None:
            self._loop.call_later(FLUSH_S, self._tick)

    def _cancel_overdue(self, now: float) -> None:
        """The last resort against a probe that ignores its deadline; libraries' own time-outs come first."""
        for entry in self._probing:
            if entry.task is not None and entry.run.deadline + _GRACE_S < now:
                entry.task.cancel(entry.run)

    def _flush(self) -> None:
        batch, self._results = self._results, []
        if not batch:
            return
        try:
            self._on_results(batch)
        except Exception:
            self._counts["lost_batches"] += 1
            log.exception("a batch of %d results was not accepted", len(batch))


def _together(due: float) -> float:
    """When to wake for what is due then."""
    return math.ceil(due / _QUANTUM_S) * _QUANTUM_S


def _checked(result: object) -> CheckResult:
    """What a probe returned, if it is a result. Raises TypeError."""
    if isinstance(result, CheckResult):
        return result
    message = f"returned {type(result).__name__} instead of a CheckResult"
    raise TypeError(message)


def _authority(spec: ProbeSpec) -> str:
    try:
        return PROBES[spec.kind].load().authority(spec)
    except Exception:  # noqa: BLE001 - a bad spec is the run's to report
        return spec.target

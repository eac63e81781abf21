"""`python -m probes agent`: probes run here and are judged elsewhere.

Pulls what to watch, pushes what was seen, keeps it on disk until the server has it.
"""

from __future__ import annotations

import argparse
import json
import logging
import queue
import secrets
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

from probes.agent_clock import Clock
from probes.agent_link import Link, Wire
from probes.agent_options import Limits, add_arguments, read
from probes.agent_spool import Batch, Spool
from probes.engine import Engine
from probes.result import CheckResult
from probes.spec import ProbeSpec

__all__ = ["Agent", "add_arguments", "main"]

log = logging.getLogger(__name__)

BATCH_S = 1.0
_BATCH_RESULTS = 500
_BATCH_BYTES = 96 * 1024
_EVIDENCE_BYTES = 8_000  # as much as the server keeps
_CACHE = "assignments.json"


class Agent:
    """Engine, spool and link of one agent, and the loop between them."""

    def __init__(
        self, link: Callable[[Agent], Link], spool: Spool, clock: Clock, limits: Limits, folder: Path, region: str
    ) -> None:
        self._spool, self._clock, self._limits, self._folder = spool, clock, limits, folder
        self.region = region
        self._boot = secrets.token_hex(8)
        self._sequence = 0
        self._results: queue.SimpleQueue[CheckResult] = queue.SimpleQueue()
        self._asked: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        self._engine: Engine | None = None
        self._self_test: tuple[str, ...] = ()
        self.problem = ""
        self._cached = self._read_cache()
        self._link = link(self)

    @property
    def known(self) -> str:
        """The ETag of the assignments that are kept on disk."""
        return str(self._cached.get("etag", ""))

    def assign(self, data: dict[str, Any] | None) -> None:
        """Take over what the server says is to be watched; None: nothing. Called on the link's thread."""
        self._asked.put(data)

    def run(self, stop: threading.Event) -> str:
        """Probe and deliver until `stop`; '' or why it cannot go on."""
        if self._cached:
            self._watch(self._cached)
        thread = threading.Thread(target=self._link.run, args=(stop,), name="link", daemon=True)
        thread.start()
        while not stop.is_set():
            stop.wait(BATCH_S)
            self._take_over()
            self._keep()
            if self.problem or self._link.first_refusal:
                stop.set()
        if self._engine is not None:
            self._engine.stop()
        self._keep()
        self._link.wake.set()
        thread.join(12.0)
        return self.problem or self._link.first_refusal

    def _take_over(self) -> None:
        while not self._asked.empty():
            data = self._asked.get()
            if data is None:
                self._watch({"specs": [], "self_test": list(self._self_test)})
            elif self.region and data.get("region") != self.region:
                self.problem = (
                    f"the server knows this agent in region {data.get('region')!r}, not {self.region!r}: mend --region"
                )
            else:
                self._write_cache(data)
                self._watch(data)

    def _watch(self, data: dict[str, Any]) -> None:
        specs = [spec for each in data["specs"] if (spec := self._read_spec(each)) is not None]
        self_test = tuple(str(url) for url in data.get("self_test", []))
        if self._engine is not None and self_test == self._self_test:
            self._engine.replace(specs)
        else:
            if self._engine is not None:
                self._engine.stop()
            self._self_test = self_test
            region = str(data.get("region", self.region))
            self._engine = Engine(
                specs, self._put, self_test, region, self._clock.now_ms, allow_networks=self._limits.networks
            )
            self._engine.start()
        log.info("%d monitors are watched from here", len(specs))

    def _read_spec(self, data: Any) -> ProbeSpec | None:  # noqa: ANN401 - what a server sent
        try:
            return self._limits.apply(ProbeSpec.from_json(data))
        except (ValueError, TypeError, AttributeError) as error:
            log.error("a monitor cannot be watched: %s", error)  # noqa: TRY400 - no bug of ours
            return None

    def _put(self, batch: list[CheckResult]) -> None:
        for result in batch:
            self._results.put(result)

    def _keep(self) -> None:
        """Put what has arrived into the spool, in batches that fit into a request."""
        results: list[dict[str, Any]] = []
        size = 0
        while not self._results.empty():
            data = _wire_form(self._results.get())
            length = len(json.dumps(data))
            if results and (size + length > _BATCH_BYTES or len(results) >= _BATCH_RESULTS):
                self._append(results)
                results, size = [], 0
            results.append(data)
            size += length
        if results:
            self._append(results)

    def _append(self, results: list[dict[str, Any]]) -> None:
        self._sequence += 1
        self._spool.append(Batch(self._boot, self._sequence, self._clock, self._clock.now_ms(), results))
        self._link.wake.set()

    def _read_cache(self) -> dict[str, Any]:
        """What was to be watched last: an agent that starts while it is cut off goes on with that."""
        try:
            data = json.loads((self._folder / _CACHE).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        is_ours = isinstance(data, dict) and "specs" in data and self.region in {"", data.get("region")}
        return data if is_ours else {}

    def _write_cache(self, data: dict[str, Any]) -> None:
        temporary = self._folder / f"{_CACHE}.new"
        try:
            temporary.touch(mode=0o600)
            temporary.write_text(json.dumps(data), encoding="utf-8")
            temporary.replace(self._folder / _CACHE)
        except OSError as error:
            log.warning("the assignments could not be kept (%s)", error.strerror)


def _wire_form(result: CheckResult) -> dict[str, Any]:
    data = result.to_json()
    if len(json.dumps(data["evidence"])) > _EVIDENCE_BYTES:
        data["evidence"] = {"cut": "the evidence was larger than is kept"}
    return {**data, "message": data["message"][:500]}


def main(arguments: argparse.Namespace) -> int:
    """Run until SIGTERM or SIGINT. Exit codes: 0 stopped, 2 usage, 3 refused by the server."""
    level = logging.DEBUG if arguments.debug else logging.INFO
    logging.basicConfig(level=level, format="%(asctime)s %(levelname)s %(message)s")
    try:
        options = read(arguments)
        spool = Spool(options.spool, max_bytes=options.spool_bytes, max_age_s=options.spool_age_s)
    except (ValueError, OSError) as error:
        log.error("%s", error)  # noqa: TRY400 - the message says what to change
        return 2
    clock, wire = Clock.start(), Wire(options.server, options.ca_file)

    def link(agent: Agent) -> Link:
        pause_s = options.longest_pause_s
        return Link(wire, options.key, clock, spool, agent.assign, known=agent.known, longest_pause_s=pause_s)

    agent = Agent(link, spool, clock, options.limits, options.spool, options.region)
    stop = threading.Event()

    def end(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    log.info("agent %s started; %d batches wait from before", options.key.name, spool.waiting())
    problem = agent.run(stop)
    spool.close()
    wire.close()
    if problem:
        log.error("%s", problem)
    return 3 if problem else 0

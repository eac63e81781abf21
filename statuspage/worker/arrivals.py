"""What agents delivered, on its way from the web processes to the one checker that judges."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace

from probes.result import CheckResult
from statuspage.actions.context import Context
from statuspage.errors import Unavailable
from statuspage.store import agents as store
from statuspage.store.agents import Arrival
from statuspage.store.monitors import Monitor

log = logging.getLogger(__name__)

AT_ONCE = 200  # batches read per round
_RESULTS = 5000  # results handed out per round, and whatever the last batch adds


@dataclass(frozen=True, slots=True)
class Taken:
    """Results in the order in which their batches came, and the batches to take away in the transaction that records them."""

    results: list[CheckResult]
    ids: list[int]
    more: bool  # whether as much waits behind them


class Arrivals:
    """Reads what waits. Only the elected checker has one.

    Within one boot of an agent the sequence counts: a later batch's results are never older than an earlier one's, however the
    estimate of its clock moved in between. A batch that comes after its successors keeps its time: it amends history.
    """

    def __init__(self) -> None:
        self._newest: dict[tuple[str, str], int] = {}  # agent, boot -> highest sequence taken
        self._last_ms: dict[tuple[str, str], int] = {}  # agent, monitor -> time of the newest result of that boot
        # What was handed out and may come again, when recording failed. By the batch's own name: the database gives the number
        # of a row that is gone to the next one.
        self._taken: dict[tuple[str, str, int], list[CheckResult]] = {}

    def take(self, ctx: Context, monitors: Mapping[str, Monitor]) -> Taken:
        """The oldest batches; nothing while the database does not answer. Results for monitors of other regions are left out."""
        try:
            with ctx.db.read() as conn:
                arrivals = store.arrivals(conn, AT_ONCE)
        except Unavailable as error:
            log.warning("results of agents wait: %s", error)
            return Taken([], [], more=False)
        taken: dict[tuple[str, str, int], list[CheckResult]] = {}
        ids: list[int] = []
        count = 0
        for one in arrivals:
            name = (one.agent_id, one.boot, one.sequence)
            taken[name] = self._taken[name] if name in self._taken else self._results(one, monitors)
            ids.append(one.id)
            count += len(taken[name])
            if count >= _RESULTS:
                break
        self._taken = taken
        more = len(taken) < len(arrivals) or len(arrivals) == AT_ONCE
        return Taken([result for results in taken.values() for result in results], ids, more=more)

    def _results(self, arrival: Arrival, monitors: Mapping[str, Monitor]) -> list[CheckResult]:
        found = [CheckResult.from_json(each) for each in arrival.results]
        found = [
            one
            for one in found
            if one.monitor_id in monitors and monitors[one.monitor_id].is_watched_from(arrival.region)
        ]
        if arrival.sequence < self._newest.get((arrival.agent_id, arrival.boot), 0):
            return found
        if (arrival.agent_id, arrival.boot) not in self._newest:
            self._forget(arrival.agent_id)
        self._newest[arrival.agent_id, arrival.boot] = arrival.sequence
        return [self._in_order(arrival.agent_id, one) for one in found]

    def _forget(self, agent_id: str) -> None:
        """A new boot stamps with a new clock."""
        self._last_ms = {key: at_ms for key, at_ms in self._last_ms.items() if key[0] != agent_id}

    def _in_order(self, agent_id: str, result: CheckResult) -> CheckResult:
        key = (agent_id, result.monitor_id)
        last_ms = self._last_ms.get(key, 0)
        if result.at_ms <= last_ms:
            result = replace(result, at_ms=last_ms + 1)
        self._last_ms[key] = result.at_ms
        return result

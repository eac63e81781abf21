"""What a chain's endpoints mean together: own node late, chain halted, or only busy. Pure: records in, a state out.

Rules: no reference decides alone (two suppliers must agree), what is not known is UNKNOWN and never a halt, and the order
of the endpoints changes nothing.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from probes.chains.record import Record
from probes.chains.settle import (
    CHAIN_HALTED,
    CHAIN_SLOW,
    CONGESTED,
    FINALITY_DELAYED,
    OK,
    OWN_ENDPOINT_OVERLOADED,
    OWN_NODE_BEHIND,
    OWN_NODE_ON_FORK,
    UNKNOWN,
    UNKNOWN_STALE,
    Finding,
    Memory,
    Verdict,
    settled,
)

POLLS = 3  # how many polls back a sample still counts as live
_PRESSED, _PRESSED_MS = 0.8, 30 * 60_000
_EMA = 0.1  # weight of the newest block interval
_CLOCK_FAULT_S, _CLOCK_FAULT_POISSON_S = -15.0, -7200.0  # Bitcoin's rules let a block be two hours ahead
_ERROR_SHARE = 0.3
# Errors that say the endpoint does not serve; the others are our setting, or say nothing.
_BAD = frozenset(
    (
        "rate_limited", "overloaded", "node_behind", "bad_body", "body_cap", "dns", "refused", "unreachable", "timeout",
        "tls", "certificate", "reset", "protocol",
    )
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Limits:
    """A chain's timings, from the registry; pairs are (warn, down). `memoryless`: gaps are random, as Bitcoin's."""

    block_s: float = 12.0
    lag_blocks: tuple[float, float] | None = None
    lag_s: tuple[float, float] = (60.0, 180.0)
    halt_s: float = 300.0
    slow_s: float | None = None
    slow_factor: float = 2.0
    finality_warn_s: float | None = None
    safe_warn_s: float | None = None
    memoryless: bool = False
    empty_blocks: bool = True
    head_age_s: tuple[float, float] = (60.0, 180.0)  # judged where no references do
    cluster_delta: int | None = None
    confirm_s: float | None = None

    @property
    def cluster(self) -> int:
        """How many blocks apart heads may be and still agree."""
        return self.cluster_delta if self.cluster_delta is not None else min(10, max(2, math.ceil(2 / self.block_s)))

    @property
    def safe_depth(self) -> int:
        """How far below the tip hashes must agree: one or two blocks may be replaced in the ordinary way."""
        return 2 if self.memoryless else max(10, self.cluster)


class Poll(NamedTuple):
    """All endpoints, asked at one moment."""

    at_ms: int
    records: tuple[Record, ...]


def judge(polls: Sequence[Poll], limits: Limits, memory: Memory) -> Verdict:
    """The verdict after the newest of `polls` (oldest first, at least one) and the memory for the next."""
    polls = [Poll(poll.at_ms, tuple(sorted(poll.records, key=lambda each: each.endpoint))) for poll in polls]
    now_ms = polls[-1].at_ms
    group = _tip_group(polls, limits)
    memory = _paced(memory, now_ms, group, limits)
    finding = _Tree(polls, limits, memory, group).walk()
    return settled(memory, finding, now_ms, limits.confirm_s)


# --- samples and the tip ---


def live_of(polls: Sequence[Poll]) -> list[Record]:
    """The newest good sample of each endpoint among the last polls."""
    found: dict[str, Record] = {}
    for poll in polls[-POLLS:]:
        for record in poll.records:
            if record.ok and record.chain_id_ok and record.head_height is not None and record.head_ms is not None:
                found[record.endpoint] = record
    return sorted(found.values(), key=lambda record: record.endpoint)


def suppliers(records: Iterable[Record]) -> int:
    """How many companies stand behind these endpoints: two addresses of one are one witness."""
    return len({record.supplier or record.endpoint for record in records})


class Group(NamedTuple):
    """References that agree on the head; empty where no two suppliers do."""

    records: tuple[Record, ...]
    others: tuple[Record, ...]  # references that are live and say otherwise
    fault: bool  # most references are ahead of our clock

    @property
    def tip(self) -> int | None:
        """The highest head of the group."""
        return max((record.head_height or 0 for record in self.records), default=None)

    @property
    def agreed(self) -> int:
        """The highest head that two suppliers have reached: what an own node is measured by."""
        best: dict[str, int] = {}
        for record in self.records:
            key = record.supplier or record.endpoint
            best[key] = max(best.get(key, 0), record.head_height or 0)
        return sorted(best.values())[-2:][0]

    @property
    def age_s(self) -> float:
        """The median age of the heads when they were read, the older one of two."""
        return sorted(record.head_age_s or 0.0 for record in self.records)[len(self.records) // 2]


def _tip_group(polls: Sequence[Poll], limits: Limits) -> Group:
    """The largest group of references within cluster_delta. One lone high value, or two equal camps, are nobody's tip."""
    now = polls[-1].at_ms
    refs = [record for record in live_of(polls) if record.role == "reference"]
    ahead = [record for record in refs if _ahead(record, limits)]
    if ahead and len(ahead) * 2 > len(refs):
        return Group((), tuple(refs), fault=True)
    refs = [record for record in refs if record not in ahead]
    fresh = [record for record in refs if record.at_ms == now]
    refs = fresh if suppliers(fresh) >= 2 else refs  # an older sample of a fast chain cannot be near the tip
    windows: list[list[Record]] = []
    for top in refs:
        height = top.head_height or 0
        windows.append([each for each in refs if height - limits.cluster <= (each.head_height or 0) <= height])
    windows.sort(key=lambda window: (suppliers(window), max(each.head_height or 0 for each in window)), reverse=True)
    best = windows[0] if windows else []
    rivals = [each for each in windows if suppliers(each) == suppliers(best) and not any(one in best for one in each)]
    if suppliers(best) < 2 or rivals:
        return Group((), tuple(refs), fault=False)
    return Group(tuple(best), tuple(each for each in refs if each not in best), fault=False)


def _ahead(record: Record, limits: Limits) -> bool:
    return (record.head_age_s or 0.0) < (_CLOCK_FAULT_POISSON_S if limits.memoryless else _CLOCK_FAULT_S)


def _paced(memory: Memory, now_ms: int, group: Group, limits: Limits) -> Memory:
    """The memory with the newest tip: how fast blocks come, and since when they are full."""
    tip = group.tip
    tips, grown_ms, grown_tip, interval_s = memory.tips, memory.grown_ms, memory.grown_tip, memory.interval_s
    if tip is not None:
        tips = (*tips, (now_ms, tip))[-POLLS:]
        if grown_tip is None or grown_ms is None:
            grown_ms, grown_tip = now_ms, tip
        elif tip > grown_tip:
            sample = (now_ms - grown_ms) / 1000 / (tip - grown_tip)
            if 0.01 <= sample <= max(120.0, 10 * limits.block_s):  # so that the average survives a halt
                interval_s = sample if interval_s is None else interval_s + _EMA * (sample - interval_s)
            grown_ms, grown_tip = now_ms, tip
    pressures = sorted(each.fee.pressure for each in group.records if each.fee and each.fee.pressure is not None)
    pressed = bool(pressures) and pressures[(len(pressures) - 1) // 2] >= _PRESSED
    since = (memory.pressed_since_ms if memory.pressed_since_ms is not None else now_ms) if pressed else None
    return replace(
        memory, tips=tips, grown_ms=grown_ms, grown_tip=grown_tip, interval_s=interval_s, pressed_since_ms=since
    )


# --- the tree ---


class _Tree:
    """One walk through the questions, worst first. Each question leaves a line in `path`."""

    def __init__(self, polls: Sequence[Poll], limits: Limits, memory: Memory, group: Group) -> None:
        self.polls, self.limits, self.memory, self.group = polls, limits, memory, group
        self.now_ms = polls[-1].at_ms
        live = live_of(polls)
        self.own = [record for record in live if record.role == "own"]
        self.has_live = bool(live)
        self.path: list[str] = []

    def walk(self) -> Finding:
        if not self.has_live or self._fails_alone():
            return self._nobody()
        if self.group.fault or (
            self.own and not self.group.records and all(_ahead(each, self.limits) for each in self.own)
        ):
            self._note("heads lie ahead of our clock: compare the clocks")
            return self._end(UNKNOWN, error_class="internal")
        if not self.group.records:
            return self._without_quorum()
        return self._chain() or self._own_node() or self._load()

    def _fails_alone(self) -> bool:
        """Without references there is nothing to weigh: what the newest poll says of the own endpoint holds."""
        newest = self.polls[-1].records
        return all(each.role == "own" for each in newest) and not any(each.ok and each.chain_id_ok for each in newest)

    def _note(self, text: str) -> None:
        self.path.append(text)

    def _end(self, state: str, *, severe: bool = False, error_class: str | None = None) -> Finding:
        tip = self.group.tip
        compare = None if tip is None else max(0, tip - self.limits.safe_depth)
        quorum = bool(self.group.records)
        return Finding(state, tuple(self.path), tip, severe, quorum, error_class, compare)

    def _errors(self) -> tuple[float, str | None]:
        """Share of own answers that failed in the polls kept, and the newest reason."""
        own = [record for poll in self.polls for record in poll.records if record.role == "own" and not record.skipped]
        if len(own) < 2 and any(record.skipped for record in self.polls[-1].records if record.role == "own"):
            return 0.0, None  # asked once and left alone since: no share can be told of one answer
        bad = [record for record in own if not record.ok and record.error_class in _BAD]
        return (len(bad) / len(own) if own else 0.0), (bad[-1].error_class if bad else None)

    def _nobody(self) -> Finding:
        """No live sample. Of an own endpoint without references its own failure is known, of the chain nothing."""
        records = self.polls[-1].records
        newest = [record.error_class for record in records if (not record.ok or not record.chain_id_ok) and not record.skipped]
        if not newest:
            self._note("every endpoint is left alone, as it asked")
            return self._end(UNKNOWN, error_class="rate_limited")
        self._note("no endpoint gave a head: " + ", ".join(sorted({str(each) for each in newest})))
        if (
            not any(record.role == "reference" for record in records)
            and newest
            and all(each in _BAD for each in newest)
        ):
            self._note("no references; the own endpoint itself fails")
            return self._end(OWN_ENDPOINT_OVERLOADED, severe=True, error_class=newest[0])
        return self._end(UNKNOWN, error_class=next((each for each in newest if each), None))

    def _without_quorum(self) -> Finding:
        count = suppliers(self.group.others)
        self._note(f"no two references agree ({count} live): nobody knows the tip")
        if not self.own:
            self._note("no own endpoint is live")
            return self._end(UNKNOWN)
        age_s = min(self._age_s(record) for record in self.own)
        warn_s, down_s = self.limits.head_age_s
        self._note(f"own head is {age_s:.0f} s old, limit {warn_s:g} s")
        if age_s > warn_s:
            return self._end(UNKNOWN_STALE, severe=age_s > down_s, error_class="head_stale")
        return self._end(OK)

    def _age_s(self, record: Record) -> float:
        """Age now, not when it was read: an endpoint that fell silent does not stay young."""
        return (self.now_ms - (record.head_ms or 0)) / 1000

    def _chain(self) -> Finding | None:
        limits, memory = self.limits, self.memory
        tip = self.group.tip or 0
        age_s = min(self._age_s(record) for record in self.group.records)
        before = memory.tips[0][1] if len(memory.tips) > 1 else None
        advance = before is None or tip > before
        self._note(
            f"tip {tip} of {len(self.group.records)} references, {age_s:.0f} s old, {'moves' if advance else 'stands'}"
        )
        if not advance and age_s > limits.halt_s:
            found = self._standing(tip)
            if found is not None:
                return found
        interval_s = memory.interval_s
        if limits.memoryless:
            if limits.slow_s is not None and age_s > limits.slow_s:
                self._note(f"no block for more than {limits.slow_s:g} s")
                return self._end(CHAIN_SLOW)
        elif interval_s is not None and limits.empty_blocks and interval_s > limits.slow_factor * limits.block_s:
            self._note(f"blocks every {interval_s:.2f} s instead of {limits.block_s:g} s")
            return self._end(CHAIN_SLOW)
        delay_s = self._finality_s(tip)
        if limits.finality_warn_s is not None and delay_s is not None and delay_s > limits.finality_warn_s and advance:
            self._note(f"what is final is {delay_s:.0f} s old, limit {limits.finality_warn_s:g} s")
            return self._end(FINALITY_DELAYED)
        safe_s = self._safe_s()
        if limits.safe_warn_s is not None and safe_s is not None and safe_s > limits.safe_warn_s and advance:
            self._note(f"batches come late: what is safe is {safe_s:.0f} s old, limit {limits.safe_warn_s:g} s")
            return self._end(FINALITY_DELAYED)
        return None

    def _standing(self, tip: int) -> Finding | None:
        """The references stand still: all of them, and ours as well? Then it is the chain."""
        ahead = [each for each in self.own if (each.head_height or 0) > tip and self._age_s(each) <= self.limits.halt_s]
        if self.group.others or ahead:
            self._note("another endpoint says otherwise: not a halt that can be told")
            fresh = any(self._age_s(each) <= self.limits.head_age_s[0] for each in self.own)
            return self._end(OK) if fresh else self._end(UNKNOWN_STALE, error_class="head_stale")
        if not self.limits.empty_blocks:
            self._note("a chain without empty blocks may be quiet")
            return None
        self._note(f"all references stand for more than {self.limits.halt_s:g} s")
        return self._end(CHAIN_HALTED, severe=True, error_class="head_stale")

    def _finality_s(self, tip: int) -> float | None:
        """How old the final block is, by the median of the references that tell."""
        delays = sorted(
            (self.now_ms - each.final_ms) / 1000
            if each.final_ms is not None
            else (tip - each.final_height) * self.limits.block_s
            for each in self.group.records
            if each.final_height is not None and not each.final_is_estimate
        )
        return delays[(len(delays) - 1) // 2] if suppliers(self.group.records) >= 2 and len(delays) >= 2 else None

    def _safe_s(self) -> float | None:
        """How old the newest block posted below is, by the median of the references that tell."""
        delays = sorted((self.now_ms - each.safe_ms) / 1000 for each in self.group.records if each.safe_ms is not None)
        return delays[(len(delays) - 1) // 2] if len(delays) >= 2 else None

    def _own_node(self) -> Finding | None:
        for record in self.own:
            against = self._fork(record)
            if against is not None:
                self._note(f"{record.endpoint} has another block at height {against} than the references")
                return self._end(OWN_NODE_ON_FORK, severe=True, error_class="node_behind")
        lags = [self._lag(record) for record in self.own]
        if any(warn for warn, _, _ in lags):
            self._note("; ".join(text for warn, _, text in lags if warn))
            return self._end(OWN_NODE_BEHIND, severe=all(down for _, down, _ in lags), error_class="node_behind")
        late = [each for each in self.own if self._is_safe_late(each)]
        if late:
            self._note(f"{late[0].endpoint} reads the chain below late, by {late[0].l1_behind or 0} blocks of it")
            return self._end(OWN_NODE_BEHIND, error_class="node_behind")
        return None

    def _is_safe_late(self, record: Record) -> bool:
        """An own head may be new while what the node has derived from the chain below is not, and the references' is."""
        limit_s, safe_s = self.limits.safe_warn_s, self._safe_s()
        if limit_s is None or safe_s is None or record.safe_ms is None:
            return False
        return (self.now_ms - record.safe_ms) / 1000 > limit_s

    def _fork(self, record: Record) -> int | None:
        """The height at which two suppliers agree on a hash and this endpoint has another."""
        if record.check_hash is None:
            return None
        same = [each for each in self.group.records if each.check_height == record.check_height and each.check_hash]
        hashes = {each.check_hash for each in same}
        if suppliers(same) >= 2 and len(hashes) == 1 and record.check_hash not in hashes:
            return record.check_height
        return None

    def _lag(self, record: Record) -> tuple[bool, bool, str]:
        """Whether an own head is late, whether very late, and in words."""
        limits = self.limits
        blocks = self.group.agreed - (record.head_height or 0)
        seconds = (record.head_age_s or 0.0) - self.group.age_s
        words = f"{record.endpoint} is {blocks} blocks and {seconds:.0f} s behind"
        if limits.memoryless:
            few, many = limits.lag_blocks or (1, 3)
            waited_s = (self.now_ms - (self.memory.grown_ms or self.now_ms)) / 1000
            warn = blocks >= many or (blocks >= few and waited_s > limits.lag_s[0])
            return warn, blocks > many or (blocks >= few and waited_s > limits.lag_s[1]), words
        by_blocks = limits.lag_blocks if record.at_ms == self.now_ms else None  # an old sample lags by its own age
        if not limits.empty_blocks and blocks <= limits.cluster:
            seconds = 0.0  # the gap between two blocks of a quiet chain is no lag
        warn = (by_blocks is not None and blocks > by_blocks[0]) or seconds > limits.lag_s[0]
        down = (by_blocks is not None and blocks > by_blocks[1]) or seconds > limits.lag_s[1]
        return warn, down, words

    def _load(self) -> Finding:
        share, reason = self._errors()
        newest = [each for each in self.polls[-1].records if each.role == "own" and not each.skipped]
        all_fail = bool(newest) and all(not each.ok and each.error_class in _BAD for each in newest)
        if share > _ERROR_SHARE or all_fail:
            self._note(f"{share:.0%} of own answers failed ({reason}) while the references answer")
            return self._end(OWN_ENDPOINT_OVERLOADED, severe=not self.own, error_class=reason)
        pressed = self.memory.pressed_since_ms
        if pressed is not None and self.now_ms - pressed >= _PRESSED_MS:
            self._note("blocks are full for more than 30 min")
            return self._end(CONGESTED)
        if not self.own:
            self._note("no own endpoint is live")
            if any(record.role == "own" for record in self.polls[-1].records):
                return self._end(UNKNOWN, error_class=self._own_reason())
        return self._end(OK)

    def _own_reason(self) -> str | None:
        reasons = [each.error_class for each in self.polls[-1].records if each.role == "own"]
        return next((each for each in reasons if each), None)

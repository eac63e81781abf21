"""Chains in the test's own time: records of endpoints that go as they should, stand still or fail, and the verdicts over them."""

from __future__ import annotations

from collections import deque
from dataclasses import replace

from probes.chains import verdict
from probes.chains.record import Record
from probes.chains.settle import Memory
from probes.chains.verdict import Limits, Poll

START = 1_800_000_000
ETHEREUM = Limits(12, (5, 15), (60, 180), 300, finality_warn_s=1500)
BSC = Limits(0.45, (50, 1000), (20, 90), 60, finality_warn_s=60, head_age_s=(20, 90))
BITCOIN = Limits(600, (1, 3), (900, 3600), 10800, slow_s=5400, memoryless=True, head_age_s=(5400, 10800))
ARBITRUM = Limits(0.25, (20, 400), (20, 90), 300, empty_blocks=False, head_age_s=(3600, 7200))


def record(name, at_s, height, age_s, **more):
    role = "own" if name.startswith("own") else "reference"
    base = Record("c", name, role, at_s * 1000, ok=True, latency_ms=50.0, supplier=name)
    return replace(base, head_height=height, head_ms=int((at_s - age_s) * 1000), **more)


def failed(name, at_s, error_class):
    role = "own" if name.startswith("own") else "reference"
    return Record("c", name, role, at_s * 1000, ok=False, latency_ms=50.0, supplier=name, error_class=error_class)


def head(at_s, block_s=12):
    """Height and age of a chain that goes as it should."""
    return 1000 + int((at_s - START) / block_s), (at_s - START) % block_s


def well(name, at_s, limits=ETHEREUM, behind=0, **more):
    height, age_s = head(at_s, limits.block_s)
    return record(name, at_s, height - behind, age_s + behind * limits.block_s, **more)


def frozen(name, at_s, age_s=900, **more):
    return record(name, at_s, 900, age_s + at_s - START, **more)


def play(world, limits=ETHEREUM, seconds=150, step=15, judge=verdict.judge):
    """The verdicts of polls every `step` s of `world(at_s)`."""
    polls, memory, found = deque(maxlen=10), Memory(), []
    for at_s in range(START, START + seconds + 1, step):
        polls.append(Poll(at_s * 1000, tuple(world(at_s))))
        one = judge(list(polls), limits, memory)
        memory = one.memory
        found.append(one)
    return found


def each(*makers):
    return lambda at_s: [make(at_s) for make in makers]


def named(make, name, **more):
    return lambda at_s: make(name, at_s, **more)


def dead(name, error_class):
    return lambda at_s: failed(name, at_s, error_class)


def gap(name, minutes, behind=0):
    """A Bitcoin endpoint whose newest block is `minutes` old at the start."""
    return lambda at_s: record(name, at_s, 900000 - behind, minutes * 60 + at_s - START)

"""The verdict tree: every branch, what can never happen, and bugs planted on purpose that these tests catch."""

from __future__ import annotations

import importlib.util
import sys
from collections import deque
from dataclasses import replace
from pathlib import Path

import pytest
from chain_world import (
    ARBITRUM,
    BITCOIN,
    BSC,
    ETHEREUM,
    START,
    dead,
    each,
    failed,
    frozen,
    gap,
    head,
    named,
    play,
    record,
    well,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from probes.chains import settle, verdict
from probes.chains.record import Fee
from probes.chains.settle import Memory, component_status_of, outcome_of
from probes.chains.verdict import Poll


def three(own, at_s, **more):
    return [own, well("ref-a", at_s, **more), well("ref-b", at_s, **more)]


def sometimes(at_s):
    return three(failed("own-1", at_s, "rate_limited") if at_s % 30 else well("own-1", at_s), at_s)


def once(at_s):
    own = failed("own-1", at_s, "timeout") if at_s == START + 150 else well("own-1", at_s, BSC)
    return [own, well("ref-a", at_s, BSC), well("ref-b", at_s, BSC)]


def found_after_a_gap(at_s):
    """A block after 40 minutes, which the own node has not yet seen."""
    fresh = at_s >= START + 120
    refs = [record(each, at_s, 900001, at_s - START - 120) for each in ("ref-a", "ref-b")]
    old = [record(each, at_s, 900000, 2400 + at_s - START) for each in ("ref-a", "ref-b")]
    return [record("own-1", at_s, 900000, 2400 + at_s - START), *(refs if fresh else old)]


def slow(name):
    def make(at_s):
        return record(name, at_s, *head(at_s, 30))

    return make


def hashed(name, hash_):
    return lambda at_s: well(name, at_s, check_height=990, check_hash=hash_)


def pressed(name, pressure):
    return lambda at_s: well(name, at_s, fee=Fee("gwei", 1.0, 1.0, pressure))


def final(name, delay_s, **more):
    return lambda at_s: well(name, at_s, final_height=1, final_ms=(at_s - delay_s) * 1000, **more)


A, B, OWN = named(well, "ref-a"), named(well, "ref-b"), named(well, "own-1")
STALE = named(frozen, "own-1", age_s=100)
SCENARIOS = {
    "all well": (each(OWN, A, B), ETHEREUM, 150, "OK"),
    "nobody answers": (each(*(dead(x, "timeout") for x in ("own-1", "ref-a", "ref-b"))), ETHEREUM, 150, "UNKNOWN"),
    "no references, own fresh": (each(OWN), ETHEREUM, 150, "OK"),
    "no references, own stale": (each(STALE), ETHEREUM, 150, "UNKNOWN_STALE"),
    "no references, own dead": (each(dead("own-1", "refused")), ETHEREUM, 150, "OWN_ENDPOINT_OVERLOADED"),
    "no references, own without a plan": (each(dead("own-1", "billing")), ETHEREUM, 150, "UNKNOWN"),
    "one reference and a stale own": (each(STALE, A), ETHEREUM, 150, "UNKNOWN_STALE"),
    "two stale addresses of one supplier": (
        each(STALE, named(frozen, "ref-a", supplier="s"), named(frozen, "ref-b", supplier="s")), ETHEREUM, 600, "UNKNOWN_STALE"),
    "all stand": (each(named(frozen, "own-1"), named(frozen, "ref-a"), named(frozen, "ref-b")), ETHEREUM, 150, "CHAIN_HALTED"),
    "own dead while the references stand": (
        each(dead("own-1", "timeout"), named(frozen, "ref-a"), named(frozen, "ref-b")), ETHEREUM, 150, "CHAIN_HALTED"),
    "a third reference moves": (
        each(named(frozen, "own-1"), named(frozen, "ref-a"), named(frozen, "ref-b"), named(well, "ref-c")),
        ETHEREUM, 150, "UNKNOWN_STALE"),
    "own moves while references stand": (each(OWN, named(frozen, "ref-a"), named(frozen, "ref-b")), ETHEREUM, 150, "OK"),
    "blocks come slowly": (each(slow("own-1"), slow("ref-a"), slow("ref-b")), ETHEREUM, 600, "CHAIN_SLOW"),
    "finality waits": (each(OWN, final("ref-a", 1600), final("ref-b", 1700)), ETHEREUM, 150, "FINALITY_DELAYED"),
    "one reference says finality waits": (each(OWN, final("ref-a", 900), final("ref-b", 9000)), ETHEREUM, 150, "OK"),
    "an estimate of finality": (
        each(OWN, final("ref-a", 1600, final_is_estimate=True), final("ref-b", 1700, final_is_estimate=True)), ETHEREUM, 150,
        "OK"),
    "own behind": (each(named(well, "own-1", behind=7), A, B), ETHEREUM, 150, "OWN_NODE_BEHIND"),
    "own a little behind": (each(named(well, "own-1", behind=3), A, B), ETHEREUM, 150, "OK"),
    "own late by time alone": (
        each(named(well, "own-1", limits=BSC, behind=60), named(well, "ref-a", limits=BSC), named(well, "ref-b", limits=BSC)),
        replace(BSC, lag_blocks=None), 150, "OWN_NODE_BEHIND"),
    "own on a fork": (
        each(hashed("own-1", "0xbad"), hashed("ref-a", "0x1"), hashed("ref-b", "0x1")), ETHEREUM, 150, "OWN_NODE_ON_FORK"),
    "references differ in the hash": (
        each(hashed("own-1", "0xbad"), hashed("ref-a", "0x1"), hashed("ref-b", "0x2")), ETHEREUM, 150, "OK"),
    "own limited half the time": (sometimes, ETHEREUM, 150, "OWN_ENDPOINT_OVERLOADED"),
    "own dead, references well": (each(dead("own-1", "refused"), A, B), ETHEREUM, 150, "OWN_ENDPOINT_OVERLOADED"),
    "own key refused": (each(dead("own-1", "auth"), A, B), ETHEREUM, 150, "UNKNOWN"),
    "one failure of a fast chain's own node": (once, BSC, 150, "OK"),
    "full for 40 min": (each(OWN, pressed("ref-a", 0.9), pressed("ref-b", 0.9)), ETHEREUM, 2400, "CONGESTED"),
    "full for 20 min": (each(OWN, pressed("ref-a", 0.9), pressed("ref-b", 0.9)), ETHEREUM, 1200, "OK"),
    "one reference says full": (each(OWN, pressed("ref-a", 0.1), pressed("ref-b", 1.0)), ETHEREUM, 2400, "OK"),
    "bitcoin, an hour without a block": (each(gap("own-1", 60), gap("ref-a", 60), gap("ref-b", 60)), BITCOIN, 300, "OK"),
    "bitcoin, 100 min": (each(gap("own-1", 100), gap("ref-a", 100), gap("ref-b", 100)), BITCOIN, 300, "CHAIN_SLOW"),
    "bitcoin, over three hours": (each(gap("own-1", 200), gap("ref-a", 200), gap("ref-b", 200)), BITCOIN, 300, "CHAIN_HALTED"),
    "bitcoin, the first block after a gap": (found_after_a_gap, BITCOIN, 300, "OK"),
    "bitcoin, one block late for 16 min": (found_after_a_gap, BITCOIN, 1260, "OWN_NODE_BEHIND"),
    "bitcoin, three blocks late": (each(gap("own-1", 30, 3), gap("ref-a", 1), gap("ref-b", 1)), BITCOIN, 300, "OWN_NODE_BEHIND"),
    "a quiet chain without empty blocks": (
        each(named(frozen, "own-1"), named(frozen, "ref-a"), named(frozen, "ref-b")), ARBITRUM, 150, "OK"),
    "our clock is slow": (each(*(named(frozen, x, age_s=-300) for x in ("own-1", "ref-a", "ref-b"))), ETHEREUM, 150, "UNKNOWN"),
    "bitcoin blocks an hour ahead": (each(gap("own-1", -60), gap("ref-a", -60), gap("ref-b", -60)), BITCOIN, 300, "OK"),
    "a phantom head": (each(OWN, A, B, named(well, "ref-c", behind=-1000)), ETHEREUM, 150, "OK"),
    "two camps, own fresh": (each(OWN, A, named(frozen, "ref-b")), ETHEREUM, 150, "OK"),
    "two camps of two, own stale": (
        each(STALE, A, B, named(frozen, "ref-c"), named(frozen, "ref-d")), ETHEREUM, 150, "UNKNOWN_STALE"),
    "a reference of another chain": (each(STALE, A, named(well, "ref-b", chain_id_ok=False)), ETHEREUM, 150, "UNKNOWN_STALE"),
}  # fmt: skip


def mismatches(judge):
    """Scenarios that end elsewhere than they should."""
    found = {}
    for name, (world, limits, seconds, expected) in SCENARIOS.items():
        state = play(world, limits, seconds, judge=judge)[-1].state
        if state != expected:
            found[name] = state
    return found


@pytest.mark.parametrize("name", SCENARIOS)
def test_each_branch_ends_where_it_should(name):
    world, limits, seconds, expected = SCENARIOS[name]

    last = play(world, limits, seconds)[-1]

    assert last.state == expected, last.to_json()
    assert last.finding.path


BEHIND_FROM = START + 60


def late_for(seconds):
    def world(at_s):
        late = BEHIND_FROM <= at_s < BEHIND_FROM + seconds
        return three(well("own-1", at_s, behind=7 if late else 0), at_s)

    return [one.state for one in play(world, seconds=seconds + 300)]


@pytest.mark.parametrize(("seconds", "entered"), [(45, False), (60, False), (75, True), (120, True)])
def test_a_bad_state_needs_three_polls_and_a_minute(seconds, entered):
    assert ("OWN_NODE_BEHIND" in late_for(seconds)) is entered


def test_a_bad_state_is_left_after_five_good_polls():
    states = late_for(120)

    first = states.index("OWN_NODE_BEHIND")
    assert first == 4 + 4
    last = len(states) - 1 - states[::-1].index("OWN_NODE_BEHIND")
    assert last == 4 + 120 // 15 + 3  # the fifth good poll leaves
    assert set(states[last + 1 :]) == {"OK"}


def test_a_cold_start_says_unknown_until_a_bad_state_is_confirmed():
    states = [one.state for one in play(each(named(well, "own-1", behind=7), A, B))]

    assert states[:4] == ["UNKNOWN"] * 4
    assert states[4] == "OWN_NODE_BEHIND"


@pytest.mark.parametrize(
    ("world", "outcome", "status"),
    [
        (each(OWN, A, B), ("up", None), "operational"),
        (each(named(well, "own-1", behind=7), A, B), ("degraded", "node_behind"), "degraded"),
        (each(named(well, "own-1", behind=30), A, B), ("down", "node_behind"), "degraded"),
        (each(named(frozen, "own-1"), named(frozen, "ref-a"), named(frozen, "ref-b")), ("down", "head_stale"), "major_outage"),
        (each(hashed("own-1", "0xbad"), hashed("ref-a", "0x1"), hashed("ref-b", "0x1")),
         ("down", "node_behind"), "partial_outage"),
        (each(dead("own-1", "refused"), A, B), ("down", "refused"), "partial_outage"),
        (sometimes, ("degraded", "overloaded"), "degraded"),
        (each(dead("own-1", "auth"), A, B), ("unknown", "auth"), "unknown"),
        (each(named(frozen, "own-1", age_s=-50)), ("degraded", "head_stale"), "unknown"),
        (each(STALE), ("down", "head_stale"), "unknown"),
        (each(OWN, final("ref-a", 1600), final("ref-b", 1700)), ("degraded", "head_stale"), "degraded"),
    ],
)
def test_a_state_has_its_outcome_and_status(world, outcome, status):
    last = play(world)[-1]

    assert outcome_of(last) == outcome
    assert component_status_of(last) == status


def test_an_own_endpoint_that_dies_is_told_within_75_seconds_without_a_time_of_not_knowing():
    def world(at_s):
        return three(failed("own-1", at_s, "refused") if at_s > START + 300 else well("own-1", at_s), at_s)

    found = play(world, seconds=420)

    states = [one.state for one in found]
    assert set(states) == {"OK", "OWN_ENDPOINT_OVERLOADED"}
    assert states.index("OWN_ENDPOINT_OVERLOADED") * 15 - 300 <= 75
    assert outcome_of(found[-1]) == ("down", "refused")


def test_the_path_tells_the_questions_in_order():
    last = play(each(named(well, "own-1", behind=7), A, B))[-1]

    assert "2 references" in last.to_json()["path"][0]
    assert "7 blocks" in last.to_json()["path"][-1]


def found_with_gaps(judge=verdict.judge):
    """Findings for a fast chain's own node that answers every third time, always up to date."""

    def world(at_s):
        own = well("own-1", at_s, BSC) if (at_s - START) % 45 == 0 else failed("own-1", at_s, "timeout")
        return [own, well("ref-a", at_s, BSC), well("ref-b", at_s, BSC)]

    return [one.finding.state for one in play(world, BSC, 600, judge=judge)]


def test_a_sample_of_an_earlier_poll_does_not_lag():
    assert "OWN_NODE_BEHIND" not in found_with_gaps()


# --- what can never happen ---

SUSPICIONS = {"CHAIN_HALTED", "CHAIN_SLOW", "FINALITY_DELAYED", "OWN_NODE_BEHIND", "OWN_NODE_ON_FORK", "CONGESTED"}
heads = st.tuples(
    st.integers(0, 3000), st.integers(-100, 20000), st.sampled_from([None, "0x1", "0x2"]),
    st.one_of(st.none(), st.integers(0, 20000)), st.sampled_from([None, 0.1, 1.0]), st.booleans(),
)  # fmt: skip
answers = st.one_of(heads, st.sampled_from(["timeout", "rate_limited", "auth", "bad_body", "overloaded"]))
chains = st.sampled_from([ETHEREUM, BSC, BITCOIN, ARBITRUM])


def as_record(name, at_s, answer, supplier=None):
    if isinstance(answer, str):
        made = failed(name, at_s, answer)
    else:
        height, age_s, hash_, delay_s, pressure, chain_ok = answer
        made = record(
            name, at_s, height, age_s, check_height=990, check_hash=hash_, chain_id_ok=chain_ok, final_height=1,
            final_ms=None if delay_s is None else (at_s - delay_s) * 1000, fee=Fee("gwei", 1, 1, pressure),
        )  # fmt: skip
    return replace(made, supplier=supplier or name)


def rows(*names, polls=8):
    return st.lists(st.tuples(*(answers for _ in names)), min_size=1, max_size=polls)


def run_rows(names, table, limits, *, supplier=lambda name: name, order=None, judge=verdict.judge):
    polls, memory, found = deque(maxlen=10), Memory(), []
    for number, row in enumerate(table):
        at_s = START + 30 * number
        records = [as_record(name, at_s, answer, supplier(name)) for name, answer in zip(names, row, strict=True)]
        polls.append(Poll(at_s * 1000, tuple(order(records) if order else records)))
        one = judge(list(polls), limits, memory)
        memory = one.memory
        found.append(one)
    return found


NAMES = ("own-1", "own-2", "ref-a", "ref-b", "ref-c")


@settings(max_examples=100, deadline=None)
@given(rows(*NAMES), chains, st.permutations(range(len(NAMES))))
def test_the_order_of_endpoints_changes_nothing(table, limits, places):
    plain = run_rows(NAMES, table, limits)
    shuffled = run_rows(NAMES, table, limits, order=lambda records: [records[place] for place in places])

    assert [one.to_json() for one in plain] == [one.to_json() for one in shuffled]
    assert [outcome_of(one) for one in plain] == [outcome_of(one) for one in shuffled]


@settings(max_examples=100, deadline=None)
@given(rows("own-1", "ref-a", "ref-b"), chains)
def test_no_reference_decides_alone_however_many_addresses_it_has(table, limits):
    names = ("own-1", "ref-a", "ref-b")

    found = run_rows(names, table, limits, supplier=lambda name: "one" if name.startswith("ref") else name)

    assert not {one.state for one in found} & SUSPICIONS


@settings(max_examples=100, deadline=None)
@given(st.lists(answers, min_size=12, max_size=12), chains)
def test_one_liar_among_honest_references_makes_no_alarm(lies, limits):
    def world(at_s):
        honest = [well(name, at_s, limits) for name in ("own-1", "ref-a", "ref-b")]
        return [*honest, as_record("ref-c", at_s, lies[(at_s - START) // 15])]

    found = play(world, limits, seconds=165)

    assert {one.state for one in found} == {"OK"}
    assert all(one.finding.quorum for one in found)


@settings(max_examples=100, deadline=None)
@given(rows(*NAMES), chains)
def test_not_knowing_is_never_a_halt(table, limits):
    silent = [("timeout",) * len(NAMES)] * 5

    found = run_rows(NAMES, [*table, *silent], limits)

    assert {one.state for one in found[-2:]} == {"UNKNOWN"}
    for number, one in enumerate(found):
        if one.finding.state == "CHAIN_HALTED":
            assert any(not isinstance(each, str) for row in ([*table, *silent])[max(0, number - 2) : number + 1] for each in row)


# --- planted bugs ---

HERE = Path(verdict.__file__).parent
BUGS = {
    "one reference is a quorum": ("verdict.py", "if suppliers(best) < 2 or rivals:", "if suppliers(best) < 1 or rivals:"),
    "two addresses are two witnesses": (
        "verdict.py", "{record.supplier or record.endpoint for record in records}", "{record.endpoint for record in records}"),
    "equal camps are settled by height": ("verdict.py", "if suppliers(best) < 2 or rivals:", "if suppliers(best) < 2:"),
    "halt without looking at the others": ("verdict.py", "if self.group.others or ahead:", "if ahead:"),
    "halt though own moves": ("verdict.py", "if self.group.others or ahead:", "if self.group.others:"),
    "estimates delay finality": ("verdict.py", "and not each.final_is_estimate", ""),
    "no memory of when a block came": ("verdict.py", "blocks >= few and waited_s > limits.lag_s[0]", "blocks >= few"),
    "a quiet chain is halted": ("verdict.py", "if not self.limits.empty_blocks:", "if False:"),
    "old samples lag": ("verdict.py", "if record.at_ms == self.now_ms else None", "if True else None"),
    "forks by a single hash": ("verdict.py", "and len(hashes) == 1 and", "and"),
    "wrong chains count": ("verdict.py", "record.ok and record.chain_id_ok and", "record.ok and"),
    "silence is a halt": (
        "verdict.py", "return self._end(UNKNOWN, error_class=next(", "return self._end(CHAIN_HALTED, error_class=next("),
    "auth is an outage": ("verdict.py", '"rate_limited",', '"rate_limited", "auth",'),
    "our clock is not doubted": ("verdict.py", "return (record.head_age_s or 0.0) <", "return False and 0 <"),
    "one sample is enough": (
        "settle.py", "ENTER_POLLS, ENTER_MS, LEAVE_POLLS = 3, 60_000, 5", "ENTER_POLLS, ENTER_MS, LEAVE_POLLS = 1, 0, 5"),
}  # fmt: skip


def broken(tmp_path, monkeypatch, name):
    """The verdict with one bug in it."""
    file, right, wrong = BUGS[name]
    source = (HERE / file).read_text(encoding="utf-8")
    assert source.count(right) == 1, f"{name}: not found once"
    path = tmp_path / file
    path.write_text(source.replace(right, wrong), encoding="utf-8")
    spec = importlib.util.spec_from_file_location(f"planted_{file[:-3]}", path)
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, module.__name__, module)
    spec.loader.exec_module(module)
    if file == "settle.py":
        monkeypatch.setattr(verdict, "settled", module.settled)
        return verdict.judge
    return module.judge


@pytest.mark.parametrize("name", BUGS)
def test_a_planted_bug_is_caught(name, tmp_path, monkeypatch):
    judge = broken(tmp_path, monkeypatch, name)

    caught = mismatches(judge)
    # Matters of time, not of where it ends.
    if name == "one sample is enough":
        caught = play(each(named(well, "own-1", behind=7), A, B), judge=judge)[0].state == "OWN_NODE_BEHIND"
    if name == "old samples lag":
        caught = "OWN_NODE_BEHIND" in found_with_gaps(judge)

    assert caught


def test_every_state_has_a_meaning():
    assert set(settle.STATES) == set(settle._MEANING)

from __future__ import annotations

import json
from dataclasses import asdict, astuple
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from statuspage.clock import from_ms, to_ms
from statuspage.domain import monitoring
from statuspage.domain.monitoring import STATES, Policy, Transition, advance, first_state
from statuspage.errors import InvalidInput

T0 = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
USUAL = Policy(failures=3, successes=2)
WORD = {"u": "up", "g": "degraded", "d": "down", "?": "unknown"}
policies = st.builds(Policy, st.integers(1, 4), st.integers(1, 4))
spells = st.lists(st.tuples(st.sampled_from(STATES), st.integers(1, 4)), max_size=14)  # noise in which runs do occur
outcomes = spells.map(lambda rows: [outcome for outcome, times in rows for _ in range(times)])
KILL = settings(
    max_examples=200, deadline=None, database=None, derandomize=True,
    phases=[Phase.generate], suppress_health_check=list(HealthCheck),
)  # fmt: skip


def play(word, policy=USUAL, module=monitoring, state=None, begin=T0):
    """States after each letter of `word` and all transitions; one result a second."""
    states, transitions = [], []
    for index, letter in enumerate(word):
        outcome = WORD.get(letter, letter)
        state, transition = module.advance(state, outcome, begin + timedelta(seconds=index), policy)
        states.append(state.state)
        if transition:
            transitions.append(transition)
    return state, states, transitions


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("u", "u"),
        ("?u", "?u"),
        ("???u", "???u"),
        ("d", "?"),
        ("ddd", "??d"),
        ("duu", "??u"),
        ("udd", "uuu"),
        ("uddd", "uuud"),
        ("uddudd", "uuuuuu"),
        ("udddu", "uuudd"),
        ("udddud", "uuuddd"),
        ("udddu?u", "uuudddd"),
        ("udddd?uu", "uuudddd" + "u"),
        ("uggg", "uuug"),
        ("ugddd", "uuugg"),
        ("ugdddddd", "uuuggg" + "dd"),
        ("udgdgdgdg", "uuuggg" + "ggg"),
        ("uddgu", "uuugg"),
        ("udddgg", "uuuddg"),
        ("udddgu", "uuuddg"),
        ("uggguu", "uuuggu"),
        ("u??", "uuu"),
        ("u???", "uuu?"),
        ("u???u", "uuu??"),
        ("u???uu", "uuu??u"),
        ("u???ddd", "uuu???d"),
        ("uddd???", "uuuddd?"),
        ("uddd???uu", "uuuddd??u"),
        ("udd?d", "uuuuu"),
        ("udd??ddd", "uuuuuuud"),
    ],
)
def test_results_lead_to_these_states(word, expected):
    _, states, _ = play(word)

    assert "".join(next(k for k, v in WORD.items() if v == s) for s in states) == expected


def test_a_transition_tells_when_its_run_began_and_when_it_was_confirmed():
    state, _, transitions = play("uuddd")

    down = transitions[-1]
    assert down == Transition("up", "down", began_at=T0 + timedelta(seconds=2), at=T0 + timedelta(seconds=4))
    assert state.since_at == down.began_at


def test_a_run_of_slow_and_failing_results_began_with_the_first_of_them():
    _, _, transitions = play("uudgd")

    assert transitions[-1] == Transition("up", "degraded", T0 + timedelta(seconds=2), T0 + timedelta(seconds=4))


def test_a_monitor_seen_for_the_first_time_is_up_after_one_success():
    state, transition = advance(None, "up", T0, USUAL)

    assert (state.state, transition) == ("up", Transition("unknown", "up", T0, T0))


def test_while_nothing_changes_only_the_streak_and_the_time_move():
    before, _, _ = play("uu")

    after, transition = advance(before, "up", T0 + timedelta(minutes=1), USUAL)

    assert transition is None
    assert astuple(after) == ("up", T0, "up", 3, T0, T0 + timedelta(minutes=1))


@pytest.mark.parametrize("late", [0, 1, 3600])
def test_a_late_or_doubled_result_changes_nothing_at_all(late):
    before, _, _ = play("uuudd")

    after, transition = advance(before, "down", before.last_at - timedelta(seconds=late), USUAL)

    assert after is before
    assert transition is None


@pytest.mark.parametrize("fields", [(0, 1), (1, 0), (-1, 2)])
def test_a_policy_that_could_never_hold_is_refused(fields):
    with pytest.raises(InvalidInput, match="must be 1 or more"):
        Policy(*fields)


@pytest.mark.parametrize("state", [None, first_state(T0 - timedelta(seconds=1))])
def test_an_outcome_outside_the_vocabulary_is_refused(state):
    with pytest.raises(InvalidInput, match="outcome must be one of"):
        advance(state, "UP", T0, USUAL)


# -- properties, each takes the module so that planted bugs can be shown to it --


def believed_only_in_a_row(module):
    """Every transition ends a row that bears it out: k equal results, or k that only `degraded` sets apart."""

    def check(words, policy):
        _, _, transitions = play(words, policy, module)
        for step in transitions:
            first, last = (int((at - T0).total_seconds()) for at in (step.began_at, step.at))
            row = words[first : last + 1]
            known_before = any(word != "unknown" for word in words[:first])
            recovers = step.new == "up" or (step.old, step.new) == ("down", "degraded")
            needed = policy.successes if recovers else policy.failures
            assert len(row) >= (needed if known_before or step.new != "up" else 1), (step, row)
            allowed = {step.new}
            if step.new == "degraded":
                allowed |= {"down"} if step.old == "up" else {"up"} if step.old == "down" else {"up", "down"}
            assert set(row) <= allowed, (step, row)

    return given(outcomes, policies)(check)


def steady_input_settles(module):
    def check(noise, steady, policy):
        _, states, _ = play(noise + [steady] * policy.settle, policy, module)
        assert states[-1] == steady

    return given(outcomes, st.sampled_from(STATES), policies)(check)


def unknown_alone_says_nothing_else(module):
    """Unknown results in between never lead to up, degraded or down on the spot."""

    def check(words, policy):
        _, _, transitions = play(words, policy, module)
        at_unknown = [step for step in transitions if words[int((step.at - T0).total_seconds())] == "unknown"]
        assert {step.new for step in at_unknown} <= {"unknown"}
        for step in at_unknown:
            end = int((step.at - T0).total_seconds())
            assert words[end + 1 - policy.failures : end + 1] == ["unknown"] * policy.failures

    return given(outcomes, policies)(check)


def transitions_join_up(module):
    def check(words, policy):
        state, states, transitions = play(words, policy, module)
        assert [step.old for step in transitions] == ["unknown", *(step.new for step in transitions)][
            : len(transitions)
        ]
        assert all(step.old != step.new for step in transitions)
        assert all(
            first.at < second.began_at or first.began_at < second.began_at for first, second in pairwise(transitions)
        )
        if words:
            assert states[-1] == (transitions[-1].new if transitions else "unknown")
            assert state.last_at == T0 + timedelta(seconds=len(words) - 1)

    return given(outcomes, policies)(check)


def late_results_change_nothing(module):
    def check(words, late, policy):
        state, _, _ = play([*words, "up"], policy, module)
        for seconds, outcome in late:
            assert module.advance(state, outcome, state.last_at - timedelta(seconds=seconds), policy) == (state, None)

    late = st.lists(st.tuples(st.integers(0, 50), st.sampled_from(STATES)), min_size=1, max_size=8)
    return given(outcomes, late, policies)(check)


def changes_are_bounded(module):
    """No input, however hostile, makes more transitions than one per `min(failures, successes)` results (and the first)."""

    def check(words, policy):
        _, _, transitions = play(words, policy, module)
        assert len(transitions) <= 1 + len(words) // min(policy.failures, policy.successes)

    return given(outcomes, policies)(check)


def stored(state):
    """Through the form the database keeps: integers and text."""
    plain = {name: to_ms(value) if isinstance(value, datetime) else value for name, value in asdict(state).items()}
    read = json.loads(json.dumps(plain))
    return {name: from_ms(value) if name.endswith("_at") else value for name, value in read.items()}


def restarts_are_invisible(module):
    def check(words, cuts, policy):
        whole = play(words, policy, module)
        state, transitions = None, []
        for index, outcome in enumerate(words):
            if index in cuts and state is not None:
                state = module.MonitorState(**stored(state))
            state, transition = module.advance(state, outcome, T0 + timedelta(seconds=index), policy)
            transitions += [transition] if transition else []
        assert (state, transitions) == (whole[0], whole[2])

    return given(outcomes, st.sets(st.integers(0, 40)), policies)(check)


def agrees_with_the_model(module):
    def check(words, policy):
        _, states, _ = play(words, policy, module)
        assert states == [model(words[: end + 1], policy) for end in range(len(words))]

    return given(outcomes, policies)(check)


PROPERTIES = [
    agrees_with_the_model,
    believed_only_in_a_row,
    steady_input_settles,
    unknown_alone_says_nothing_else,
    transitions_join_up,
    late_results_change_nothing,
    changes_are_bounded,
    restarts_are_invisible,
]


@pytest.mark.parametrize("prop", PROPERTIES, ids=lambda prop: prop.__name__)
def test_the_property_holds(prop):
    settings(max_examples=150)(prop(monitoring))()


# -- a state machine against a model that remembers everything --


def model(history, policy):
    """The same rules told over the whole list: the run is the longest tail of results that agree on one claim."""
    state, run, claim, seen_known = "unknown", 0, None, False
    for outcome in history:
        mixes = claim is not None and {"degraded"} < {outcome, claim} and not {"unknown", state} & {outcome, claim}
        claim, run = (outcome, run + 1) if outcome == claim else ("degraded", run + 1) if mixes else (outcome, 1)
        better = claim == "up" or (state, claim) == ("down", "degraded")
        enough = policy.successes if better else policy.failures
        if claim == "up" and not seen_known:
            enough = 1
        if claim != state and run >= enough:
            state = claim
        seen_known = seen_known or outcome != "unknown"
    return state


class Machine(RuleBasedStateMachine):
    module = monitoring

    def __init__(self):
        super().__init__()
        self.policy, self.state, self.history, self.second = Policy(3, 2), None, [], 0

    @rule(some=outcomes, gap=st.integers(1, 3600))
    def results(self, some, gap):
        for outcome in some:
            self.second += gap
            self.history.append(outcome)
            self.state, _ = self.module.advance(self.state, outcome, T0 + timedelta(seconds=self.second), self.policy)

    @precondition(lambda self: self.state is not None)
    @rule(outcome=st.sampled_from(STATES), seconds=st.integers(0, 3600))
    def late(self, outcome, seconds):
        at = self.state.last_at - timedelta(seconds=seconds)
        self.state, transition = self.module.advance(self.state, outcome, at, self.policy)
        assert transition is None

    @precondition(lambda self: self.state is not None)
    @rule()
    def restart(self):
        self.state = self.module.MonitorState(**stored(self.state))

    @invariant()
    def as_the_model_says(self):
        assert (self.state.state if self.state else "unknown") == model(self.history, self.policy)


def run_machine(module):
    machine = type("Planted", (Machine,), {"module": module})
    run_state_machine_as_test(machine, settings=settings(KILL, max_examples=60, stateful_step_count=12))


TestMonitoring = Machine.TestCase
TestMonitoring.settings = settings(max_examples=60, stateful_step_count=20)


PLANTED = [
    ("late_results_apply", "elif at <= state.last_at:", "elif at < state.last_at:"),
    ("any_old_result_applies", "        return state, None\n    elif", "        pass\n    elif"),
    ("one_result_is_enough", "streak < (1 if", "streak < (1 if True else 1 if"),
    ("off_by_one", "streak < (1 if", "streak <= (1 if"),
    ("successes_for_failures", "return policy.successes if is_recovery", "return policy.failures if is_recovery"),
    ("failures_for_successes", "is_recovery else policy.failures", "is_recovery else policy.successes"),
    ("unknown_joins_a_run", 'and "unknown" not in pair', ""),
    ("any_two_join", 'if "degraded" in pair and', 'if "up" not in pair and'),
    ("slow_and_failing_never_join", '        return "degraded"\n', '        return ""\n'),
    ("joining_forgets_the_present", " and state.state not in pair", ""),
    ("streak_is_not_kept", "run, streak, streak_at, at), Transition", "run, 0, streak_at, at), Transition"),
    ("began_at_is_now", "Transition(state.state, run, streak_at, at)", "Transition(state.state, run, at, at)"),
    ("quick_up_for_ever", "if is_first and run", "if run"),
    ("unknown_never_shows", "else policy.failures", 'else policy.failures if new != "unknown" else 999'),
    ("half_way_up_needs_failures", ' or (old == "down" and new == "degraded")', ""),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new"), [bug[1:] for bug in PLANTED], ids=[bug[0] for bug in PLANTED])
def test_a_planted_bug_is_found(planted, old, new):
    module = planted(monitoring, old, new)

    def everything():
        for prop in PROPERTIES:
            settings(KILL)(prop(module))()
        run_machine(module)

    with pytest.raises(AssertionError):
        everything()

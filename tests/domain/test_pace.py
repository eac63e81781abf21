"""When a chain will reach a block."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from statuspage.domain import pace

AT = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def run(head, hours, block_s, poll_s=15):
    """The head after so many hours in which blocks come every `block_s` seconds."""
    began_at, height = head.at, head.height
    for step in range(1, int(hours * 3600 / poll_s) + 1):
        passed_s = step * poll_s
        head = pace.seen(head, height + int(passed_s / block_s), began_at + timedelta(seconds=passed_s))
    return head


def test_a_chain_that_was_just_seen_goes_as_the_registry_says():
    head = pace.first(1000, AT, 12.0)

    assert pace.expected_at(head, 1300) == AT + timedelta(hours=1)


def test_the_measured_pace_takes_over():
    head = run(pace.first(1000, AT, 12.0), hours=24, block_s=13.0)

    assert head.block_us == pytest.approx(13_000_000, rel=0.01)
    left_s = (pace.expected_at(head, head.height + 10_000) - head.at).total_seconds()
    assert left_s == pytest.approx(130_000, rel=0.01)


def test_a_lucky_minute_means_little():
    head = pace.seen(pace.first(1000, AT, 12.0), 1020, AT + timedelta(minutes=1))

    assert head.block_us == pytest.approx(12_000_000, rel=0.08)


def test_a_fork_that_changes_the_interval_is_learned_within_days():
    head = run(pace.first(1000, AT, 3.0), hours=24 * 20, block_s=3.0, poll_s=600)

    head = run(head, hours=24 * 7, block_s=0.75, poll_s=600)

    assert head.block_us == pytest.approx(750_000, rel=0.02)


def test_a_lower_or_older_head_changes_nothing():
    head = pace.first(1000, AT, 12.0)

    assert pace.seen(head, 999, AT + timedelta(seconds=15)) is head
    assert pace.seen(head, 1001, AT) is head


def test_a_block_that_has_come_is_expected_no_later_than_it_was_seen():
    assert pace.expected_at(pace.first(1000, AT, 12.0), 900) == AT


@pytest.mark.parametrize(
    ("left", "moved", "expected"),
    [
        (timedelta(hours=1), timedelta(minutes=9), False),
        (timedelta(hours=1), timedelta(minutes=11), True),
        (timedelta(days=5), timedelta(hours=5), False),
        (timedelta(days=5), timedelta(hours=7), True),
        (timedelta(days=5), timedelta(hours=-7), True),
    ],
)
def test_only_a_noticeable_error_is_worth_a_word(left, moved, expected):
    assert pace.has_moved(AT + left - moved, AT + left, AT) is expected


@given(st.lists(st.tuples(st.integers(0, 10**6), st.integers(-3600, 10**6)), max_size=30))
def test_whatever_heads_are_seen_the_pace_is_sane_and_the_height_never_falls(polls):
    head = pace.first(1000, AT, 0.25)
    for height, after_s in polls:
        before = head
        head = pace.seen(head, height, AT + timedelta(seconds=after_s))

        assert head.height >= before.height
        assert head.at >= before.at
        assert head.block_us >= 1
        assert pace.expected_at(head, head.height + 5) > head.at

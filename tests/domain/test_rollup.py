from __future__ import annotations

import random
import statistics
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from statuspage.domain import rollup
from statuspage.domain.rollup import BOUNDS, BUCKETS, HOUR_MS, OUTCOMES, Totals, block, bucket_of, merge, pack, unpack

HOUR = 492_000
rows = st.dictionaries(
    st.integers(0, HOUR_MS - 1),
    st.tuples(st.integers(0, 3), st.integers(0, 60_000) | st.integers(0, 2**31 - 1)),
    max_size=80,
).map(lambda found: sorted((HOUR * HOUR_MS + at, *rest) for at, rest in found.items()))


def regular(hour, rng, *, every_ms=60_000, typical_ms=120.0):
    """An hour as real monitors make it: steady with a little jitter, log-normal response times, 0.2 % failures."""
    start = hour * HOUR_MS + 7_321
    out = []
    for at_ms in range(start, (hour + 1) * HOUR_MS, every_ms):
        is_down = rng.random() < 0.002
        latency = 10_000 if is_down else round(typical_ms * rng.lognormvariate(0, 0.25))
        out.append((at_ms + round(rng.gauss(0, 4)), 2 if is_down else 0, latency))
    return out


@given(rows)
def test_every_result_comes_back_exactly(found):
    assert unpack(HOUR, pack(HOUR, found)) == found
    assert unpack(HOUR, block(HOUR, found).raw) == found


@given(rows, st.randoms(use_true_random=False))
def test_order_and_repeats_make_no_difference(found, rng):
    mixed = found * 2
    rng.shuffle(mixed)

    assert block(HOUR, mixed) == block(HOUR, found)


@given(rows)
def test_counts_and_sums_are_those_of_the_rows(found):
    made = block(HOUR, found)

    answered = [latency for _, outcome, latency in found if OUTCOMES[outcome] in {"up", "degraded"}]
    assert [made.up, made.degraded, made.down, made.unknown] == [
        sum(outcome == no for _, outcome, _ in found) for no in range(len(OUTCOMES))
    ]
    assert (made.latency_sum_ms, made.latency_min_ms, made.latency_max_ms) == (
        sum(answered), min(answered, default=0), max(answered, default=0),
    )  # fmt: skip


@given(st.lists(rows, max_size=5))
def test_a_merge_of_hours_equals_one_block_of_all_their_rows(hours):
    apart = {(index, *row) for index, found in enumerate(hours) for row in found}
    merged = merge(block(HOUR, found) for found in hours)

    answered = [latency for _, _, outcome, latency in apart if outcome <= 1]
    buckets = [0] * BUCKETS
    for latency in answered:
        buckets[bucket_of(latency)] += 1
    assert merged.buckets == tuple(buckets)
    assert merged.checks == len(apart)
    assert merged.answered == len(answered)
    assert merged.latency_sum_ms == sum(answered)
    assert (merged.latency_min_ms, merged.latency_max_ms) == (min(answered, default=0), max(answered, default=0))


def test_nothing_has_no_figures():
    nothing = merge([])

    assert nothing == Totals(0, 0, 0, 0, 0, 0, 0, (0,) * BUCKETS)
    assert (nothing.mean_ms, nothing.percentile_ms(0.5)) == (None, None)


def test_buckets_are_fine_where_people_look_and_reach_beyond_any_timeout():
    assert len(BOUNDS) == BUCKETS - 1
    assert list(BOUNDS) == sorted(set(BOUNDS))
    assert BOUNDS[-1] > 30_000
    assert [bucket_of(0), bucket_of(1), bucket_of(BOUNDS[-1]), bucket_of(BOUNDS[-1] + 1)] == [
        0,
        0,
        BUCKETS - 2,
        BUCKETS - 1,
    ]


@given(
    st.lists(st.integers(0, BOUNDS[-1]), min_size=1, max_size=200), st.sampled_from([0.0, 0.5, 0.9, 0.95, 0.99, 1.0])
)
def test_a_percentile_is_right_within_half_a_bucket(latencies, share):
    found = block(HOUR, [(HOUR * HOUR_MS + index, 0, latency) for index, latency in enumerate(latencies)])

    exact = sorted(latencies)[max(1, int(-(-len(latencies) * share // 1))) - 1]
    estimate = merge([found]).percentile_ms(share)
    assert exact / rollup.RATIO**0.55 - 1 <= estimate <= exact * rollup.RATIO**0.55 + 1


def test_percentiles_of_beyond_the_last_bound_stay_within_the_extremes():
    found = block(HOUR, [(HOUR * HOUR_MS + index, 0, 10**6 + index) for index in range(3)])

    assert 10**6 <= merge([found]).percentile_ms(0.5) <= 10**6 + 2


def test_a_percentile_of_many_hours_is_that_of_all_their_results():
    rng = random.Random(7)  # noqa: S311 - repeatable figures
    hours = [regular(HOUR + index, rng, typical_ms=rng.choice([40, 900])) for index in range(48)]
    totals = merge(block(HOUR + index, found) for index, found in enumerate(hours))

    exact = statistics.quantiles([row[2] for found in hours for row in found if row[1] == 0], n=100)
    assert totals.percentile_ms(0.95) == pytest.approx(exact[94], rel=0.1)
    assert totals.percentile_ms(0.25) == pytest.approx(exact[24], rel=0.1)


@pytest.mark.parametrize("raw", [b"", b"\x07abc", b"\x01not deflate", b"\x00", b"\x00\x05\x01", b"\x00\x01\x00\x04"])
def test_damaged_bytes_are_refused(raw):
    with pytest.raises(ValueError, match="raw block"):
        unpack(HOUR, raw)


def test_a_result_a_minute_takes_less_than_five_bytes():
    rng = random.Random(1)  # noqa: S311 - repeatable figures
    made = [block(HOUR + index, regular(HOUR + index, rng)) for index in range(24 * 14)]
    checks = sum(one.up + one.down for one in made)
    size = sum(len(one.raw) + len(one.histogram) for one in made) / checks

    sys.stdout.write(f"\nblobs: {size:.2f} bytes per result\n")
    assert size <= 5


PLANTED = [
    ("timeouts_count_as_response_times", "if outcome <= 1]", "]"),
    ("sums_are_lost_in_merging", "old + new for old, new", "max(old, new) for old, new"),
    ("minimum_starts_at_nothing", "if any(buckets) else one.latency_min_ms", "if True else one.latency_min_ms"),
    ("steps_are_not_summed", "step += _signed(next(numbers))", "step = _signed(next(numbers))"),
    (
        "the_same_millisecond_twice",
        "sorted({at_ms: (at_ms, outcome, latency_ms) for at_ms, outcome, latency_ms in rows}.values())",
        "sorted(rows)",
    ),
    (
        "bounds_belong_to_the_next_bucket",
        "return bisect_left(BOUNDS, latency_ms)",
        "return min(59, bisect_left(BOUNDS, latency_ms) + 1)",
    ),
    ("percentile_is_the_rank_after", "below >= rank", "below > rank"),
    ("seven_bits_are_cut", "while number > 127:", "while number > 255:"),
]


@pytest.mark.parametrize(("old", "new"), [bug[1:] for bug in PLANTED], ids=[bug[0] for bug in PLANTED])
def test_a_planted_bug_is_found(planted, old, new):
    module = planted(rollup, old, new)
    found = [
        (HOUR * HOUR_MS + 60_000 * index + index % 3, 2 if index == 9 else 0, 100 + 37 * index) for index in range(60)
    ]

    def everything():
        made = module.block(HOUR, found * 2)
        assert module.unpack(HOUR, made.raw) == found
        assert made.latency_sum_ms == sum(latency for _, outcome, latency in found if outcome == 0)
        twice = module.merge([made, made])
        assert (twice.checks, twice.answered) == (120, 118)
        assert (twice.latency_min_ms, twice.latency_max_ms) == (100, 100 + 37 * 59)
        assert twice.percentile_ms(0.5) == pytest.approx(100 + 37 * 29.5, rel=0.1)
        low = module.merge([module.block(HOUR, [(HOUR * HOUR_MS, 0, 10), (HOUR * HOUR_MS + 1, 0, 1000)])])
        assert low.percentile_ms(0.5) == 10

    with pytest.raises((AssertionError, ValueError)):
        everything()

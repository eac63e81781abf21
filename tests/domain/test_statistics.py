"""Figures over past faults: measured values, never averages of nothing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from statuspage.domain.statistics import Fault, Spread, statistics

BEGAN = datetime(2026, 11, 1, tzinfo=UTC)


def fault(minutes=30, **changes):
    values = {
        "cause": "system_fault", "components": ("transfers",), "started_at": BEGAN, "detected_at": BEGAN + timedelta(minutes=1),
        "published_at": BEGAN + timedelta(minutes=5), "resolved_at": BEGAN + timedelta(minutes=minutes), "by_machine": False,
        "etas": (),
    }  # fmt: skip
    return Fault(**{**values, **changes})


def test_of_nothing_there_is_nothing():
    found = statistics([])

    assert (found.count, found.fix, found.promises.count, found.causes) == (0, Spread(0, None, None), 0, ())


def test_the_median_and_nine_of_ten_are_values_that_were_measured():
    found = statistics([fault(minutes) for minutes in range(1, 11)])

    assert found.fix == Spread(10, 5 * 60, 9 * 60)


def test_what_is_open_counts_and_is_not_mended():
    found = statistics([fault(), fault(resolved_at=None, detected_at=None)])

    assert (found.count, found.open, found.fix.count, found.detect.count) == (2, 1, 1, 1)


def test_a_promise_is_the_first_one_and_early_is_kept():
    etas = {10: False, 19: False, 20: True, 40: True}

    for promised, kept in etas.items():
        found = statistics([fault(30, etas=(BEGAN + timedelta(minutes=promised), BEGAN + timedelta(minutes=30)))])
        assert found.promises.kept == kept, promised
        assert found.promises.error_s == abs(30 - promised) * 60


def test_causes_and_functions_are_counted_the_most_frequent_first():
    found = statistics([fault(), fault(cause="network", components=("login", "transfers")), fault(10)])

    assert found.causes == (("system_fault", 2, 2400.0), ("network", 1, 1800.0))
    assert found.components[0] == ("transfers", 3, 4200.0)


def test_a_clock_that_was_set_makes_no_negative_time():
    assert statistics([fault(published_at=BEGAN - timedelta(minutes=3))]).publish.median_s == 0

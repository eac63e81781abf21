"""Bars: the drawing says what the days were, small, and never better than they were."""

from __future__ import annotations

import re
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from statuspage.domain import uptime
from statuspage.domain.uptime import Seconds
from statuspage.web.site import bars

LAST = date(2026, 11, 22)
DAY_S = 86_400


def days(**by_back):
    """All up for 90 days but those given as d<days back>=Seconds(...)."""
    found = {LAST - timedelta(days=back): Seconds(up=DAY_S) for back in range(90)}
    for name, row in by_back.items():
        if row is None:
            del found[LAST - timedelta(days=int(name[1:]))]
        else:
            found[LAST - timedelta(days=int(name[1:]))] = row
    return found


def drawn(strip):
    """Index -> class of every bar that is not plain green."""
    return {int(x): tone for tone, path in strip.paths for x in re.findall(r"M(\d+)\.1", path)}


def test_ninety_good_days_need_no_path_at_all():
    strip = bars.strip(days(), LAST)

    assert (strip.first, strip.paths, strip.percent, strip.trouble) == (0, (), 10_000, ())


def test_each_bad_day_is_drawn_at_its_place_in_its_colour():
    strip = bars.strip(days(d0=Seconds(up=DAY_S - 60, major=60), d10=Seconds(up=DAY_S - 60, degraded=60), d89=None), LAST)

    assert drawn(strip) == {89: "major", 79: "degraded", 0: "none"}
    assert strip.first == 1
    assert [bar.day for bar in strip.trouble] == [LAST, LAST - timedelta(days=10)]


def test_a_missing_day_in_between_is_unknown_and_not_green():
    assert drawn(bars.strip(days(d5=None), LAST)) == {84: "unknown"}


def test_days_before_the_first_are_no_ones():
    young = {LAST - timedelta(days=back): Seconds(up=DAY_S) for back in range(3)}

    strip = bars.strip(young, LAST)

    assert strip.first == 87
    assert set(drawn(strip).values()) == {"none"}


def test_nothing_measured_shows_no_figure():
    strip = bars.strip({}, LAST)

    assert (strip.first, strip.percent, bars.percent_words(strip.percent)) == (90, None, "")


@pytest.mark.parametrize(("hundredths", "words"), [(10_000, "100.00%"), (9_999, "99.99%"), (9_905, "99.05%"), (0, "0.00%")])
def test_figures_have_two_decimals(hundredths, words):
    assert bars.percent_words(hundredths) == words


def test_one_second_down_in_ninety_days_is_less_than_a_hundred():
    strip = bars.strip(days(d3=Seconds(up=DAY_S - 1, major=1)), LAST)

    assert bars.percent_words(strip.percent) == "99.99%"


PART = st.integers(0, 40_000)


@given(st.dictionaries(st.integers(0, 100), st.builds(Seconds, PART, PART, PART, PART, PART, PART), max_size=40))
def test_the_drawing_agrees_with_the_published_formula(rows):
    found = {LAST - timedelta(days=back): row for back, row in rows.items()}

    strip = bars.strip(found, LAST)

    window = {day: row for day, row in found.items() if (LAST - day).days < 90}
    assert strip.percent == uptime.percent(uptime.total(window.values()))
    expected = uptime.bars(window, LAST)
    tones = {"up": None, **bars.CLASSES}
    for index, bar in enumerate(expected[strip.first :], strip.first):
        assert drawn(strip).get(index) == tones[bar.level]

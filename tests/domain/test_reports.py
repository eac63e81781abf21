"""What a report may hold, what is usual, when there are more, and what of it may be shown."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from statuspage.domain import reports
from statuspage.domain.reports import HoldsSecret, Report, enough, hour_of, is_over, read, trend, usual, who
from statuspage.domain.secret_shapes import HIDDEN
from statuspage.errors import InvalidInput

NOW = datetime(2026, 11, 22, 5, 42, tzinfo=UTC)
HOUR = hour_of(NOW)
SYMPTOMS, COMPONENTS = {"transfer_failed", "slow"}, {"transfers", "chain_eth"}
LONG_AGO = HOUR - 10_000


def asked(**said):
    return read({"symptom": "transfer_failed", **said}, SYMPTOMS, COMPONENTS)


def test_a_report_needs_a_symptom_and_nothing_else():
    assert asked() == Report("transfer_failed")


def test_what_was_chosen_and_written_is_kept_without_what_tells_who_wrote():
    found = asked(component="transfers", version="5.2.0 (1234)", platform="ios", region="香港", text="call +852 5123 4567  now")

    assert found == Report("transfer_failed", "transfers", "5.2.0 (1234)", "ios", "香港", f"call {HIDDEN} now")


@pytest.mark.parametrize("version", ["5.2.0", "v5.20.1-20261122", "5.2.0 (1234)", "2026.11", "latest", "12"])
def test_a_version_is_kept_as_it_was_written(version):
    assert asked(version=version).version == version


@pytest.mark.parametrize("version", ["+852 51234567", "138 0013 8000", "a@b.example", "https://x.example/", "5.2.0; DROP TABLE"])
def test_what_is_no_version_is_not_kept(version):
    assert asked(version=version).version == ""


@pytest.mark.parametrize("symptom", ["", "transfers", "transfer_failed\n", "' OR 1=1"])
def test_a_symptom_that_is_none_is_refused(symptom):
    with pytest.raises(InvalidInput, match="choose what you see"):
        asked(symptom=symptom)


def test_what_was_not_offered_counts_as_not_given():
    assert asked(component="nothing", platform="toaster", version="<script>", region="Block 12, 3F") == Report("transfer_failed")


@pytest.mark.parametrize("field", ["text", "version", "region"])
def test_a_secret_in_any_field_is_refused_and_stands_in_no_part_of_the_error(field):
    with pytest.raises(HoldsSecret) as caught:
        asked(**{field: "4111 1111 1111 1111"})

    assert (caught.value.kinds, caught.value.field) == (("card",), field)
    assert "4111" not in f"{caught.value!r} {caught.value} {vars(caught.value)}"


def test_a_secret_is_called_one_even_where_the_rest_of_the_form_is_wrong_too():
    with pytest.raises(HoldsSecret):
        asked(symptom="", text="验证码是 123456")


def test_a_text_beyond_500_characters_is_refused():
    assert len(asked(text="x " * 250).text) == 499
    with pytest.raises(InvalidInput, match="too long"):
        asked(text="x" * 501)


@given(st.text(max_size=200), st.text(max_size=60), st.text(max_size=60))
def test_any_text_is_either_refused_or_cleaned(text, version, region):
    try:
        found = asked(text=text, version=version, region=region)
    except InvalidInput:
        return

    assert not set("\x00\n\u202e\u200b") & set(found.text + found.version + found.region)
    assert max(len(found.version), len(found.region)) <= reports.SHORT
    assert not any(one.isdigit() for one in found.region)


def test_a_network_has_one_name_a_day_another_one_the_next_and_none_without_the_key():
    names = [who(b"k" * 32, "10.0.0.0/24", NOW + timedelta(hours=hours)) for hours in (0, 12, 24)]

    assert names[0] == names[1] != names[2]
    assert who(b"l" * 32, "10.0.0.0/24", NOW) != names[0] != who(b"k" * 32, "10.0.1.0/24", NOW)
    assert "10.0" not in names[0]


def weekly(number, weeks=8):
    """`number` reports in every hour of the last weeks."""
    return {HOUR - back: number for back in range(1, weeks * 168 + 2)}


def test_what_is_usual_is_a_quarter_of_a_usual_hour_rounded_up():
    assert [usual(weekly(number), HOUR, LONG_AGO) for number in (0, 1, 4, 5, 40)] == [0, 1, 1, 2, 10]


def test_what_is_usual_follows_the_hour_of_the_week():
    busy = {HOUR - week * 168: 80 for week in range(1, 9)} | {HOUR - week * 168 + 1: 80 for week in range(1, 9)}

    assert usual(busy, HOUR, LONG_AGO) == 20
    assert usual(busy, HOUR + 12, LONG_AGO) == 0


def test_outages_of_other_weeks_move_what_is_usual_not_at_all():
    spoiled = weekly(4) | {HOUR - week * 168 + beside: 900 for week in (1, 3, 5) for beside in (-1, 0, 1)}

    assert usual(spoiled, HOUR, LONG_AGO) == 1


def test_before_there_is_a_week_of_history_all_hours_count_and_before_there_is_any_nothing_is_usual():
    assert usual({HOUR - 2: 40, HOUR - 1: 40}, HOUR, HOUR - 2) == 10
    assert usual({HOUR - 30: 40}, HOUR, HOUR - 30) == 0
    assert usual({}, HOUR, HOUR) == 0


@pytest.mark.parametrize(("count", "usually", "rises"), [
    (3, 0, False), (7, 0, False), (8, 0, True), (8, 2, True), (9, 3, False), (24, 2, True), (100, 60, False), (124, 60, True),
])  # fmt: skip
def test_a_few_more_are_no_rise_and_many_more_are(count, usually, rises):
    assert (count >= enough(usually)) == rises


@given(st.integers(0, 10_000))
def test_a_rise_does_not_end_by_the_report_that_did_not_come(usually):
    least = enough(usually)

    assert not is_over(least, usually)
    assert not is_over((least + 1) // 2, usually)
    assert is_over(0, usually)


def test_a_trend_shows_whole_hours_and_no_number_below_five():
    counts = {HOUR: 50, HOUR - 1: 6, HOUR - 2: 4, HOUR - 24: 5, HOUR - 25: 90}

    found = trend(counts, NOW)

    assert found.counts == (5, *([0] * 22), 6)
    assert (found.most, found.most_hour, found.last_hour) == (6, HOUR - 1, HOUR - 1)


@given(st.dictionaries(st.integers(HOUR - 30, HOUR), st.integers(0, 4)))
def test_where_no_hour_has_five_nothing_is_shown(counts):
    assert trend(counts, NOW) is None


@given(st.dictionaries(st.integers(HOUR - 30, HOUR + 1), st.integers(0, 40)))
def test_no_trend_tells_a_number_below_five(counts):
    found = trend(counts, NOW)

    assert found is None or all(one == 0 or one >= reports.UNSEEN for one in found.counts)

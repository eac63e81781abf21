"""The verdict: the worst status, but "down" only on a person's word, and never green without looking."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from statuspage.domain import status
from statuspage.domain.verdict import LEVELS, Claim, Standing, Verdict, verdict

AT = datetime(2026, 11, 22, tzinfo=UTC)


def standing(component_id, word, minutes_ago=0):
    return Standing(component_id, word, AT - timedelta(minutes=minutes_ago))


def claim(*component_ids, impact="major", suspected=False, trouble=True, minutes_ago=0):
    return Claim(frozenset(component_ids), impact, suspected, trouble, AT - timedelta(minutes=minutes_ago))


def test_all_working_is_ok():
    assert verdict([standing("a", "operational"), standing("b", "operational")], []) == Verdict("ok")


def test_a_page_without_components_is_unknown():
    assert verdict([], []).level == "unknown"


@pytest.mark.parametrize(
    ("word", "level"),
    [("major_outage", "down"), ("partial_outage", "down"), ("degraded", "degraded"), ("under_maintenance", "maintenance"),
     ("unknown", "unknown")],
)  # fmt: skip
def test_the_worst_component_decides_and_is_named(word, level):
    found = verdict([standing("a", "operational"), standing("b", word, 5)], [])

    assert found == Verdict(level, ("b",), AT - timedelta(minutes=5))


def test_what_only_machines_say_is_suspected():
    assert verdict([standing("a", "major_outage")], [claim("a", suspected=True)]).level == "suspected"


def test_a_person_beside_the_machine_makes_it_down():
    found = verdict([standing("a", "major_outage")], [claim("a", suspected=True), claim("a", minutes_ago=9)])

    assert found == Verdict("down", ("a",), AT - timedelta(minutes=9))


def test_a_confirmed_outage_outweighs_a_suspected_one_and_names_only_its_own():
    found = verdict([standing("a", "major_outage"), standing("b", "major_outage")], [claim("a", suspected=True), claim("b")])

    assert (found.level, found.component_ids) == ("down", ("b",))


def test_a_notice_knows_better_since_when():
    assert verdict([standing("a", "major_outage", 2)], [claim("a", minutes_ago=20)]).since_at == AT - timedelta(minutes=20)


def test_an_incident_that_names_no_component_is_not_lost():
    assert verdict([standing("a", "operational")], [claim(impact="critical", minutes_ago=3)]) == Verdict(
        "down", (), AT - timedelta(minutes=3)
    )


def test_an_advisory_breaks_nothing():
    assert verdict([standing("a", "operational")], [claim(impact="minor", trouble=False)]).level == "ok"


WORDS = st.sampled_from(status.ORDER)


@given(st.lists(WORDS, min_size=1, max_size=8), st.booleans())
def test_ok_means_that_every_single_one_works(words, suspected):
    found = verdict([standing(str(number), word) for number, word in enumerate(words)], [claim("0", suspected=suspected)])

    assert found.level in LEVELS
    assert (found.level == "ok") == all(word == "operational" for word in words)

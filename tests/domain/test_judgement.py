from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

from statuspage.domain import judgement
from statuspage.domain.judgement import Judgement, ancestors, first, flap_window, is_explained, rested, shifted, turned

T0 = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
WINDOW = timedelta(minutes=10)
WORD = {"u": "up", "g": "degraded", "d": "down", "?": "unknown"}
KILL = settings(max_examples=100, deadline=None, database=None, derandomize=True, phases=[Phase.explicit, Phase.generate],
                suppress_health_check=list(HealthCheck))  # fmt: skip


def play(word, step=timedelta(seconds=60), module=judgement):
    """The judgement after each letter, one a minute, with the look at rest that the checker takes."""
    found, all_ = module.first(T0), []
    for index, letter in enumerate(word):
        at = T0 + index * step
        found = module.rested(module.turned(found, WORD[letter], at, WINDOW), at, WINDOW)
        all_.append(found)
    return all_


def shown(word, **options):
    return "".join(next(key for key, value in WORD.items() if value == each.shown) for each in play(word, **options))


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("ududu", "ududu"),
        ("ududud", "ududug"),
        ("udududu", "ududugg"),
        ("dududu", "dududg"),
        ("ugugug", "ugugug"),
        ("ugugugu", "ugugugg"),
        ("u?u?u?u?u?u", "u?u?u?u?u?u"),  # what we did not see is no change
        ("u?d?u", "u?d?u"),
        ("u?d?u?d?", "u?d?u?d?"),
        ("ugdgu", "ugdgu"),  # getting worse and better is one outage
        ("ugdgugdg", "ugdgugdg"),
        ("ududud?", "ududug?"),  # not seeing goes first
    ],
)
def test_the_third_outage_in_a_window_is_flapping(word, expected):
    assert shown(word) == expected


def test_flapping_ends_after_a_quiet_window():
    assert shown("udududu" + "u" * 9) == "ududugg" + "g" * 9
    assert shown("udududu" + "u" * 10) == "ududugg" + "g" * 9 + "u"


def test_a_failure_without_a_break_is_told_as_such_after_a_third_of_the_window():
    assert shown("ududud" + "d" * 4) == "ududug" + "ggg" + "d"


def test_slow_changes_are_no_flapping():
    assert shown("ududududud", step=timedelta(minutes=4)) == "ududududud"


def test_the_window_is_twenty_intervals_or_ten_minutes():
    assert [flap_window(seconds * 1000) for seconds in (10, 30, 60)] == [WINDOW, WINDOW, timedelta(minutes=20)]


def test_while_the_regions_say_the_same_nothing_is_made_anew():
    found = play("ud")[-1]

    assert turned(found, "down", T0 + WINDOW, WINDOW) is found
    assert rested(found, T0 + WINDOW, WINDOW) is found


def test_an_open_notice_goes_on_saying_what_was_known():
    assert play("ud?")[-1].failing_as == "down"
    assert play("ududud")[-1].failing_as == "degraded"


def test_a_set_clock_makes_nothing_older():
    before = play("ududud")[-1]
    jump = timedelta(days=1)

    after = shifted(before, jump)

    assert rested(after, T0 + timedelta(minutes=5) + jump, WINDOW) is after
    assert shifted(after, -jump) == before


def test_a_circle_of_parents_ends():
    assert list(ancestors("a", {"a": "b", "b": "c", "c": "a"})) == ["b", "c"]


@pytest.mark.parametrize(
    ("above", "expected"),
    [("d", True), ("u", False), ("?", False), ("ududud", False), ("ud", True)],
    ids=["down", "up", "unknown", "flapping", "newly-down"],
)
def test_a_failure_is_explained_by_what_is_down_above_however_far(above, expected):
    judgements = {"top": play(above)[-1], "middle": play("u")[-1], "child": play("ud")[-1]}

    assert is_explained("child", {"child": "middle", "middle": "top"}, judgements) is expected


@pytest.mark.parametrize(("seconds", "expected"), [(0, True), (29, True), (30, False), (-5, False)])
def test_what_has_just_come_back_explains_for_a_while(seconds, expected):
    back = play("udu")[-1]
    now = T0 + timedelta(minutes=2, seconds=seconds)

    found = is_explained("child", {"child": "top"}, {"top": back}, now, timedelta(seconds=30))

    assert found is expected


# -- properties, each takes the module so that planted bugs can be shown to it --

# Spells of minutes: quick changes and slow ones.
spells = st.lists(st.tuples(st.sampled_from("ugd?"), st.integers(1, 7)), max_size=12)
words = st.tuples(st.sampled_from(["", "ududud"]), spells).map(
    lambda drawn: [*drawn[0], *(letter for letter, minutes in drawn[1] for _ in range(minutes))]
)


def crossings_of(word):
    """Indices at which the known state changes between working and failing."""
    known, found = None, []
    for index, letter in enumerate(word):
        if letter == "?":
            continue
        if known is not None and (known == "u") != (letter == "u"):
            found.append(index)
        known = letter
    return found


def flapping_needs_four_changes_in_a_window(module):
    def check(word):
        played, ended = play(word, module=module), -1
        for index, found in enumerate(played):
            recent = [each for each in crossings_of(word[: index + 1]) if index - each < 10 and each > ended]
            if len(recent) >= 5 and recent[-1] == index:
                assert found.flapping_at is not None
            if found.flapping_at == T0 + index * timedelta(minutes=1):
                assert len(recent) >= 5
            if index and played[index - 1].flapping_at and not found.flapping_at:
                assert word[index] in "dg" or not recent
                ended = index

    slow, unseen = "uuuddd" * 6, "d?d?d?d?d?d"
    return example(list(slow))(example(list(unseen))(given(words)(check)))


def unknown_is_never_anything_else(module):
    def check(word):
        for letter, found in zip(word, play(word, module=module), strict=True):
            assert (found.shown == "unknown") == (letter == "?")
            assert found.shown == "unknown" or found.flapping_at or found.shown == WORD[letter]

    return given(words)(check)


def what_was_known_survives_not_seeing(module):
    def check(word):
        known = ""
        for letter, found in zip(word, play(word, module=module), strict=True):
            known = known if letter == "?" else WORD[letter]
            assert found.known == known
            assert len(found.crossings) <= 5

    return given(words)(check)


def quiet_heals(module):
    def check(word):
        assert play([*word, *"u" * 40], module=module)[-1].shown == "up"
        assert play([*word, *"d" * 40], module=module)[-1].shown == "down"

    return given(words)(check)


def notices_are_bounded(module):
    """However an endpoint comes and goes within two minutes each way, an hour of it makes at most three notices."""

    def check(gaps):
        seconds, found, outages, bad = 0, module.first(T0), 0, False
        for index, gap in enumerate(gaps):
            seconds += gap
            if seconds > 3600:
                break
            at = T0 + timedelta(seconds=seconds)
            found = module.rested(found, at, WINDOW)
            found = module.turned(found, "down" if index % 2 else "up", at, WINDOW)
            outages += found.shown in module.BAD and not bad
            bad = found.shown in module.BAD
        assert outages <= 3

    return given(st.lists(st.integers(1, 120), min_size=60, max_size=200))(check)


PROPERTIES = [
    flapping_needs_four_changes_in_a_window, unknown_is_never_anything_else, what_was_known_survives_not_seeing, quiet_heals,
    notices_are_bounded,
]  # fmt: skip


@pytest.mark.parametrize("prop", PROPERTIES, ids=lambda prop: prop.__name__)
def test_the_property_holds(prop):
    settings(max_examples=50)(prop(judgement))()


PLANTED = [
    ("never_flaps", "if len(crossings) == FLAP_CROSSINGS:", "if False:"),
    ("flaps_at_once", "FLAP_CROSSINGS = 5", "FLAP_CROSSINGS = 1"),
    ("old_changes_count", "if at - each < window), at)", "), at)"),
    ("unknown_is_a_change", "if old.known and (old.known in BAD)", "if old.state and (old.state in BAD)"),
    ("unknown_forgets", "state=state, since_at=at)\n    crossings", 'state=state, since_at=at, known="")\n    crossings'),
    ("flapping_for_ever", "if at - quiet_since < enough:", "if True:"),
    ("flapping_hides_blindness", 'if self.flapping_at and self.state != "unknown"', "if self.flapping_at"),
    ("any_success_is_rest", "if at - quiet_since < enough:", 'if at - quiet_since < enough and judgement.state != "up":'),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new"), [bug[1:] for bug in PLANTED], ids=[bug[0] for bug in PLANTED])
def test_a_planted_bug_is_found(planted, old, new):
    module = planted(judgement, old, new)

    def everything():
        for prop in PROPERTIES:
            settings(KILL)(prop(module))()

    with pytest.raises(AssertionError):
        everything()


def test_a_monitor_that_nobody_has_seen_is_unknown():
    assert first(T0) == Judgement("unknown", T0)

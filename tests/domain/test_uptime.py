from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from statuspage.domain import uptime
from statuspage.domain.uptime import Seconds, bars, level, measured, percent, spans, total

END = 2000
DAY = 86_400
moments = st.integers(0, END)
intervals = st.tuples(moments, moments).filter(lambda pair: pair[0] < pair[1])
observed = st.lists(
    st.tuples(intervals, st.sampled_from(["up", "degraded", "partial", "major"])).map(lambda row: (*row[0], row[1])),
    max_size=12,
)
windows = st.lists(intervals, max_size=3)
zones = st.sampled_from([ZoneInfo(name) for name in (
    "Asia/Shanghai", "Asia/Hong_Kong", "UTC", "Europe/London", "America/New_York", "Australia/Lord_Howe", "America/Sao_Paulo",
    "Africa/Cairo", "America/Havana", "Asia/Kathmandu", "Pacific/Chatham", "Atlantic/Azores", "America/Asuncion",
)])  # fmt: skip


def reference(lo, hi, obs, maint):
    """The formula second by second, as docs/uptime.md words it."""
    out = dict.fromkeys(uptime.KINDS, 0)
    for second in range(lo, hi):
        if any(start <= second < end for start, end in maint):
            kind = "maintenance"
        else:
            kinds = [kind for start, end, kind in obs if start <= second < end]
            order = ["up", "unknown", "degraded", "partial", "major"]
            kind = max(kinds, key=order.index) if kinds else "unknown"
        out[kind] += 1
    return out


def value(**kinds):
    return percent(Seconds(**kinds))


@pytest.mark.parametrize(
    ("kinds", "expected"),
    [
        ({}, None),
        ({"unknown": 100, "maintenance": 100}, None),
        ({"up": 1}, 10_000),
        ({"degraded": 1}, 10_000),
        ({"major": 1}, 0),
        ({"partial": 1}, 7_000),
        ({"up": 99, "major": 1}, 9_900),
        ({"up": 90 * DAY - 1, "major": 1}, 9_999),
        ({"up": 90 * DAY - 1, "partial": 1}, 9_999),
        ({"up": 50, "major": 50, "unknown": 900, "maintenance": 50}, 5_000),
        ({"up": 2, "major": 1}, 6_666),
    ],
)
def test_the_figure_is_floored_in_hundredths_of_a_percent(kinds, expected):
    assert value(**kinds) == expected


def test_the_share_that_was_measured_is_floored_too():
    assert measured(Seconds(up=96, unknown=3, maintenance=1)) == 9_700
    assert measured(Seconds(up=DAY * 90 - 1, unknown=1)) == 9_999
    assert measured(Seconds()) is None


AT = datetime(2026, 3, 1, tzinfo=UTC)


def test_changes_become_spans_that_end_with_the_next_change_or_now():
    changes = [
        (AT, "operational"),
        (AT + timedelta(seconds=60), "major_outage"),
        (AT + timedelta(seconds=90), "unknown"),
    ]

    first = int(AT.timestamp())
    assert spans(changes, AT + timedelta(seconds=100)) == [
        (first, first + 60, "up"), (first + 60, first + 90, "major"), (first + 90, first + 100, "unknown"),
    ]  # fmt: skip


def test_an_outage_of_a_fraction_of_a_second_still_counts():
    changes = [
        (AT, "operational"),
        (AT + timedelta(seconds=10.2), "major_outage"),
        (AT + timedelta(seconds=10.7), "operational"),
    ]
    end_at = AT + timedelta(seconds=100)

    first = int(AT.timestamp())
    assert uptime.seconds(first, first + 100, spans(changes, end_at), []) == Seconds(up=99, major=1)


def test_maintenance_that_was_not_announced_is_an_outage():
    changes = [
        (AT, "operational"),
        (AT + timedelta(seconds=10), "under_maintenance"),
        (AT + timedelta(seconds=50), "operational"),
    ]
    first = int(AT.timestamp())
    rows = spans(changes, AT + timedelta(seconds=100))

    assert uptime.seconds(first, first + 100, rows, []) == Seconds(up=60, major=40)
    assert uptime.seconds(first, first + 100, rows, [(first + 10, first + 50)]) == Seconds(up=60, maintenance=40)
    assert uptime.seconds(first, first + 100, rows, [(first + 10, first + 40)]) == Seconds(
        up=60, maintenance=30, major=10
    )


def test_every_component_status_has_a_kind():
    assert set(uptime.KIND_OF_STATUS) == set(uptime.status.ORDER)


def test_a_component_created_yesterday_has_a_window_of_one_day():
    zone = ZoneInfo("Asia/Shanghai")
    begin_at = datetime(2026, 3, 9, 16, 0, tzinfo=UTC) + timedelta(hours=6)
    end_at = begin_at + timedelta(days=1)

    days = uptime.by_day(spans([(begin_at, "operational")], end_at), [], zone, begin_at, end_at)

    assert {day.isoformat(): asdict(row) for day, row in days.items()} == {
        "2026-03-10": asdict(Seconds(up=18 * 3600)), "2026-03-11": asdict(Seconds(up=6 * 3600)),
    }  # fmt: skip
    assert total(days.values()).total == DAY


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        ("Asia/Shanghai", "2026-03-29", 24),
        ("Europe/London", "2026-03-29", 23),
        ("Europe/London", "2026-10-25", 25),
        ("Australia/Lord_Howe", "2026-10-04", 23.5),
        ("Australia/Lord_Howe", "2026-04-05", 24.5),
        ("Africa/Cairo", "2026-04-24", 23),
        ("America/Havana", "2026-11-01", 25),
        ("America/Sao_Paulo", "2018-11-04", 23),
        ("America/Sao_Paulo", "2019-02-16", 25),
    ],
)
def test_a_day_is_as_long_as_clocks_there_say(zone, day, hours):
    day = date.fromisoformat(day)
    length = uptime.midnight(day + timedelta(days=1), ZoneInfo(zone)) - uptime.midnight(day, ZoneInfo(zone))

    assert length == hours * 3600


def test_a_date_that_a_country_skipped_does_not_appear():
    apia = ZoneInfo("Pacific/Apia")
    days = list(uptime.local_days(apia, datetime(2011, 12, 29, 12, tzinfo=UTC), datetime(2012, 1, 1, tzinfo=UTC)))

    assert [day.isoformat() for day, _, _ in days] == ["2011-12-29", "2011-12-31", "2012-01-01"][: len(days)]
    assert all(first[2] == second[1] for first, second in pairwise(days))


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (Seconds(), "unknown"),
        (Seconds(up=DAY), "up"),
        (Seconds(up=DAY - 1, major=1), "major"),
        (Seconds(up=DAY - 2, partial=1, degraded=1), "partial"),
        (Seconds(up=DAY - 1, degraded=1), "degraded"),
        (Seconds(maintenance=DAY), "maintenance"),
        (Seconds(up=DAY - 3600, maintenance=3600), "up"),
        (Seconds(up=3600, unknown=DAY - 3600), "unknown"),
        (Seconds(unknown=DAY), "unknown"),
        (Seconds(unknown=DAY - 60, maintenance=60), "unknown"),
    ],
)
def test_a_day_is_shown_as_the_worst_that_happened_and_never_up_when_unseen(row, expected):
    assert level(row) == expected


def test_bars_end_today_and_a_day_without_a_row_is_unknown():
    today = date(2026, 3, 1)
    rows = bars({today: Seconds(up=10), date(2026, 2, 27): Seconds(up=9, major=1)}, today, 4)

    assert [(bar.day.isoformat(), bar.level, bar.percent) for bar in rows] == [
        ("2026-02-26", "unknown", None),
        ("2026-02-27", "major", 9_000),
        ("2026-02-28", "unknown", None),
        ("2026-03-01", "up", 10_000),
    ]
    assert len(bars({}, today)) == 90


# -- properties; each takes the module, so that planted bugs can be shown to it --


def equals_the_formula_second_by_second(module):
    short = st.integers(0, 60)
    pairs = st.tuples(short, short).filter(lambda pair: pair[0] < pair[1])
    rows = st.lists(st.tuples(pairs, st.sampled_from(list(uptime.RANK))).map(lambda row: (*row[0], row[1])), max_size=8)

    def check(obs, maint, bounds):
        assert asdict(module.seconds(*bounds, obs, maint)) == reference(*bounds, obs, maint)

    return given(rows, st.lists(pairs, max_size=3), pairs)(check)


def kinds_partition_the_window(module):
    def check(obs, maint):
        assert module.seconds(0, END, obs, maint).total == END

    return given(observed, windows)(check)


def windows_add_up(module):
    def check(obs, maint, cut):
        whole = module.seconds(0, END, obs, maint)
        assert module.seconds(0, cut, obs, maint) + module.seconds(cut, END, obs, maint) == whole

    return given(observed, windows, moments)(check)


def order_and_repeats_do_not_matter(module):
    def check(obs, maint, rng):
        mixed, doubled = obs * 2, maint * 2
        rng.shuffle(mixed)
        rng.shuffle(doubled)
        assert module.seconds(0, END, mixed, doubled) == module.seconds(0, END, obs, maint)

    return given(observed, windows, st.randoms(use_true_random=False))(check)


def one_more_outage_never_raises_the_figure(module):
    def check(obs, maint, more):
        before = module.percent(module.seconds(0, END, obs, maint))
        after = module.percent(module.seconds(0, END, [*obs, (*more, "major")], maint))
        assert before is None or after is None or after <= before
        assert before is None or after is not None

    return given(observed, windows, intervals)(check)


def nothing_measured_has_no_figure(module):
    def check(obs, maint):
        figure = module.percent(module.seconds(0, END, obs, maint))
        assert figure is None or 0 <= figure <= 10_000
        assert module.percent(module.seconds(0, END, [], maint)) is None
        assert module.seconds(0, END, [], []) == module.Seconds(unknown=END)

    return given(observed, windows)(check)


def any_outage_shows(module):
    def check(up, lost, kind):
        assert module.percent(module.Seconds(**{"up": up, kind: lost})) < 10_000

    return given(st.integers(0, 10**9), st.integers(1, 10**6), st.sampled_from(["major", "partial"]))(check)


def an_outage_inside_maintenance_is_free(module):
    def check(obs, window):
        with_outage = [*obs, (*window, "major")]
        assert module.seconds(0, END, with_outage, [window]) == module.seconds(0, END, obs, [window])
        assert module.seconds(0, END, with_outage, [window]).up <= END - (window[1] - window[0])

    return given(observed, intervals)(check)


def days_tile_the_time_and_add_up(module):
    begin = st.integers(
        int(datetime(2013, 1, 1, tzinfo=UTC).timestamp()), int(datetime(2035, 1, 1, tzinfo=UTC).timestamp())
    )
    hours = st.integers(0, 400)
    rows = st.lists(st.tuples(hours, hours, st.sampled_from(list(uptime.RANK))), max_size=6)

    def check(zone, start, rows, length):
        begin_at, end_at = datetime.fromtimestamp(start, UTC), datetime.fromtimestamp(start + length, UTC)
        obs = [(start + min(a, b) * 3600, start + max(a, b) * 3600, kind) for a, b, kind in rows]
        maint = [(start + 3600, start + 7200)]
        days = list(module.local_days(zone, begin_at, end_at))
        assert days[0][1] <= start < days[0][2]
        assert days[-1][1] < start + length <= days[-1][2]
        for day, lo, hi in days:
            assert hi - lo in {82_800, 84_600, 86_400, 88_200, 90_000}
            local = datetime.fromtimestamp(lo, UTC).astimezone(zone)
            before = datetime.fromtimestamp(lo - 1, UTC).astimezone(zone)
            assert (local.date(), before.date()) == (day, day - timedelta(days=1))
        assert all(first[2] == second[1] for first, second in pairwise(days))
        cut = module.by_day(obs, maint, zone, begin_at, end_at)
        assert module.total(cut.values()) == module.seconds(start, start + length, obs, maint)
        for day, lo, hi in days:
            assert cut[day] == module.seconds(max(lo, start), min(hi, start + length), obs, maint)

    return given(zones, begin, rows, st.integers(1, 400 * 3600) | st.integers(1, 9000 * 3600))(check)


PROPERTIES = [
    equals_the_formula_second_by_second,
    kinds_partition_the_window,
    windows_add_up,
    order_and_repeats_do_not_matter,
    one_more_outage_never_raises_the_figure,
    nothing_measured_has_no_figure,
    any_outage_shows,
    an_outage_inside_maintenance_is_free,
    days_tile_the_time_and_add_up,
]


@pytest.mark.parametrize("prop", PROPERTIES, ids=lambda prop: prop.__name__)
def test_the_property_holds(prop):
    settings(max_examples=100)(prop(uptime))()


@pytest.mark.repeats
def test_in_every_zone_of_the_world_days_tile_the_next_two_years():
    begin_at, end_at = datetime(2026, 1, 1, tzinfo=UTC), datetime(2028, 1, 1, tzinfo=UTC)
    lengths = set()
    for name in available_timezones() - {"Antarctica/Troll"}:  # shifts by two hours
        days = list(uptime.local_days(ZoneInfo(name), begin_at, end_at))
        assert all(first[2] == second[1] for first, second in pairwise(days)), name
        lengths |= {hi - lo for _, lo, hi in days}

    assert lengths <= {82_800, 84_600, 86_400, 88_200, 90_000}


PLANTED = [
    (
        "overlaps_are_summed",
        equals_the_formula_second_by_second,
        "sums[_winner(active)] += at - here",
        "[sums.__setitem__(kind, sums[kind] + at - here) for kind in RANK if active[kind]]",
    ),
    (
        "mildest_wins",
        equals_the_formula_second_by_second,
        "return max((kind for kind in RANK",
        "return min((kind for kind in RANK",
    ),
    ("no_data_is_up", nothing_measured_has_no_figure, 'default="unknown")', 'default="up")'),
    (
        "empty_is_100",
        nothing_measured_has_no_figure,
        "if not counted:\n        return None",
        "if not counted:\n        return 10_000",
    ),
    (
        "rounded",
        any_outage_shows,
        "return (counted - lost) * 10_000 // counted",
        "return round((counted - lost) * 10_000 / counted)",
    ),
    (
        "maintenance_is_uptime",
        equals_the_formula_second_by_second,
        'return "maintenance"\n    return max',
        'return "up"\n    return max',
    ),
    ("days_of_86400_s", days_tile_the_time_and_add_up, "end = midnight(following, zone)\n", "end = start + 86_400\n"),
    (
        "unknown_counts",
        nothing_measured_has_no_figure,
        "return self.up + self.deg",
        "return self.up + self.unknown + self.deg",
    ),
    (
        "outage_beats_maintenance",
        an_outage_inside_maintenance_is_free,
        'if active["maintenance"]:',
        'if active["maintenance"] and not active["major"]:',
    ),
    ("ends_are_inclusive", windows_add_up, "yield last, kind, -1", "yield min(last + 1, hi), kind, -1"),
    (
        "days_in_utc",
        days_tile_the_time_and_add_up,
        "[start for _, start, _ in days[1:]]",
        "[start // 86_400 * 86_400 for _, start, _ in days[1:]]",
    ),
    ("partial_is_free", any_outage_shows, '"partial": 3}', '"partial": 0}'),
    (
        "last_wins",
        equals_the_formula_second_by_second,
        "active[kind] += step",
        "active.update(dict.fromkeys(RANK, 0) if step > 0 else {}); active[kind] = max(0, active[kind] + step)",
    ),
]


@pytest.mark.parametrize(("prop", "old", "new"), [bug[1:] for bug in PLANTED], ids=[bug[0] for bug in PLANTED])
def test_a_planted_bug_is_found(planted, prop, old, new):
    module = planted(uptime, old, new)
    kill = settings(
        max_examples=300,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )

    with pytest.raises((AssertionError, ValueError)):
        kill(prop(module))()

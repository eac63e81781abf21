"""What the signals of a job mean, and what silence means. Times are written as they stand on a clock."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from probes.heartbeat import AWAY, SET, Signal, judge, normalise, validate

HOURLY = {"every": "1h", "grace": "5m"}
NIGHTLY = {"schedule": "0 2 * * *", "time_zone": "Asia/Shanghai", "grace": "20m", "runtime": "1h"}


def at(text, zone="UTC"):
    """`12:00`, `+1 02:30` (a day later) or a whole date and time; UTC milliseconds."""
    if len(text) <= 11 and ":" in text:
        days, _, clock = text.rpartition(" ")
        moment = datetime.fromisoformat(f"2026-11-22 {clock}") + timedelta(days=int(days or 0))
    else:
        moment = datetime.fromisoformat(text)
    return int(moment.replace(tzinfo=ZoneInfo(zone)).timestamp() * 1000)


def signals(*texts, zone="UTC"):
    """`12:00 success`, `12:00 start rid`."""
    found = []
    for text in texts:
        clock, kind, rid = [*text.split("|"), ""][:3]
        found.append(Signal(at(clock, zone), kind, rid))
    return found


def outcome(options, now, *texts, zone="UTC"):
    return judge(options, signals(*texts, zone=zone), at(now, zone)).outcome


def test_a_job_that_never_reported_is_unknown_and_never_green():
    found = judge(HOURLY, signals("09:00|set"), at("+9 12:00"))

    assert (found.outcome, found.error_class) == ("unknown", "waiting")


@pytest.mark.parametrize(
    ("now", "expected"), [("12:00", "up"), ("13:00", "up"), ("13:05", "up"), ("13:06", "down"), ("+3 12:00", "down")]
)
def test_a_late_job_is_down_when_its_grace_is_over(now, expected):
    assert outcome(HOURLY, now, "12:00|success") == expected


def test_lateness_says_since_when_and_until_when():
    found = judge(HOURLY, signals("12:00|success"), at("13:06"))

    assert found.error_class == "timeout"
    assert found.message == "no signal since 2026-11-22T12:00:00Z; due 2026-11-22T13:00:00Z, grace 300 s"


def test_the_moment_at_which_silence_becomes_a_failure_is_told():
    found = judge(HOURLY, signals("12:00|success"), at("12:10"))

    assert found.until_ms == at("13:05")


def test_a_failure_is_down_at_once_and_until_a_success():
    assert outcome(HOURLY, "12:01", "12:00|success", "12:01|fail") == "down"
    assert outcome(HOURLY, "12:03", "12:01|fail", "12:02|start") == "down"
    assert outcome(HOURLY, "12:04", "12:01|fail", "12:02|start", "12:03|success") == "up"


def test_an_exit_code_and_the_last_words_are_evidence():
    found = judge(HOURLY, [Signal(at("12:00"), "fail", "", 3, "x" * 3000 + "disk full")], at("12:00"))

    assert found.message == "the job says that it failed, exit code 3"
    assert found.evidence["exit_code"] == 3
    assert found.evidence["body"].endswith("disk full")
    assert len(found.evidence["body"]) == 1000


def test_a_run_that_does_not_end_within_its_time_is_down():
    options = {**HOURLY, "runtime": "30m"}

    assert outcome(options, "12:30", "11:59|success", "12:00|start") == "up"
    assert outcome(options, "12:31", "11:59|success", "12:00|start") == "down"


def test_without_a_runtime_a_run_has_the_grace():
    assert outcome(HOURLY, "12:06", "11:59|success", "12:00|start") == "down"


def test_a_job_that_dies_and_starts_over_and_over_gains_no_time_by_it():
    starts = [f"12:{minute:02}|start" for minute in range(0, 40, 2)]

    assert outcome({**HOURLY, "runtime": "30m"}, "12:39", "11:00|success", *starts) == "down"


def test_a_first_run_under_way_is_not_yet_green():
    assert outcome(HOURLY, "12:01", "12:00|start") == "unknown"
    assert outcome(HOURLY, "12:06", "12:00|start") == "down"


def test_a_long_run_that_began_in_time_is_not_late():
    given = ("2026-11-21 02:40|success", "2026-11-22 02:01|start")

    assert outcome(NIGHTLY, "2026-11-22 02:55", *given, zone="Asia/Shanghai") == "up"
    assert outcome(NIGHTLY, "2026-11-22 03:02", *given, zone="Asia/Shanghai") == "down"


def test_runs_that_overlap_are_told_apart_by_their_ids():
    options = {**HOURLY, "runtime": "30m"}
    both = ("12:00|start|a", "12:10|start|b", "12:15|success|a")

    assert outcome(options, "12:39", *both) == "up"
    assert outcome(options, "12:41", *both) == "down"
    assert outcome(options, "12:41", *both, "12:40|success|b") == "up"


def test_a_run_that_never_ended_is_past_when_a_later_one_went_well():
    given = ("12:00|start|a", "12:20|start|b", "12:25|success|b")

    assert outcome({**HOURLY, "runtime": "30m"}, "12:50", *given) == "up"


def test_a_run_tells_how_long_it_took():
    found = judge(HOURLY, signals("12:00|start|a", "12:03|success|a"), at("12:04"))

    assert found.evidence["run_ms"] == 180_000


# --- schedules ---


def test_a_nightly_job_is_due_by_the_clock_of_its_own_place():
    given = "2026-11-21 02:03|success"

    assert outcome(NIGHTLY, "2026-11-22 02:20", given, zone="Asia/Shanghai") == "up"
    assert outcome(NIGHTLY, "2026-11-22 02:21", given, zone="Asia/Shanghai") == "down"


def test_a_job_whose_clock_is_fast_has_had_its_turn():
    given = "2026-11-22 01:59:40|success"

    assert outcome(NIGHTLY, "2026-11-22 02:30", given, zone="Asia/Shanghai") == "up"
    assert outcome(NIGHTLY, "2026-11-23 02:21", given, zone="Asia/Shanghai") == "down"


def test_a_job_of_every_minute_is_not_granted_whole_turns():
    assert outcome({"schedule": "* * * * *", "grace": "10s"}, "12:02:20", "12:00:01|success") == "down"


@pytest.mark.parametrize(
    ("before", "fine", "late"),
    [
        # 02:30 does not exist on 29 March in Berlin: cron runs at 03:00 instead.
        ("2026-03-28 02:31", "2026-03-29 03:04", "2026-03-29 03:06"),
        # 02:30 comes twice on 25 October; the first one counts, and the next turn is on the 26th.
        ("2026-10-24 02:31", "2026-10-25 02:34", "2026-10-25 02:36"),
        ("2026-10-25 02:31", "2026-10-26 02:34", "2026-10-26 02:36"),
    ],
)
def test_nights_on_which_the_clock_is_changed_bring_no_false_alarm_and_no_silence(before, fine, late):
    options = {"schedule": "30 2 * * *", "time_zone": "Europe/Berlin", "grace": "5m"}

    assert outcome(options, fine, f"{before}|success", zone="Europe/Berlin") == "up"
    assert outcome(options, late, f"{before}|success", zone="Europe/Berlin") == "down"


def test_weekdays_are_counted_as_cron_counts_them():
    sunday, monday = "2026-11-22 02:01", "2026-11-23 02:10"

    assert outcome({"schedule": "0 2 * * 0", "grace": "5m"}, monday, f"{sunday}|success") == "up"
    assert outcome({"schedule": "0 2 * * 1", "grace": "5m"}, monday, f"{sunday}|success") == "down"


# --- when we did not listen ---


def away(since, until):
    return Signal(at(until), AWAY, since_ms=at(since))


def test_what_fell_due_while_nobody_listened_is_unknown_until_the_next_turn():
    given = [*signals("12:00|success"), away("12:50", "13:20")]

    assert judge(HOURLY, given, at("13:21")).outcome == "unknown"
    assert judge(HOURLY, given, at("14:26")).outcome == "down"
    assert judge(HOURLY, [*given, *signals("13:40|success")], at("13:41")).outcome == "up"


def test_an_absence_long_before_a_turn_excuses_nothing():
    given = [*signals("2026-11-21 02:03|success", zone="Asia/Shanghai"), away("12:00", "12:10")]

    assert judge(NIGHTLY, given, at("2026-11-22 02:21", "Asia/Shanghai")).outcome == "down"


def test_a_run_whose_end_may_have_been_missed_is_unknown():
    given = [*signals("11:00|success", "12:00|start"), away("12:02", "12:04")]

    assert judge(HOURLY, given, at("12:06")).outcome == "unknown"


def test_new_settings_and_the_end_of_a_pause_begin_anew():
    given = [*signals("2026-11-20 12:00|success"), Signal(at("12:00"), SET)]

    assert judge(HOURLY, given, at("12:59")).outcome == "up"
    assert judge(HOURLY, given, at("13:06")).outcome == "down"


# --- what may be configured ---


@pytest.mark.parametrize(
    ("value", "path", "words"),
    [
        ({"every": "1h", "schedule": "* * * * *"}, (), "not both"),
        ({"every": "soon"}, ("every",), "no duration"),
        ({"every": "0s"}, ("every",), "1s or more"),
        ({"schedule": "0 2 * *"}, ("schedule",), "five fields"),
        ({"schedule": "* * * * * *"}, ("schedule",), "five fields"),
        ({"schedule": "61 2 * * *"}, ("schedule",), "Bad minute"),
        ({"schedule": "0 0 31 2 *"}, ("schedule",), "Bad day-of-month"),
        ({"schedule": "0 2 * * *", "time_zone": "Mars/Olympus"}, ("time_zone",), "Asia/Shanghai"),
        ({"schedule": "0 2 * * *", "time_zone": "../../etc/passwd"}, ("time_zone",), "Asia/Shanghai"),
        ({"every": "1h", "time_zone": "UTC"}, ("time_zone",), "schedule"),
        ({"every": "1h", "grace": -1}, ("grace",), "no duration"),
    ],
)
def test_what_cannot_be_meant_is_refused_where_it_stands(value, path, words):
    target, options = normalise(value)

    assert any(where == path and words in text for where, text in validate(target, options))


def test_the_short_form_is_a_period():
    assert normalise("1h") == ("every 1h", {"every": "1h"})
    assert validate(*normalise("1h")) == []


def test_a_heartbeat_cannot_be_run_from_here(probe):
    result = probe("heartbeat", "every 1h", {"every": "1h"})

    assert (result.outcome, result.error_class) == ("unknown", "unsupported")

"""The wall clock of a running process is set by an hour and by a day, forth and back: intervals, states, notices do not notice.

libfaketime answers the process's questions about the time; its monotonic clocks stay real. (In Debian's version time.sleep then
fails on Python 3.11: nothing on the way from a probe to a notice sleeps. Its "monotonic fix" makes each thread that waits for the
interpreter spin, ten times as slow: it is switched off.)

Bugs that were planted, and that it saw: the engine's loop, a run's start, the book's gaps and the calendar timed by the wall
clock; results of our own taken for late ones after a jump back.
"""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from checking_process import TIMEOUT_MS, Checking
from installation import free_ports

JUMPS_S = (3600, -3600, 86_400, -86_400)  # each from where the one before has led


def libfaketime():
    """Where Debian has put it, below a folder that is named after the machine."""
    found = [path for folder in ("/usr/lib", "/usr/local/lib") for path in Path(folder).glob("**/libfaketimeMT.so.1")]
    assert found, "no libfaketime: run scripts/test-setup"
    return found[0]


class WrongClock(Checking):
    """The process with a clock that `set_clock` sets."""

    def __init__(self, folder):
        self.offset = folder / "offset"
        self.set_clock(0)
        super().__init__(
            folder, free_ports(1)[0], failures=3, LD_PRELOAD=str(libfaketime()), FAKETIME_TIMESTAMP_FILE=str(self.offset),
            FAKETIME_CACHE_DURATION="1", FAKETIME_DONT_FAKE_MONOTONIC="1", NO_FAKE_STAT="1",
            FAKETIME_FORCE_MONOTONIC_FIX="0",
        )  # fmt: skip

    def set_clock(self, seconds):
        fresh = self.offset.with_suffix(".new")
        fresh.write_text(f"{seconds:+d}\n", encoding="ascii")
        fresh.replace(self.offset)

    def has_followed(self, jump_s):
        """Whether both the checker and the calendar have done something since, by the new time."""
        stamps_ms = [at for (at,) in self.rows("SELECT at FROM heartbeats WHERE name IN ('checker', 'calendar')")]
        return len(stamps_ms) == 2 and all(abs(at / 1000 - time.time() - jump_s) < 60 for at in stamps_ms)


@pytest.fixture
def checking(tmp_path):
    found = WrongClock(tmp_path)
    yield found
    found.close()


@pytest.mark.timeout(240)
def test_the_clock_may_jump_by_an_hour_and_by_a_day_without_a_lost_probe_a_false_word_or_a_missing_one(checking):
    wait_for, target = checking.wait_for, checking.target
    wait_for(checking.has_begun, 60)
    before = checking.facts()

    for jump_s in JUMPS_S:
        checking.set_clock(jump_s)
        wait_for(lambda: checking.has_followed(jump_s))  # noqa: B023 - called at once
        asked = len(target.asked_s)
        wait_for(lambda: len(target.asked_s) >= asked + 3)  # noqa: B023 - called at once
        assert checking.facts() == before, jump_s
    for status, state in ((503, "down"), (200, "up")):  # two days back in time, trouble is still told, and its end
        target.status = status
        wait_for(lambda: checking.states()["transfers-api"] == state)  # noqa: B023 - called at once
    wait_for(lambda: checking.facts()["notices"] != before["notices"])

    checking.end()  # then everything is written but for one that was under way
    [(recorded, longest_ms)] = checking.rows(
        "SELECT count(*), max(latency_ms) FROM check_results JOIN monitors ON no = monitor_no WHERE id = 'transfers-api'"
    )
    assert len(target.asked_s) - 1 <= recorded <= len(target.asked_s)
    assert 1 <= longest_ms <= TIMEOUT_MS + 2000

"""What the agent keeps while it is cut off: order, bounds, and that no kill at any moment loses what counted as kept."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from probes import agent_spool
from probes.agent_clock import Clock
from probes.agent_spool import Batch, Spool, SpoolInUse

ROOT = Path(__file__).resolve().parents[2]
BOOT = "0123456789abcdef"


class Late:
    """A clock that a test carries on by hand."""

    def __init__(self, ms=1_000_000):
        self.ms = ms

    def now_ms(self):
        return self.ms

    def to_json(self):
        return [self.ms, 0, "hand"]


def batch(sequence, results=2, clock=None, text="x"):
    clock = clock or Clock.start()
    found = [{"monitor_id": f"m{index}", "message": text} for index in range(results)]
    return Batch(BOOT, sequence, clock, clock.now_ms(), found)


def numbers(spool, room=10**9):
    return [each.sequence for _token, each in spool.peek(room)]


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "spool"


@pytest.fixture
def opened(folder):
    """A function that opens the spool anew, after giving the last one's folder back."""
    held = []

    def open_(**options):
        while held:
            held.pop().close()
        held.append(Spool(folder, **options))
        return held[-1]

    yield open_
    while held:
        held.pop().close()


def test_batches_come_back_in_order_whole_and_after_a_restart(opened):
    spool = opened()
    for sequence in range(1, 6):
        assert spool.append(batch(sequence))

    again = opened()

    assert numbers(again) == [1, 2, 3, 4, 5]
    assert again.peek(1)[0][1].results == batch(1).results


def test_what_was_sent_is_not_sent_again_after_a_restart(opened):
    spool = opened()
    for sequence in range(1, 6):
        spool.append(batch(sequence))
    spool.done([token for token, _batch in spool.peek(10**9)[:3]])

    assert numbers(opened()) == [4, 5]


def test_what_is_new_after_everything_was_sent_is_not_taken_for_sent(opened):
    spool = opened()
    spool.append(batch(1))
    spool.append(batch(2))
    spool.done([token for token, _batch in spool.peek(10**9)])
    opened()
    opened().append(batch(3))

    assert numbers(opened()) == [3]


def test_a_request_takes_as_much_as_fits_and_at_least_one(opened):
    spool = opened()
    for sequence in range(1, 6):
        spool.append(batch(sequence, text="y" * 1000, results=1))

    assert numbers(spool, room=1) == [1]
    assert numbers(spool, room=2500) == [1, 2]


def test_one_is_taken_behind_a_segment_that_is_all_sent(opened):
    spool = opened(max_bytes=40_000)
    for sequence in range(1, 20):
        spool.append(batch(sequence, text="y" * 1000, results=1))
        if sequence < 19:
            spool.done([spool.peek(0)[0][0]])

    assert numbers(spool, room=0) == [19]


def test_a_torn_end_and_a_damaged_middle_cost_only_themselves(opened, folder):
    spool = opened()
    for sequence in range(1, 5):
        spool.append(batch(sequence))
    segment = next(folder.glob("*.seg"))
    lines = segment.read_bytes().splitlines(keepends=True)
    lines[1] = lines[1].replace(b'"m0"', b'"m9"')
    segment.write_bytes(b"".join(lines[:3]) + lines[3][:40])

    again = opened()

    assert numbers(again) == [1, 3]
    assert again.damaged == 2


def test_a_full_spool_drops_the_oldest_and_counts(opened, folder):
    spool = opened(max_bytes=64_000)
    for sequence in range(1, 201):
        spool.append(batch(sequence, text="z" * 500))

    left = numbers(spool)

    assert left == list(range(left[0], 201))
    assert spool.dropped == (200 - len(left)) * 2
    assert sum(path.stat().st_size for path in folder.glob("*.seg")) <= 64_000
    assert len(left) > 30


def test_what_is_too_old_is_dropped_however_the_wall_clock_jumps(opened, monkeypatch):
    clock = Late()
    spool = opened(max_age_s=60, max_bytes=40_000)
    for sequence in range(1, 11):
        spool.append(batch(sequence, clock=clock, text="z" * 1000))
    monkeypatch.setattr("time.time_ns", lambda: 10**19)
    spool.append(batch(11, clock=clock))

    assert spool.dropped == 0

    clock.ms += 61_000
    spool.append(batch(12, clock=clock))

    assert numbers(spool) == [9, 10, 11, 12]  # a segment goes when its newest line is too old
    assert spool.dropped == 8 * 2


def test_a_second_agent_with_the_same_folder_is_refused(opened, folder):
    opened()

    with pytest.raises(SpoolInUse, match="--spool"):
        Spool(folder)


def test_a_disk_that_takes_nothing_leaves_results_in_memory_in_order_and_bounded(opened, monkeypatch):
    spool = opened()
    spool.append(batch(1))
    full = OSError(28, "No space left on device")

    def refuse(*_args):
        raise full

    with monkeypatch.context() as patch:
        patch.setattr(agent_spool, "_write_whole", refuse)
        kept = [spool.append(batch(sequence)) for sequence in range(2, 5)]
        assert kept == [False] * 3
        assert numbers(spool) == [1, 2, 3, 4]
        spool.done([spool.peek(1)[0][0]])
        for sequence in range(5, 5 + agent_spool._HELD):
            spool.append(batch(sequence))

    assert spool.append(batch(1000))
    assert numbers(opened()) == [*range(5, 5 + agent_spool._HELD), 1000]
    assert spool.dropped == 3 * 2


def test_half_a_line_that_a_full_disk_took_is_taken_back(opened, monkeypatch, folder):
    spool = opened()
    spool.append(batch(1))
    real = agent_spool._write_whole

    def half(file, line):
        file.write(line[: len(line) // 2])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(agent_spool, "_write_whole", half)
    spool.append(batch(2))
    monkeypatch.setattr(agent_spool, "_write_whole", real)
    spool.append(batch(3))

    again = opened()
    assert (numbers(again), again.damaged) == ([1, 2, 3], 0)


@hypothesis_settings(max_examples=60)
@given(st.binary(max_size=300))
def test_any_bytes_in_a_segment_are_survived(tmp_path_factory, junk):
    folder = tmp_path_factory.mktemp("junk")
    (folder / "0000000003.seg").write_bytes(batch(7).to_line() + junk)
    (folder / "sent").write_bytes(junk)

    spool = Spool(folder)
    found = numbers(spool)
    spool.append(batch(8))
    spool.close()

    assert found[:1] == [7] or junk.split()[:1] > [b"2"]


WRITER = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from probes.agent_clock import Clock
from probes.agent_spool import Batch, Spool
spool, clock = Spool(Path(sys.argv[1])), Clock.start()
for sequence in range(1, 100000):
    spool.append(Batch("0123456789abcdef", sequence, clock, clock.now_ms(), [{"monitor_id": "m", "text": "t" * 200}]))
    print(sequence, flush=True)
"""


@pytest.mark.parametrize("after", [1, 7, 40, 95])
def test_a_kill_in_the_middle_loses_nothing_that_counted_as_kept(after, opened, folder):
    writer = subprocess.Popen([sys.executable, "-c", WRITER, folder, ROOT], stdout=subprocess.PIPE, text=True)
    try:
        last = 0
        for line in writer.stdout:
            last = int(line)
            if last >= after:
                break
    finally:
        os.kill(writer.pid, signal.SIGKILL)
        last = max([last, *(int(line) for line in writer.stdout.read().split())])
        writer.wait(10)
        writer.stdout.close()

    found = numbers(opened())
    assert found[:last] == list(range(1, last + 1))
    assert len(found) <= last + 1


def test_a_clock_goes_on_across_restarts_of_the_agent_but_not_of_the_machine(monkeypatch):
    started = Clock.start()
    monkeypatch.setattr("time.time_ns", lambda: 5_000_000_000)

    assert abs(Clock(*json.loads(json.dumps(started.to_json()))).now_ms() - started.now_ms()) < 1000
    assert Clock(started.anchor_ms, started.since_ns, "another start").now_ms() == 5000

import pytest
from kill_sweep import STEPS, Sweep

CALLS = ("pwrite64", "fdatasync", "fsync", "rename", "openat", "write")


@pytest.mark.timeout(600)
def test_killed_at_any_call_that_touches_the_disk_nothing_acknowledged_is_lost():
    sweep = Sweep()
    try:
        for call in CALLS:
            sweep.all_points(call)
    finally:
        sweep.close()
        print(f"\nkill sweep, disk: {sweep.tally}")

    assert sweep.tally.kills >= 50
    assert all(sweep.tally.at[step] for step in STEPS), sweep.tally

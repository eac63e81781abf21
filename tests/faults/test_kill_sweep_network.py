import pytest
from kill_sweep import STEPS, Sweep

CALLS = ("sendto", "recvfrom", "connect", "poll", "close", "fcntl", "pread64", "newfstatat", "futex")


@pytest.mark.timeout(600)
def test_killed_at_any_call_that_talks_or_waits_nothing_acknowledged_is_lost():
    sweep = Sweep()
    try:
        for call in CALLS:
            sweep.all_points(call)
    finally:
        sweep.close()
        print(f"\nkill sweep, network: {sweep.tally}")

    assert sweep.tally.kills >= 50
    assert all(sweep.tally.at[step] for step in STEPS[:2]), sweep.tally  # what follows is the disk's, and its sweep's

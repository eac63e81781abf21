"""The process is stopped for a moment (SIGSTOP) while results should have come: that is a gap of ours, and nobody's outage.

Bugs that were planted, and that it saw: a loop that does not notice that it stood still, a gap that does not count.
"""

from __future__ import annotations

import signal
import time

import pytest
from checking_process import TIMEOUT_MS, Checking
from installation import free_ports

GAP_S = 2.5  # well above the second after which the checker looks again, well below the stop
STOPPED_S = 4.0


@pytest.fixture
def checking(tmp_path):
    found = Checking(tmp_path, free_ports(1)[0], failures=1, CHECKING_GAP=str(GAP_S))
    yield found
    found.close()


def changes(checking, component):
    """What the public was told of a component, in order."""
    statement = "SELECT new FROM component_status_changes WHERE component_id = ? ORDER BY id"
    return [new for (new,) in checking.rows(statement, component)]


@pytest.mark.timeout(240)
def test_a_process_that_was_stopped_says_unknown_until_it_has_seen_and_never_down(checking):
    target, wait_for = checking.target, checking.wait_for
    wait_for(checking.has_begun, 60)
    target.delay_s = TIMEOUT_MS / 1000 * 0.3  # so that nearly always one is under way
    asked = len(target.asked_s)
    wait_for(lambda: len(target.asked_s) >= asked + 2)
    notices = checking.facts()["notices"]
    before = {name: len(changes(checking, name)) for name in ("transfers", "balances", "login")}
    stopped_ms = time.time() * 1000

    checking.process.send_signal(signal.SIGSTOP)
    time.sleep(STOPPED_S)
    checking.process.send_signal(signal.SIGCONT)
    target.delay_s = 0.0
    wait_for(lambda: changes(checking, "balances")[before["balances"] :])
    wait_for(lambda: changes(checking, "transfers")[before["transfers"] :][-1:] == ["operational"])

    since = {name: changes(checking, name)[count:] for name, count in before.items()}
    # The run that we held up says unknown, and so does the gap: once or twice, as they come.
    assert since.pop("transfers") in (["unknown", "operational"], ["unknown", "operational"] * 2)
    assert since == {"balances": ["unknown"], "login": []}
    assert "down" not in checking.transitions("transfers-api")
    outcomes = checking.rows(
        "SELECT outcome FROM check_results JOIN monitors ON no = monitor_no"
        " WHERE id = 'transfers-api' AND at_ms BETWEEN ? AND ?", stopped_ms - TIMEOUT_MS, stopped_ms + 1000 * STOPPED_S,
    )  # fmt: skip
    assert 2 not in {outcome for (outcome,) in outcomes}, "a run that we ourselves held up was counted as the target's failure"
    # What was down before is down: its notice is neither closed nor repeated.
    assert checking.states()["login-api"] == "down"
    assert checking.facts()["notices"] == notices

"""The real deliverer, killed for good (SIGKILL) between acceptance and marking, at many moments; then started again.

Nothing that was committed is lost, and nobody has more copies than there were crashes after an acceptance, plus one. The far end
keeps its own ledger in a file that is written before the deliverer hears of the acceptance.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
PEOPLE = 12

PROGRAM = """
import os, signal, sys, threading
sys.path.insert(0, {here!r})
import conftest
from statuspage.channels import registry
from statuspage.store.database import Database

ledger, crash_after, when = sys.argv[2], int(sys.argv[3]), sys.argv[4]
lock, count = threading.Lock(), [0]

def send(message, address, services):
    with lock:
        count[0] += 1
        if when == "before" and count[0] == crash_after:
            os.kill(os.getpid(), signal.SIGKILL)
        with open(ledger, "a") as file:
            file.write(message.key + " " + message.channel + "\\n")
            file.flush()
        if when == "after" and count[0] == crash_after:
            os.kill(os.getpid(), signal.SIGKILL)
    return "ref-" + message.key

def find(message, address, services):
    keys = [line.split()[0] for line in open(ledger)] if os.path.exists(ledger) else []
    return "ref-" + message.key if message.key in keys else None

registry.sender = lambda name, services: send
registry.finder = lambda name, services: find if name == "sms" else None
world = conftest.World.__new__(conftest.World)
world.clock = conftest.Clock()
world.clock.at = conftest.from_ms(int(sys.argv[5]))
database = Database(sys.argv[1])
world.ctx = conftest.Context(database, conftest.KEYS, world.clock)
world.services = conftest.Services(conftest.Sessions(), conftest.Printer(stream=None), str, conftest.KEYS.vapid, world.clock)
one = world.deliverer()
one.run_once()
one.close()
"""


def run(url, ledger, crash_after, when, at_ms):
    command = [sys.executable, "-c", PROGRAM.format(here=str(HERE)), url, str(ledger), str(crash_after), when, str(at_ms)]
    environment = {**os.environ, "PYTHONPATH": str(HERE.parent.parent)}
    return subprocess.run(command, timeout=90, check=False, cwd=HERE.parent.parent, env=environment, capture_output=True)


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("crash_after", [1, 5, 12])
def test_nothing_is_lost_and_copies_are_bounded_by_the_crashes(world, tmp_path, crash_after, when):
    for number in range(PEOPLE):
        world.subscription(f"a{number}", channel="sms" if number % 2 else "webhook")
    world.say(world.notice())
    ledger = tmp_path / "ledger"
    url, at_ms = _url(world), int(world.clock.at.timestamp() * 1000)

    killed = run(url, ledger, crash_after, when, at_ms)
    again = run(url, ledger, 0, "never", at_ms + 61_000)  # the dead worker's leases have run out

    got = Counter(line.split()[0] for line in ledger.read_text().splitlines())
    assert (killed.returncode, again.returncode, again.stderr) == (-signal.SIGKILL, 0, b"")
    assert len(got) == PEOPLE
    assert max(got.values()) <= 2
    assert max((got[key] for key, channel in _channels(ledger) if channel == "sms"), default=1) == 1
    assert world.states() == {"sent": PEOPLE}


def _url(world):
    return world.ctx.db.url


def _channels(ledger):
    return [tuple(line.split()) for line in ledger.read_text().splitlines()]


def test_the_harness_kills_when_it_says_so(world, tmp_path):
    world.subscription("a")
    world.say(world.notice())

    started = time.monotonic()
    killed = run(_url(world), tmp_path / "ledger", 1, "after", int(world.clock.at.timestamp() * 1000))

    assert killed.returncode == -signal.SIGKILL
    assert world.states() == {"sending": 1}
    assert time.monotonic() - started < 60

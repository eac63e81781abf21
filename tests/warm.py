"""An Installation whose program is loaded once and forked for each start: for tests that start it a hundred times.

What runs is the program's own command line in a process of its own, which is killed and restarted like any other; only the second
in which Python imports the libraries is not spent again.
"""

from __future__ import annotations

import gc
import multiprocessing
import os
import sys
from pathlib import Path

from installation import ROOT, Installation

from statuspage.cli import main

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["statuspage.cli.serve", "statuspage.worker.main", "statuspage.web.console.app"])


def _run(arguments, environment, log):
    os.setsid()
    os.chdir(ROOT)
    os.environ.clear()
    os.environ.update(environment)
    with Path(log).open("ab") as out:
        os.dup2(out.fileno(), sys.stdout.fileno())
        os.dup2(out.fileno(), sys.stderr.fileno())
    gc.collect()
    main(arguments, prog_name="statuspage")


class _Process:
    """As much of subprocess.Popen as an Installation uses."""

    def __init__(self, process):
        self._process = process
        self.pid = process.pid
        self.kill = process.kill

    @property
    def returncode(self):
        return self._process.exitcode

    def poll(self):
        return self._process.exitcode

    def wait(self, timeout_s=None):
        self._process.join(timeout_s)
        if self._process.exitcode is None:
            raise TimeoutError(f"the process did not end within {timeout_s} s")
        return self._process.exitcode

    def send_signal(self, number):
        os.kill(self.pid, number)


class WarmInstallation(Installation):
    def launch(self, *, prefix=()):
        assert not prefix, "a forked process has no command in front of it"
        process = _CONTEXT.Process(target=_run, args=(self.arguments, self.environment, str(self.log)), daemon=True)
        process.start()
        self.process = _Process(process)
        return self

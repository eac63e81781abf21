import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from faulted import Wallet

from tests.conftest import _postgres_programs, _start_postgres


class Server:
    """A PostgreSQL of our own, to be stopped, frozen and shot at."""

    def __init__(self):
        self.folder = Path(tempfile.mkdtemp(prefix="statuspage-faulted-"))
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.process = _start_postgres(_postgres_programs(), self.folder, self.port)
        self.url = f"postgresql://postgres@127.0.0.1:{self.port}/postgres"

    def family(self):
        """The postmaster and its backends."""
        found = subprocess.run(["ps", "-o", "pid=", "--ppid", str(self.process.pid)], capture_output=True, text=True, check=True)
        return [self.process.pid, *(int(pid) for pid in found.stdout.split())]

    @contextmanager
    def stopped(self):
        arguments = self.process.args
        user = (self.folder / "data").stat()
        self.process.send_signal(signal.SIGQUIT)
        self.process.wait(20)
        try:
            yield
        finally:
            who = {"user": user.st_uid, "group": user.st_gid, "extra_groups": []} if os.geteuid() == 0 else {}
            with (self.folder / "log").open("ab") as log:
                self.process = subprocess.Popen(arguments, stdout=log, stderr=log, cwd=self.folder, **who)

    @contextmanager
    def frozen(self):
        held = self.family()
        for pid in held:
            os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for pid in held:
                os.kill(pid, signal.SIGCONT)

    def shoot(self):
        """Kill one backend that serves the application."""
        with psycopg.connect(self.url) as own:
            query = "SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid() LIMIT 1"
            (pid,) = own.execute(query).fetchone()
        os.kill(pid, signal.SIGKILL)

    def close(self):
        self.process.send_signal(signal.SIGQUIT)
        self.process.wait(20)
        shutil.rmtree(self.folder, ignore_errors=True)


@pytest.fixture(scope="module")
def server():
    found = Server()
    yield found
    found.close()


@pytest.fixture(scope="module")
def wallet(server, tmp_path_factory):
    found = Wallet(tmp_path_factory.mktemp("postgres"), STATUSPAGE_DATABASE_URL=server.url)
    yield found
    found.close()


@pytest.mark.timeout(180)
def test_a_stopped_postgresql_silences_no_page_and_loses_no_declare(wallet, server):
    wallet.endure("a stopped server", server.stopped())


@pytest.mark.timeout(180)
def test_a_frozen_postgresql_silences_no_page_and_loses_no_declare(wallet, server):
    wallet.endure("a frozen server", server.frozen())


@pytest.mark.timeout(180)
def test_a_killed_backend_is_recovered_from_without_a_person(wallet, server):
    server.shoot()
    began = time.monotonic()
    wallet.home.wait_for(lambda: wallet.console.declare("After the shot").status_code == 303, within_s=30, every_s=0.5)

    print(f"declared {time.monotonic() - began:.1f} s after a backend was killed")
    wallet.wait_until_told("After the shot")
    assert wallet.told().count("After the shot") == 1

import os
import re
import signal
import sqlite3
import subprocess
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from faulted import Wallet, moved_aside


@pytest.fixture(scope="module")
def wallet(tmp_path_factory):
    found = Wallet(tmp_path_factory.mktemp("sqlite"))
    yield found
    found.close()


@contextmanager
def locked(path):
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        yield
        other.execute("ROLLBACK")


@contextmanager
def failing(wallet, call, error):
    """Every `call` of the process fails with `error`, as the kernel would say it."""
    rig = subprocess.Popen(
        ["strace", "-f", "-p", str(wallet.home.process.pid), "-e", f"trace={call}", "-e", f"inject={call}:error={error}",
         "-o", os.devnull],
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    rig.stderr.readline()
    try:
        yield
    finally:
        rig.send_signal(signal.SIGTERM)
        rig.communicate(timeout=10)


@pytest.mark.timeout(180)
def test_a_database_locked_by_another_process_silences_no_page_and_loses_no_declare(wallet):
    wallet.endure("a lock", locked(wallet.var / "statuspage.db"), hold_s=20)


@pytest.mark.timeout(180)
def test_a_database_file_that_was_taken_away_is_noticed_before_anything_is_promised(wallet):
    wallet.endure("a missing file", moved_aside(wallet.var / "statuspage.db"))


@pytest.mark.timeout(180)
def test_a_database_file_replaced_by_garbage_is_noticed_before_anything_is_promised(wallet):
    wallet.endure("garbage", moved_aside(wallet.var / "statuspage.db", os.urandom(200_000)))


@pytest.mark.timeout(180)
def test_a_database_that_became_read_only_silences_no_page_and_loses_no_declare(wallet):
    wallet.endure("a read-only disk", failing(wallet, "pwrite64", "EROFS"))


@pytest.mark.timeout(180)
def test_a_full_disk_even_under_the_log_silences_no_page_and_loses_no_declare(tmp_path):
    mount = 'mount -t tmpfs -o size=24m tmpfs "$STATUSPAGE_DATA" && exec "$@" 2>>"$STATUSPAGE_DATA/serve.log"'
    folder = tmp_path / "full"
    (folder / "home" / "var").mkdir(parents=True)
    unshare = ["unshare", "-m"] if os.geteuid() == 0 else ["unshare", "-rm"]
    wallet = Wallet(folder, prefix=[*unshare, "sh", "-c", mount, "sh"])
    inside = f"/proc/{wallet.home.process.pid}/root{wallet.var}"

    wallet.endure("a full disk", filled(inside), pages=Path(inside) / "public")

    wallet.home.process.send_signal(signal.SIGHUP)  # reads its configuration again, and says so
    log = Path(inside, "serve.log")
    wallet.home.wait_for(lambda: re.search(r"[1-9]\d* log records could not be written", log.read_text(encoding="utf-8")))
    wallet.close()


@contextmanager
def filled(folder):
    """Not a byte is left in `folder`'s file system."""
    filler = Path(folder) / "filler"
    with filler.open("wb", buffering=0) as file:
        for size in (1 << 20, 1 << 12, 1):
            try:
                while file.write(b"x" * size):
                    pass
            except OSError as error:
                assert re.search("No space", str(error))
    try:
        yield
    finally:
        filler.unlink()

"""The public page while its database is stopped, frozen, full or corrupt: how many readers are served, and how long they wait.

A real `statuspage serve` on SQLite and one on PostgreSQL. Readers ask for the page as fast as they are answered, while others
press on what needs the database; each fault stands between two healthy times of the same length, under the same load.

`python -m bench.page_under_fault 500 10000` does the same with 500 components and 10,000 old notices over five years.
"""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import requests

from bench import _past
from bench._load import Load, crowd, is_there
from statuspage import clock
from statuspage.keys import load as load_keys
from statuspage.settings import load
from statuspage.store.database import Database
from tests.conftest import _postgres_programs, _start_postgres
from tests.installation import Installation, free_ports

READERS, SECONDS, PRESSING = 8, 1, 16
SETTLE_S = 1.0  # until what a fault breaks has noticed
BAR = 2.0
YEARS = 5  # of daily uptime, over which old notices are spread evenly
_WALLET = """
page: {name: {en: Bench, zh-Hans: 测量}, url: "https://status.wallet.example", languages: [en, zh-Hans], time_zone: Asia/Shanghai}
groups: {functions: {name: {en: Functions, zh-Hans: 功能}}}
monitors:
  transfers-port: {component: function_0, interval: 1s, timeout: 1s, tcp: "127.0.0.1:9"}
allow_networks: [127.0.0.0/8]
components:
"""
_COMPONENT = "  function_{0}: {{group: functions, name: {{en: Function {0}, zh-Hans: 功能 {0}}}}}\n"
_MOUNT = 'mount -t tmpfs -o size={}m tmpfs "$0" && exec "$@"'
_DISK_MB, _LARGE_DISK_MB = 24, 1024
Fault = Callable[[], Any]  # a context manager that holds it
Found = dict[str, dict[str, float]]  # what readers met, by fault


@dataclass(frozen=True)
class Size:
    """Of the wallet whose page is read."""

    components: int = 1
    old_notices: int = 0

    @property
    def names(self) -> list[str]:
        """Ids of its components."""
        return [f"function_{number}" for number in range(self.components)]

    @property
    def wallet(self) -> str:
        """Its configuration."""
        return _WALLET + "".join(_COMPONENT.format(number) for number in range(self.components))


def grow(home: Installation, data: Path, url: str, size: Size) -> None:
    """Give a running installation its past, and wait until its pages are written. `data`: its folder, as seen from here."""
    if not size.old_notices:
        return
    keys, now = load_keys(load({**home.environment, "STATUSPAGE_DATA": str(data)})), clock.now()
    db = Database(url, readers=1)
    try:
        with db.write() as conn:
            _past.add_days(conn, size.names, now.date() - timedelta(days=2), YEARS * 365)  # the server writes the last two
        with db.write() as conn:
            _past.add_notices(conn, keys, size.names, size.old_notices, now - timedelta(hours=2), timedelta(days=YEARS * 365))
    finally:
        db.close()
    published = data / "public"
    home.wait_for(lambda: still(published), within_s=600, every_s=1)
    print(f"{size.components} components, {size.old_notices} notices: {count(published)} files", file=sys.stderr, flush=True)


def count(folder: Path) -> int:
    """Files below it."""
    return sum(1 for path in folder.rglob("*") if path.is_file())


def still(folder: Path, for_s: int = 15) -> bool:
    """Whether no file is added to what is published for a while: all that is old is there."""
    before = count(folder)
    time.sleep(for_s)
    return count(folder) == before


@contextmanager
def pressing(page: str) -> Iterator[None]:
    """Readers of what only the database knows; whatever they are told."""
    stop = threading.Event()

    def press() -> None:
        while not stop.wait(0.5):
            with suppress(requests.RequestException):
                requests.get(f"{page}/en/search?q=x", timeout=5)

    threads = [threading.Thread(target=press, daemon=True) for _ in range(PRESSING)]
    for one in threads:
        one.start()
    try:
        yield
    finally:
        stop.set()
        for one in threads:
            one.join(6)


def measure(page: str) -> Load:
    """One stretch of readers."""
    return crowd(f"{page}/en/", READERS, SECONDS)


def endure(home: Installation, faults: dict[str, Fault]) -> Found:
    """Each fault between two healthy stretches."""
    found: Found = {}
    with pressing(home.page):
        measure(home.page)
        for name, fault in faults.items():
            before = measure(home.page)
            with fault():
                time.sleep(SETTLE_S)
                during = [measure(home.page) for _ in range(2)]
            wait_until_seeing(home)
            healthy = statistics.median([before.p99_ms, measure(home.page).p99_ms])
            p99 = statistics.median(one.p99_ms for one in during)
            found[name] = {
                "success": min(one.success for one in during), "p99_ms": round(p99, 2), "healthy_p99_ms": round(healthy, 2),
                "ratio": round(p99 / healthy, 2), "requests": sum(one.answered for one in during),
            }  # fmt: skip
    return found


def wait_until_seeing(home: Installation) -> None:
    """Until checks are recorded and published again; a server that was stopped for good stays as it is."""
    with suppress(AssertionError):
        seen = home.get("/live.json").json()["checked_at"]
        home.wait_for(lambda: home.get("/live.json").json()["checked_at"] != seen, within_s=8)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Another process holds the file for itself."""
    with closing(sqlite3.connect(path, isolation_level=None, timeout=10)) as other:
        other.execute("BEGIN EXCLUSIVE")
        yield
        other.execute("ROLLBACK")


@contextmanager
def corrupt(path: Path) -> Iterator[None]:
    """Garbage lies where the file was."""
    aside = path.with_suffix(".aside")
    path.rename(aside)
    path.write_bytes(os.urandom(200_000))
    yield
    aside.replace(path)


@contextmanager
def full(folder: Path) -> Iterator[None]:
    """Not a byte is left."""
    filler = folder / "filler"
    with filler.open("wb", buffering=0) as file:
        for size in (1 << 20, 1 << 12, 1):
            with suppress(OSError):
                while file.write(b"x" * size):
                    pass
    yield
    filler.unlink()


@contextmanager
def frozen(server: subprocess.Popen[bytes]) -> Iterator[None]:
    """PostgreSQL and its backends stand still: connections stay open, nobody answers."""
    listed = subprocess.run(["ps", "-o", "pid=", "--ppid", str(server.pid)], capture_output=True, text=True, check=True)
    family = [server.pid, *map(int, listed.stdout.split())]
    for pid in family:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in family:
            os.kill(pid, signal.SIGCONT)


@contextmanager
def stopped(server: subprocess.Popen[bytes]) -> Iterator[None]:
    """PostgreSQL is gone. It comes last: nobody starts it again."""
    server.send_signal(signal.SIGQUIT)
    server.wait(20)
    yield


@contextmanager
def installed(folder: Path, size: Size, **settings: str) -> Iterator[Installation]:
    """A `statuspage serve` whose index is a file and whose monitor was asked."""
    (folder / "home" / "var").mkdir(parents=True)
    config = folder / "wallet.yaml"
    config.write_text(size.wallet, encoding="utf-8")
    home = Installation(folder / "home", config=config, **settings).start()
    try:
        home.wait_for(lambda: home.get("/live.json").json()["checked_at"])
        yield home
    finally:
        home.process.send_signal(signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            home.process.wait(10)
        home.kill()


def on_sqlite(folder: Path, size: Size) -> Found:
    """Faults of the file, on a disk of its own that can be filled; without the right to mount one, all but that.

    This program goes on inside the name space that has the disk. SQLite follows the links of /proc, so from outside it would
    lock another file of the same name.
    """
    unshare = ("unshare", "-m") if os.geteuid() == 0 else ("unshare", "-rm")
    tried = subprocess.run([*unshare, "mount", "-t", "tmpfs", "tmpfs", folder], check=False, capture_output=True)
    if tried.returncode:
        return on_file(folder, size, may_fill=False)
    mount = ["sh", "-c", _MOUNT.format(_LARGE_DISK_MB if size.old_notices else _DISK_MB), str(folder)]
    program = [sys.executable, "-m", "bench.page_under_fault", str(size.components), str(size.old_notices), str(folder)]
    done = subprocess.run([*unshare, *mount, *program], check=True, stdout=subprocess.PIPE, text=True)
    found: Found = json.loads(done.stdout)
    return found


def on_file(folder: Path, size: Size, *, may_fill: bool) -> Found:
    """Faults of the file; `may_fill`: nobody else lives on this disk."""
    with installed(folder, size) as home:
        data = home.folder / "var"
        file = data / "statuspage.db"
        grow(home, data, f"sqlite:///{file}", size)
        faults: dict[str, Fault] = {"sqlite locked": lambda: locked(file), "sqlite corrupt": lambda: corrupt(file)}
        return endure(home, faults | ({"disk full": lambda: full(data)} if may_fill else {}))


def on_postgres(folder: Path, size: Size) -> Found:
    """Faults of a server."""
    data = folder / "postgres"
    data.mkdir()
    folder.chmod(0o755)
    (port,) = free_ports(1)
    server = _start_postgres(_postgres_programs(), data, port)
    try:
        url = f"postgresql://postgres@127.0.0.1:{port}/postgres"
        with installed(folder, size, STATUSPAGE_DATABASE_URL=url) as home:
            grow(home, home.folder / "var", url.replace("postgresql:", "postgresql+psycopg:"), size)
            return endure(home, {"postgresql frozen": lambda: frozen(server), "postgresql stopped": lambda: stopped(server)})
    finally:
        server.send_signal(signal.SIGQUIT)
        server.wait(20)


def run(size: Size) -> dict[str, Any]:
    """The worst of all faults; `ok` is None without wrk."""
    found: Found = {}
    with ExitStack() as stack:
        for on in (on_sqlite, on_postgres) if is_there() else ():
            found |= on(Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="statuspage-bench-"))), size)
    worst = max(found.values(), key=lambda one: one["ratio"], default=None)
    return {
        "name": "page_under_fault", "value": worst["p99_ms"] if worst else 0, "unit": "ms p99, the worst fault",
        "peer": "the same page in health", "peer_value": worst["healthy_p99_ms"] if worst else None,
        "ratio": worst["ratio"] if worst else None, "bar": f"100 % served, p99 <= {BAR:g} x healthy", "details": found,
        "ok": all(one["success"] == 1 and one["ratio"] <= BAR for one in found.values()) if found else None,
    }  # fmt: skip


def main(components: str = "1", old_notices: str = "0", disk: str = "") -> Any:  # noqa: ANN401 - what is printed as JSON
    """`disk`: a folder on a disk of its own; only the faults of a file are tried then, there."""
    size = Size(int(components), int(old_notices))
    return on_file(Path(disk), size, may_fill=True) if disk else run(size)


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))
    print(json.dumps(main(*sys.argv[1:])))

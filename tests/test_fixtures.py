"""The base fixtures keep their promises."""

from __future__ import annotations

import os
import socket
import subprocess
import sys

import pytest
from sqlalchemy import insert, select

from statuspage.store.schema.runtime import meta

ROUND_TRIP = {"languages": ["zh-Hans", "en"], "name": "演示钱包"}


def test_any_database_has_every_table_and_starts_empty(any_database):
    with any_database.write() as connection:
        connection.execute(insert(meta).values(name="page", value=ROUND_TRIP))

    with any_database.read() as connection:
        assert connection.execute(select(meta.c.name, meta.c.value)).all() == [("page", ROUND_TRIP)]


def test_postgres_is_postgres_and_sqlite_is_sqlite(postgres_database, sqlite_database):
    with postgres_database.read() as connection:
        postgres = connection.exec_driver_sql("SELECT version()").scalar_one()
    with sqlite_database.read() as connection:
        sqlite = connection.exec_driver_sql("PRAGMA journal_mode").scalar_one()

    assert postgres.startswith("PostgreSQL ")
    assert sqlite == "wal"


REACHES_OUT = """
import pytest, socket

@pytest.mark.parametrize("host", ["192.0.2.1", "0.0.0.0", "2001:db8::1", "3221225985"])
def test_reaches_out(host):
    try:
        socket.create_connection((host, 9), timeout=1)
    except OSError:
        pass
"""


def test_a_test_that_tries_to_leave_the_machine_fails_even_if_it_hides_it(tmp_path, request):
    (tmp_path / "conftest.py").write_text((request.config.rootpath / "tests" / "conftest.py").read_text())
    (tmp_path / "test_out.py").write_text(REACHES_OUT)

    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)],
        capture_output=True, text=True, check=False, cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(request.config.rootpath)},
    )  # fmt: skip

    assert run.stdout.count("E       AssertionError: left the machine: ['socket.connect") == 4, run.stdout + run.stderr


def test_no_name_server_is_asked():
    with pytest.raises(socket.gaierror, match="tests resolve no names"):
        socket.getaddrinfo("wallet.example", 443)


def test_loopback_is_reached():
    with socket.create_server(("127.0.0.1", 0)) as server:
        client = socket.create_connection(server.getsockname(), timeout=2)

        assert client.getpeername() == server.getsockname()
        client.close()

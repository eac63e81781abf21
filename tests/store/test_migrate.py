from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from sqlalchemy import text
from stage import add_monitor

from statuspage.errors import SettingsError
from statuspage.store import migrate
from statuspage.store.database import Database
from statuspage.store.schema import metadata
from statuspage.store.schema.catalogue import components
from statuspage.store.schema.runtime import meta

NOW = datetime(2026, 11, 22, tzinfo=UTC)


@pytest.fixture
def empty_sqlite(tmp_path):
    database = Database(f"sqlite:///{tmp_path / 'empty.db'}")
    yield database
    database.close()


@pytest.fixture
def empty_postgres(postgres_server, request):
    name = f"migrate_{abs(hash(request.node.name)):x}"
    with psycopg.connect(postgres_server.replace("+psycopg", "") + "postgres", autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name}")
        database = Database(postgres_server + name)
        yield database
        database.close()
        admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(params=["sqlite", "postgres"])
def empty(request):
    return request.getfixturevalue(f"empty_{request.param}")


def back_to(database, revision):
    """Undo migrations, as a release of before would have left the database."""
    with database.migration() as conn:
        config = Config()
        config.set_main_option("script_location", str(Path(migrate.__file__).parent / "migrations"))
        config.attributes["connection"] = conn
        command.downgrade(config, revision)


def test_migrations_make_exactly_the_tables_of_the_schema(empty, tmp_path):
    migrate.upgrade(empty, tmp_path, NOW)

    with empty.read() as conn:
        differences = compare_metadata(MigrationContext.configure(conn), metadata)
    assert [item for item in differences if "alembic_version" not in str(item)] == []


def test_a_second_start_does_nothing(empty, tmp_path):
    migrate.upgrade(empty, tmp_path, NOW)

    assert migrate.upgrade(empty, tmp_path, NOW) is None


def test_tables_are_strict_on_sqlite(empty_sqlite, tmp_path):
    migrate.upgrade(empty_sqlite, tmp_path, NOW)

    with empty_sqlite.read() as conn:
        loose = [row[0] for row in conn.execute(text("SELECT name FROM pragma_table_list WHERE type='table' AND strict=0"))]
    assert set(loose) <= {"alembic_version", "sqlite_schema", "sqlite_temp_schema", "sqlite_sequence"}


def test_a_migration_of_a_used_database_leaves_a_backup(empty_sqlite, tmp_path, monkeypatch):
    migrate.upgrade(empty_sqlite, tmp_path, NOW)
    with empty_sqlite.write() as conn:
        conn.execute(meta.insert().values(name="page", value={"kept": True}))
        conn.execute(text("CREATE TABLE old_meta AS SELECT * FROM meta"))
    back_to(empty_sqlite, "0005")

    backup = migrate.upgrade(empty_sqlite, tmp_path / "backups", NOW)

    with Database(f"sqlite:///{backup}").read() as conn:
        assert conn.execute(text("SELECT count(*) FROM old_meta")).scalar() == 1


def test_a_database_of_a_newer_program_is_refused(empty, tmp_path):
    migrate.upgrade(empty, tmp_path, NOW)
    with empty.write() as conn:
        conn.execute(text("UPDATE alembic_version SET version_num='9999'"))

    with pytest.raises(SettingsError, match="newer"):
        migrate.upgrade(empty, tmp_path, NOW)


def test_a_damaged_database_is_not_migrated(empty_sqlite, tmp_path):
    migrate.upgrade(empty_sqlite, tmp_path, NOW)
    empty_sqlite.close()
    path = tmp_path / "empty.db"
    raw = bytearray(path.read_bytes())
    raw[8192:12288] = b"\xff" * 4096
    path.write_bytes(raw)

    with pytest.raises(Exception, match=r"damaged|malformed"):
        migrate.back_up(empty_sqlite, tmp_path / "backups", NOW)


def test_what_one_region_said_is_what_is_known_after_the_upgrade(empty, tmp_path):
    migrate.upgrade(empty, tmp_path, NOW)
    back_to(empty, "0006")
    with empty.migration() as conn:
        conn.execute(components.insert().values(
            id="login", public_id="c", names={}, descriptions={}, position=1, weight="normal", symptoms=[], template="",
            baseline="operational", status="unknown", status_at=NOW, source="file", created_at=NOW, updated_at=NOW,
        ))  # fmt: skip
        add_monitor(conn, "m", "login", 1, NOW)
        conn.execute(text(
            "INSERT INTO monitor_states VALUES ('m', 'local', 'down', 1, 'down', 3, 1, 1, 1, '', '', '{}')"
        ))  # fmt: skip

    migrate.upgrade(empty, tmp_path, NOW)

    with empty.read() as conn:
        found = conn.execute(text("SELECT monitor_id, state, known, flapping_at FROM judgements")).all()
    assert found == [("m", "down", "down", None)]

from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from sqlalchemy import text
from stage import add_monitor

from bench import _past
from statuspage.errors import SettingsError
from statuspage.store import migrate
from statuspage.store.database import Database
from statuspage.store.schema import metadata
from statuspage.store.schema.catalogue import components
from statuspage.store.schema.runtime import meta
from tests.builders import KEYS, Wallet, draft

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


def words_of_all(database):
    with database.read() as conn:
        return dict(conn.execute(text("SELECT id, words FROM notices ORDER BY id")).all())


@pytest.fixture
def with_notices(empty, tmp_path):
    """More notices than are migrated at once, each with several updates; the first one of odd texts."""
    migrate.upgrade(empty, tmp_path, NOW)
    wallet = Wallet(empty, NOW).page().component("login", watched=False, days=0)
    public_id = wallet.notice(draft("ＵＳＤＴ Straße 50%_", "half-width ｶﾞｽ", scope={"en": "Some"}))
    wallet.add_update(public_id, draft("A nul \0 inside", "Renamed", scope={"en": "Other"}))
    with empty.write() as conn:  # with ids of its own, of which PostgreSQL's sequences do not know
        _past.add_notices(conn, KEYS, ["login"], 203, NOW, timedelta(days=365))
    return empty


def test_old_notices_are_found_after_the_upgrade_by_the_words_that_new_ones_would_be(with_notices, tmp_path):
    written = words_of_all(with_notices)
    back_to(with_notices, "0012")

    migrate.upgrade(with_notices, tmp_path, NOW)

    assert words_of_all(with_notices) == written
    assert len(written) == 204
    assert written[1].split("\n")[1:] == ["a nul \ufffd inside", "other", "half-width ガス", "usdt strasse 50%_", "renamed"]


def test_damaged_notices_stop_no_upgrade_and_keep_the_words_that_can_be_read(with_notices, tmp_path):
    written = words_of_all(with_notices)
    back_to(with_notices, "0012")
    with with_notices.write() as conn:
        for notice_id, broken in enumerate(["{", "", "7", "null", '{"titles": 1}', '{"scope": [1]}', "[" * 100_000], 2):
            given = {"broken": broken, "id": notice_id}
            conn.execute(text("UPDATE notices SET facts = :broken WHERE id = :id"), given)
            conn.execute(text("UPDATE notice_updates SET facts = :broken WHERE notice_id = :id AND sequence = 1"), given)
            conn.execute(text("UPDATE notice_updates SET bodies = :broken WHERE notice_id = :id AND sequence = 2"), given)
        odd = {"odd": '{"en": "half \\ud83d and \\u0000", "zh-Hans": 5}'}
        conn.execute(text("UPDATE notice_updates SET bodies = :odd WHERE notice_id = 9"), odd)
        if with_notices.is_sqlite:  # PostgreSQL takes no such text
            conn.execute(text("UPDATE notices SET facts = CAST(x'7bff' AS TEXT) WHERE id = 10"))
            conn.execute(text("UPDATE notice_updates SET bodies = CAST(x'ff' AS TEXT) WHERE notice_id = 10"))

    migrate.upgrade(with_notices, tmp_path, NOW)

    found = words_of_all(with_notices)
    for notice_id in range(2, 9):
        kept = found[notice_id].split("\n")
        assert kept[0] == written[notice_id].split("\n")[0]
        assert f"transfers **{notice_id - 2}** wait. we are looking at it." in kept
        assert f"old notice {notice_id - 2}: a function fails" in kept  # of the update that is whole
        assert "it works again." not in kept
    assert "half \ufffd and \ufffd" in found[9]
    assert "old notice 8: a function fails" in found[10]
    assert {key: found[key] for key in (1, *range(11, 205))} == {key: written[key] for key in (1, *range(11, 205))}

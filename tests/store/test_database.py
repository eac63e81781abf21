"""What happens to an SQLite database whose file somebody moves."""

import shutil

import pytest
from sqlalchemy import text

from statuspage.errors import Unavailable
from statuspage.store.database import Database


@pytest.fixture
def opened(tmp_path):
    db = Database(f"sqlite:///{tmp_path / 'one.db'}")
    with db.write() as conn:
        conn.execute(text("CREATE TABLE said (words TEXT)"))
    with db.read():
        pass  # the first look at a file that is there
    yield db
    db.close()


def test_another_file_is_opened_only_when_nobody_reads_the_old_one(opened, tmp_path):
    with opened.read() as conn:
        conn.execute(text("SELECT * FROM said")).all()
        shutil.copy(tmp_path / "one.db", tmp_path / "two.db")
        (tmp_path / "one.db").rename(tmp_path / "old.db")
        (tmp_path / "two.db").rename(tmp_path / "one.db")

        with pytest.raises(Unavailable, match="was replaced while it was in use"), opened.write():
            pass

    with opened.write() as conn:
        conn.execute(text("INSERT INTO said VALUES ('in the new file')"))
    with opened.read() as conn:
        assert conn.execute(text("SELECT words FROM said")).scalar_one() == "in the new file"


def test_nothing_is_written_while_the_file_is_away(opened, tmp_path):
    (tmp_path / "one.db").rename(tmp_path / "away.db")

    with pytest.raises(Unavailable, match="is gone"), opened.write():
        pass

    assert not (tmp_path / "one.db").exists()

"""What happens to an SQLite database whose file somebody moves."""

import os
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
    with db.read() as conn:
        conn.execute(text("SELECT * FROM said")).all()
    yield db
    db.close()


def test_nothing_is_written_while_the_file_is_away(opened, tmp_path):
    (tmp_path / "one.db").rename(tmp_path / "away.db")

    with pytest.raises(Unavailable, match="is gone"), opened.write():
        pass

    assert not (tmp_path / "one.db").exists()


@pytest.mark.parametrize("other", ["garbage", "a copy"])
def test_another_file_in_its_place_is_never_opened(opened, tmp_path, other):
    path, aside = tmp_path / "one.db", tmp_path / "aside.db"
    path.rename(aside)
    if other == "garbage":
        path.write_bytes(os.urandom(100_000))
    else:
        shutil.copy(aside, path)
    before = path.read_bytes()

    for transaction in (opened.write, opened.read):
        with pytest.raises(Unavailable, match="another file"), transaction():
            pass

    assert path.read_bytes() == before


def test_what_was_begun_when_the_file_was_moved_is_kept_and_all_goes_on_once_it_is_back(opened, tmp_path):
    path, aside = tmp_path / "one.db", tmp_path / "aside.db"
    with opened.read() as reader, opened.write() as conn:
        path.rename(aside)
        path.write_bytes(os.urandom(100_000))
        with pytest.raises(Unavailable), opened.read():
            pass
        assert reader.execute(text("SELECT count(*) FROM said")).scalar_one() == 0  # the mapped index of the log is whole
        conn.execute(text("INSERT INTO said VALUES ('begun before')"))

    aside.replace(path)

    with opened.write() as conn:
        conn.execute(text("INSERT INTO said VALUES ('after')"))
    with opened.read() as conn:
        assert conn.execute(text("SELECT words FROM said")).scalars().all() == ["begun before", "after"]

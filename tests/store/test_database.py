"""What happens to an SQLite database whose file somebody moves."""

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


def test_nothing_is_written_while_the_file_is_away(opened, tmp_path):
    (tmp_path / "one.db").rename(tmp_path / "away.db")

    with pytest.raises(Unavailable, match="is gone"), opened.write():
        pass

    assert not (tmp_path / "one.db").exists()

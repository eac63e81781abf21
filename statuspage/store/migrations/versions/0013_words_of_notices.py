"""What a search looks at, folded and written once: before, every search folded and read the JSON of every notice."""

import json
import re
import unicodedata
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

_TOGETHER = 100  # notices in memory at once, with all their updates
_UNFIT = re.compile("[\x00\ud800-\udfff]")

_notices = sa.table(
    "notices", *(sa.column(name, sa.Text) for name in ("number", "facts", "words")), sa.column("id", sa.BigInteger)
)
_updates = sa.table(
    "notice_updates", *(sa.column(name, sa.Text) for name in ("bodies", "facts")),
    *(sa.column(name, sa.BigInteger) for name in ("notice_id", "sequence")),
)  # fmt: skip
_WRITE = sa.update(_notices).where(_notices.c.id == sa.bindparam("its_id")).values(words=sa.bindparam("its_words"))


def upgrade() -> None:
    op.add_column("notices", sa.Column("words", sa.Text, nullable=False, server_default=""))
    conn, last = op.get_bind(), 0
    while ids := _next(conn, last):
        last = ids[-1]
        said = _said(conn, ids)
        found: list[dict[str, object]] = []
        for notice_id, number, raw in conn.execute(_raw(conn, _notices, "id", "number", "facts").where(_notices.c.id.in_(ids))):
            facts = _read(raw)
            texts = [_text(number), *_texts(_part(facts, "titles")), *_texts(_part(facts, "scope")), *said[notice_id]]
            found.append({"its_id": notice_id, "its_words": "\n".join(dict.fromkeys(filter(None, map(_fold, texts))))})
        conn.execute(_WRITE, found)


def downgrade() -> None:
    op.drop_column("notices", "words")


def _next(conn: sa.Connection, last: int) -> Sequence[int]:
    ids = sa.select(_notices.c.id).where(_notices.c.id > last).order_by(_notices.c.id)
    return conn.execute(ids.limit(_TOGETHER)).scalars().all()


def _said(conn: sa.Connection, ids: Sequence[int]) -> dict[int, list[str]]:
    out: dict[int, list[str]] = {notice_id: [] for notice_id in ids}
    rows = _raw(conn, _updates, "notice_id", "bodies", "facts").where(_updates.c.notice_id.in_(ids))
    for notice_id, bodies, facts in conn.execute(rows.order_by(_updates.c.notice_id, _updates.c.sequence)):
        out[notice_id] += [*_texts(_read(bodies)), *_texts(_part(_read(facts), "titles"))]
    return out


def _raw(conn: sa.Connection, table: sa.TableClause, key: str, *names: str) -> sa.Select[Any]:
    """SQLite keeps in a TEXT column what is no UTF-8, and its driver stops at that: asked for as bytes, it comes."""
    is_sqlite = conn.dialect.name == "sqlite"
    columns = [table.c[name] for name in names]
    return sa.select(table.c[key], *([sa.cast(column, sa.LargeBinary) for column in columns] if is_sqlite else columns))


def _text(value: str | bytes) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value


def _read(value: str | bytes) -> object:
    """The value of a JSON column; None where it is damaged: a notice has at least its number, and the next one its words."""
    try:
        return json.loads(_text(value))
    except (TypeError, ValueError, RecursionError):
        return None


def _part(value: object, name: str) -> object:
    return value.get(name) if isinstance(value, dict) else None


def _texts(found: object) -> list[str]:
    return [text for text in found.values() if isinstance(text, str)] if isinstance(found, dict) else []


def _fold(text: str) -> str:
    # A copy of what store.folding does when this is written: if that changes, a later migration writes the words anew.
    return _UNFIT.sub("\ufffd", unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold()))

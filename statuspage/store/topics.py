"""What feeds and calendars of one network or one kind of notice are made of."""

from __future__ import annotations

from sqlalchemy import Connection, select

from statuspage.store.public import NEWEST
from statuspage.store.public_rows import load_newest
from statuspage.store.public_views import NoticeView
from statuspage.store.schema.catalogue import components
from statuspage.store.schema.notices import notices


def load_networks(conn: Connection) -> dict[str, str]:
    """Chain -> id of the component that stands for it, in the order of the page."""
    there = components.c.chain.is_not(None), components.c.archived_at.is_(None)
    statement = select(components.c.chain, components.c.id).where(*there)
    return {row.chain: row.id for row in conn.execute(statement.order_by(components.c.position, components.c.id))}


def load_kind(conn: Connection, kind: str, limit: int = NEWEST) -> tuple[NoticeView, ...]:
    """The newest published notices of a kind, newest first."""
    return load_newest(conn, notices.c.kind == kind, limit)

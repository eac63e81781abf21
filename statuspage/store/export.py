"""What an installation owns, row by row, for whoever moves on: never an address, a secret, a session or a key."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Table, select

from statuspage.clock import iso
from statuspage.store.schema.catalogue import component_groups, components
from statuspage.store.schema.checks import daily_uptime
from statuspage.store.schema.notices import log, log_bodies, notice_updates, notices
from statuspage.store.schema.people import audit_log
from statuspage.store.schema.runtime import keys

# File name -> table. Monitors are wallet.yaml's, subscribers have an export of their own, operators stay where they sign in.
TABLES: dict[str, Table] = {
    "groups": component_groups, "components": components, "notices": notices, "updates": notice_updates, "log": log,
    "log_bodies": log_bodies, "public_keys": keys, "daily_uptime": daily_uptime, "audit": audit_log,
}  # fmt: skip
DERIVED = {"words"}  # what a search looks at: made of the notice and its updates, which are there


def rows(conn: Connection, name: str) -> Iterator[dict[str, Any]]:
    """The rows of one table in the order of its key, times as ISO 8601 in UTC, without what is derived; read in pieces."""
    table = TABLES[name]
    owned = (column for column in table.c if column.name not in DERIVED)
    for row in conn.execute(select(*owned).order_by(*table.primary_key.columns)).yield_per(1000).mappings():
        yield {key: iso(value) if isinstance(value, datetime) else value for key, value in row.items()}

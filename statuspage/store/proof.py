"""What proves a notice: its log entries and the channels it was announced through."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, RowMapping, select

from statuspage.domain import signing
from statuspage.store import notices as notice_rows
from statuspage.store.public import signing_keys
from statuspage.store.schema.delivery import outbox


@dataclass(frozen=True, slots=True)
class Entry:
    """One log entry and what is wrong with it: `fault` is a reason of signing.Broken, '' for none."""

    n: int
    at_ms: int
    payload: str
    hash: str
    prev_hash: str
    key_id: str
    signature: str
    snapshot: Mapping[str, Any]
    hashes: Mapping[str, str]
    fault: str


def load_entry(conn: Connection, n: int) -> Entry | None:
    """Entry `n`, checked by itself and against the one before; None when there is none."""
    rows = notice_rows.log_rows(conn, max(1, n - 1), 2)
    row = next((one for one in rows if one["n"] == n), None)
    if row is None or n < 1:
        return None
    before = next((one for one in rows if one["n"] == n - 1), None)
    after = (n - 1, signing.GENESIS if n == 1 else str(before["hash"]) if before else "")
    keys = {key["id"]: key["public_key"] for key in signing_keys(conn)}
    broken = signing.verify_chain([_Row(row)], keys, after=after)
    said = _decoded(row["payload"])
    return Entry(
        n=n, at_ms=_whole(said.get("at")), payload=row["payload"], hash=row["hash"], prev_hash=row["prev_hash"],
        key_id=row["key_id"], signature=row["signature"], snapshot=said.get("snapshot") or {}, hashes=said.get("bodies") or {},
        fault=broken.reason if broken else "",
    )  # fmt: skip


class _Row:
    """A row of the log as signing.LogRow."""

    def __init__(self, row: RowMapping) -> None:
        self.n: int = row["n"]
        self.payload: str = row["payload"]
        self.prev_hash: str = row["prev_hash"]
        self.hash: str = row["hash"]
        self.key_id: str = row["key_id"]
        self.signature: str = row["signature"]


def _decoded(payload: str) -> dict[str, Any]:
    try:
        found = json.loads(payload)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _whole(value: object) -> int:
    return value if isinstance(value, int) else 0


def channels_of(conn: Connection, notice_id: int) -> tuple[list[str], bool]:
    """(channels that announcements of this notice were bound to; whether one was for every channel), for the public."""
    named: dict[str, None] = {}
    everywhere = False
    for row in conn.execute(select(outbox.c.audiences, outbox.c.channels).where(outbox.c.notice_id == notice_id)):
        if "public" in row.audiences:
            everywhere = everywhere or not row.channels
            named.update(dict.fromkeys(row.channels))
    return list(named), everywhere

"""Replacing the key that signs the log: the next one is announced under the present one's signature before it takes over."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import insert, select

from statuspage import keys as key_files
from statuspage.actions import publication
from statuspage.actions.context import Context
from statuspage.clock import iso, to_ms
from statuspage.domain import signing
from statuspage.errors import Conflict, NotFound
from statuspage.store import configuration, notices, pages
from statuspage.store.schema.runtime import keys as keys_table

ENDORSEMENTS = "key_endorsements"
NEXT, PRESENT, OLD = "signing.next.key", "signing.key", "signing.{id}.old.key"


@dataclass(frozen=True, slots=True)
class Announced:
    """The next key: its id, its public half, and from when it will sign."""

    id: str
    public_key: str
    valid_from: datetime


def announce(ctx: Context, folder: Path, after: timedelta) -> Announced:
    """Make the next key in `folder` and publish its public half, signed by the present one. Raises Conflict when one waits."""
    path, now = folder / NEXT, ctx.now()
    if path.exists():
        message = f"{path} is already announced; `statuspage key switch` puts it in place"
        raise Conflict(message)
    private = key_files.create(path)
    found = Announced(signing.key_id(signing.public_key(private)), signing.public_key(private), now + after)
    with ctx.db.write() as conn:
        present = publication.ensure_key(conn, ctx.keys, now)
        row = {"id": found.id, "purpose": "log", "public_key": found.public_key, "valid_from": found.valid_from}
        conn.execute(insert(keys_table).values(row))
        known: dict[str, Any] = pages.load_meta(conn, ENDORSEMENTS, {}) or {}
        statement = signing.canonical({"v": 1, "next": found.public_key, "valid_from": to_ms(found.valid_from)})
        endorsed = {"by": present, "statement": statement, "signature": signing.sign(ctx.keys.signing, statement)}
        configuration.save_setting(conn, ENDORSEMENTS, {**known, found.id: endorsed})
        notices.add_change(conn, {"page": True}, now)
    return found


def switch(ctx: Context, folder: Path) -> str:
    """Put the announced key in place; its id. The old one is kept beside it. Raises NotFound, Conflict before its day."""
    path = folder / NEXT
    if not path.exists():
        message = "no key is announced; `statuspage key announce` makes one"
        raise NotFound(message)
    key_id = signing.key_id(signing.public_key(key_files.read(path)))
    with ctx.db.read() as conn:
        row = conn.execute(select(keys_table).where(keys_table.c.id == key_id)).first()
    if row is None:
        message = f"{path} was never announced"
        raise NotFound(message)
    if row.valid_from > ctx.now():
        message = f"the key was announced for {iso(row.valid_from)}: readers expect the old one until then"
        raise Conflict(message)
    present = folder / PRESENT
    if present.exists():
        old = signing.key_id(signing.public_key(key_files.read(present)))
        present.rename(folder / OLD.format(id=old))
    path.rename(present)
    return key_id

"""Writing the signed log: one row per published update, in the transaction that publishes it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert, select, update

from statuspage.actions.context import Context
from statuspage.domain import signing
from statuspage.keys import Keys
from statuspage.store import notices
from statuspage.store.notices import Notice, Update
from statuspage.store.schema.runtime import keys as keys_table


def sign_update(conn: Connection, keys: Keys, notice: Notice, update: Update, at: datetime) -> None:
    """Append `update` to the log. Drafts never come here: what the log says was said in public."""
    head = notices.log_head(conn)
    n, prev = (int(head["n"]) + 1, str(head["hash"])) if head else (1, signing.GENESIS)
    hashes = {language: signing.body_hash(body) for language, body in update.bodies.items()}
    payload = signing.entry(n, prev, at, snapshot(notice, update), hashes)
    key_id = ensure_key(conn, keys, at)
    row = {
        "n": n, "notice_id": notice.id, "update_id": update.id, "at": at, "payload": payload, "prev_hash": prev,
        "hash": signing.hash_of(payload), "key_id": key_id, "signature": signing.sign(keys.signing, payload),
    }  # fmt: skip
    notices.append_log(conn, row, {digest: update.bodies[language] for language, digest in hashes.items()})


def snapshot(notice: Notice, update: Update) -> dict[str, Any]:
    """The public facts of a notice as of `update`, fit for canonical JSON."""
    return {
        "notice": notice.number, "id": notice.public_id, "update": update.public_id, "sequence": update.sequence,
        "status": update.status, "changes": update.changes, "facts": update.facts.to_json(),
    }  # fmt: skip


def announce_key(ctx: Context) -> str:
    """Record the public half of the signing key before anything is signed, so that /key.json has it from the first day."""
    now = ctx.now()
    with ctx.db.read() as conn:
        known = {row.id for row in conn.execute(select(keys_table.c.id))}
    key_id = signing.key_id(signing.public_key(ctx.keys.signing))
    if key_id not in known:
        with ctx.db.write() as conn:
            ensure_key(conn, ctx.keys, now)
            notices.add_change(conn, {"page": True}, now)
    return key_id


def ensure_key(conn: Connection, keys: Keys, at: datetime) -> str:
    """The id of the signing key, whose public half is recorded at first use. With it the key before ends: both stay published."""
    public = signing.public_key(keys.signing)
    key_id = signing.key_id(public)
    known = {row.id: row for row in conn.execute(select(keys_table).where(keys_table.c.purpose == "log"))}
    if key_id not in known:
        conn.execute(insert(keys_table).values(id=key_id, purpose="log", public_key=public, valid_from=at))
    # Only older ones: one that was announced for today and is not in place yet has not been replaced.
    since = known[key_id].valid_from if key_id in known else at
    replaced = [row.id for row in known.values() if row.id != key_id and row.valid_until is None and row.valid_from <= since]
    if replaced:
        conn.execute(update(keys_table).where(keys_table.c.id.in_(replaced)).values(valid_until=at))
        notices.add_change(conn, {"page": True}, at)
    return key_id

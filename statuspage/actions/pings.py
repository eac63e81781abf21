"""Heartbeats: their addresses, the signals that come in, and our own marks among them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from statuspage.actions.context import Context
from statuspage.domain import sealing
from statuspage.errors import InvalidInput
from statuspage.logs import redact
from statuspage.store import pings as store

SIGNALS = ("start", "success", "fail", "log")
BODY_BYTES = 10_000
_TOKEN_DIGITS = 40  # 160 bits
_PRUNE_EVERY = 16
_RID = re.compile(r"[0-9A-Za-z_-]{0,64}")
_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


def token_of(ctx: Context, monitor_id: str, options: Mapping[str, Any]) -> str:
    """The secret part of a heartbeat's address. It is derived, never stored: a copy of the database tells no address."""
    return sealing.keyed_hash(ctx.keys.seal, f"ping {monitor_id} {options.get('revision', 1)}")[:_TOKEN_DIGITS]


def address_of(ctx: Context, page_url: str, monitor_id: str, options: Mapping[str, Any]) -> str:
    """The address a job calls."""
    return f"{page_url.rstrip('/')}/ping/{token_of(ctx, monitor_id, options)}"


def tokens(ctx: Context) -> dict[str, str]:
    """Token -> monitor id of every heartbeat that is listened to. Raises Unavailable."""
    with ctx.db.read() as conn:
        return {token_of(ctx, row["id"], row["options"]): row["id"] for row in store.listed(conn)}


def receive(ctx: Context, monitor_id: str, kind: str, *, rid: str = "", code: int | None = None, body: bytes = b"") -> int:
    """Keep one signal; its row's id. An exit code decides between success and fail. Raises InvalidInput, Unavailable."""
    if kind not in SIGNALS or not _RID.fullmatch(rid) or (code is not None and not 0 <= code <= 255):
        message = "a run id is at most 64 letters, digits, - and _"
        raise InvalidInput(message, "rid")
    if code is not None:
        kind = "fail" if code else "success"
    text = redact(_UNPRINTABLE.sub("", body[:BODY_BYTES].decode("utf-8", "replace")))[:BODY_BYTES]
    with ctx.db.write() as conn:
        values = {"monitor_id": monitor_id, "kind": kind, "rid": rid, "code": code, "body": text}
        found = store.add(conn, values, ctx.now())
        if found % _PRUNE_EVERY == 0:
            store.prune(conn, monitor_id)
    return found


def mark_settings(ctx: Context, now: datetime) -> None:
    """Note for each heartbeat since when it is watched as it is now: under new settings, or after a pause, it is not late yet."""
    with ctx.db.read() as conn:
        wanted = {row["id"]: "paused" if row["paused"] else _canonical(row["options"]) for row in store.listed(conn)}
        fresh = {monitor_id: body for monitor_id, body in wanted.items() if store.newest_mark(conn, monitor_id) != body}
    if fresh:
        with ctx.db.write() as conn:
            for monitor_id, body in fresh.items():
                store.add(conn, {"monitor_id": monitor_id, "kind": "set", "body": body}, now)


def mark_away(ctx: Context, since: datetime, now: datetime) -> None:
    """Note that nobody listened from `since` until `now`: what did not come then proves nothing."""
    with ctx.db.write() as conn:
        store.add(conn, {"monitor_id": store.EVERYBODY, "kind": "away", "since_at": since}, now)
        store.prune(conn, store.EVERYBODY)


def _canonical(options: Mapping[str, Any]) -> str:
    said = {name: value for name, value in options.items() if name not in ("revision", "note")}
    return json.dumps(said, sort_keys=True, ensure_ascii=False)

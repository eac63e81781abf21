"""What the processes need to work together: leases, heartbeats, rate buckets, keys, settings of the page."""

from __future__ import annotations

from sqlalchemy import Column, Text

from statuspage.store.schema.base import row_id, table, text_id
from statuspage.store.types import Big, Json, UtcTime

meta = table("meta", text_id("name"), Column("value", Json, nullable=False))  # page, defaults, channels … as applied

idempotency_keys = table(
    "idempotency_keys",
    text_id("key"),
    Column("request_hash", Text, nullable=False),
    Column("answer", Json, nullable=False),
    Column("at", UtcTime, nullable=False),
)

rate_buckets = table(
    "rate_buckets",
    text_id("name"),  # what:keyed hash of who
    Column("tokens_milli", Big, nullable=False),
    Column("at", UtcTime, nullable=False),
)

keys = table(
    "keys",
    text_id(),  # key id: first 16 hex digits of SHA-256 of the public key
    Column("purpose", Text, nullable=False),  # log
    Column("public_key", Text, nullable=False),  # base64 raw Ed25519
    Column("valid_from", UtcTime, nullable=False),
    Column("valid_until", UtcTime),
)

leases = table(
    "leases",
    text_id("name"),
    Column("holder", Text, nullable=False),
    Column("epoch", Big, nullable=False),
    Column("until_at", UtcTime, nullable=False),
)

heartbeats = table(
    "heartbeats",
    text_id("name"),  # checker, deliverer, publisher, scheduler: written after work done
    Column("at", UtcTime, nullable=False),
)

run_requests = table(
    "run_requests",
    row_id(),
    Column("monitor_id", Text, nullable=False),
    Column("asked_by", Text, nullable=False),
    Column("asked_at", UtcTime, nullable=False),
    Column("done_at", UtcTime),
    Column("result", Json),
)

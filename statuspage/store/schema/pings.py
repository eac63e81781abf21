"""Signals that heartbeats received, and our own marks among them."""

from __future__ import annotations

from sqlalchemy import Column, Index, Integer, Text

from statuspage.store.schema.base import row_id, table
from statuspage.store.types import UtcTime

pings = table(
    "pings",
    row_id(),
    Column("monitor_id", Text, nullable=False),  # '' for what concerns all of them
    Column("at", UtcTime, nullable=False),
    Column("kind", Text, nullable=False),  # start | success | fail | log, set (watched so from here), away (deaf until here)
    Column("rid", Text, nullable=False),  # which run, as the job names it
    Column("code", Integer),  # exit code, where one was told
    Column("since_at", UtcTime),  # of away: when we stopped listening
    Column("body", Text, nullable=False),  # what the job said, secrets taken out; of set: the options
    Index("ix_pings_monitor_id", "monitor_id", "id"),
)

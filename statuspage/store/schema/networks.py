"""What is known of networks besides whether they work: how high they are, how fast they go, and who waits for which block."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Text

from statuspage.store.schema.base import table
from statuspage.store.types import Big, Json, UtcTime

chain_heads = table(
    "chain_heads",
    Column("monitor_id", Text, ForeignKey("monitors.id"), primary_key=True),
    Column("chain", Text, nullable=False),
    Column("height", Big, nullable=False),  # the tip that the references agree on, else the own node's head
    Column("at", UtcTime, nullable=False),  # when it was read
    Column("anchor_height", Big, nullable=False),  # since then blocks are counted
    Column("anchor_at", UtcTime, nullable=False),
    Column("pace_us", Big, nullable=False),  # microseconds between blocks, measured before the anchor
    Column("evidence", Json, nullable=False),  # verdict and endpoints of that poll
)

notice_blocks = table(
    "notice_blocks",
    Column("notice_id", Big, ForeignKey("notices.id"), primary_key=True),
    Column("window_id", Text, nullable=False, unique=True),
    Column("chain", Text, nullable=False),
    Column("height", Big, nullable=False),
)

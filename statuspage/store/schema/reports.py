"""What readers report: single reports (days), counts by hour (weeks), what rises now, and which notices it stood beside."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Index, Integer, Text

from statuspage.store.schema.base import table
from statuspage.store.types import Big, UtcTime

# The key makes one network count once per symptom and hour. Nothing here tells who wrote.
reports = table(
    "reports",
    Column("hour", Integer, primary_key=True),  # hours since the epoch
    Column("symptom", Text, primary_key=True),
    Column("who", Text, primary_key=True),  # keyed hash of the network's prefix and the day
    Column("at", UtcTime, nullable=False),
    Column("component_id", Text, nullable=False),  # a function or a network, '' for none
    Column("version", Text, nullable=False),
    Column("platform", Text, nullable=False),  # a word of domain.reports.PLATFORMS, '' for none
    Column("region", Text, nullable=False),
    Column("text", Text, nullable=False),  # searched for secrets and masked before it came here
    Index("ix_reports_at", "at"),
    sqlite_with_rowid=False,
)

report_hours = table(
    "report_hours",
    Column("symptom", Text, primary_key=True),
    Column("hour", Integer, primary_key=True),
    Column("count", Integer, nullable=False),
    sqlite_with_rowid=False,
)

# Symptoms that more readers report than usual. A row is there while it lasts.
report_signals = table(
    "report_signals",
    Column("symptom", Text, primary_key=True),
    Column("since_at", UtcTime, nullable=False),
    Column("count", Integer, nullable=False),  # in the newest window
    Column("usual", Integer, nullable=False),
    Column("peak", Integer, nullable=False),
)

# What readers said while a machine's suspicion was open: evidence for the person who decides.
notice_reports = table(
    "notice_reports",
    Column("notice_id", Big, ForeignKey("notices.id"), primary_key=True),
    Column("symptom", Text, primary_key=True),
    Column("since_at", UtcTime, nullable=False),
    Column("last_at", UtcTime, nullable=False),
    Column("peak", Integer, nullable=False),
    Column("usual", Integer, nullable=False),
)

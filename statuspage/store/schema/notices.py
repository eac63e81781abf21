"""The notice aggregate, the signed log of what was published, and the change feed of the publisher."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Index, Integer, Text, UniqueConstraint, text

from statuspage.store.schema.base import row_id, table, text_id
from statuspage.store.types import Big, Flag, Json, UtcTime

# Nearly every notice is over: readers ask for those that are not. The literal is part of the index.
OPEN = "status NOT IN ('cancelled', 'completed', 'ended', 'resolved')"

notices = table(
    "notices",
    row_id(),
    Column("public_id", Text, nullable=False, unique=True),
    Column("number", Text, nullable=False, unique=True),
    Column("kind", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("visibility", Text, nullable=False),  # draft | scheduled | public
    Column("source", Text, nullable=False),  # operator | monitor | import | api
    Column("facts", Json, nullable=False),  # domain.notice.Facts of the latest update: a projection, never written alone
    Column("impact", Text, nullable=False),
    Column("touched", Flag, nullable=False),  # a person has edited it: machines only suggest from now on
    Column("recovered_at", UtcTime),  # monitors say it is over; a touched notice waits for its person
    Column("demo", Flag, nullable=False),
    Column("backfilled", Flag, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("detected_at", UtcTime),
    Column("started_at", UtcTime),
    Column("confirmed_at", UtcTime),
    Column("published_at", UtcTime),
    Column("updated_at", UtcTime, nullable=False),
    Column("resolved_at", UtcTime),
    Column("scheduled_for", UtcTime),
    Column("scheduled_until", UtcTime),
    Column("next_update_by", UtcTime),
    Column("remind_before_s", Json, nullable=False),  # maintenance: list of seconds before the start
    Column("reminded", Json, nullable=False),  # those already said
    Column("overrun_asked_at", UtcTime),
    Column("publish_at", UtcTime),  # visibility 'scheduled': when it becomes public
    Column("created_by", Text, nullable=False),
    Column("version", Integer, nullable=False),  # number of updates; forms send it back, a stale one is a Conflict
    Column("words", Text, nullable=False, server_default=""),  # what a search looks at: store.folding.words_of
    Index("ix_notices_visibility_resolved", "visibility", "resolved_at"),
    Index("ix_notices_started_at", "started_at"),
    Index("ix_notices_published_at", "published_at"),
    Index("ix_notices_open", "id", sqlite_where=text(OPEN), postgresql_where=text(OPEN)),
)

notice_components = table(
    "notice_components",
    Column("notice_id", Big, ForeignKey("notices.id"), primary_key=True),
    Column("component_id", Text, ForeignKey("components.id"), primary_key=True),
    Column("status", Text, nullable=False),
    Index("ix_notice_components_component_id", "component_id"),
)

notice_updates = table(
    "notice_updates",
    row_id(),
    Column("public_id", Text, nullable=False, unique=True),
    Column("notice_id", Big, ForeignKey("notices.id"), nullable=False),
    Column("sequence", Integer, nullable=False),  # 1, 2, 3 … within the notice
    Column("status", Text, nullable=False),
    Column("bodies", Json, nullable=False),
    Column("facts", Json, nullable=False),  # full snapshot
    Column("changes", Json, nullable=False),  # {component id: [old, new]}
    Column("display_at", UtcTime, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("author", Text, nullable=False),  # operator name, 'monitors' or 'import'; shown to operators only
    Column("by_machine", Flag, nullable=False),
    Column("notify", Flag, nullable=False),
    Column("corrects_id", Big, ForeignKey("notice_updates.id")),
    UniqueConstraint("notice_id", "sequence"),
    Index("ix_notice_updates_display_at", "display_at"),
)

# Which monitors hold a notice open: rows come with transitions and leave with recovery.
notice_monitors = table(
    "notice_monitors",
    Column("notice_id", Big, ForeignKey("notices.id"), primary_key=True),
    Column("monitor_id", Text, ForeignKey("monitors.id"), primary_key=True),
    Column("down_at", UtcTime, nullable=False),
    Column("up_at", UtcTime),
    Index("ix_notice_monitors_monitor_id", "monitor_id"),
)

log = table(
    "log",
    Column("n", Big, primary_key=True, autoincrement=False),
    Column("notice_id", Big, ForeignKey("notices.id"), nullable=False),
    Column("update_id", Big, ForeignKey("notice_updates.id"), nullable=False),
    Column("at", UtcTime, nullable=False),
    Column("payload", Text, nullable=False),  # canonical JSON, RFC 8785
    Column("prev_hash", Text, nullable=False),
    Column("hash", Text, nullable=False),
    Column("key_id", Text, nullable=False),
    Column("signature", Text, nullable=False),
    UniqueConstraint("update_id"),
)

# Text bodies live by their own hash, so that one can be withdrawn (a leaked name) without breaking the chain.
log_bodies = table(
    "log_bodies",
    text_id("hash"),
    Column("body", Text, nullable=False),
    Column("withdrawn_at", UtcTime),
)

changes = table(
    "changes",
    Column("seq", Big, primary_key=True, autoincrement=True),
    Column("what", Json, nullable=False),  # {"notices": [...], "components": [...], "page": true}
    Column("at", UtcTime, nullable=False),
    sqlite_autoincrement=True,
)

"""What is shown and what is watched: component groups, components, monitors."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Index, Integer, Text

from statuspage.store.schema.base import row_id, table, text_id
from statuspage.store.types import Big, Flag, Json, UtcTime

component_groups = table(
    "component_groups",
    text_id(),
    Column("public_id", Text, nullable=False, unique=True),
    Column("names", Json, nullable=False),
    Column("notes", Json, nullable=False),
    Column("position", Integer, nullable=False),
    Column("source", Text, nullable=False),  # file | console
    Column("created_at", UtcTime, nullable=False),
    Column("updated_at", UtcTime, nullable=False),
    Column("archived_at", UtcTime),
)

components = table(
    "components",
    text_id(),
    Column("public_id", Text, nullable=False, unique=True),
    Column("group_id", Text, ForeignKey("component_groups.id")),
    Column("names", Json, nullable=False),
    Column("descriptions", Json, nullable=False),
    Column("position", Integer, nullable=False),
    Column("weight", Text, nullable=False),  # normal | critical
    Column("symptoms", Json, nullable=False),
    Column("template", Text, nullable=False),  # scenario id that pre-fills the operator's form, '' for none
    Column("chain", Text),
    Column("baseline", Text, nullable=False),  # what a person last asserted
    Column("status", Text, nullable=False),  # effective, a projection of the latest component_status_changes row
    Column("status_at", UtcTime, nullable=False),
    Column("source", Text, nullable=False),
    Column("start_date", Text),  # YYYY-MM-DD, first day that counts for uptime
    Column("created_at", UtcTime, nullable=False),
    Column("updated_at", UtcTime, nullable=False),
    Column("archived_at", UtcTime),
)

component_status_changes = table(
    "component_status_changes",
    row_id(),
    Column("component_id", Text, ForeignKey("components.id"), nullable=False),
    Column("old", Text, nullable=False),
    Column("new", Text, nullable=False),
    Column("source", Text, nullable=False),  # manual | monitor | notice | maintenance | import | system
    Column("reason", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("at", UtcTime, nullable=False),
    Index("ix_component_status_changes_component_at", "component_id", "at"),
)

monitors = table(
    "monitors",
    text_id(),
    Column("no", Integer, nullable=False, unique=True),  # short key of check_results: 16 bytes a row, not 40
    Column("component_id", Text, ForeignKey("components.id"), nullable=False),
    Column("names", Json, nullable=False),
    Column("kind", Text, nullable=False),
    Column("target", Text, nullable=False),
    Column("options", Json, nullable=False),
    Column("interval_ms", Big, nullable=False),
    Column("timeout_ms", Big, nullable=False),
    Column("retry_ms", Big, nullable=False),
    Column("failures", Integer, nullable=False),
    Column("successes", Integer, nullable=False),
    Column("when_down", Text, nullable=False),  # component status this monitor implies while down
    Column("publish", Text, nullable=False),  # suspect | draft | auto
    Column("depends_on", Text),
    Column("supplier", Text, nullable=False),
    Column("regions", Json, nullable=False, server_default='"all"'),  # "all", or a list of names
    Column("quorum", Json, nullable=False, server_default='"majority"'),  # majority | all | any | a number
    Column("allow_networks", Json, nullable=False),
    Column("paused", Flag, nullable=False),
    Column("source", Text, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("updated_at", UtcTime, nullable=False),
    Column("archived_at", UtcTime),
)

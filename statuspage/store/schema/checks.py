"""What the probes saw: raw results (days), hour blocks (months), daily uptime (for ever), states and transitions."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Index, Integer, LargeBinary, Text, text

from statuspage.store.schema.base import row_id, table
from statuspage.store.types import Big, Json, UtcTime

NOT_WHOLE = "up_s <> 86400"
_NOT_WHOLE = text(NOT_WHOLE)

monitor_states = table(
    "monitor_states",
    Column("monitor_id", Text, ForeignKey("monitors.id"), primary_key=True),
    Column("region", Text, primary_key=True),
    Column("state", Text, nullable=False),  # up | degraded | down | unknown
    Column("since_at", UtcTime, nullable=False),
    Column("streak_outcome", Text, nullable=False),
    Column("streak", Integer, nullable=False),
    Column("streak_at", UtcTime, nullable=False),  # when the current run of equal outcomes began
    Column("last_at", UtcTime, nullable=False),
    Column("last_ms", Integer, nullable=False),
    Column("error_class", Text, nullable=False),
    Column("message", Text, nullable=False),
    Column("evidence", Json, nullable=False),  # phases and evidence of the newest failing result, {} when none
    Column("dialled", Text, nullable=False, server_default=""),  # address last dialled, '' for none: who shares a network?
)

# What the regions of a monitor say together, the only state that components and notices follow.
judgements = table(
    "judgements",
    Column("monitor_id", Text, ForeignKey("monitors.id"), primary_key=True),
    Column("state", Text, nullable=False),  # up | degraded | down | unknown
    Column("since_at", UtcTime, nullable=False),
    Column("known", Text, nullable=False),  # the last state that was not unknown, '' when there was none
    Column("status", Text, nullable=False),  # component status that the evidence names, '' to follow when_down
    Column("cause", Text, nullable=False),  # the chain's verdict, '' for other kinds
    Column("crossings", Json, nullable=False),  # ms of the newest changes between working and failing
    Column("flapping_at", UtcTime),  # since when it changes too often to be believed
)

transitions = table(
    "transitions",
    row_id(),
    Column("monitor_id", Text, ForeignKey("monitors.id"), nullable=False),
    Column("region", Text, nullable=False),
    Column("old", Text, nullable=False),
    Column("new", Text, nullable=False),
    Column("began_at", UtcTime, nullable=False),  # first result of the run that led here
    Column("at", UtcTime, nullable=False),
    Column("error_class", Text, nullable=False),
    Column("message", Text, nullable=False),
    Column("evidence", Json, nullable=False),
    Index("ix_transitions_monitor_at", "monitor_id", "at"),
)

# Raw rows: outcome 0 up, 1 degraded, 2 down, 3 unknown; region is a small number from `regions`.
check_results = table(
    "check_results",
    Column("monitor_no", Integer, primary_key=True),
    Column("at_ms", Big, primary_key=True),
    Column("region_no", Integer, primary_key=True),
    Column("outcome", Integer, nullable=False),
    Column("latency_ms", Integer, nullable=False),
    sqlite_with_rowid=False,
)

regions = table(
    "regions",
    Column("no", Integer, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
)

hour_blocks = table(
    "hour_blocks",
    Column("monitor_no", Integer, primary_key=True),
    Column("hour", Integer, primary_key=True),  # hours since the epoch
    Column("region_no", Integer, primary_key=True),
    Column("up", Integer, nullable=False),
    Column("degraded", Integer, nullable=False),
    Column("down", Integer, nullable=False),
    Column("unknown", Integer, nullable=False),
    Column("latency_sum_ms", Big, nullable=False),
    Column("latency_min_ms", Integer, nullable=False),
    Column("latency_max_ms", Integer, nullable=False),
    Column("histogram", LargeBinary, nullable=False),
    Column("raw", LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)

daily_uptime = table(
    "daily_uptime",
    Column("component_id", Text, ForeignKey("components.id"), primary_key=True),
    Column("day", Text, primary_key=True),  # YYYY-MM-DD in the page's zone
    Column("up_s", Integer, nullable=False),
    Column("degraded_s", Integer, nullable=False),
    Column("partial_s", Integer, nullable=False),
    Column("major_s", Integer, nullable=False),
    Column("maintenance_s", Integer, nullable=False),
    Column("unknown_s", Integer, nullable=False),
    # Nearly every day is whole: readers count those and fetch the others only. The literal is part of the index.
    Index("ix_daily_uptime_not_whole", "day", sqlite_where=_NOT_WHOLE, postgresql_where=_NOT_WHOLE),
)

rollup_marks = table(
    "rollup_marks",
    Column("name", Text, primary_key=True),
    Column("mark", Big, nullable=False),  # everything below it is done: a killed roll-up goes on from here
)

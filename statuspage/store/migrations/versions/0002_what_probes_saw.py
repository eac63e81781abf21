"""What the probes saw: states, transitions, results, hours, days."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "check_results",
        sa.Column("monitor_no", sa.Integer),
        sa.Column("at_ms", BIG),
        sa.Column("region_no", sa.Integer),
        sa.Column("outcome", sa.Integer, nullable=False),
        sa.Column("latency_ms", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("monitor_no", "at_ms", "region_no", name="pk_check_results"),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.create_table(
        "hour_blocks",
        sa.Column("monitor_no", sa.Integer),
        sa.Column("hour", sa.Integer),
        sa.Column("region_no", sa.Integer),
        sa.Column("up", sa.Integer, nullable=False),
        sa.Column("degraded", sa.Integer, nullable=False),
        sa.Column("down", sa.Integer, nullable=False),
        sa.Column("unknown", sa.Integer, nullable=False),
        sa.Column("latency_sum_ms", BIG, nullable=False),
        sa.Column("latency_min_ms", sa.Integer, nullable=False),
        sa.Column("latency_max_ms", sa.Integer, nullable=False),
        sa.Column("histogram", sa.LargeBinary, nullable=False),
        sa.Column("raw", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("monitor_no", "hour", "region_no", name="pk_hour_blocks"),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.create_table(
        "regions",
        sa.Column("no", sa.Integer),
        sa.Column("name", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("no", name="pk_regions"),
        sa.UniqueConstraint("name", name="uq_regions_name"),
        sqlite_strict=True,
    )
    op.create_table(
        "rollup_marks",
        sa.Column("name", sa.Text),
        sa.Column("mark", BIG, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_rollup_marks"),
        sqlite_strict=True,
    )
    op.create_table(
        "daily_uptime",
        sa.Column("component_id", sa.Text, sa.ForeignKey("components.id", name="fk_daily_uptime_component_id")),
        sa.Column("day", sa.Text),
        sa.Column("up_s", sa.Integer, nullable=False),
        sa.Column("degraded_s", sa.Integer, nullable=False),
        sa.Column("partial_s", sa.Integer, nullable=False),
        sa.Column("major_s", sa.Integer, nullable=False),
        sa.Column("maintenance_s", sa.Integer, nullable=False),
        sa.Column("unknown_s", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("component_id", "day", name="pk_daily_uptime"),
        sqlite_strict=True,
    )
    op.create_table(
        "monitor_states",
        sa.Column("monitor_id", sa.Text, sa.ForeignKey("monitors.id", name="fk_monitor_states_monitor_id")),
        sa.Column("region", sa.Text),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("since_at", BIG, nullable=False),
        sa.Column("streak_outcome", sa.Text, nullable=False),
        sa.Column("streak", sa.Integer, nullable=False),
        sa.Column("streak_at", BIG, nullable=False),
        sa.Column("last_at", BIG, nullable=False),
        sa.Column("last_ms", sa.Integer, nullable=False),
        sa.Column("error_class", sa.Text, nullable=False),
        sa.Column("message", sa.Text, nullable=False),
        sa.Column("evidence", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("monitor_id", "region", name="pk_monitor_states"),
        sqlite_strict=True,
    )
    op.create_table(
        "transitions",
        sa.Column("id", BIG),
        sa.Column(
            "monitor_id", sa.Text, sa.ForeignKey("monitors.id", name="fk_transitions_monitor_id"), nullable=False
        ),
        sa.Column("region", sa.Text, nullable=False),
        sa.Column("old", sa.Text, nullable=False),
        sa.Column("new", sa.Text, nullable=False),
        sa.Column("began_at", BIG, nullable=False),
        sa.Column("at", BIG, nullable=False),
        sa.Column("error_class", sa.Text, nullable=False),
        sa.Column("message", sa.Text, nullable=False),
        sa.Column("evidence", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_transitions"),
        sqlite_strict=True,
    )
    op.create_index("ix_transitions_monitor_at", "transitions", ["monitor_id", "at"])


def downgrade() -> None:
    op.drop_table("transitions")
    op.drop_table("monitor_states")
    op.drop_table("daily_uptime")
    op.drop_table("rollup_marks")
    op.drop_table("regions")
    op.drop_table("hour_blocks")
    op.drop_table("check_results")

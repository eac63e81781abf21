"""Heads of chains, windows that begin at a block, and the days that were not whole."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "chain_heads",
        sa.Column("monitor_id", sa.Text, sa.ForeignKey("monitors.id", name="fk_chain_heads_monitor_id")),
        sa.Column("chain", sa.Text, nullable=False),
        sa.Column("height", BIG, nullable=False),
        sa.Column("at", BIG, nullable=False),
        sa.Column("anchor_height", BIG, nullable=False),
        sa.Column("anchor_at", BIG, nullable=False),
        sa.Column("pace_us", BIG, nullable=False),
        sa.Column("evidence", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("monitor_id", name="pk_chain_heads"),
        sqlite_strict=True,
    )
    op.create_table(
        "notice_blocks",
        sa.Column("notice_id", BIG, sa.ForeignKey("notices.id", name="fk_notice_blocks_notice_id")),
        sa.Column("window_id", sa.Text, nullable=False),
        sa.Column("chain", sa.Text, nullable=False),
        sa.Column("height", BIG, nullable=False),
        sa.PrimaryKeyConstraint("notice_id", name="pk_notice_blocks"),
        sa.UniqueConstraint("window_id", name="uq_notice_blocks_window_id"),
        sqlite_strict=True,
    )
    not_whole = sa.text("up_s <> 86400")
    op.create_index(
        "ix_daily_uptime_not_whole", "daily_uptime", ["day"], sqlite_where=not_whole, postgresql_where=not_whole
    )


def downgrade() -> None:
    op.drop_index("ix_daily_uptime_not_whole", "daily_uptime")
    op.drop_table("notice_blocks")
    op.drop_table("chain_heads")

"""Judgement: regions, quorum, flapping."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.add_column("monitors", sa.Column("regions", sa.Text, nullable=False, server_default='"all"'))
    op.add_column("monitors", sa.Column("quorum", sa.Text, nullable=False, server_default='"majority"'))
    op.add_column("monitor_states", sa.Column("dialled", sa.Text, nullable=False, server_default=""))
    op.create_table(
        "judgements",
        sa.Column("monitor_id", sa.Text, sa.ForeignKey("monitors.id", name="fk_judgements_monitor_id")),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("since_at", BIG, nullable=False),
        sa.Column("known", sa.Text, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("cause", sa.Text, nullable=False),
        sa.Column("crossings", sa.Text, nullable=False),
        sa.Column("flapping_at", BIG),
        sa.PrimaryKeyConstraint("monitor_id", name="pk_judgements"),
        sqlite_strict=True,
    )
    # Until now one region judged alone: what it said is what is known.
    op.execute(
        "INSERT INTO judgements (monitor_id, state, since_at, known, status, cause, crossings)"
        " SELECT monitor_id, state, since_at, CASE WHEN state = 'unknown' THEN '' ELSE state END, '', '', '[]'"
        " FROM monitor_states WHERE region = 'local'"
    )


def downgrade() -> None:
    op.drop_table("judgements")
    op.drop_column("monitor_states", "dialled")
    op.drop_column("monitors", "quorum")
    op.drop_column("monitors", "regions")

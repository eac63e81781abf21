"""Push-in heartbeats."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "pings",
        sa.Column("id", BIG),
        sa.Column("monitor_id", sa.Text, nullable=False),
        sa.Column("at", BIG, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("rid", sa.Text, nullable=False),
        sa.Column("code", sa.Integer),
        sa.Column("since_at", BIG),
        sa.Column("body", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_pings"),
        sqlite_strict=True,
    )
    op.create_index("ix_pings_monitor_id", "pings", ["monitor_id", "id"])


def downgrade() -> None:
    op.drop_table("pings")

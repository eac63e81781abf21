"""Agents in other regions."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.drop_table("agents")  # nothing ever wrote to it
    op.create_table(
        "agents",
        sa.Column("id", sa.Text),
        sa.Column("region", sa.Text, nullable=False),
        sa.Column("public_key", sa.Text, nullable=False),
        sa.Column("seen_at", BIG),
        sa.Column("created_at", BIG, nullable=False),
        sa.Column("revoked_at", BIG),
        sa.Column("clock_ms", BIG, nullable=False),
        sa.Column("waiting", sa.Integer, nullable=False),
        sa.Column("dropped", BIG, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_agents"),
        sqlite_strict=True,
    )
    op.create_table(
        "agent_boots",
        sa.Column("agent_id", sa.Text, nullable=False),
        sa.Column("boot", sa.Text, nullable=False),
        sa.Column("last_sequence", BIG, nullable=False),
        sa.Column("missing", sa.Text, nullable=False),
        sa.Column("offset_ms", BIG, nullable=False),
        sa.Column("seen_at", BIG, nullable=False),
        sa.PrimaryKeyConstraint("agent_id", "boot", name="pk_agent_boots"),
        sa.ForeignKeyConstraint(["agent_id"], ["agents.id"], name="fk_agent_boots_agent_id"),
        sqlite_strict=True,
    )
    op.create_table(
        "agent_batches",
        sa.Column("id", BIG),
        sa.Column("agent_id", sa.Text, nullable=False),
        sa.Column("region", sa.Text, nullable=False),
        sa.Column("boot", sa.Text, nullable=False),
        sa.Column("sequence", BIG, nullable=False),
        sa.Column("results", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_agent_batches"),
        sa.ForeignKeyConstraint(["agent_id"], ["agents.id"], name="fk_agent_batches_agent_id"),
        sqlite_strict=True,
    )


def downgrade() -> None:
    op.drop_table("agent_batches")
    op.drop_table("agent_boots")
    op.drop_table("agents")
    op.create_table(
        "agents",
        sa.Column("id", sa.Text),
        sa.Column("region", sa.Text, nullable=False),
        sa.Column("secret_hash", sa.Text, nullable=False),
        sa.Column("boot_id", sa.Text, nullable=False),
        sa.Column("last_sequence", BIG, nullable=False),
        sa.Column("seen_at", BIG),
        sa.Column("created_at", BIG, nullable=False),
        sa.Column("revoked_at", BIG),
        sa.PrimaryKeyConstraint("id", name="pk_agents"),
        sqlite_strict=True,
    )

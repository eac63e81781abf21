"""Leases, heartbeats, limits, keys, applied settings."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "heartbeats",
        sa.Column("name", sa.Text),
        sa.Column("at", BIG, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_heartbeats"),
        sqlite_strict=True,
    )
    op.create_table(
        "idempotency_keys",
        sa.Column("key", sa.Text),
        sa.Column("request_hash", sa.Text, nullable=False),
        sa.Column("answer", sa.Text, nullable=False),
        sa.Column("at", BIG, nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_idempotency_keys"),
        sqlite_strict=True,
    )
    op.create_table(
        "keys",
        sa.Column("id", sa.Text),
        sa.Column("purpose", sa.Text, nullable=False),
        sa.Column("public_key", sa.Text, nullable=False),
        sa.Column("valid_from", BIG, nullable=False),
        sa.Column("valid_until", BIG),
        sa.PrimaryKeyConstraint("id", name="pk_keys"),
        sqlite_strict=True,
    )
    op.create_table(
        "leases",
        sa.Column("name", sa.Text),
        sa.Column("holder", sa.Text, nullable=False),
        sa.Column("epoch", BIG, nullable=False),
        sa.Column("until_at", BIG, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_leases"),
        sqlite_strict=True,
    )
    op.create_table(
        "meta",
        sa.Column("name", sa.Text),
        sa.Column("value", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_meta"),
        sqlite_strict=True,
    )
    op.create_table(
        "rate_buckets",
        sa.Column("name", sa.Text),
        sa.Column("tokens_milli", BIG, nullable=False),
        sa.Column("at", BIG, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_rate_buckets"),
        sqlite_strict=True,
    )
    op.create_table(
        "run_requests",
        sa.Column("id", BIG),
        sa.Column("monitor_id", sa.Text, nullable=False),
        sa.Column("asked_by", sa.Text, nullable=False),
        sa.Column("asked_at", BIG, nullable=False),
        sa.Column("done_at", BIG),
        sa.Column("result", sa.Text),
        sa.PrimaryKeyConstraint("id", name="pk_run_requests"),
        sqlite_strict=True,
    )


def downgrade() -> None:
    op.drop_table("run_requests")
    op.drop_table("rate_buckets")
    op.drop_table("meta")
    op.drop_table("leases")
    op.drop_table("keys")
    op.drop_table("idempotency_keys")
    op.drop_table("heartbeats")

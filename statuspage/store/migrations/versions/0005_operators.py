"""Operators, sessions, tokens, audit log, approvals, agents, reports."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
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
    op.create_table(
        "audit_log",
        sa.Column("id", BIG),
        sa.Column("at", BIG, nullable=False),
        sa.Column("actor", sa.Text, nullable=False),
        sa.Column("action", sa.Text, nullable=False),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("details", sa.Text, nullable=False),
        sa.Column("prev_hash", sa.Text, nullable=False),
        sa.Column("hash", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_audit_log"),
        sqlite_strict=True,
    )
    op.create_table(
        "operators",
        sa.Column("id", BIG),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("display_name", sa.Text, nullable=False),
        sa.Column("role", sa.Text, nullable=False),
        sa.Column("language", sa.Text, nullable=False),
        sa.Column("password_hash", sa.Text),
        sa.Column("totp_sealed", sa.LargeBinary),
        sa.Column("totp_confirmed_at", BIG),
        sa.Column("totp_last_step", BIG, nullable=False),
        sa.Column("created_at", BIG, nullable=False),
        sa.Column("disabled_at", BIG),
        sa.PrimaryKeyConstraint("id", name="pk_operators"),
        sa.UniqueConstraint("name", name="uq_operators_name"),
        sqlite_strict=True,
    )
    op.create_table(
        "reports",
        sa.Column("symptom", sa.Text),
        sa.Column("hour", sa.Integer),
        sa.Column("count", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("symptom", "hour", name="pk_reports"),
        sqlite_strict=True,
    )
    op.create_table(
        "api_tokens",
        sa.Column("id", sa.Text),
        sa.Column("operator_id", BIG, sa.ForeignKey("operators.id", name="fk_api_tokens_operator_id"), nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("secret_hash", sa.Text, nullable=False),
        sa.Column("scopes", sa.Text, nullable=False),
        sa.Column("created_at", BIG, nullable=False),
        sa.Column("expires_at", BIG),
        sa.Column("last_used_at", BIG),
        sa.Column("revoked_at", BIG),
        sa.PrimaryKeyConstraint("id", name="pk_api_tokens"),
        sqlite_strict=True,
    )
    op.create_table(
        "approvals",
        sa.Column("id", BIG),
        sa.Column("notice_id", BIG, sa.ForeignKey("notices.id", name="fk_approvals_notice_id"), nullable=False),
        sa.Column("asked_by", sa.Text, nullable=False),
        sa.Column("asked_at", BIG, nullable=False),
        sa.Column("decided_by", sa.Text),
        sa.Column("decided_at", BIG),
        sa.Column("granted", sa.Integer),
        sa.Column("break_glass", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_approvals"),
        sqlite_strict=True,
    )
    op.create_table(
        "credentials",
        sa.Column("id", BIG),
        sa.Column("operator_id", BIG, sa.ForeignKey("operators.id", name="fk_credentials_operator_id"), nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("secret_hash", sa.Text, nullable=False),
        sa.Column("created_at", BIG, nullable=False),
        sa.Column("expires_at", BIG),
        sa.Column("used_at", BIG),
        sa.PrimaryKeyConstraint("id", name="pk_credentials"),
        sa.UniqueConstraint("secret_hash", name="uq_credentials_secret_hash"),
        sqlite_strict=True,
    )
    op.create_table(
        "sessions",
        sa.Column("token_hash", sa.Text),
        sa.Column("operator_id", BIG, sa.ForeignKey("operators.id", name="fk_sessions_operator_id"), nullable=False),
        sa.Column("csrf", sa.Text, nullable=False),
        sa.Column("two_factor", sa.Integer, nullable=False),
        sa.Column("created_at", BIG, nullable=False),
        sa.Column("seen_at", BIG, nullable=False),
        sa.Column("expires_at", BIG, nullable=False),
        sa.Column("data", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("token_hash", name="pk_sessions"),
        sqlite_strict=True,
    )
    op.create_index("ix_sessions_operator_id", "sessions", ["operator_id"])


def downgrade() -> None:
    op.drop_table("sessions")
    op.drop_table("credentials")
    op.drop_table("approvals")
    op.drop_table("api_tokens")
    op.drop_table("reports")
    op.drop_table("operators")
    op.drop_table("audit_log")
    op.drop_table("agents")

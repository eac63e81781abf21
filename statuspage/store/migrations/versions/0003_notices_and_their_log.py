"""Notices, their updates, the signed log, the publisher's changes."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "changes",
        sa.Column("seq", BIG),
        sa.Column("what", sa.Text, nullable=False),
        sa.Column("at", BIG, nullable=False),
        sa.PrimaryKeyConstraint("seq", name="pk_changes"),
        sqlite_strict=True,
        sqlite_autoincrement=True,
    )
    op.create_table(
        "log_bodies",
        sa.Column("hash", sa.Text),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("withdrawn_at", BIG),
        sa.PrimaryKeyConstraint("hash", name="pk_log_bodies"),
        sqlite_strict=True,
    )
    op.create_table(
        "notices",
        sa.Column("id", BIG),
        sa.Column("public_id", sa.Text, nullable=False),
        sa.Column("number", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("visibility", sa.Text, nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("facts", sa.Text, nullable=False),
        sa.Column("impact", sa.Text, nullable=False),
        sa.Column("touched", sa.Integer, nullable=False),
        sa.Column("recovered_at", BIG),
        sa.Column("demo", sa.Integer, nullable=False),
        sa.Column("backfilled", sa.Integer, nullable=False),
        sa.Column("created_at", BIG, nullable=False),
        sa.Column("detected_at", BIG),
        sa.Column("started_at", BIG),
        sa.Column("confirmed_at", BIG),
        sa.Column("published_at", BIG),
        sa.Column("updated_at", BIG, nullable=False),
        sa.Column("resolved_at", BIG),
        sa.Column("scheduled_for", BIG),
        sa.Column("scheduled_until", BIG),
        sa.Column("next_update_by", BIG),
        sa.Column("remind_before_s", sa.Text, nullable=False),
        sa.Column("reminded", sa.Text, nullable=False),
        sa.Column("overrun_asked_at", BIG),
        sa.Column("publish_at", BIG),
        sa.Column("created_by", sa.Text, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_notices"),
        sa.UniqueConstraint("number", name="uq_notices_number"),
        sa.UniqueConstraint("public_id", name="uq_notices_public_id"),
        sqlite_strict=True,
    )
    op.create_index("ix_notices_started_at", "notices", ["started_at"])
    op.create_index("ix_notices_visibility_resolved", "notices", ["visibility", "resolved_at"])
    op.create_table(
        "notice_updates",
        sa.Column("id", BIG),
        sa.Column("public_id", sa.Text, nullable=False),
        sa.Column("notice_id", BIG, sa.ForeignKey("notices.id", name="fk_notice_updates_notice_id"), nullable=False),
        sa.Column("sequence", sa.Integer, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("bodies", sa.Text, nullable=False),
        sa.Column("facts", sa.Text, nullable=False),
        sa.Column("changes", sa.Text, nullable=False),
        sa.Column("display_at", BIG, nullable=False),
        sa.Column("created_at", BIG, nullable=False),
        sa.Column("author", sa.Text, nullable=False),
        sa.Column("by_machine", sa.Integer, nullable=False),
        sa.Column("notify", sa.Integer, nullable=False),
        sa.Column("corrects_id", BIG, sa.ForeignKey("notice_updates.id", name="fk_notice_updates_corrects_id")),
        sa.PrimaryKeyConstraint("id", name="pk_notice_updates"),
        sa.UniqueConstraint("notice_id", "sequence", name="uq_notice_updates_notice_id_sequence"),
        sa.UniqueConstraint("public_id", name="uq_notice_updates_public_id"),
        sqlite_strict=True,
    )
    op.create_index("ix_notice_updates_display_at", "notice_updates", ["display_at"])
    op.create_table(
        "log",
        sa.Column("n", BIG, autoincrement=False),
        sa.Column("notice_id", BIG, sa.ForeignKey("notices.id", name="fk_log_notice_id"), nullable=False),
        sa.Column("update_id", BIG, sa.ForeignKey("notice_updates.id", name="fk_log_update_id"), nullable=False),
        sa.Column("at", BIG, nullable=False),
        sa.Column("payload", sa.Text, nullable=False),
        sa.Column("prev_hash", sa.Text, nullable=False),
        sa.Column("hash", sa.Text, nullable=False),
        sa.Column("key_id", sa.Text, nullable=False),
        sa.Column("signature", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("n", name="pk_log"),
        sa.UniqueConstraint("update_id", name="uq_log_update_id"),
        sqlite_strict=True,
    )
    op.create_table(
        "notice_components",
        sa.Column("notice_id", BIG, sa.ForeignKey("notices.id", name="fk_notice_components_notice_id")),
        sa.Column("component_id", sa.Text, sa.ForeignKey("components.id", name="fk_notice_components_component_id")),
        sa.Column("status", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("notice_id", "component_id", name="pk_notice_components"),
        sqlite_strict=True,
    )
    op.create_index("ix_notice_components_component_id", "notice_components", ["component_id"])
    op.create_table(
        "notice_monitors",
        sa.Column("notice_id", BIG, sa.ForeignKey("notices.id", name="fk_notice_monitors_notice_id")),
        sa.Column("monitor_id", sa.Text, sa.ForeignKey("monitors.id", name="fk_notice_monitors_monitor_id")),
        sa.Column("down_at", BIG, nullable=False),
        sa.Column("up_at", BIG),
        sa.PrimaryKeyConstraint("notice_id", "monitor_id", name="pk_notice_monitors"),
        sqlite_strict=True,
    )
    op.create_index("ix_notice_monitors_monitor_id", "notice_monitors", ["monitor_id"])


def downgrade() -> None:
    op.drop_table("notice_monitors")
    op.drop_table("notice_components")
    op.drop_table("log")
    op.drop_table("notice_updates")
    op.drop_table("notices")
    op.drop_table("log_bodies")
    op.drop_table("changes")

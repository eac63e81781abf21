"""Who is told, and what became of it."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "subscribers",
        sa.Column("id", BIG),
        sa.Column("language", sa.Text, nullable=False),
        sa.Column("time_zone", sa.Text, nullable=False),
        sa.Column("created_at", BIG, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_subscribers"),
        sqlite_strict=True,
    )
    op.create_table(
        "suppressions",
        sa.Column("channel", sa.Text),
        sa.Column("address_hash", sa.Text),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("at", BIG, nullable=False),
        sa.PrimaryKeyConstraint("channel", "address_hash", name="pk_suppressions"),
        sqlite_strict=True,
    )
    op.create_table(
        "subscriptions",
        sa.Column("id", BIG),
        sa.Column("public_id", sa.Text, nullable=False),
        sa.Column(
            "subscriber_id", BIG, sa.ForeignKey("subscribers.id", name="fk_subscriptions_subscriber_id"), nullable=False
        ),
        sa.Column("channel", sa.Text, nullable=False),
        sa.Column("audience", sa.Text, nullable=False),
        sa.Column("address_sealed", sa.LargeBinary, nullable=False),
        sa.Column("address_hash", sa.Text, nullable=False),
        sa.Column("label", sa.Text, nullable=False),
        sa.Column("components", sa.Text, nullable=False),
        sa.Column("kinds", sa.Text, nullable=False),
        sa.Column("notice_id", BIG, sa.ForeignKey("notices.id", name="fk_subscriptions_notice_id")),
        sa.Column("language", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("token_hash", sa.Text),
        sa.Column("token_expires_at", BIG),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("created_at", BIG, nullable=False),
        sa.Column("confirmed_at", BIG),
        sa.Column("off_at", BIG),
        sa.Column("meta", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_subscriptions"),
        sa.UniqueConstraint(
            "channel",
            "audience",
            "address_hash",
            "notice_id",
            name="uq_subscriptions_channel_audience_address_hash_notice_id",
        ),
        sa.UniqueConstraint("public_id", name="uq_subscriptions_public_id"),
        sqlite_strict=True,
    )
    op.create_index("ix_subscriptions_state_channel", "subscriptions", ["state", "channel", "id"])
    op.create_table(
        "consents",
        sa.Column("id", BIG),
        sa.Column(
            "subscription_id",
            BIG,
            sa.ForeignKey("subscriptions.id", name="fk_consents_subscription_id"),
            nullable=False,
        ),
        sa.Column("action", sa.Text, nullable=False),
        sa.Column("how", sa.Text, nullable=False),
        sa.Column("text_version", sa.Text, nullable=False),
        sa.Column("language", sa.Text, nullable=False),
        sa.Column("ip_prefix", sa.Text, nullable=False),
        sa.Column("at", BIG, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_consents"),
        sqlite_strict=True,
    )
    op.create_table(
        "outbox",
        sa.Column("id", BIG),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("notice_id", BIG, sa.ForeignKey("notices.id", name="fk_outbox_notice_id")),
        sa.Column("update_id", BIG, sa.ForeignKey("notice_updates.id", name="fk_outbox_update_id")),
        sa.Column("sequence", sa.Integer, nullable=False),
        sa.Column("audiences", sa.Text, nullable=False),
        sa.Column("channels", sa.Text, nullable=False),
        sa.Column("subscription_id", BIG, sa.ForeignKey("subscriptions.id", name="fk_outbox_subscription_id")),
        sa.Column("urgency", sa.Integer, nullable=False),
        sa.Column("payload", sa.Text, nullable=False),
        sa.Column("cursor", BIG, nullable=False),
        sa.Column("created_at", BIG, nullable=False),
        sa.Column("expires_at", BIG, nullable=False),
        sa.Column("expanded_at", BIG),
        sa.PrimaryKeyConstraint("id", name="pk_outbox"),
        sqlite_strict=True,
    )
    op.create_index("ix_outbox_expanded_at", "outbox", ["expanded_at"])
    op.create_index("ix_outbox_notice_id", "outbox", ["notice_id"])
    op.create_table(
        "deliveries",
        sa.Column("id", BIG),
        sa.Column("outbox_id", BIG, sa.ForeignKey("outbox.id", name="fk_deliveries_outbox_id"), nullable=False),
        sa.Column(
            "subscription_id",
            BIG,
            sa.ForeignKey("subscriptions.id", name="fk_deliveries_subscription_id"),
            nullable=False,
        ),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("channel", sa.Text, nullable=False),
        sa.Column("notice_id", BIG),
        sa.Column("sequence", sa.Integer, nullable=False),
        sa.Column("urgency", sa.Integer, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("next_try_at", BIG, nullable=False),
        sa.Column("lease_owner", sa.Text),
        sa.Column("lease_until", BIG),
        sa.Column("sent_at", BIG),
        sa.Column("reference", sa.Text, nullable=False),
        sa.Column("receipt", sa.Text, nullable=False),
        sa.Column("error_class", sa.Text, nullable=False),
        sa.Column("error", sa.Text, nullable=False),
        sa.Column("created_at", BIG, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_deliveries"),
        sa.UniqueConstraint("key", name="uq_deliveries_key"),
        sa.UniqueConstraint("outbox_id", "subscription_id", name="uq_deliveries_outbox_id_subscription_id"),
        sqlite_strict=True,
    )
    op.create_index("ix_deliveries_due", "deliveries", ["state", "urgency", "next_try_at"])
    op.create_index("ix_deliveries_notice", "deliveries", ["notice_id", "subscription_id"])
    op.create_index("ix_deliveries_reference", "deliveries", ["reference"])


def downgrade() -> None:
    op.drop_table("deliveries")
    op.drop_table("outbox")
    op.drop_table("consents")
    op.drop_table("subscriptions")
    op.drop_table("suppressions")
    op.drop_table("subscribers")

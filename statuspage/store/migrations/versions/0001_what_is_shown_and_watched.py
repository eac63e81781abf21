"""What is shown and watched: component groups, components, monitors."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "component_groups",
        sa.Column("id", sa.Text),
        sa.Column("public_id", sa.Text, nullable=False),
        sa.Column("names", sa.Text, nullable=False),
        sa.Column("notes", sa.Text, nullable=False),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("created_at", BIG, nullable=False),
        sa.Column("updated_at", BIG, nullable=False),
        sa.Column("archived_at", BIG),
        sa.PrimaryKeyConstraint("id", name="pk_component_groups"),
        sa.UniqueConstraint("public_id", name="uq_component_groups_public_id"),
        sqlite_strict=True,
    )
    op.create_table(
        "components",
        sa.Column("id", sa.Text),
        sa.Column("public_id", sa.Text, nullable=False),
        sa.Column("group_id", sa.Text, sa.ForeignKey("component_groups.id", name="fk_components_group_id")),
        sa.Column("names", sa.Text, nullable=False),
        sa.Column("descriptions", sa.Text, nullable=False),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("weight", sa.Text, nullable=False),
        sa.Column("symptoms", sa.Text, nullable=False),
        sa.Column("template", sa.Text, nullable=False),
        sa.Column("chain", sa.Text),
        sa.Column("baseline", sa.Text, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("status_at", BIG, nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("start_date", sa.Text),
        sa.Column("created_at", BIG, nullable=False),
        sa.Column("updated_at", BIG, nullable=False),
        sa.Column("archived_at", BIG),
        sa.PrimaryKeyConstraint("id", name="pk_components"),
        sa.UniqueConstraint("public_id", name="uq_components_public_id"),
        sqlite_strict=True,
    )
    op.create_table(
        "component_status_changes",
        sa.Column("id", BIG),
        sa.Column(
            "component_id",
            sa.Text,
            sa.ForeignKey("components.id", name="fk_component_status_changes_component_id"),
            nullable=False,
        ),
        sa.Column("old", sa.Text, nullable=False),
        sa.Column("new", sa.Text, nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("actor", sa.Text, nullable=False),
        sa.Column("at", BIG, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_component_status_changes"),
        sqlite_strict=True,
    )
    op.create_index("ix_component_status_changes_component_at", "component_status_changes", ["component_id", "at"])
    op.create_table(
        "monitors",
        sa.Column("id", sa.Text),
        sa.Column("no", sa.Integer, nullable=False),
        sa.Column(
            "component_id", sa.Text, sa.ForeignKey("components.id", name="fk_monitors_component_id"), nullable=False
        ),
        sa.Column("names", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("target", sa.Text, nullable=False),
        sa.Column("options", sa.Text, nullable=False),
        sa.Column("interval_ms", BIG, nullable=False),
        sa.Column("timeout_ms", BIG, nullable=False),
        sa.Column("retry_ms", BIG, nullable=False),
        sa.Column("failures", sa.Integer, nullable=False),
        sa.Column("successes", sa.Integer, nullable=False),
        sa.Column("when_down", sa.Text, nullable=False),
        sa.Column("publish", sa.Text, nullable=False),
        sa.Column("depends_on", sa.Text),
        sa.Column("supplier", sa.Text, nullable=False),
        sa.Column("allow_networks", sa.Text, nullable=False),
        sa.Column("paused", sa.Integer, nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("created_at", BIG, nullable=False),
        sa.Column("updated_at", BIG, nullable=False),
        sa.Column("archived_at", BIG),
        sa.PrimaryKeyConstraint("id", name="pk_monitors"),
        sa.UniqueConstraint("no", name="uq_monitors_no"),
        sqlite_strict=True,
    )


def downgrade() -> None:
    op.drop_table("monitors")
    op.drop_table("component_status_changes")
    op.drop_table("components")
    op.drop_table("component_groups")

"""Problem reports. The table of revision 0005 was never written to: it makes room for one that says more."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.drop_table("reports")
    op.create_table(
        "reports",
        sa.Column("hour", sa.Integer),
        sa.Column("symptom", sa.Text),
        sa.Column("who", sa.Text),
        sa.Column("at", BIG, nullable=False),
        sa.Column("component_id", sa.Text, nullable=False),
        sa.Column("version", sa.Text, nullable=False),
        sa.Column("platform", sa.Text, nullable=False),
        sa.Column("region", sa.Text, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("hour", "symptom", "who", name="pk_reports"),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.create_index("ix_reports_at", "reports", ["at"])
    op.create_table(
        "report_hours",
        sa.Column("symptom", sa.Text),
        sa.Column("hour", sa.Integer),
        sa.Column("count", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("symptom", "hour", name="pk_report_hours"),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.create_table(
        "report_signals",
        sa.Column("symptom", sa.Text),
        sa.Column("since_at", BIG, nullable=False),
        sa.Column("count", sa.Integer, nullable=False),
        sa.Column("usual", sa.Integer, nullable=False),
        sa.Column("peak", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("symptom", name="pk_report_signals"),
        sqlite_strict=True,
    )
    op.create_table(
        "notice_reports",
        sa.Column("notice_id", BIG, sa.ForeignKey("notices.id", name="fk_notice_reports_notice_id")),
        sa.Column("symptom", sa.Text),
        sa.Column("since_at", BIG, nullable=False),
        sa.Column("last_at", BIG, nullable=False),
        sa.Column("peak", sa.Integer, nullable=False),
        sa.Column("usual", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("notice_id", "symptom", name="pk_notice_reports"),
        sqlite_strict=True,
    )


def downgrade() -> None:
    op.drop_table("notice_reports")
    op.drop_table("report_signals")
    op.drop_table("report_hours")
    op.drop_index("ix_reports_at", "reports")
    op.drop_table("reports")
    op.create_table(
        "reports",
        sa.Column("symptom", sa.Text),
        sa.Column("hour", sa.Integer),
        sa.Column("count", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("symptom", "hour", name="pk_reports"),
        sqlite_strict=True,
    )

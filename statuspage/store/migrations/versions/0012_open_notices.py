"""Indexes for what is asked at every change: which notices are open, which are the newest."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

OPEN = sa.text("status NOT IN ('cancelled', 'completed', 'ended', 'resolved')")


def upgrade() -> None:
    op.create_index("ix_notices_published_at", "notices", ["published_at"])
    op.create_index("ix_notices_open", "notices", ["id"], sqlite_where=OPEN, postgresql_where=OPEN)


def downgrade() -> None:
    op.drop_index("ix_notices_open", "notices")
    op.drop_index("ix_notices_published_at", "notices")

"""The first release's tables.

Created from the schema modules as they stand: there is no earlier release to be compatible with. The first release freezes this
into explicit operations before it is tagged.
"""

from alembic import op

from statuspage.store.schema import metadata

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    metadata.create_all(op.get_bind())


def downgrade() -> None:
    metadata.drop_all(op.get_bind())

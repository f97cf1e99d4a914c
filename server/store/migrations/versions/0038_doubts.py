"""The doubt about calls and services from before an outage."""

import sqlalchemy as sa
from alembic import op

revision = "0038"
down_revision = "0037"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("entries", sa.Column("doubt", sa.JSON(none_as_null=True)))


def downgrade() -> None:
    op.drop_column("entries", "doubt")

"""The browser of a patient who joined with a phone, as a keyed hash."""

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("visits", sa.Column("joined_from", sa.String(64)))


def downgrade() -> None:
    op.drop_column("visits", "joined_from")

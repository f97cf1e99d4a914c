"""The time of each entry's last call or recall: a call stands for some minutes after it."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Not in batch: SQLite would copy the table, and lose its generated columns.
    op.add_column("entries", sa.Column("announced_at", sa.BigInteger()))
    op.execute("UPDATE entries SET announced_at = called_at")


def downgrade() -> None:
    op.drop_column("entries", "announced_at")

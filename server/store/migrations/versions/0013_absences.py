"""Entries on hold that return by themselves, and the length and cost of absences."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

ENDS = ("held_until", "away_since")
SUMS = ("away", "delay")


def upgrade() -> None:
    # Not in batch: SQLite would copy the table, and lose its generated columns.
    for name in ENDS:
        op.add_column("entries", sa.Column(name, sa.BigInteger()))
    for name in SUMS:
        op.add_column("entries", sa.Column(name, sa.BigInteger(), nullable=False, server_default="0"))
    op.execute("UPDATE entries SET away_since = called_at WHERE state = 'no_show'")
    op.execute("UPDATE entries SET away_since = since WHERE state = 'held'")


def downgrade() -> None:
    for name in (*ENDS, *SUMS):
        op.drop_column("entries", name)

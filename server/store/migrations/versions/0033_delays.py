"""The announced delay of a site, and the delay that a message is about."""

import sqlalchemy as sa
from alembic import op

revision = "0033"
down_revision = "0028"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("sites", sa.Column("late_minutes", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("sites", sa.Column("late_since", sa.BigInteger()))
    op.add_column("sites", sa.Column("late_number", sa.BigInteger(), nullable=False, server_default="0"))
    op.add_column("notifications", sa.Column("minutes", sa.Integer()))


def downgrade() -> None:
    op.drop_column("notifications", "minutes")
    for name in ("late_number", "late_since", "late_minutes"):
        op.drop_column("sites", name)

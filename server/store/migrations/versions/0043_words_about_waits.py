"""The words about waits: why a range moved, until when a patient may leave, and how late a queue runs."""

import sqlalchemy as sa
from alembic import op

revision = "0043"
down_revision = "0042"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("entries", sa.Column("told", sa.JSON(none_as_null=True)))
    op.add_column("entries", sa.Column("leave_until", sa.BigInteger()))
    op.add_column("entries", sa.Column("quoted_leave", sa.BigInteger()))
    op.add_column("queues", sa.Column("late_minutes", sa.Integer(), nullable=False, server_default="0"))


def downgrade() -> None:
    op.drop_column("queues", "late_minutes")
    for name in ("quoted_leave", "leave_until", "told"):
        op.drop_column("entries", name)

"""The marks of patients who have not received a message, and the messages that the desk has yet to note."""

import sqlalchemy as sa
from alembic import op

revision = "0034"
down_revision = "0033"
branch_labels = None
depends_on = None

MARKED = ("entries", "appointments")


def upgrade() -> None:
    for table in MARKED:
        op.add_column(table, sa.Column("unreached", sa.JSON(none_as_null=True)))
    op.add_column("notifications", sa.Column("news_at", sa.BigInteger()))
    op.create_index("ix_notifications_news_at_id", "notifications", ["news_at", "id"])


def downgrade() -> None:
    op.drop_index("ix_notifications_news_at_id", "notifications")
    op.drop_column("notifications", "news_at")
    for table in MARKED:
        op.drop_column(table, "unreached")

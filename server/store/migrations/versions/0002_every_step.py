"""Columns for every step: absences, undo, paused queues, points that open and close, a site's message."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("sites") as sites:
        sites.add_column(sa.Column("turns_at", sa.BigInteger(), nullable=False, server_default="0"))
        sites.add_column(sa.Column("message", sa.String(200)))
    op.execute("UPDATE sites SET turns_at = next_tick_at")
    with op.batch_alter_table("sites") as sites:
        sites.alter_column("turns_at", existing_type=sa.BigInteger(), existing_nullable=False, server_default=None)
    with op.batch_alter_table("queues") as queues:
        queues.add_column(sa.Column("paused", sa.Boolean(), nullable=False, server_default=sa.false()))
    with op.batch_alter_table("queues") as queues:
        queues.alter_column("paused", existing_type=sa.Boolean(), existing_nullable=False, server_default=None)
    with op.batch_alter_table("points") as points:
        points.add_column(sa.Column("state", sa.String(12), nullable=False, server_default="open"))
    with op.batch_alter_table("points") as points:
        points.alter_column("state", existing_type=sa.String(12), existing_nullable=False, server_default=None)
    op.add_column("entries", sa.Column("absent_until", sa.BigInteger()))
    op.add_column("entries", sa.Column("undo", sa.JSON(none_as_null=True)))
    with op.batch_alter_table("announcements") as announcements:
        announcements.alter_column(
            "kind", existing_type=sa.String(8), type_=sa.String(12), existing_nullable=False, nullable=False
        )


def downgrade() -> None:
    op.drop_column("entries", "undo")
    op.drop_column("entries", "absent_until")
    op.drop_column("points", "state")
    op.drop_column("queues", "paused")
    op.drop_column("sites", "message")
    op.drop_column("sites", "turns_at")

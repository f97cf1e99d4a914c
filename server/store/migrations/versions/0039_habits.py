"""The habits of a site's staff, and the pauses between two patients."""

from typing import Any

import sqlalchemy as sa
from alembic import op

from server.store.collations import no_pad

revision = "0039"
down_revision = "0038"
branch_labels = None
depends_on = None


def upgrade() -> None:
    options: dict[str, Any] = {"mysql_engine": "InnoDB", "mysql_charset": "utf8mb4", "mysql_collate": no_pad(op.get_bind())}
    op.create_table(
        "habits",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("site_id", sa.BigInteger(), nullable=False),
        sa.Column("begins_at", sa.BigInteger(), nullable=False),
        sa.Column("points", sa.JSON(), nullable=False),
        sa.Column("arrivals", sa.JSON(), nullable=False),
        sa.Column("bookings", sa.JSON(), nullable=False),
        sa.Column("past", sa.JSON(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        **options,
    )
    op.create_index("ix_habits_site_id", "habits", ["site_id"])
    op.add_column("queues", sa.Column("pauses", sa.JSON(none_as_null=True)))


def downgrade() -> None:
    op.drop_column("queues", "pauses")
    op.drop_table("habits")

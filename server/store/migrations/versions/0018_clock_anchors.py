"""The clock of the database, as the servers of each machine last saw it."""

from typing import Any

import sqlalchemy as sa
from alembic import op

from server.store.collations import no_pad

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    options: dict[str, Any] = {"mysql_engine": "InnoDB", "mysql_charset": "utf8mb4", "mysql_collate": no_pad(op.get_bind())}
    op.create_table(
        "clock_anchors",
        sa.Column("boot_id", sa.String(36), nullable=False),
        sa.Column("host", sa.String(100), nullable=False),
        sa.Column("booted_at", sa.BigInteger(), nullable=False),
        sa.Column("step", sa.BigInteger(), nullable=False),
        sa.Column("behind", sa.BigInteger(), nullable=False),
        sa.Column("noted_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("boot_id"),
        **options,
    )


def downgrade() -> None:
    op.drop_table("clock_anchors")

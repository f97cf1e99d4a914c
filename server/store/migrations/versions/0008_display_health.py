"""The health of each display, and the running server processes."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

OPTIONS: dict[str, Any] = {"mysql_engine": "InnoDB", "mysql_charset": "utf8mb4", "mysql_collate": "utf8mb4_bin"}
PLAIN = (("since", sa.BigInteger()), ("version", sa.String(40)), ("lag", sa.Integer()), ("heard_by", sa.String(32)))
FLAGS = ("connected", "muted")


def upgrade() -> None:
    for name in FLAGS:
        op.add_column("displays", sa.Column(name, sa.Boolean(), nullable=False, server_default=sa.false()))
    for name, kind in PLAIN:
        op.add_column("displays", sa.Column(name, kind))
    op.create_index("ix_displays_heard_by", "displays", ["heard_by"])
    op.create_table(
        "processes",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("heard_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        **OPTIONS,
    )
    op.create_index("ix_processes_heard_at", "processes", ["heard_at"])


def downgrade() -> None:
    op.drop_table("processes")
    op.drop_index("ix_displays_heard_by", "displays")
    for name in (*FLAGS, *(name for name, _ in PLAIN)):
        op.drop_column("displays", name)

"""The inputs of quoted waits, and the quotes that patients received."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

ENTRIES = ("called_at", "expect_from", "expect_until", "quoted_from", "quoted_until")


def upgrade() -> None:
    with op.batch_alter_table("sites") as sites:
        sites.add_column(sa.Column("quoted_at", sa.BigInteger(), nullable=False, server_default="0"))
    with op.batch_alter_table("sites") as sites:
        sites.alter_column("quoted_at", existing_type=sa.BigInteger(), existing_nullable=False, server_default=None)
    op.add_column("queues", sa.Column("durations", sa.JSON()))
    op.execute("UPDATE queues SET durations = '[]'")
    with op.batch_alter_table("queues") as queues:
        queues.alter_column("durations", existing_type=sa.JSON(), nullable=False)
    for name in ENTRIES:
        op.add_column("entries", sa.Column(name, sa.BigInteger()))
    # Not in batch: SQLite would copy the table, and lose its generated columns. A default there does no harm.
    op.add_column("entries", sa.Column("estimating", sa.Boolean(), nullable=False, server_default=sa.true()))


def downgrade() -> None:
    op.drop_column("sites", "quoted_at")
    op.drop_column("queues", "durations")
    for name in (*ENTRIES, "estimating"):
        op.drop_column("entries", name)

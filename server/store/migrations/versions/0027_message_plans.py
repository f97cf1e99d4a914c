"""The sites whose future messages are planned anew."""

from typing import Any

import sqlalchemy as sa
from alembic import op

from server.store.collations import no_pad

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None


def upgrade() -> None:
    options: dict[str, Any] = {"mysql_engine": "InnoDB", "mysql_charset": "utf8mb4", "mysql_collate": no_pad(op.get_bind())}
    op.create_table(
        "message_plans",
        sa.Column("site_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("mark", sa.BigInteger(), nullable=False),
        sa.Column("after_id", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("site_id"),
        **options,
    )


def downgrade() -> None:
    op.drop_table("message_plans")

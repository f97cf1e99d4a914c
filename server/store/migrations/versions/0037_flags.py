"""The rules of an operator for feature flags."""

from typing import Any

import sqlalchemy as sa
from alembic import op

from server.store.collations import no_pad

revision = "0037"
down_revision = "0036"
branch_labels = None
depends_on = None


def upgrade() -> None:
    options: dict[str, Any] = {"mysql_engine": "InnoDB", "mysql_charset": "utf8mb4", "mysql_collate": no_pad(op.get_bind())}
    op.create_table(
        "flags",
        sa.Column("flag_key", sa.String(60), nullable=False),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("default_variant", sa.String(3), nullable=False),
        sa.Column("author", sa.String(80), nullable=False),
        sa.Column("reason", sa.String(200), nullable=False),
        sa.Column("set_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("flag_key"),
        **options,
    )


def downgrade() -> None:
    op.drop_table("flags")

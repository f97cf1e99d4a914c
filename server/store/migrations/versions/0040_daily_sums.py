"""The sums of past business days."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.mysql import LONGTEXT

from server.store.collations import no_pad

revision = "0040"
down_revision = "0039"
branch_labels = None
depends_on = None


def upgrade() -> None:
    options: dict[str, Any] = {"mysql_engine": "InnoDB", "mysql_charset": "utf8mb4", "mysql_collate": no_pad(op.get_bind())}
    op.create_table(
        "daily_sums",
        sa.Column("site_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("part", sa.String(8), nullable=False),
        sa.Column("business_day", sa.String(10), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("about", sa.String(100), nullable=False),
        sa.Column("until_seq", sa.BigInteger(), nullable=False),
        sa.Column("body", sa.Text().with_variant(LONGTEXT(), "mysql", "mariadb"), nullable=False),
        sa.PrimaryKeyConstraint("site_id", "part", "business_day"),
        **options,
    )


def downgrade() -> None:
    op.drop_table("daily_sums")

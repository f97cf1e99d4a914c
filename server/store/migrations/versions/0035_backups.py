"""The backups that were verified."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.mysql import LONGTEXT

from server.store.collations import no_pad

revision = "0035"
down_revision = "0034"
branch_labels = None
depends_on = None


def upgrade() -> None:
    options: dict[str, Any] = {"mysql_engine": "InnoDB", "mysql_charset": "utf8mb4", "mysql_collate": no_pad(op.get_bind())}
    op.create_table(
        "backups",
        sa.Column("name", sa.String(120), primary_key=True),
        sa.Column("made_at", sa.BigInteger(), nullable=False),
        sa.Column("verified_at", sa.BigInteger(), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.Column("rows_kept", sa.BigInteger(), nullable=False),
        sa.Column("milliseconds", sa.BigInteger(), nullable=False),
        sa.Column("heads", sa.Text().with_variant(LONGTEXT(), "mysql", "mariadb"), nullable=False),
        **options,
    )
    op.create_index("ix_backups_made_at", "backups", ["made_at"])


def downgrade() -> None:
    op.drop_table("backups")

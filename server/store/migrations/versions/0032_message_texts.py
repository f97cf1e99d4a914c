"""The clinics' own texts of messages."""

from typing import Any

import sqlalchemy as sa
from alembic import op

from server.store.collations import no_pad

revision = "0032"
down_revision = "0031"
branch_labels = None
depends_on = None


def upgrade() -> None:
    options: dict[str, Any] = {"mysql_engine": "InnoDB", "mysql_charset": "utf8mb4", "mysql_collate": no_pad(op.get_bind())}
    op.create_table(
        "message_texts",
        sa.Column("site_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("template", sa.String(24), nullable=False),
        sa.Column("language", sa.String(35), nullable=False),
        sa.Column("text", sa.String(600), nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("site_id", "template", "language"),
        **options,
    )


def downgrade() -> None:
    op.drop_table("message_texts")

"""The channels to patients: how an organisation sends messages."""

from typing import Any

import sqlalchemy as sa
from alembic import op

from server.store.collations import no_pad

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None


def upgrade() -> None:
    options: dict[str, Any] = {"mysql_engine": "InnoDB", "mysql_charset": "utf8mb4", "mysql_collate": no_pad(op.get_bind())}
    op.create_table(
        "channels",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), primary_key=True),
        sa.Column("organisation_id", sa.BigInteger(), nullable=False),
        sa.Column("way", sa.String(8), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("sealed", sa.Text()),
        sa.Column("receipts_hash", sa.String(64), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.Column("outcome", sa.String(16)),
        sa.Column("outcome_at", sa.BigInteger()),
        sa.Column("arrival", sa.String(20)),
        sa.Column("arrival_at", sa.BigInteger()),
        sa.Column("enabled_way", sa.String(8), sa.Computed("CASE WHEN enabled THEN way END", persisted=True)),
        sa.UniqueConstraint("receipts_hash", name="uq_channels_receipts_hash"),
        **options,
    )
    op.create_index("uq_channels_enabled", "channels", ["organisation_id", "enabled_way"], unique=True)


def downgrade() -> None:
    op.drop_table("channels")

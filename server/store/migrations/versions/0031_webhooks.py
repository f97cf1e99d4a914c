"""Webhooks: where other systems get the events of an organisation's sites, and how far each of them is."""

from typing import Any

import sqlalchemy as sa
from alembic import op

from server.store.collations import no_pad

revision = "0031"
down_revision = "0030"
branch_labels = None
depends_on = None


def upgrade() -> None:
    options: dict[str, Any] = {"mysql_engine": "InnoDB", "mysql_charset": "utf8mb4", "mysql_collate": no_pad(op.get_bind())}
    op.create_table(
        "webhooks",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), primary_key=True),
        sa.Column("organisation_id", sa.BigInteger(), nullable=False),
        sa.Column("url", sa.String(500), nullable=False),
        sa.Column("sealed", sa.Text(), nullable=False),
        sa.Column("state", sa.String(8), nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        **options,
    )
    op.create_index("ix_webhooks_organisation_id_id", "webhooks", ["organisation_id", "id"])
    op.create_table(
        "webhook_sites",
        sa.Column("webhook_id", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("site_id", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("next_at", sa.BigInteger()),
        sa.Column("failures", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("failing_since", sa.BigInteger()),
        sa.Column("off_at", sa.BigInteger()),
        sa.Column("error", sa.String(16)),
        **options,
    )
    op.create_index("ix_webhook_sites_next_at", "webhook_sites", ["next_at"])


def downgrade() -> None:
    op.drop_table("webhook_sites")
    op.drop_table("webhooks")

"""Lock-out after wrong passwords, API keys, pairing of devices, and the last refresh of each session."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

OPTIONS: dict[str, Any] = {"mysql_engine": "InnoDB", "mysql_charset": "utf8mb4", "mysql_collate": "utf8mb4_bin"}


def upgrade() -> None:
    own_id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_index("ix_staff_organisation_id", "staff", ["organisation_id"])
    op.add_column("sessions", sa.Column("rotated_at", sa.BigInteger()))
    op.create_table(
        "lockouts",
        sa.Column("subject", sa.String(64), primary_key=True),
        sa.Column("origin", sa.String(64), primary_key=True),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("failed_at", sa.BigInteger(), nullable=False),
        sa.Column("locked_until", sa.BigInteger(), nullable=False),
        **OPTIONS,
    )
    op.create_index("ix_lockouts_failed_at", "lockouts", ["failed_at"])
    op.create_table(
        "api_keys",
        sa.Column("id", own_id, primary_key=True),
        sa.Column("organisation_id", sa.BigInteger(), nullable=False),
        sa.Column("site_id", sa.BigInteger()),
        sa.Column("name", sa.String(80), nullable=False),
        sa.Column("key_hash", sa.String(64), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("last_used_at", sa.BigInteger()),
        sa.Column("revoked_at", sa.BigInteger()),
        sa.UniqueConstraint("key_hash", name="uq_api_keys_key_hash"),
        **OPTIONS,
    )
    op.create_index("ix_api_keys_organisation_id", "api_keys", ["organisation_id"])
    op.create_table(
        "pairings",
        sa.Column("id", own_id, primary_key=True),
        sa.Column("code_hash", sa.String(64), nullable=False),
        sa.Column("secret_hash", sa.String(64), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("device_id", sa.BigInteger()),
        sa.Column("sealed", sa.Text()),
        sa.UniqueConstraint("code_hash", name="uq_pairings_code_hash"),
        sa.UniqueConstraint("secret_hash", name="uq_pairings_secret_hash"),
        **OPTIONS,
    )
    op.create_index("ix_pairings_expires_at", "pairings", ["expires_at"])


def downgrade() -> None:
    for table in ("pairings", "api_keys", "lockouts"):
        op.drop_table(table)
    op.drop_column("sessions", "rotated_at")
    op.drop_index("ix_staff_organisation_id", "staff")

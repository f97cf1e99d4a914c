"""Proofs of rows, the census of tables, and the detail of an audited change.

Existing rows get no proof here, because a migration has no key: `server.store.proofs.prove_all` proves them afterwards.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

from server.store.collations import no_pad

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

PROVEN = ("sites", "events", "audit_chains", "staff", "sessions", "api_keys")


def upgrade() -> None:
    options: dict[str, Any] = {"mysql_engine": "InnoDB", "mysql_charset": "utf8mb4", "mysql_collate": no_pad(op.get_bind())}
    for table in PROVEN:
        op.add_column(table, sa.Column("proof", sa.String(64)))
    op.add_column("audit", sa.Column("detail", sa.String(120)))
    op.create_table(
        "census",
        sa.Column("name", sa.String(40), nullable=False),
        sa.Column("added", sa.BigInteger(), nullable=False),
        sa.Column("proof", sa.String(64)),
        sa.PrimaryKeyConstraint("name"),
        **options,
    )


def downgrade() -> None:
    op.drop_table("census")
    op.drop_column("audit", "detail")
    for table in PROVEN:
        op.drop_column(table, "proof")

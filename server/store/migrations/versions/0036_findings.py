"""The state of each part of the installation with its start, and the reports of server processes about themselves."""

from typing import Any

import sqlalchemy as sa
from alembic import op

from server.store.collations import no_pad

revision = "0036"
down_revision = "0035"
branch_labels = None
depends_on = None

INDEXES = (
    ("channels", ["enabled_way", "outcome"]),
    ("webhooks", ["state"]),
    ("webhook_sites", ["failing_since"]),
    ("displays", ["connected", "removed_at"]),
    ("kiosks", ["connected", "removed_at"]),
)


def upgrade() -> None:
    options: dict[str, Any] = {"mysql_engine": "InnoDB", "mysql_charset": "utf8mb4", "mysql_collate": no_pad(op.get_bind())}
    op.create_table(
        "findings",
        sa.Column("name", sa.String(40), nullable=False),
        sa.Column("code", sa.String(40), nullable=False),
        sa.Column("state", sa.String(8), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("state_since", sa.BigInteger(), nullable=False),
        sa.Column("told", sa.String(8), nullable=False),
        sa.Column("told_at", sa.BigInteger()),
        sa.PrimaryKeyConstraint("name"),
        **options,
    )
    op.add_column("processes", sa.Column("report", sa.JSON(none_as_null=True)))
    for table, columns in INDEXES:
        op.create_index(f"ix_{table}_{'_'.join(columns)}", table, columns)


def downgrade() -> None:
    for table, columns in INDEXES:
        op.drop_index(f"ix_{table}_{'_'.join(columns)}", table)
    op.drop_column("processes", "report")
    op.drop_table("findings")

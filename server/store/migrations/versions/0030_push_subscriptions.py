"""The push subscriptions of patients' phones."""

from typing import Any

import sqlalchemy as sa
from alembic import op

from server.store.collations import no_pad

revision = "0030"
down_revision = "0029"
branch_labels = None
depends_on = None


def upgrade() -> None:
    options: dict[str, Any] = {"mysql_engine": "InnoDB", "mysql_charset": "utf8mb4", "mysql_collate": no_pad(op.get_bind())}
    op.create_table(
        "push_subscriptions",
        sa.Column("subject_id", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("organisation_id", sa.BigInteger(), nullable=False),
        sa.Column("sealed", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        **options,
    )
    for column in ("organisation_id", "created_at"):
        op.create_index(f"ix_push_subscriptions_{column}", "push_subscriptions", [column])


def downgrade() -> None:
    op.drop_table("push_subscriptions")

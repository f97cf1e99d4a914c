"""The announced delay of a site, the delay that a message is about, and the feedback of patients."""

from typing import Any

import sqlalchemy as sa
from alembic import op

from server.store.collations import no_pad

revision = "0033"
down_revision = "0032"
branch_labels = None
depends_on = None


def upgrade() -> None:
    options: dict[str, Any] = {"mysql_engine": "InnoDB", "mysql_charset": "utf8mb4", "mysql_collate": no_pad(op.get_bind())}
    op.add_column("sites", sa.Column("late_minutes", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("sites", sa.Column("late_since", sa.BigInteger()))
    op.add_column("sites", sa.Column("late_number", sa.BigInteger(), nullable=False, server_default="0"))
    op.add_column("notifications", sa.Column("minutes", sa.Integer()))
    op.create_table(
        "feedback",
        sa.Column("visit_hash", sa.String(64), primary_key=True),
        sa.Column("site_id", sa.BigInteger(), nullable=False),
        sa.Column("day", sa.String(10), nullable=False),
        sa.Column("score", sa.Integer(), nullable=False),
        sa.Column("sealed", sa.Text()),
        **options,
    )
    op.create_index("ix_feedback_site_id_day", "feedback", ["site_id", "day"])


def downgrade() -> None:
    op.drop_table("feedback")
    op.drop_column("notifications", "minutes")
    for name in ("late_number", "late_since", "late_minutes"):
        op.drop_column("sites", name)

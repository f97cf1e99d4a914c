"""Paces and reactions of each queue; patients who leave, and the shifts of promises, of each site."""

import sqlalchemy as sa
from alembic import op

revision = "0042"
down_revision = "0041"
branch_labels = None
depends_on = None

_NEW = (("queues", "paces"), ("queues", "reactions"), ("habits", "leaves"), ("habits", "shifts"))


def upgrade() -> None:
    for table, column in _NEW:
        op.add_column(table, sa.Column(column, sa.JSON(none_as_null=True)))


def downgrade() -> None:
    for table, column in reversed(_NEW):
        op.drop_column(table, column)

"""The queues and the points whose calls a display shows; empty lists mean all."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

CHOICES = ("queue_ids", "point_ids")


def upgrade() -> None:
    for name in CHOICES:
        with op.batch_alter_table("displays") as batch:
            batch.add_column(sa.Column(name, sa.JSON()))
    op.execute("UPDATE displays SET queue_ids = '[]', point_ids = '[]'")
    for name in CHOICES:
        with op.batch_alter_table("displays") as batch:
            batch.alter_column(name, existing_type=sa.JSON(), nullable=False)


def downgrade() -> None:
    for name in reversed(CHOICES):
        op.drop_column("displays", name)

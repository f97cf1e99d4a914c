"""Languages as any tag of BCP 47, and names of services, queues and points in several languages."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

SPEAKING = ("sites", "visits")  # the tables with a column language


def upgrade() -> None:
    _resize(16, 35)


def downgrade() -> None:
    _resize(35, 16)


def _resize(before: int, after: int) -> None:
    for table in SPEAKING:
        with op.batch_alter_table(table) as batch:
            batch.alter_column("language", existing_type=sa.String(before), type_=sa.String(after), existing_nullable=False)

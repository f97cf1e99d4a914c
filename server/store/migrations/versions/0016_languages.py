"""Languages as any tag of BCP 47, and names of services, queues and points in several languages."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

SPEAKING = ("sites", "visits")  # the tables with a column language


NAMED = ("services", "queues", "points")


def upgrade() -> None:
    _resize(16, 35)
    for table in NAMED:
        op.add_column(table, sa.Column("names", sa.JSON()))
        op.execute(f"UPDATE {table} SET names = '[]'")  # noqa: S608  # nosec B608 # names of our own tables, no input
        with op.batch_alter_table(table) as batch:
            batch.alter_column("names", existing_type=sa.JSON(), nullable=False)


def downgrade() -> None:
    for table in NAMED:
        op.drop_column(table, "names")
    _resize(35, 16)


def _resize(before: int, after: int) -> None:
    for table in SPEAKING:
        with op.batch_alter_table(table) as batch:
            batch.alter_column("language", existing_type=sa.String(before), type_=sa.String(after), existing_nullable=False)

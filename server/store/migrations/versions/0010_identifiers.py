"""Text compares to its last character: MySQL and MariaDB no longer ignore spaces at its end. Display names get more room.

The collation `utf8mb4_bin` pads: "reception " equals "reception" in look-ups and unique keys. No row can conflict after the
change, because every text that differs now differed before or was refused.
"""

import sqlalchemy as sa
from alembic import op

from server.store.collations import no_pad

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

PADDED = "utf8mb4_bin"
SHOWN = ("visits", "events")  # the tables with a column display_name


def upgrade() -> None:
    _convert(no_pad(op.get_bind()))
    _widen(80, 160)


def downgrade() -> None:
    _widen(160, 80)
    _convert(PADDED)


def _convert(collation: str | None) -> None:
    connection = op.get_bind()
    if collation is None or connection.dialect.name == "sqlite":  # SQLite never pads
        return
    for table in sa.inspect(connection).get_table_names():
        connection.exec_driver_sql(f"ALTER TABLE `{table}` CONVERT TO CHARACTER SET utf8mb4 COLLATE {collation}")


def _widen(before: int, after: int) -> None:
    for table in SHOWN:
        with op.batch_alter_table(table) as batch:
            batch.alter_column(
                "display_name", existing_type=sa.String(before), type_=sa.String(after), existing_nullable=True
            )

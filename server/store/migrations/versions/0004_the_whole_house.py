"""Services, providers, kiosks, needs, rules, the inputs of quotes. Removed records stay as rows."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

OPTIONS: dict[str, Any] = {"mysql_engine": "InnoDB", "mysql_charset": "utf8mb4", "mysql_collate": "utf8mb4_bin"}
OLD = ("queues", "points", "displays")
NAMED = {"services": "public_name", "providers": "name", "kiosks": "name"} | dict.fromkeys(OLD, "name")
EMPTY_LISTS = (("points", "unmet_needs"), ("visits", "needs"))


def upgrade() -> None:
    for table, own in (
        ("services", [sa.Column("sealed", sa.Text())]),
        ("providers", []),
        ("kiosks", [sa.Column("token_hash", sa.String(64), unique=True)]),
    ):
        position = [] if table == "kiosks" else [sa.Column("position", sa.Integer(), nullable=False)]
        op.create_table(
            table,
            sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
            sa.Column("site_id", sa.BigInteger(), nullable=False),
            sa.Column(NAMED[table], sa.String(80), nullable=False),
            *position,
            *own,
            sa.Column("seq", sa.BigInteger(), nullable=False),
            sa.PrimaryKeyConstraint("id"),
            **OPTIONS,
        )
    op.add_column("queues", sa.Column("service_id", sa.BigInteger()))
    op.add_column("queues", sa.Column("capacity", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("queues", sa.Column("joins_anew", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("points", sa.Column("provider_id", sa.BigInteger()))
    for table, name in EMPTY_LISTS:
        op.add_column(table, sa.Column(name, sa.JSON()))
        op.execute(f"UPDATE {table} SET {name} = '[]'")  # noqa: S608  # nosec B608 # names of our own tables, no input
        with op.batch_alter_table(table) as batch:
            batch.alter_column(name, existing_type=sa.JSON(), nullable=False)
    op.add_column("sites", sa.Column("rules", sa.JSON()))
    op.execute("UPDATE sites SET rules = '{}'")
    with op.batch_alter_table("sites") as sites:
        sites.alter_column("rules", existing_type=sa.JSON(), nullable=False)
    with op.batch_alter_table("displays") as displays:
        displays.alter_column("token_hash", existing_type=sa.String(64), nullable=True)
    for table, name in NAMED.items():
        op.add_column(table, sa.Column("removed_at", sa.BigInteger(), nullable=False, server_default="0"))
        if table in OLD:
            op.drop_index(f"ix_{table}_site_id_name", table)
        op.create_index(f"ix_{table}_site_id_{name}_removed_at", table, ["site_id", name, "removed_at"], unique=True)
    # Not in batch: SQLite would copy the table, and lose its generated columns.
    for name, kind in (("provider_id", sa.BigInteger()), ("quoted_ahead", sa.Integer()), ("quoted_points", sa.Integer())):
        op.add_column("entries", sa.Column(name, kind))
    op.add_column("entries", sa.Column("first_called_at", sa.BigInteger()))
    op.add_column("entries", sa.Column("moved", sa.Boolean(), nullable=False, server_default=sa.false()))


def downgrade() -> None:
    for name in ("provider_id", "quoted_ahead", "quoted_points", "first_called_at", "moved"):
        op.drop_column("entries", name)
    for table in OLD:
        op.drop_index(f"ix_{table}_site_id_name_removed_at", table)
        op.create_index(f"ix_{table}_site_id_name", table, ["site_id", "name"], unique=True)
        op.drop_column(table, "removed_at")
    op.drop_column("sites", "rules")
    for table, name in EMPTY_LISTS:
        op.drop_column(table, name)
    op.drop_column("points", "provider_id")
    for name in ("service_id", "capacity", "joins_anew"):
        op.drop_column("queues", name)
    for table in ("services", "providers", "kiosks"):
        op.drop_table(table)

"""The health of each kiosk, its settings, and the request for help."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0018"
branch_labels = None
depends_on = None

PLAIN: tuple[tuple[str, sa.types.TypeEngine[Any]], ...] = (
    ("since", sa.BigInteger()),
    ("version", sa.String(40)),
    ("lag", sa.Integer()),
    ("heard_by", sa.String(32)),
    ("printer", sa.String(8)),
    ("help_asked_at", sa.BigInteger()),
    ("help_by", sa.String(80)),
)
FLAGS = ("connected", "low")
TEXTS = (("printing", 8, "none"), ("check_in", 8, "off"), ("place", 80, ""))


def upgrade() -> None:
    for name in FLAGS:
        op.add_column("kiosks", sa.Column(name, sa.Boolean(), nullable=False, server_default=sa.false()))
    for name, kind in PLAIN:
        op.add_column("kiosks", sa.Column(name, kind))
    for name, length, usual in TEXTS:
        op.add_column("kiosks", sa.Column(name, sa.String(length), nullable=False, server_default=usual))
    op.create_index("ix_kiosks_heard_by", "kiosks", ["heard_by"])
    with op.batch_alter_table("kiosks") as batch:
        batch.add_column(sa.Column("queue_ids", sa.JSON()))
    op.execute("UPDATE kiosks SET queue_ids = '[]'")
    with op.batch_alter_table("kiosks") as batch:
        batch.alter_column("queue_ids", existing_type=sa.JSON(), nullable=False)


def downgrade() -> None:
    op.drop_index("ix_kiosks_heard_by", "kiosks")
    for name in ("queue_ids", *(name for name, _, _ in TEXTS), *FLAGS, *(name for name, _ in PLAIN)):
        op.drop_column("kiosks", name)

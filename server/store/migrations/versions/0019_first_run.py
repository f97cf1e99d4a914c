"""The code of the first run, the milestones of a site, and patients of a trial."""

from typing import Any

import sqlalchemy as sa
from alembic import op

from server.store.collations import no_pad

revision = "0019"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    options: dict[str, Any] = {"mysql_engine": "InnoDB", "mysql_charset": "utf8mb4", "mysql_collate": no_pad(op.get_bind())}
    op.create_table(
        "setup_codes",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("code_hash", sa.String(64), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("wrong_tries", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        **options,
    )
    op.create_index("ix_staff_role_active", "staff", ["role", "active"])
    op.add_column("visits", sa.Column("trial", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("sites", sa.Column("milestones", sa.JSON()))
    # Sites from before are in use: nobody needs the list of first steps there.
    op.execute("UPDATE sites SET milestones = '[\"checklist-hidden\"]'")
    with op.batch_alter_table("sites") as batch:
        batch.alter_column("milestones", existing_type=sa.JSON(), nullable=False)


def downgrade() -> None:
    op.drop_column("sites", "milestones")
    op.drop_column("visits", "trial")
    op.drop_index("ix_staff_role_active", "staff")
    op.drop_table("setup_codes")

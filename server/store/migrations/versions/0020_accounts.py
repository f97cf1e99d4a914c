"""Second factors, recovery codes, links of accounts, the last sign-in of a member, and the browser of a session."""

from typing import Any

import sqlalchemy as sa
from alembic import op

from server.store.collations import no_pad

revision = "0020"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    options: dict[str, Any] = {"mysql_engine": "InnoDB", "mysql_charset": "utf8mb4", "mysql_collate": no_pad(op.get_bind())}
    own_id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.add_column("staff", sa.Column("signed_in_at", sa.BigInteger()))
    op.add_column("sessions", sa.Column("browser", sa.String(20)))
    op.add_column("sessions", sa.Column("platform", sa.String(20)))
    op.create_table(
        "second_factors",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("sealed", sa.Text()),
        sa.Column("pending", sa.Text()),
        sa.Column("confirmed_at", sa.BigInteger()),
        sa.Column("last_step", sa.BigInteger(), nullable=False, server_default="0"),
        sa.Column("proof", sa.String(64)),
        sa.PrimaryKeyConstraint("id"),
        **options,
    )
    op.create_table(
        "recovery_codes",
        sa.Column("staff_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("code_hash", sa.String(64), nullable=False),
        sa.Column("used_at", sa.BigInteger()),
        sa.PrimaryKeyConstraint("staff_id", "code_hash"),
        **options,
    )
    op.create_table(
        "account_links",
        sa.Column("id", own_id, primary_key=True),
        sa.Column("organisation_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(12), nullable=False),
        sa.Column("staff_id", sa.BigInteger()),
        sa.Column("username", sa.String(80)),
        sa.Column("role", sa.String(16)),
        sa.Column("secret_hash", sa.String(64), nullable=False),
        sa.Column("made_by", sa.String(40), nullable=False),
        sa.Column("made_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("used_at", sa.BigInteger()),
        sa.Column("revoked_at", sa.BigInteger()),
        sa.Column("proof", sa.String(64)),
        sa.UniqueConstraint("secret_hash", name="uq_account_links_secret_hash"),
        **options,
    )
    op.create_index("ix_account_links_organisation_id_kind", "account_links", ["organisation_id", "kind"])
    op.create_index("ix_account_links_staff_id_kind", "account_links", ["staff_id", "kind"])


def downgrade() -> None:
    for table in ("account_links", "recovery_codes", "second_factors"):
        op.drop_table(table)
    op.drop_column("sessions", "platform")
    op.drop_column("sessions", "browser")
    op.drop_column("staff", "signed_in_at")

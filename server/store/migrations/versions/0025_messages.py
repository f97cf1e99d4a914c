"""Messages about appointments, their last useful instant, tries, receipts and repeats; and leases of shared work."""

from typing import Any

import sqlalchemy as sa
from alembic import op

from server.store.collations import no_pad

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None

ONCE = ["subject", "subject_version", "kind", "ahead", "channel"]
COLUMNS: tuple[tuple[str, sa.types.TypeEngine[Any]], ...] = (
    ("appointment_id", sa.BigInteger()),
    ("provider_id", sa.String(120)),
    ("reason", sa.String(40)),
    ("receipt", sa.String(24)),
    ("receipt_at", sa.BigInteger()),
)


def upgrade() -> None:
    options: dict[str, Any] = {"mysql_engine": "InnoDB", "mysql_charset": "utf8mb4", "mysql_collate": no_pad(op.get_bind())}
    op.drop_index("ix_notifications_state_due_at", "notifications")
    op.drop_index("uq_notifications_once", "notifications")
    with op.batch_alter_table("notifications") as batch:
        for name in ("visit_id", "entry_id"):
            batch.alter_column(name, existing_type=sa.BigInteger(), nullable=True)
        for name, kind in COLUMNS:
            batch.add_column(sa.Column(name, kind))
        batch.add_column(sa.Column("not_after", sa.BigInteger()))
        for name, whole in (("attempts", sa.Integer()), ("resend_of", sa.BigInteger())):
            batch.add_column(sa.Column(name, whole, nullable=False, server_default="0"))
    # Until now a row named its channel, and each row was sent to a phone within minutes.
    op.execute("UPDATE notifications SET channel = 'sms', not_after = due_at + 1800000000")
    with op.batch_alter_table("notifications") as batch:
        batch.alter_column("not_after", existing_type=sa.BigInteger(), nullable=False)
        still_open = sa.Computed("CASE WHEN state IN ('due', 'claimed') THEN due_at END", persisted=True)
        batch.add_column(sa.Column("open_due_at", sa.BigInteger(), still_open))
    op.create_index("uq_notifications_once", "notifications", [*ONCE, "resend_of"], unique=True)
    op.create_index("ix_notifications_open_due_at_id", "notifications", ["open_due_at", "id"])
    op.create_index("ix_notifications_state_changed_at", "notifications", ["state", "changed_at"])
    op.create_index("ix_notifications_provider_id", "notifications", ["provider_id"])
    op.create_table(
        "leases",
        sa.Column("name", sa.String(40), nullable=False),
        sa.Column("holder", sa.String(32), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.Column("finished_at", sa.BigInteger()),
        sa.PrimaryKeyConstraint("name"),
        **options,
    )


def downgrade() -> None:
    op.drop_table("leases")
    for index in ("uq_notifications_once", "ix_notifications_open_due_at_id"):
        op.drop_index(index, "notifications")
    for index in ("ix_notifications_state_changed_at", "ix_notifications_provider_id"):
        op.drop_index(index, "notifications")
    op.execute("DELETE FROM notifications WHERE resend_of <> 0 OR visit_id IS NULL OR entry_id IS NULL")
    with op.batch_alter_table("notifications") as batch:
        batch.drop_column("open_due_at")
        for name in ("resend_of", "attempts", "not_after", *(name for name, _ in COLUMNS)):
            batch.drop_column(name)
        for name in ("visit_id", "entry_id"):
            batch.alter_column(name, existing_type=sa.BigInteger(), nullable=False)
    op.create_index("uq_notifications_once", "notifications", ONCE, unique=True)
    op.create_index("ix_notifications_state_due_at", "notifications", ["state", "due_at"])

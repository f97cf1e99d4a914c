"""Indexes for the list of a site's messages: all, those in one state, and those about one appointment."""

from alembic import op

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None

KEYS = (["site_id", "due_at", "id"], ["site_id", "state", "due_at", "id"], ["appointment_id", "due_at", "id"])


def upgrade() -> None:
    for columns in KEYS:
        op.create_index(f"ix_notifications_{'_'.join(columns)}", "notifications", columns)


def downgrade() -> None:
    for columns in KEYS:
        op.drop_index(f"ix_notifications_{'_'.join(columns)}", "notifications")

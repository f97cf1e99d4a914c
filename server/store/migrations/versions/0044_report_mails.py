"""The monthly reports by mail, and the mark of calls and services across an outage."""

from typing import Any

import sqlalchemy as sa
from alembic import op

from server.store.collations import no_pad

revision = "0044"
down_revision = "0043"
branch_labels = None
depends_on = None

_BUSY = ("called", "serving")


def upgrade() -> None:
    options: dict[str, Any] = {"mysql_engine": "InnoDB", "mysql_charset": "utf8mb4", "mysql_collate": no_pad(op.get_bind())}
    op.create_table(
        "report_readers",
        sa.Column("site_id", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("address_hash", sa.String(64), primary_key=True),
        sa.Column("sealed", sa.Text(), nullable=False),
        sa.Column("language", sa.String(2), nullable=False),
        sa.Column("hour", sa.Integer(), nullable=False),
        sa.Column("asked_by", sa.String(40), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        **options,
    )
    op.create_table(
        "report_mails",
        sa.Column("key", sa.String(64), primary_key=True),
        sa.Column("site_id", sa.BigInteger(), nullable=False),
        sa.Column("month", sa.String(7), nullable=False),
        sa.Column("address_hash", sa.String(64), nullable=False),
        sa.Column("sealed", sa.Text()),
        sa.Column("language", sa.String(2), nullable=False),
        sa.Column("asked_by", sa.String(40), nullable=False),
        sa.Column("monthly", sa.Boolean(), nullable=False),
        sa.Column("state", sa.String(12), nullable=False),
        sa.Column("reason", sa.String(40)),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.Column("not_after", sa.BigInteger(), nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        **options,
    )
    op.create_index("ix_report_mails_state", "report_mails", ["state", "due_at"])
    op.create_index("ix_report_mails_site_id", "report_mails", ["site_id", "changed_at"])
    op.add_column("intervals", sa.Column("doubted", sa.Boolean(), nullable=False, server_default=sa.false()))
    _mark_past_intervals()


def _mark_past_intervals() -> None:
    """Mark the calls and services that a recorded doubt was about: until the patient left the point."""
    connection = op.get_bind()
    events = sa.table("events", sa.column("seq"), sa.column("entry_id"), sa.column("type"))
    intervals = sa.table(
        "intervals", *(sa.column(name) for name in ("entry_id", "ended_by", "state")), sa.column("doubted", sa.Boolean())
    )
    doubts = connection.execute(sa.select(events.c.entry_id, events.c.seq).where(events.c.type == "entry-doubted"))
    for entry_id, seq in doubts.all():
        later = sa.select(intervals.c.ended_by, intervals.c.state).where(
            intervals.c.entry_id == entry_id, intervals.c.ended_by > seq
        )
        for ended_by, state in connection.execute(later.order_by(intervals.c.ended_by)).all():
            if state not in _BUSY:
                break
            mine = intervals.c.entry_id == entry_id, intervals.c.ended_by == ended_by
            connection.execute(sa.update(intervals).where(*mine).values(doubted=True))


def downgrade() -> None:
    op.drop_column("intervals", "doubted")
    op.drop_table("report_mails")
    op.drop_table("report_readers")

"""Appointments: schedules, exceptions, practitioners, and the cells that appointments take."""

from typing import Any

import sqlalchemy as sa
from alembic import op

from server.store.collations import no_pad

revision = "0023"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    options: dict[str, Any] = {"mysql_engine": "InnoDB", "mysql_charset": "utf8mb4", "mysql_collate": no_pad(op.get_bind())}
    op.create_table(
        "practitioners",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("organisation_id", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.String(80), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        **options,
    )
    op.create_table(
        "schedules",
        sa.Column("id", sa.BigInteger(), nullable=False, autoincrement=False),
        sa.Column("site_id", sa.BigInteger(), nullable=False),
        sa.Column("provider_id", sa.BigInteger(), nullable=False),
        sa.Column("service_ids", sa.JSON(), nullable=False),
        sa.Column("weekday", sa.Integer(), nullable=False),
        sa.Column("from_minute", sa.Integer(), nullable=False),
        sa.Column("until_minute", sa.Integer(), nullable=False),
        sa.Column("slot_minutes", sa.Integer(), nullable=False),
        sa.Column("capacity", sa.Integer(), nullable=False),
        sa.Column("every_n_weeks", sa.Integer(), nullable=False),
        sa.Column("anchor_date", sa.String(10), nullable=False),
        sa.Column("valid_from", sa.String(10), nullable=False),
        sa.Column("valid_until", sa.String(10)),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("point_id", sa.BigInteger()),
        sa.Column("buffer_minutes", sa.Integer(), nullable=False),
        sa.Column("notice_minutes", sa.Integer(), nullable=False),
        sa.Column("days_ahead", sa.Integer(), nullable=False),
        sa.Column("opens_before", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        **options,
    )
    op.create_table(
        "exceptions",
        sa.Column("id", sa.BigInteger(), nullable=False, autoincrement=False),
        sa.Column("site_id", sa.BigInteger(), nullable=False),
        sa.Column("provider_id", sa.BigInteger()),
        sa.Column("date", sa.String(10), nullable=False),
        sa.Column("kind", sa.String(8), nullable=False),
        sa.Column("from_minute", sa.Integer(), nullable=False),
        sa.Column("until_minute", sa.Integer(), nullable=False),
        sa.Column("reason", sa.String(200), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("service_ids", sa.JSON(), nullable=False),
        sa.Column("slot_minutes", sa.Integer(), nullable=False),
        sa.Column("capacity", sa.Integer(), nullable=False),
        sa.Column("point_id", sa.BigInteger()),
        sa.Column("buffer_minutes", sa.Integer(), nullable=False),
        sa.Column("removed_at", sa.BigInteger(), nullable=False, server_default="0"),
        sa.PrimaryKeyConstraint("id"),
        **options,
    )
    op.create_table(
        "appointments",
        sa.Column("id", sa.BigInteger(), nullable=False, autoincrement=False),
        sa.Column("site_id", sa.BigInteger(), nullable=False),
        sa.Column("business_day", sa.String(10)),
        sa.Column("service_id", sa.BigInteger(), nullable=False),
        sa.Column("provider_id", sa.BigInteger(), nullable=False),
        sa.Column("resource_id", sa.BigInteger(), nullable=False),
        sa.Column("point_id", sa.BigInteger()),
        sa.Column("state", sa.String(12), nullable=False),
        sa.Column("local_start", sa.String(16), nullable=False),
        sa.Column("fold", sa.Integer(), nullable=False),
        sa.Column("zone", sa.String(64), nullable=False),
        sa.Column("minutes", sa.Integer(), nullable=False),
        sa.Column("buffer_minutes", sa.Integer(), nullable=False),
        sa.Column("starts_at", sa.BigInteger(), nullable=False),
        sa.Column("ends_at", sa.BigInteger(), nullable=False),
        sa.Column("tz_version", sa.String(16), nullable=False),
        sa.Column("lane", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("token_hash", sa.String(64), nullable=False),
        sa.Column("sealed", sa.Text()),
        sa.Column("language", sa.String(35), nullable=False),
        sa.Column("booked_at", sa.BigInteger(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("needs", sa.JSON(), nullable=False),
        sa.Column("phone_hash", sa.String(64)),
        sa.Column("held_until", sa.BigInteger()),
        sa.Column("held_by", sa.String(64)),
        sa.Column("held_from", sa.String(64)),
        sa.Column("extended", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.Column("overbooked", sa.String(200)),
        sa.Column("freed_from", sa.BigInteger()),
        sa.Column("visit_id", sa.BigInteger()),
        sa.Column("series_id", sa.BigInteger()),
        sa.Column("foreign_id", sa.String(80)),
        sa.Column("ended_by", sa.String(8)),
        sa.Column("late", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.Column("earlier_since", sa.BigInteger()),
        sa.Column("offered_to", sa.BigInteger()),
        sa.Column("collides", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("token_hash", name=op.f("uq_appointments_token_hash")),
        **options,
    )
    op.create_table(
        "busy_cells",
        sa.Column("resource_id", sa.BigInteger(), nullable=False, autoincrement=False),
        sa.Column("cell", sa.BigInteger(), nullable=False, autoincrement=False),
        sa.Column("lane", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("site_id", sa.BigInteger(), nullable=False),
        sa.Column("appointment_id", sa.BigInteger(), nullable=False),
        sa.Column("held_until", sa.BigInteger()),
        sa.PrimaryKeyConstraint("resource_id", "cell", "lane"),
        **options,
    )
    op.create_index("ix_practitioners_organisation_id_name", "practitioners", ["organisation_id", "name"], unique=True)
    op.create_index("ix_schedules_site_id_valid_until", "schedules", ["site_id", "valid_until"])
    op.create_index("ix_exceptions_site_id_removed_at_date", "exceptions", ["site_id", "removed_at", "date"])
    op.create_index("ix_appointments_site_id_business_day", "appointments", ["site_id", "business_day"])
    op.create_index("ix_appointments_site_id_starts_at", "appointments", ["site_id", "starts_at"])
    op.create_index("ix_appointments_provider_id_starts_at", "appointments", ["provider_id", "starts_at"])
    op.create_index("ix_appointments_phone_hash_starts_at", "appointments", ["phone_hash", "starts_at"])
    op.create_index("ix_appointments_site_id_state_held_until", "appointments", ["site_id", "state", "held_until"])
    op.create_index("ix_appointments_site_id_foreign_id", "appointments", ["site_id", "foreign_id"], unique=True)
    op.create_index("ix_appointments_provider_id_earlier_since", "appointments", ["provider_id", "earlier_since"])
    op.create_index("ix_appointments_offered_to", "appointments", ["offered_to"])
    op.create_index("ix_appointments_zone_data", "appointments", ["site_id", "zone", "tz_version", "state", "starts_at"])
    op.create_index("ix_appointments_series_id", "appointments", ["series_id"])
    op.create_index("ix_busy_cells_appointment_id", "busy_cells", ["appointment_id"])
    op.create_index("ix_busy_cells_site_id_cell", "busy_cells", ["site_id", "cell"])
    op.add_column("providers", sa.Column("practitioner_id", sa.BigInteger()))
    op.create_index("ix_providers_practitioner_id", "providers", ["practitioner_id"])
    op.add_column("visits", sa.Column("appointment_id", sa.BigInteger()))
    op.add_column("visits", sa.Column("booked_for", sa.BigInteger()))


def downgrade() -> None:
    op.drop_column("visits", "booked_for")
    op.drop_column("visits", "appointment_id")
    op.drop_index("ix_providers_practitioner_id", "providers")
    op.drop_column("providers", "practitioner_id")
    for table in ("busy_cells", "appointments", "exceptions", "schedules", "practitioners"):
        op.drop_table(table)

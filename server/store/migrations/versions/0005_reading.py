"""For reading: the entries that each event of the log changed, and keys in the order of the lists."""

import json
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

EVENTS_AT_ONCE = 20_000
OPTIONS: dict[str, Any] = {"mysql_engine": "InnoDB", "mysql_charset": "utf8mb4", "mysql_collate": "utf8mb4_bin"}
OF_SEVERAL = ("provider-reassigned", "entry-moved", "day-turned")


def upgrade() -> None:
    op.add_column("events", sa.Column("entry_id", sa.BigInteger()))
    op.create_table(
        "event_entries",
        sa.Column("entry_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("entry_id", "seq"),
        **OPTIONS,
    )
    _fill()
    op.execute(
        "UPDATE entries SET first_called_at = COALESCE((SELECT MIN(intervals.started_at) FROM intervals WHERE "
        "intervals.entry_id = entries.id AND intervals.state = 'called'), called_at) "
        "WHERE first_called_at IS NULL AND called_at IS NOT NULL"
    )
    op.create_index(op.f("ix_events_entry_id"), "events", ["entry_id"])
    op.drop_index(op.f("ix_entries_site_id_business_day"), "entries")
    op.create_index(op.f("ix_entries_site_id_business_day_id"), "entries", ["site_id", "business_day", "id"])
    op.create_index(op.f("ix_entries_site_id_state_id"), "entries", ["site_id", "state", "id"])
    op.create_index(op.f("ix_entries_queue_id_id"), "entries", ["queue_id", "id"])
    op.create_index(op.f("ix_entries_queue_id_state_id"), "entries", ["queue_id", "state", "id"])
    op.drop_index(op.f("ix_sites_organisation_id"), "sites")
    op.create_index(op.f("ix_sites_organisation_id_name_id"), "sites", ["organisation_id", "name", "id"])


def _fill() -> None:
    """Name the entries of every event, from its body, in batches: no statement locks a whole log."""
    connection = op.get_bind()
    heads = connection.execute(sa.text("SELECT site_id, MAX(seq) FROM events GROUP BY site_id")).all()
    some = "site_id = :site AND seq > :low AND seq <= :high"
    fill = sa.text(
        f"UPDATE events SET entry_id = JSON_EXTRACT(body, '$.entry_id') WHERE {some}"  # noqa: S608  # nosec B608 # no input
    )
    of_several = sa.text(
        f"SELECT seq, body FROM events WHERE {some} AND type IN :kinds"  # noqa: S608  # nosec B608 # no input
    )
    of_several = of_several.bindparams(sa.bindparam("kinds", OF_SEVERAL, expanding=True))
    insert = sa.text("INSERT INTO event_entries (entry_id, seq) VALUES (:entry_id, :seq)")
    for site, head in heads:
        for low in range(0, head, EVENTS_AT_ONCE):
            part = {"site": site, "low": low, "high": low + EVENTS_AT_ONCE}
            connection.execute(fill, part)
            found = connection.execute(of_several, part).all()
            rows = [{"entry_id": entry_id, "seq": seq} for seq, body in found for entry_id in _others(json.loads(body))]
            if rows:
                connection.execute(insert, rows)


def _others(body: dict[str, Any]) -> list[int]:
    pushed = [entry_id for entry_id, _ in body.get("pushed", ())]
    return [*pushed, *body.get("entry_ids", ()), *body.get("carried", ())]


def downgrade() -> None:
    op.drop_index(op.f("ix_sites_organisation_id_name_id"), "sites")
    op.create_index(op.f("ix_sites_organisation_id"), "sites", ["organisation_id"])
    op.drop_index(op.f("ix_entries_queue_id_state_id"), "entries")
    op.drop_index(op.f("ix_entries_queue_id_id"), "entries")
    op.drop_index(op.f("ix_entries_site_id_state_id"), "entries")
    op.drop_index(op.f("ix_entries_site_id_business_day_id"), "entries")
    op.create_index(op.f("ix_entries_site_id_business_day"), "entries", ["site_id", "business_day"])
    op.drop_index(op.f("ix_events_entry_id"), "events")
    op.drop_table("event_entries")
    op.drop_column("events", "entry_id")

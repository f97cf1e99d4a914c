"""The log becomes a hash chain. Adds the audit of access, and keyed hashes for the search of past patients.

Existing events are chained as they are. The display name moves from their bodies to a column of its own, so that
retention can clear it.
"""

import hashlib
from typing import Any

import orjson
import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

BATCH = 1000
OPTIONS: dict[str, Any] = {"mysql_engine": "InnoDB", "mysql_charset": "utf8mb4", "mysql_collate": "utf8mb4_bin"}
SITES = sa.table("sites", sa.column("id"), sa.column("chain"))
EVENTS = sa.table(
    "events",
    *(sa.column(name) for name in ("site_id", "seq", "at", "type", "actor", "command_id", "body", "hash", "display_name")),
)


def upgrade() -> None:
    op.add_column("sites", sa.Column("chain", sa.String(64)))
    op.add_column("events", sa.Column("hash", sa.String(64)))
    op.add_column("events", sa.Column("display_name", sa.String(80)))
    connection = op.get_bind()
    for site_id in list(connection.scalars(sa.select(SITES.c.id))):
        head = _chain(connection, site_id)
        connection.execute(sa.update(SITES).where(SITES.c.id == site_id).values(chain=head))
    for table, column in (("sites", "chain"), ("events", "hash")):
        with op.batch_alter_table(table) as batch:
            batch.alter_column(column, existing_type=sa.String(64), nullable=False)
    op.create_table(
        "visit_search",
        sa.Column("site_id", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("kind", sa.String(16), primary_key=True),
        sa.Column("hash", sa.String(64), primary_key=True),
        sa.Column("visit_id", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("business_day", sa.String(10), nullable=False),
        **OPTIONS,
    )
    op.create_index("ix_visit_search_visit_id", "visit_search", ["visit_id"])
    op.create_table(
        "audit_chains",
        sa.Column("id", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("process", sa.String(120), nullable=False),
        sa.Column("n", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
        **OPTIONS,
    )
    op.create_table(
        "audit",
        sa.Column("chain_id", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("n", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("actor", sa.String(40), nullable=False),
        sa.Column("action", sa.String(40), nullable=False),
        sa.Column("subject", sa.String(120), nullable=False),
        sa.Column("site_id", sa.BigInteger()),
        sa.Column("organisation_id", sa.BigInteger()),
        sa.Column("address", sa.String(64)),
        sa.Column("allowed", sa.Boolean(), nullable=False),
        sa.Column("request_id", sa.String(64), nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
        **OPTIONS,
    )
    for owner in ("organisation_id", "site_id"):
        op.create_index(f"ix_audit_{owner}_at_chain_id_n", "audit", [owner, "at", "chain_id", "n"])


def downgrade() -> None:
    connection = op.get_bind()
    named = sa.select(EVENTS.c.site_id, EVENTS.c.seq, EVENTS.c.body, EVENTS.c.display_name)
    for row in connection.execute(named.where(EVENTS.c.display_name.is_not(None))).all():
        body = orjson.dumps(orjson.loads(row.body) | {"display_name": row.display_name}).decode()
        connection.execute(_update(row.site_id, row.seq).values(body=body))
    for table in ("audit", "audit_chains", "visit_search"):
        op.drop_table(table)
    op.drop_column("events", "display_name")
    op.drop_column("events", "hash")
    op.drop_column("sites", "chain")


def _chain(connection: sa.Connection, site_id: int) -> str:
    """Chain a site's events in batches, as `server.store` did at the time of this migration; return the last link."""
    head, seq = "0" * 64, 0
    while True:
        batch = connection.execute(
            sa.select(EVENTS).where(EVENTS.c.site_id == site_id, EVENTS.c.seq > seq).order_by(EVENTS.c.seq).limit(BATCH)
        ).all()
        for row in batch:
            seq, body, name = row.seq, row.body, None
            if '"display_name"' in body:
                values = orjson.loads(body)
                name, values["display_name"] = values["display_name"], None
                body = orjson.dumps(values).decode()
            link = [head, site_id, seq, row.at, row.type, row.actor, row.command_id, body]
            head = hashlib.sha256(orjson.dumps(link)).hexdigest()
            connection.execute(_update(site_id, seq).values(body=body, display_name=name, hash=head))
        if len(batch) < BATCH:
            return head


def _update(site_id: int, seq: int) -> sa.Update:
    return sa.update(EVENTS).where(EVENTS.c.site_id == site_id, EVENTS.c.seq == seq)

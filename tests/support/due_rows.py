"""Many due messages at once: a patient, a waiting entry and a row for each, written without commands."""

from __future__ import annotations

from typing import Any

from sqlalchemy import insert

from server.domain.model import Personal
from server.domain.model.ids import IDS_PER_SITE
from server.seeding import Seed
from server.store import notifications
from server.store.database import Database
from server.store.notifications import Planned
from server.store.tables import entries, visits
from server.vault import Vault

FIRST = 500_000_000  # the first number of these records at their site, far above those of commands
PER_STATEMENT = 2_000
USEFUL = 30 * 60_000_000  # microseconds


async def fill(database: Database, vault: Vault, seeded: Seed, count: int, **other: Any) -> None:
    """Add ``count`` messages "almost your turn" that are due now, each to another patient, with ``other`` values."""
    site_id, now = seeded["site_id"], await database.now()
    for begin in range(0, count, PER_STATEMENT):
        numbers = range(begin, min(count, begin + PER_STATEMENT))
        ids = [site_id * IDS_PER_SITE + FIRST + number for number in numbers]
        async with database.write() as connection:
            await connection.execute(insert(visits), [_visit(vault, site_id, each) for each in ids])
            queue_id = seeded["queue_ids"][0]
            await connection.execute(insert(entries), [entry(site_id, queue_id, each, now) for each in ids])
            await connection.run_sync(notifications.plan, [message(each, now, **other) for each in ids], now)


def message(identifier: int, now: int, /, **other: Any) -> Planned:
    """Return the row of an entry's first message, due ``now`` (microseconds), with ``other`` values."""
    values: dict[str, Any] = {
        "site_id": identifier // IDS_PER_SITE,
        "subject": f"entry:{identifier}",
        "subject_version": 0,
        "kind": "almost-your-turn",
        "ahead": 2,
        "channel": "sms",
        "due_at": now,
        "not_after": now + USEFUL,
        "visit_id": identifier,
        "entry_id": identifier,
    }
    return Planned(**(values | other))


def _visit(vault: Vault, site_id: int, identifier: int) -> dict[str, Any]:
    number = identifier % IDS_PER_SITE
    mail = f"patient{number}@example.org"
    personal = Personal(phone=f"+4917{number:09d}", email=mail, token=f"{site_id}-{identifier}")
    return {
        "id": identifier,
        "site_id": site_id,
        "business_day": "2026-01-01",
        "label": f"A{identifier % IDS_PER_SITE}",
        "priority": "standard",
        "party_size": 1,
        "language": "en",
        "token_hash": f"due-{identifier}",
        "sealed": vault.seal_personal(personal, f"visit:{identifier}"),
        "opened_at": 0,
        "seq": 0,
        "needs": [],
    }


def entry(site_id: int, queue_id: int, identifier: int, now: int) -> dict[str, Any]:
    """Return the columns of a waiting entry, which has the id of its visit."""
    return {
        "id": identifier,
        "site_id": site_id,
        "business_day": "2026-01-01",
        "visit_id": identifier,
        "queue_id": queue_id,
        "state": "waiting",
        "band": 0,
        "place": identifier,
        "due_at": now,
        "calls": 0,
        "since": now,
        "estimating": False,
        "seq": 0,
    }

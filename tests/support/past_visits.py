"""Past visits, inserted directly into the tables: commands would take too long to create that many."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import orjson
from sqlalchemy import insert, update
from sqlalchemy.ext.asyncio import AsyncConnection

from server.domain.model import State
from server.domain.model.ids import IDS_PER_SITE
from server.store.tables import entries, events, intervals, sites, visits

SECOND = 1_000_000
FIRST_ID = 100_000  # of the site's own ids; seeded records have lower ones
ROWS_AT_ONCE = 2_000
_UNCALLED: dict[State, tuple[str, dict[str, Any]]] = {
    "left": ("entry-left", {}),
    "cancelled": ("entry-cancelled", {"reason": "the room is closed"}),
    "expired": ("entry-expired", {"was": "waiting"}),
}
_ENDS: tuple[State, ...] = (*("completed",) * 16, "no_show", "left", "cancelled", "expired")


@dataclass(frozen=True)
class PastEntry:
    """An entry of a past day, as queries should return it. Instants and durations are in microseconds."""

    id: int
    visit_id: int
    business_day: str
    label: str
    queue_id: int
    state: State
    joined_at: int
    waited: int
    called_at: int | None
    walked: int | None
    served: int | None
    quoted_from: int
    quoted_until: int


def days_before(day: str, count: int) -> list[str]:
    """Return the ``count`` days before ``day``, in order."""
    return [(date.fromisoformat(day) - timedelta(days=back)).isoformat() for back in range(count, 0, -1)]


async def fill(
    connection: AsyncConnection, site_id: int, queue_ids: Sequence[int], point_id: int, days: Sequence[str], per_day: int
) -> list[PastEntry]:
    """Insert ``per_day`` past visits of one stage on each of ``days``, with intervals and events; return their entries.

    The site's ids and event numbers continue after them. So no server may hold a board of this site yet.
    """
    made: list[PastEntry] = []
    rows: dict[Any, list[dict[str, Any]]] = {visits: [], entries: [], intervals: [], events: []}
    seq = FIRST_ID
    for past in _past(site_id, queue_ids, days, per_day):
        made.append(past)
        steps = list(_steps(past))
        seq += len(steps)
        for table, row in _rows(past, steps, site_id, point_id, seq - len(steps)):
            rows[table].append(row)
    for table, several in rows.items():
        for at in range(0, len(several), ROWS_AT_ONCE):
            await connection.execute(insert(table), several[at : at + ROWS_AT_ONCE])
    await connection.execute(
        update(sites).where(sites.c.id == site_id).values(last_id=FIRST_ID + 2 * len(made) + 2, seq=seq)
    )
    return made


def _past(site_id: int, queue_ids: Sequence[int], days: Sequence[str], per_day: int) -> Iterator[PastEntry]:
    dice = random.Random(site_id)
    base = site_id * IDS_PER_SITE + FIRST_ID
    for index in range(len(days) * per_day):
        day, number = days[index // per_day], index % per_day
        opens = int(datetime.fromisoformat(f"{day}T08:00").replace(tzinfo=UTC).timestamp()) * SECOND
        joined = opens + number * 36_000 * SECOND // per_day
        state = dice.choice(_ENDS)
        called = state in ("completed", "no_show")
        waited = dice.randrange(30, 3_600) * SECOND + dice.randrange(SECOND)
        promised = joined + dice.randrange(1, 40) * 60 * SECOND
        yield PastEntry(
            id=base + 2 * index + 1,
            visit_id=base + 2 * index,
            business_day=day,
            label=f"A{number + 1:03d}",
            queue_id=dice.choice(queue_ids),
            state=state,
            joined_at=joined,
            waited=waited,
            called_at=joined + waited if called else None,
            walked=dice.randrange(5, 240) * SECOND if called else None,
            served=dice.randrange(60, 1_800) * SECOND if state == "completed" else None,
            quoted_from=promised,
            quoted_until=promised + dice.randrange(1, 30) * 60 * SECOND,
        )


def _steps(past: PastEntry) -> Iterator[tuple[str, State, int, dict[str, Any]]]:
    """Yield each step: the event's name, the state that it ended, that state's duration, the event's values."""
    named = {"entry_id": past.id, "label": past.label}
    called = past.called_at is not None
    if called:
        yield "ticket-called", "waiting", past.waited, named | {"reason": f"{past.label}: the only one waiting"}
    if past.served is not None:
        yield "service-started", "called", past.walked or 0, named
        yield "service-completed", "serving", past.served, named
    elif called:
        yield "no-show-recorded", "called", past.walked or 0, named
    else:
        name, more = _UNCALLED[past.state]
        yield name, "waiting", past.waited, named | more


def _rows(
    past: PastEntry, steps: list[tuple[str, State, int, dict[str, Any]]], site_id: int, point_id: int, seq: int
) -> Iterator[tuple[Any, dict[str, Any]]]:
    common = {"site_id": site_id, "business_day": past.business_day}
    at = past.joined_at
    for name, state, length, body in steps:
        seq += 1
        placed = point_id if past.called_at is not None else None
        if placed and name in ("ticket-called", "service-started", "service-completed", "no-show-recorded"):
            body = body | {"point_id": point_id}
        if name == "ticket-called":
            body = body | {"announcement_id": past.visit_id}
        yield intervals, {
            "entry_id": past.id, "ended_by": seq, "site_id": site_id, "state": state, "started_at": at,
            "ended_at": at + length, "point_id": placed, "actor": "staff:1",
        }  # fmt: skip
        at += length
        yield events, {
            "hash": "",  # no test verifies this chain
            "site_id": site_id, "seq": seq, "at": at, "type": name, "actor": "staff:1", "command_id": "past",
            "entry_id": past.id, "body": orjson.dumps(body).decode(), "sealed": None,
        }  # fmt: skip
    yield visits, common | {
        "id": past.visit_id, "label": past.label, "priority": "standard", "party_size": 1, "language": "en",
        "display_name": None, "token_hash": f"past {past.visit_id}", "sealed": None, "opened_at": past.joined_at, "seq": seq,
        "needs": [],
    }  # fmt: skip
    yield entries, common | {
        "id": past.id, "visit_id": past.visit_id, "queue_id": past.queue_id, "state": past.state, "band": 1,
        "place": past.joined_at, "due_at": past.joined_at, "point_id": point_id if past.called_at is not None else None,
        "calls": int(past.called_at is not None), "since": at, "called_at": past.called_at, "absent_until": None,
        "expect_from": None, "expect_until": None, "estimating": False, "quoted_from": past.quoted_from,
        "quoted_until": past.quoted_until, "undo": None, "seq": seq,
        "first_called_at": past.called_at,
    }  # fmt: skip

"""The history of a visit, step by step: from the log, by the entries that its events name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import orjson
from sqlalchemy import and_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from server.domain.events import Recorded, event_from
from server.domain.model.ids import site_of
from server.domain.reporting.timeline import Interval
from server.queries.entries import EntryListed, intervals_of, stages
from server.queries.reader import Reader
from server.store.tables import entries, event_entries, events, staff


@dataclass(frozen=True, slots=True)
class Step:
    """An event of the log that names an entry of the visit (``own``), or that changed it while naming another entry."""

    recorded: Recorded
    entry_id: int
    own: bool


@dataclass(frozen=True, slots=True)
class History:
    """A visit's stages, steps and closed intervals, each in order, and the user names of the acting staff."""

    stages: Sequence[EntryListed]
    steps: Sequence[Step]
    intervals: Mapping[int, Sequence[Interval]]
    usernames: Mapping[str, str]


async def of_visit(database: Reader, visit_id: int, *, with_names: bool) -> History:
    """Return a visit's history; ``with_names`` adds the user names of the acting staff. Raises `Unavailable`."""
    async with database.read() as connection:
        found = await stages(connection, visit_id)
        steps = [
            Step(Recorded(seq, at, actor, event_from(kind, orjson.loads(body), None)), entry_id, own)
            for statement, own in ((_OWN, True), (_OTHERS, False))
            for entry_id, seq, at, actor, kind, body in await connection.execute(
                statement.where(entries.c.visit_id == visit_id)
            )
        ]
        steps.sort(key=lambda step: step.recorded.seq)
        closed = await intervals_of(connection, [stage.id for stage in found])
        usernames = await _usernames(connection, {step.recorded.actor for step in steps}) if with_names else {}
    return History(found, steps, closed, usernames)


async def of_appointment(
    database: Reader, appointment_id: int, *, with_names: bool
) -> tuple[Sequence[Recorded], Mapping[str, str]]:
    """Return the events of an appointment in order, its check-in included, and the user names of the acting staff.

    ``with_names`` adds the user names. Raises `Unavailable`.
    """
    statement = _OF_APPOINTMENT.where(
        event_entries.c.entry_id == appointment_id, events.c.site_id == site_of(appointment_id)
    )
    async with database.read() as connection:
        found = [
            Recorded(seq, at, actor, event_from(kind, orjson.loads(body), None))
            for seq, at, actor, kind, body in await connection.execute(statement)
        ]
        usernames = await _usernames(connection, {each.actor for each in found}) if with_names else {}
    return sorted(found, key=lambda each: each.seq), usernames


async def _usernames(connection: AsyncConnection, actors: Iterable[str]) -> dict[str, str]:
    ids = [int(number) for kind, _, number in (actor.partition(":") for actor in actors) if kind == "staff"]
    found = await connection.execute(select(staff.c.id, staff.c.username).where(staff.c.id.in_(ids)))
    return {f"staff:{row.id}": row.username for row in found}


_EVENT = (events.c.seq, events.c.at, events.c.actor, events.c.type, events.c.body)
_OWN = select(entries.c.id, *_EVENT).join_from(entries, events, events.c.entry_id == entries.c.id)
_OTHERS = (
    select(entries.c.id, *_EVENT)
    .join_from(entries, event_entries, event_entries.c.entry_id == entries.c.id)
    .join(events, and_(events.c.site_id == entries.c.site_id, events.c.seq == event_entries.c.seq))
)
_OF_APPOINTMENT = select(*_EVENT).join_from(event_entries, events, events.c.seq == event_entries.c.seq)

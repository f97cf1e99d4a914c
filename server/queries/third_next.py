"""The third next available appointment of each service, now: by service, and by service and provider."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection

from server.domain import free_time
from server.domain.board import Board
from server.domain.free_time import Slot, TakenBits, Wanted
from server.domain.model import Schedule, ScheduleException, local_time
from server.queries.day_sums import following
from server.queries.reader import Reader
from server.queries.slots import taken

THIRD = 3
DAYS_AHEAD = free_time.MOST_DAYS
_STEPS = (7, 14, 20, 21)  # days that are searched at a time: most searches end in the first week
assert sum(_STEPS) == DAYS_AHEAD


@dataclass(slots=True)
class Available:
    """The first three free times, or fewer: there are no more within `DAYS_AHEAD`."""

    first: list[Slot] = field(default_factory=list)

    @property
    def third(self) -> Slot | None:
        """The third one, or None."""
        return self.first[THIRD - 1] if len(self.first) == THIRD else None


@dataclass(frozen=True, slots=True)
class OfService:
    """The free times of a service at all its providers, and at each of them."""

    service_id: int
    all: Available
    providers: Mapping[int, Available]


async def find(database: Reader, board: Board) -> tuple[str, int, list[OfService]]:
    """Return the local date of today, the present instant, and the free times of each service that a schedule offers.

    Raises `Unavailable`.
    """
    now = database.clock.now()
    today = local_time.local_of(now, board.site.time_zone).local[:10]
    offered: dict[int, set[int]] = {}
    sources: list[Schedule | ScheduleException] = [*board.schedules.values(), *board.exceptions.values()]
    for each in sources:
        provider = board.providers.get(each.provider_id or 0)
        if provider is None or provider.removed_at:
            continue
        for service_id in each.service_ids:
            service = board.services.get(service_id)
            if service is not None and not service.removed_at:
                offered.setdefault(service_id, set()).add(provider.id)
    found: list[OfService] = []
    async with database.read() as connection:
        for service_id in sorted(offered, key=lambda key: (board.services[key].position, key)):
            providers = sorted(offered[service_id])
            found.append(await connection.run_sync(_of_service, board, service_id, providers, today, now))
    return today, now, found


def _of_service(
    connection: Connection, board: Board, service_id: int, provider_ids: Sequence[int], today: str, now: int
) -> OfService:
    def read(resource_ids: Collection[int], from_cell: int, until_cell: int) -> list[TakenBits]:
        return taken(connection, resource_ids, from_cell, until_cell, now, ())

    made = OfService(service_id, Available(), {provider_id: Available() for provider_id in provider_ids})
    first = today
    for days in _STEPS:
        last = following(first, days - 1)
        open_ones = [key for key, each in made.providers.items() if len(each.first) < THIRD]
        if len(made.all.first) < THIRD:
            _take(made.all, free_time.slots_beside(board, read, Wanted(service_id=service_id), first, last, now, THIRD))
        for provider_id in open_ones:
            wanted = Wanted(service_id=service_id, provider_id=provider_id)
            _take(made.providers[provider_id], free_time.slots_beside(board, read, wanted, first, last, now, THIRD))
        if len(made.all.first) == THIRD and all(len(each.first) == THIRD for each in made.providers.values()):
            break
        first = following(last)
    return made


def _take(available: Available, slots: Sequence[Slot]) -> None:
    available.first += slots[: THIRD - len(available.first)]

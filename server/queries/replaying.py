"""Replaying: the log of a site, from its first event, gives its board and the time that its appointments take."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from sqlalchemy import Connection, select

from server.domain.board import Board, Changes, apply
from server.domain.events import Recorded
from server.domain.model import CELL, BusyCell, Rules, Site, cells_of
from server.domain.model.local_time import MINUTE
from server.domain.model.tickets import begin_of, business_day, next_turn
from server.queries.reader import Reader
from server.store import event_log, sites
from server.store.tables import busy_cells

BATCH = 1000


def before_the_first_event(site: Site, at: int) -> Site:
    """Return a site as it was created, on the business day of its first event ``at`` (microseconds of UTC)."""
    day = business_day(at, site.time_zone, site.day_turns_at_minutes)
    turn = next_turn(day, site.time_zone, site.day_turns_at_minutes)
    return replace(
        site,
        business_day=day,
        turns_at=turn,
        next_tick_at=turn,
        quoted_at=0,
        message=None,
        last_id=0,
        last_event_at=0,
        seq=0,
        rules=Rules(),
    )


def replayed(board: Board, log: Iterable[Recorded], until: int = sys.maxsize) -> Board:
    """Apply the events of ``log`` up to the number ``until`` to a board, and return it."""
    for each in log:
        if each.seq <= until:
            apply(board, each, Changes())
    return board


@dataclass(frozen=True, slots=True)
class VerifiedTime:
    """The busy cells of a site from the present business day on: how many are right, and a problem for each other one."""

    site_id: int
    cells: int
    problems: list[str]


async def verify_time(database: Reader, site_id: int) -> VerifiedTime:
    """Compare the busy cells of a site with those that its log implies. Raises `SiteNotFound`, `Unavailable`.

    A lapsed hold may still have its cells or have lost them: nobody depends on them.
    """
    now = await database.now()
    async with database.read() as connection:
        return await connection.run_sync(_verify_time, site_id, now)


def _verify_time(connection: Connection, site_id: int, now: int) -> VerifiedTime:
    site = sites.load(connection, site_id)
    begin = begin_of(site.business_day, site.time_zone, site.day_turns_at_minutes)
    first = event_log.since(connection, site_id, 0, 1)
    expected: set[BusyCell] = set()
    if first:
        board = Board(before_the_first_event(site, first[0].at))
        board.watching = lambda each: each.ends_at + each.buffer_minutes * MINUTE > begin
        replayed(board, _log(connection, site_id))
        expected = {cell for each in board.appointments.values() for cell in cells_of(each) if cell.cell >= begin // CELL}
    columns = [busy_cells.c[name] for name in BusyCell._fields]
    mine = select(*columns).where(busy_cells.c.site_id == site_id, busy_cells.c.cell >= begin // CELL)
    found = {BusyCell(*row) for row in connection.execute(mine)}
    lasting, kept = _in_force(expected, now), _in_force(found, now)
    problems = [f"the log says, the table lacks: {_told(each)}" for each in sorted(lasting - kept, key=_order)]
    problems += [f"the table has, the log does not say: {_told(each)}" for each in sorted(kept - lasting, key=_order)]
    return VerifiedTime(site_id, len(kept & lasting), problems)


def _log(connection: Connection, site_id: int) -> Iterator[Recorded]:
    last = 0
    while events := event_log.since(connection, site_id, last, BATCH):
        yield from events
        last = events[-1].seq


def _in_force(cells: set[BusyCell], now: int) -> set[BusyCell]:
    return {each for each in cells if each.held_until is None or each.held_until > now}


def _order(cell: BusyCell) -> tuple[int, int, int, int]:
    return cell.resource_id, cell.cell, cell.lane, cell.appointment_id


def _told(cell: BusyCell) -> str:
    return f"resource {cell.resource_id}, cell {cell.cell}, lane {cell.lane}, appointment {cell.appointment_id}"

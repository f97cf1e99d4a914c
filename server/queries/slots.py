"""The free times of a site, and the rule that takes another time away. No answer names who has a taken time."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import Connection, bindparam, func, literal, null, or_, select

from server.domain import free_time
from server.domain.board import Board
from server.domain.free_time import Slot, TakenBits, Wanted, Why
from server.domain.model import FIRST_EXTRA_LANE
from server.queries.reader import Reader
from server.store.calendar import SiteCalendar
from server.store.tables import busy_cells
from server.vault import Vault

# The database adds the cells up to bits, because a month of twenty providers has 25,000 cells, and a row is dear to read.
_CELLS_IN_A_ROW = 48
_PLACE = busy_cells.c.cell % _CELLS_IN_A_ROW
_FIRST = busy_cells.c.cell - _PLACE
_TAKEN = (
    select(busy_cells.c.resource_id, busy_cells.c.lane, _FIRST, func.sum(literal(1).bitwise_lshift(_PLACE)))
    .where(
        busy_cells.c.resource_id.in_(bindparam("resource_ids", expanding=True)),
        busy_cells.c.cell >= bindparam("from_cell"),
        busy_cells.c.cell < bindparam("until_cell"),
        busy_cells.c.lane < FIRST_EXTRA_LANE,
        or_(busy_cells.c.held_until.is_(None), busy_cells.c.held_until > bindparam("now")),
        busy_cells.c.appointment_id.not_in(bindparam("own", expanding=True)),
    )
    .group_by(busy_cells.c.resource_id, busy_cells.c.lane, _FIRST)
    .order_by(null())  # else MariaDB sorts the groups
)


async def listed(database: Reader, board: Board, wanted: Wanted, first: str, last: str) -> list[Slot]:
    """Return the free starts on some local dates. Raises `InvalidField`, `Unavailable`."""
    now = database.clock.now()

    def find(connection: Connection) -> list[Slot]:
        def read(resource_ids: Collection[int], from_cell: int, until_cell: int) -> list[TakenBits]:
            return taken(connection, resource_ids, from_cell, until_cell, now, wanted.own)

        return free_time.slots_beside(board, read, wanted, first, last, now)

    async with database.read() as connection:
        return await connection.run_sync(find)


def taken(
    connection: Connection, resource_ids: Collection[int], from_cell: int, until_cell: int, now: int, own: Collection[int]
) -> list[TakenBits]:
    """Return the cells of people and rooms that are taken at ``now``, without those of the appointments ``own``."""
    values = {
        "resource_ids": sorted(resource_ids),
        "from_cell": from_cell,
        "until_cell": until_cell,
        "now": now,
        "own": sorted(own),
    }
    rows = connection.execute(_TAKEN, values)
    return [TakenBits(resource_id, lane, cell, int(bits)) for resource_id, lane, cell, bits in rows]


async def own_holds(database: Reader, vault: Vault, site_id: int, held_by: str, held_from: str) -> frozenset[int]:
    """Return the holds in force of a visitor: their time is free to that visitor. Raises `Unavailable`."""
    now = database.clock.now()

    def find(connection: Connection) -> frozenset[int]:
        holds = SiteCalendar(connection, site_id, vault).holds(held_by, held_from, now)
        return frozenset(each.id for each in holds if each.held_by == held_by)

    async with database.read() as connection:
        return await connection.run_sync(find)


async def why(database: Reader, vault: Vault, board: Board, wanted: Wanted, local_start: str, fold: int) -> Why:
    """Return the rule that takes a start away. Raises `InvalidField`, `NoSuchLocalTime`, `Unavailable`."""
    now = database.clock.now()
    async with database.read() as connection:
        return await connection.run_sync(
            lambda sync: free_time.why(board, SiteCalendar(sync, board.site.id, vault), wanted, local_start, fold, now)
        )

"""The busy cells: the time that appointments take. Their key forbids two appointments at one time.

They are derived: `server.queries.replaying` compares them with those that the log of a site implies.
"""

from __future__ import annotations

from sqlalchemy import Connection, bindparam, delete, insert, select

from server.domain.board import Changes
from server.domain.model import CELL, Appointment, BusyCell, cells_of
from server.store.tables import busy_cells

_INSERT = insert(busy_cells)
_FREE = delete(busy_cells).where(busy_cells.c.appointment_id.in_(bindparam("ids", expanding=True)))
_PAST = delete(busy_cells).where(busy_cells.c.site_id == bindparam("site_id"), busy_cells.c.cell < bindparam("cell"))
_LAPSED = delete(busy_cells).where(
    busy_cells.c.appointment_id.in_(bindparam("ids", expanding=True)),
    busy_cells.c.held_until.is_not(None),
    busy_cells.c.held_until <= bindparam("now"),
)
_HOLDING = select(busy_cells.c.appointment_id).where(
    busy_cells.c.resource_id.in_(bindparam("resource_ids", expanding=True)),
    busy_cells.c.cell >= bindparam("from_cell"),
    busy_cells.c.cell < bindparam("until_cell"),
    busy_cells.c.held_until <= bindparam("now"),
)


def save(connection: Connection, changes: Changes, now: int) -> None:
    """Write the cells of the appointments that a command changed.

    First the cells of changed appointments go, so that none blocks itself; then those of lapsed holds, each hold as a whole.
    The key refuses a time that another site has taken meanwhile.
    """
    freed: list[int] = []
    taken: list[BusyCell] = []
    for before, after in changes.records.values():
        if not isinstance(after, Appointment):
            continue
        old = cells_of(before) if isinstance(before, Appointment) else []
        new = cells_of(after)
        if new == old:
            continue
        if old:
            freed.append(after.id)
        taken += new
    if freed:
        connection.execute(_FREE, {"ids": sorted(freed)})
    if not taken:
        return
    values = {
        "resource_ids": sorted({each.resource_id for each in taken}),
        "from_cell": min(each.cell for each in taken),
        "until_cell": max(each.cell for each in taken) + 1,
        "now": now,
    }
    lapsed = sorted(set(connection.scalars(_HOLDING, values)))
    if lapsed:
        connection.execute(_LAPSED, {"ids": lapsed, "now": now})
    connection.execute(_INSERT, [each._asdict() for each in sorted(taken)])


def forget_past(connection: Connection, site_id: int, before: int) -> None:
    """Delete a site's cells from before an instant (microseconds)."""
    connection.execute(_PAST, {"site_id": site_id, "cell": before // CELL})

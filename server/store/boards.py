"""Read boards from rows, and write the changes of a command to rows. A new kind of record only needs a table."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import fields
from typing import Any

from sqlalchemy import Connection, Select, Table, bindparam, delete, insert, or_, select, update

from server.domain.board import Board, Changes
from server.domain.model import (
    Announcement,
    Appointment,
    Counter,
    Entity,
    Entry,
    Schedule,
    ScheduleException,
    Site,
    Visit,
)
from server.domain.watching import Dates, Single, Watch
from server.store import bulk_update, sites
from server.store.database import Conflict
from server.store.records import record_of
from server.store.tables import TABLES, appointments, exceptions, intervals, schedules

OF_THE_DAY: tuple[type[Entity], ...] = (Appointment, Visit, Entry, Announcement, Counter)
Record = type[Entity]
TOGETHER = 4  # from so many rows of a kind on, one statement changes them all
_RECORDS: tuple[Record, ...] = tuple(record for record in TABLES if record is not Site)
_FIELDS = {record: tuple(item.name for item in fields(record)) for record in TABLES}
# Built once: every command runs them, and to build a statement costs as much as to run it.
_INSERTS = {table: insert(table) for table in (*TABLES.values(), intervals)}
_UPDATES = {
    table: update(table).where(
        *(column == bindparam(f"key_{column.name}") for column in table.primary_key), table.c.seq == bindparam("was_seq")
    )
    for table in TABLES.values()
}
_UNDONE = delete(intervals).where(
    intervals.c.entry_id == bindparam("entry_id"), intervals.c.ended_by == bindparam("ended_by")
)


def load(connection: Connection, site: Site) -> Board:
    """Return the board of a site. The caller has read its row in this transaction and, for a command, locked it."""
    records: list[Entity] = []
    for record in _RECORDS:
        table = TABLES[record]
        statement = select(*(table.c[name] for name in _FIELDS[record])).where(table.c.site_id == site.id)
        if record in OF_THE_DAY:
            statement = statement.where(table.c.business_day == site.business_day)
        elif record is ScheduleException:
            statement = statement.where(exceptions.c.removed_at == 0, exceptions.c.date >= site.business_day)
        elif record is Schedule:
            going_on = or_(schedules.c.valid_until.is_(None), schedules.c.valid_until >= site.business_day)
            statement = statement.where(going_on)
        rows = connection.execute(statement)
        records.extend(record_of(record, row._mapping) for row in rows)
    return Board(site, records)


def of_site(connection: Connection, site_id: int, also: Collection[Watch] = ()) -> Board:
    """Return a site's board as this transaction sees it, with the watched appointments. Raises `SiteNotFound`."""
    board = load(connection, sites.load(connection, site_id))
    for appointment in _watched(connection, site_id, also):
        board.lend(appointment)
    return board


def watched(connection: Connection, site_id: int, watches: Collection[Watch]) -> tuple[Site, list[Appointment]]:
    """Return a site, and its watched appointments, as this transaction sees them. Raises `SiteNotFound`."""
    return sites.load(connection, site_id), _watched(connection, site_id, watches)


def _watched(connection: Connection, site_id: int, watches: Collection[Watch]) -> list[Appointment]:
    """Return the watched appointments of a site, each once: with one query for all single ones, and one for each span."""
    wanted = select(*(appointments.c[name] for name in _FIELDS[Appointment])).where(appointments.c.site_id == site_id)
    found: dict[int, Appointment] = {}
    for watch in watches:
        if isinstance(watch, Dates):
            begin, until = watch.instants()
            read = _appointments(connection, wanted.where(appointments.c.starts_at.between(begin, until)))
            found |= {each.id: each for each in read if watch.covers(each)}
    single = [each.appointment_id for each in watches if isinstance(each, Single)]
    if single:
        for column in (appointments.c.id, appointments.c.offered_to):
            found |= {each.id: each for each in _appointments(connection, wanted.where(column.in_(single)))}
    return list(found.values())


def _appointments(connection: Connection, statement: Select[Any]) -> list[Appointment]:
    return [record_of(Appointment, row._mapping) for row in connection.execute(statement)]


def save(connection: Connection, before: Site, board: Board, changes: Changes, actor: str, link: sites.Link) -> None:
    """Write the changes of a command: the site's row, each record, and the intervals that ended.

    ``link`` is the end of the site's log after the command. Every update names the ``seq`` of the row's last change.
    Raises `Conflict` if the row has another one, and when a unique key forbids the change. Updates come before inserts, so
    that a stage ends before the next one begins.
    """
    sites.save(connection, before, board.site, link)
    inserted: dict[Table, list[dict[str, Any]]] = {}
    updated: dict[tuple[Table, frozenset[str]], list[dict[str, Any]]] = {}
    for old, new in changes.records.values():
        if old == new:
            continue
        table, values = TABLES[type(new)], _values(new)
        if old is None:
            inserted.setdefault(table, []).append(values)
        else:
            was = _values(old)
            names = frozenset(name for name, value in values.items() if was[name] != value)
            updated.setdefault((table, names), []).append(values | {"was_seq": old.seq})
        if isinstance(old, Entry) and isinstance(new, Entry) and old.state != new.state:
            if old.id in changes.undone:  # the interval that the step had ended continues
                connection.execute(_UNDONE, {"entry_id": old.id, "ended_by": changes.undone[old.id]})
                continue
            inserted.setdefault(intervals, []).append(_interval(old, new, actor))
    for (table, names), rows in updated.items():
        _update(connection, table, names, rows)
    for table, rows in inserted.items():
        connection.execute(_INSERTS[table], rows if len(rows) > 1 else rows[0])


def _update(connection: Connection, table: Table, names: frozenset[str], rows: list[dict[str, Any]]) -> None:
    """Set the columns ``names`` of rows. Raises `Conflict` if a row has changed since ``was_seq``."""
    if len(rows) >= TOGETHER and bulk_update.fits(table, names):
        wanted = [*names, "id", "was_seq"]
        found = bulk_update.update(connection, table, names, [{name: row[name] for name in wanted} for row in rows])
        if found != len(rows):
            raise Conflict(f"{len(rows) - found} of {len(rows)} {table.name} changed behind the lock")
        return
    for row in rows:
        key = {f"key_{column.name}": row[column.name] for column in table.primary_key}
        changed = {name: row[name] for name in names}
        result = connection.execute(_UPDATES[table], {**changed, **key, "was_seq": row["was_seq"]})
        if result.rowcount != 1:
            raise Conflict(f"{table.name} {row} changed behind the lock")


def _values(record: Entity) -> dict[str, Any]:
    """Return a record's fields by name. The values are not copies."""
    return {name: getattr(record, name) for name in _FIELDS[type(record)]}


def _interval(old: Entry, new: Entry, actor: str) -> dict[str, Any]:
    return {
        "entry_id": old.id,
        "ended_by": new.seq,
        "site_id": old.site_id,
        "state": old.state,
        "started_at": old.since,
        "ended_at": new.since,
        "point_id": new.point_id,
        "actor": actor,
        "doubted": old.doubt is not None,
    }

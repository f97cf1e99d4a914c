"""A site's log: events with numbers without a gap, chained by hash, written in the transaction of their command.

Retention clears ``sealed`` and ``display_name``. They have columns of their own, outside the chain: the proof covers them.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import orjson
from sqlalchemy import Connection, Row, bindparam, insert, select

from server.domain.events import Event, OfAppointment, Recorded, body_of, event_from, others
from server.store import checkpoints, proofs
from server.store.chain import follow
from server.store.tables import event_entries, events
from server.vault import Vault

EventRow = dict[str, Any]
EVENT_IN_CLEAR = (events.c.type, events.c.body, events.c.display_name)
EVENT = (*EVENT_IN_CLEAR, events.c.sealed)
_APPEND = insert(events)
_TOUCH = insert(event_entries)
_SINCE = (
    select(events.c.seq, events.c.at, events.c.actor, *EVENT)
    .where(events.c.site_id == bindparam("site_id"), events.c.seq > bindparam("seq"))
    .order_by(events.c.seq)
    .limit(bindparam("limit"))
)

_MARKED = (
    select(events.c.seq, events.c.at, events.c.actor, *EVENT_IN_CLEAR, events.c.sealed.is_not(None).label("is_sealed"))
    .where(events.c.site_id == bindparam("site_id"), events.c.seq > bindparam("seq"))
    .order_by(events.c.seq)
    .limit(bindparam("limit"))
)

_AT_ONCE = 500
_OF_APPOINTMENTS = (
    select(events.c.seq, events.c.at, events.c.actor, *EVENT_IN_CLEAR, events.c.sealed.is_not(None).label("is_sealed"))
    .join_from(event_entries, events, events.c.seq == event_entries.c.seq)
    .where(
        event_entries.c.entry_id.in_(bindparam("ids", expanding=True)),
        event_entries.c.seq <= bindparam("until"),
        events.c.site_id == bindparam("site_id"),
    )
)


def chained(vault: Vault, site_id: int, head: str, command_id: str, recorded: Sequence[Recorded]) -> list[EventRow]:
    """Return the rows of events that follow ``head``, the last link of the site's chain, each with its hash and proof.

    A link is the hash of the previous link, site_id, seq, at, type, actor, command_id and body, in this order.
    """
    rows: list[EventRow] = []
    for each in recorded:
        body = body_of(each.event)
        display_name = body.get("display_name")
        if display_name is not None:
            body["display_name"] = None
        link: dict[str, str | int] = {
            "site_id": site_id,
            "seq": each.seq,
            "at": each.at,
            "type": each.event.name_on_wire(),
            "actor": each.actor,
            "command_id": command_id,
            "body": orjson.dumps(body).decode(),
        }
        head = follow(head, *link.values())
        beside = {
            "hash": head,
            "sealed": getattr(each.event, "sealed", None),
            "display_name": display_name,
            "entry_id": body.get("entry_id"),
        }
        row = link | beside
        rows.append(row | {"proof": proofs.proof(vault, events, row)})
    return rows


def append(connection: Connection, recorded: Sequence[Recorded], rows: Sequence[EventRow]) -> None:
    """Append events to a site's log, with the rows of `chained`. The key refuses a number that exists."""
    connection.execute(_APPEND, rows if len(rows) > 1 else rows[0])
    touched = [{"entry_id": entry_id, "seq": each.seq} for each in recorded for entry_id in others(each.event)]
    if touched:
        connection.execute(_TOUCH, touched)


def since(connection: Connection, site_id: int, seq: int, limit: int = 10_000) -> list[Recorded]:
    """Return at most ``limit`` events after number ``seq``, in order."""
    rows = connection.execute(_SINCE, {"site_id": site_id, "seq": seq, "limit": limit})
    return [Recorded(row.seq, row.at, row.actor, event_of(row)) for row in rows]


def marked_since(connection: Connection, site_id: int, seq: int, limit: int) -> list[Recorded]:
    """Return events as `since` does, each with a mark in place of its sealed data: see `server.store.checkpoints`."""
    rows = connection.execute(_MARKED, {"site_id": site_id, "seq": seq, "limit": limit})
    return [
        Recorded(row.seq, row.at, row.actor, _event(row, checkpoints.mark(row.seq) if row.is_sealed else None))
        for row in rows
    ]


def marked_of_appointments(connection: Connection, site_id: int, ids: Collection[int], until: int) -> list[Recorded]:
    """Return the events of some appointments up to a number, in order, as `marked_since` does; each has the whole one."""
    found: dict[int, Recorded] = {}
    wanted = sorted(ids)
    for begin in range(0, len(wanted), _AT_ONCE):
        values = {"ids": wanted[begin : begin + _AT_ONCE], "site_id": site_id, "until": until}
        for row in connection.execute(_OF_APPOINTMENTS, values):
            event = _event(row, checkpoints.mark(row.seq) if row.is_sealed else None)
            if isinstance(event, OfAppointment) and event.appointment_id in ids:
                found[row.seq] = Recorded(row.seq, row.at, row.actor, event)
    return [found[seq] for seq in sorted(found)]


def event_of(row: Row[*tuple[Any, ...]]) -> Event:
    """Return the event of a row with the columns of `EVENT`."""
    return _event(row, row.sealed)


def _event(row: Row[*tuple[Any, ...]], sealed: str | None) -> Event:
    body = orjson.loads(row.body)
    if row.display_name is not None:
        body["display_name"] = row.display_name
    return event_from(row.type, body, sealed)

"""Checkpoints: a site's board at the turns of its business days, so that a past board needs the log of one day only.

A checkpoint has no personal data. In place of it, a record names the event that brought it: ``@812``. Names are read from
the log, where retention deletes them. The first checkpoint of a site is its state before its first event.

Each is bound to the hash of its event: in another history nobody reads it. It can always be built again from the log.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

import orjson
from sqlalchemy import Connection, delete, insert, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from server.domain.board import Board
from server.domain.model import Appointment, Display, Entity, Kiosk, Service, Site, Visit
from server.store.chain import START
from server.store.records import record_of, site_of
from server.store.tables import TABLES, checkpoints, events, sites
from server.vault import Vault

# Raise it when `apply` gives another board for the same log. A new field with a default does not need it.
LAYOUT = 1
_KINDS: dict[str, type[Entity]] = {kind.__name__: kind for kind in TABLES if kind is not Site}
_KEPT = "-"  # in place of a secret's hash: there is one


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A board, and the instant (microseconds) and the number of the last event in it."""

    seq: int
    at: int
    board: Board


def mark(seq: int) -> str:
    """Return the text that stands for the sealed data of an event."""
    return f"@{seq}"


def seq_of(marked: str) -> int:
    """Return the number of the event that a `mark` names."""
    return int(marked[1:])


def marks_of(board: Board) -> set[int]:
    """Return the numbers of the events whose sealed data the records of a board have."""
    records: tuple[Visit | Appointment | Service, ...]
    records = (*board.visits.values(), *board.appointments.values(), *board.services.values())
    return {seq_of(each.sealed) for each in records if each.sealed is not None}


def impersonal(record: Entity) -> Entity:
    """Return a record as a checkpoint has it: without tokens, and with a mark for a display name."""
    if isinstance(record, Visit):
        return replace(
            record,
            token_hash=str(record.id),
            display_name=record.sealed if record.display_name is not None else None,
            joined_from=None if record.joined_from is None else _KEPT,
        )
    if isinstance(record, Appointment):
        return replace(record, token_hash=str(record.id), phone_hash=None, held_by=None, held_from=None)
    if isinstance(record, Display | Kiosk) and record.token_hash is not None:
        return replace(record, token_hash=_KEPT)
    return record


def encoded(board: Board) -> bytes:
    """Return a board as compressed JSON. Its sealed data are marks: see `server.store.event_log.marked_since`."""
    kinds: dict[str, list[list[Any]]] = {}
    for record in map(impersonal, board.records()):
        names = [item.name for item in fields(record)]
        rows = kinds.setdefault(type(record).__name__, [names])
        rows.append([getattr(record, name) for name in names])
    return zlib.compress(orjson.dumps({"site": asdict(board.site), "records": kinds}))


def decoded(content: bytes) -> Board:
    """Return the board of `encoded`. A field that is younger than the checkpoint has its default."""
    plain = orjson.loads(zlib.decompress(content))
    records = [
        record_of(_KINDS[kind], dict(zip(names, row, strict=True)))
        for kind, (names, *rows) in plain["records"].items()
        for row in rows
    ]
    return Board(site_of(plain["site"]), records)


async def put(connection: AsyncConnection, vault: Vault, board: Board, at: int) -> None:
    """Save a board at ``at`` (microseconds), unless a later version has saved it."""
    site = board.site
    mine = (checkpoints.c.site_id == site.id, checkpoints.c.seq == site.seq)
    if await connection.scalar(select(checkpoints.c.seq).where(*mine, checkpoints.c.layout >= LAYOUT)) is not None:
        return
    link = START
    if site.seq:
        own = (events.c.site_id == site.id, events.c.seq == site.seq)
        link = (await connection.execute(select(events.c.hash).where(*own))).scalar_one()
    await connection.execute(delete(checkpoints).where(*mine))
    row = {
        "site_id": site.id,
        "seq": site.seq,
        "at": at,
        "business_day": site.business_day,
        "layout": LAYOUT,
        "hash": link,
        "sealed": vault.seal(encoded(board), bound_to(site.id, site.seq, link)),
    }
    await connection.execute(insert(checkpoints).values(row))


def bound_to(site_id: int, seq: int, link: str) -> str:
    """Return the name of the record to which a checkpoint's ciphertext is bound."""
    return f"checkpoint:{site_id}:{seq}:{link}"


def nearest(
    connection: Connection, vault: Vault, site_id: int, *, seq: int | None = None, at: int | None = None
) -> Checkpoint | None:
    """Return the last checkpoint up to a number or an instant (microseconds); without both, the last of all.

    One of another history, or that no key opens, does not count.
    """
    readable = or_(checkpoints.c.layout == LAYOUT, checkpoints.c.seq == 0)
    wanted = _NEAREST.where(checkpoints.c.site_id == site_id, readable)
    if seq is not None:
        wanted = wanted.where(checkpoints.c.seq <= seq)
    if at is not None:
        wanted = wanted.where(checkpoints.c.at <= at)
    for row in connection.execute(wanted.limit(_TRIED)):
        if row.hash != (row.link or START):
            continue
        try:
            content = vault.open(row.sealed, bound_to(site_id, row.seq, row.hash))
        except ValueError:
            continue
        return Checkpoint(row.seq, row.at, decoded(content))
    return None


async def unprepared(connection: AsyncConnection) -> list[int]:
    """Return the sites that have no checkpoint of their present business day yet."""
    mine = (checkpoints.c.site_id == sites.c.id, checkpoints.c.business_day == sites.c.business_day)
    current = or_(checkpoints.c.layout >= LAYOUT, checkpoints.c.seq == 0)
    there = select(checkpoints.c.seq).where(*mine, current).exists()
    return list(await connection.scalars(select(sites.c.id).where(~there).order_by(sites.c.id)))


_TRIED = 10
_NEAREST = (
    select(checkpoints.c.seq, checkpoints.c.at, checkpoints.c.hash, checkpoints.c.sealed, events.c.hash.label("link"))
    .join(events, (events.c.site_id == checkpoints.c.site_id) & (events.c.seq == checkpoints.c.seq), isouter=True)
    .order_by(checkpoints.c.seq.desc())
)


def sealed_of(connection: Connection, site_id: int, numbers: Iterable[int]) -> Mapping[int, str]:
    """Return the ciphertexts that the log still has for these events."""
    found: dict[int, str] = {}
    wanted = sorted(numbers)
    for begin in range(0, len(wanted), _AT_ONCE):
        some = events.c.seq.in_(wanted[begin : begin + _AT_ONCE])
        rows = connection.execute(select(events.c.seq, events.c.sealed).where(events.c.site_id == site_id, some))
        found |= {row.seq: row.sealed for row in rows if row.sealed is not None}
    return found


def with_display_names(connection: Connection, board: Board) -> Board:
    """Return a decoded board with the display names that the log still has in place of their marks."""
    marked = [each for each in board.visits.values() if each.display_name is not None]
    if not marked:
        return board
    numbers = [seq_of(each.display_name) for each in marked if each.display_name]
    rows = connection.execute(
        select(events.c.seq, events.c.display_name).where(events.c.site_id == board.site.id, events.c.seq.in_(numbers))
    )
    names = {mark(row.seq): row.display_name for row in rows}
    changed = {each.id: replace(each, display_name=names.get(each.display_name or "")) for each in marked}
    records = [changed.get(each.id, each) if isinstance(each, Visit) else each for each in board.records()]
    return Board(board.site, records)


_AT_ONCE = 500

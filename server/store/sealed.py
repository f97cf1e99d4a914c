"""Every column in which something is sealed, and moving what is in them from an older key to the first one.

A new sealed column is one line in `SEALED`; a test looks for ciphertext in every other column.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, cast

from sqlalchemy import Column, Update, and_, func, select, update

from server.domain.errors import Unavailable
from server.store import event_log
from server.store.batches import AnyRow, batches
from server.store.database import Database
from server.store.tables import commands, events, pairings, services, visits
from server.vault import KEY_ID_LENGTH, Vault

BATCH = 200
ATTEMPTS = 5


@dataclass(frozen=True, slots=True)
class Sealed:
    """A column of ciphertext. ``bound_to`` names the record that a row's ciphertext belongs to, from the row's key and the
    columns that it ``needs``."""

    column: Column[Any]
    bound_to: Callable[[AnyRow], str]
    needs: Sequence[Column[Any]] = ()

    @property
    def name(self) -> str:
        """The column as people write it: ``visits.sealed``."""
        return f"{self.column.table.name}.{self.column.name}"

    @property
    def key(self) -> list[Column[Any]]:
        """What tells the rows of its table apart."""
        return list(self.column.table.primary_key)


class _Sealing(Protocol):
    seals_for: str


SEALED: tuple[Sealed, ...] = (
    Sealed(visits.c.sealed, lambda row: f"visit:{row.id}"),
    Sealed(services.c.sealed, lambda row: f"service:{row.id}"),
    Sealed(pairings.c.sealed, lambda row: f"pairing:{row.id}"),
    Sealed(events.c.sealed, lambda row: cast(_Sealing, event_log.event_of(row)).seals_for, event_log.EVENT_IN_CLEAR),
    Sealed(commands.c.answer, lambda row: f"answer:{row.site_id}"),
)


@dataclass(frozen=True, slots=True)
class Resealed:
    """How many rows of a column are under the first key now, and how many no configured key opens."""

    done: int = 0
    closed: int = 0


async def count(database: Database, sealed: Sealed) -> dict[str, int]:
    """Return how many rows of a column each key seals, by the key's id. Raises `Unavailable`."""
    key_id = func.substr(sealed.column, 1, KEY_ID_LENGTH)
    statement = select(key_id, func.count()).where(sealed.column.is_not(None)).group_by(key_id).order_by(key_id)
    async with database.read() as connection:
        return {each[0]: each[1] for each in await connection.execute(statement)}


async def reseal(database: Database, vault: Vault, sealed: Sealed) -> Resealed:
    """Seal anew, under the first key, what an older one sealed in a column.

    Batch by batch in transactions of their own, each row only if it is still as it was read: it may be stopped and begun
    again, and servers go on meanwhile. No ``seq`` moves, so boards that are kept hold the older ciphertext, which the older
    key opens until it is taken out. Raises `Unavailable` if a batch fails several times.
    """
    done = closed = 0
    statement = select(*sealed.key, *sealed.needs, sealed.column.label("sealed")).where(
        sealed.column.is_not(None), sealed.column.not_like(f"{vault.first_key}.%")
    )
    async for rows in batches(database, statement, sealed.key, BATCH):
        updates: list[Update] = []
        for row in rows:
            belongs_to = sealed.bound_to(row)
            try:
                plain = vault.open(row.sealed, belongs_to)
            except ValueError:
                closed += 1
                continue
            mine = and_(*(column == row._mapping[column.name] for column in sealed.key), sealed.column == row.sealed)
            updates.append(update(sealed.column.table).where(mine).values({sealed.column: vault.seal(plain, belongs_to)}))
        done += await _write(database, updates)
    return Resealed(done, closed)


async def _write(database: Database, updates: Sequence[Update]) -> int:
    for attempt in range(1, ATTEMPTS + 1):
        try:
            async with database.write() as connection:
                return sum([(await connection.execute(each)).rowcount for each in updates])
        except Unavailable:  # a deadlock with a command, perhaps: both try again
            if attempt == ATTEMPTS:
                raise
            await asyncio.sleep(0.2 * attempt)
    raise AssertionError("unreachable")

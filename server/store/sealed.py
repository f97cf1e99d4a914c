"""The columns with sealed data, and their re-encryption with the first key.

A new sealed column is one line in `SEALED`. A test looks for ciphertext in every other column.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, cast

from sqlalchemy import Column, Update, and_, func, select, update

from server.domain.errors import Unavailable
from server.store import checkpoints as checkpoint_store
from server.store import event_log, proofs, push_subscriptions, report_mails
from server.store.batches import AnyRow, batches
from server.store.channels import seals_for
from server.store.database import Database
from server.store.tables import (
    appointments,
    channels,
    checkpoints,
    commands,
    events,
    feedback,
    pairings,
    report_readers,
    second_factors,
    services,
    visits,
    webhooks,
)
from server.store.tables import push_subscriptions as subscriptions
from server.store.tables import report_mails as mails
from server.store.webhooks import seals_for as webhook_seals_for
from server.vault import KEY_ID_LENGTH, Vault

BATCH = 200
ATTEMPTS = 5


@dataclass(frozen=True, slots=True)
class Sealed:
    """A column of ciphertext.

    ``bound_to`` returns the name of the record to which a row's ciphertext is bound, from the row's key and ``needs``.
    """

    column: Column[Any]
    bound_to: Callable[[AnyRow], str]
    needs: Sequence[Column[Any]] = ()

    @property
    def name(self) -> str:
        """The name of the column: ``visits.sealed``."""
        return f"{self.column.table.name}.{self.column.name}"

    @property
    def key(self) -> list[Column[Any]]:
        """The primary key of the table."""
        return list(self.column.table.primary_key)


class _Sealing(Protocol):
    seals_for: str


SEALED: tuple[Sealed, ...] = (
    Sealed(visits.c.sealed, lambda row: f"visit:{row.id}"),
    Sealed(appointments.c.sealed, lambda row: f"appointment:{row.id}"),
    Sealed(services.c.sealed, lambda row: f"service:{row.id}"),
    Sealed(pairings.c.sealed, lambda row: f"pairing:{row.id}"),
    Sealed(second_factors.c.sealed, lambda row: f"second-factor:{row.id}"),
    Sealed(second_factors.c.pending, lambda row: f"second-factor:{row.id}"),
    Sealed(
        channels.c.sealed,
        lambda row: seals_for(row.organisation_id, row.way),
        (channels.c.organisation_id, channels.c.way),
    ),
    Sealed(webhooks.c.sealed, lambda row: webhook_seals_for(row.id)),
    Sealed(feedback.c.sealed, lambda row: f"feedback:{row.visit_hash}"),
    Sealed(subscriptions.c.sealed, lambda row: push_subscriptions.seals_for(row.subject_id)),
    Sealed(report_readers.c.sealed, lambda row: report_mails.reader_seals_for(row.site_id, row.address_hash)),
    Sealed(mails.c.sealed, lambda row: report_mails.mail_seals_for(row.key)),
    Sealed(events.c.sealed, lambda row: cast(_Sealing, event_log.event_of(row)).seals_for, event_log.EVENT_IN_CLEAR),
    Sealed(
        checkpoints.c.sealed,
        lambda row: checkpoint_store.bound_to(row.site_id, row.seq, row.hash),
        (checkpoints.c.hash,),
    ),
    Sealed(commands.c.answer, lambda row: f"answer:{row.site_id}"),
)


@dataclass(frozen=True, slots=True)
class Resealed:
    """The numbers of rows resealed with the first key (``done``), and of rows that no configured key opens (``closed``)."""

    done: int = 0
    closed: int = 0


async def count(database: Database, sealed: Sealed) -> dict[str, int]:
    """Return the number of rows that each key seals in a column, by the key's id. Raises `Unavailable`."""
    key_id = func.substr(sealed.column, 1, KEY_ID_LENGTH)
    statement = select(key_id, func.count()).where(sealed.column.is_not(None)).group_by(key_id).order_by(key_id)
    async with database.read() as connection:
        return {each[0]: each[1] for each in await connection.execute(statement)}


async def reseal(database: Database, vault: Vault, sealed: Sealed) -> Resealed:
    """Seal the rows of a column with the first key that an older key has sealed.

    Each batch is a transaction, and changes only rows that are still as they were read: servers can run meanwhile, and a
    stopped run can start again. No ``seq`` changes, so boards in memory keep the older ciphertext. The older key opens it
    until that key is removed. Raises `Unavailable` if a batch fails several times.
    """
    done = closed = 0
    table = sealed.column.table
    covered = [table.c[name] for name in (*proofs.PROVEN[table], "proof")] if table in proofs.PROVEN else []
    others = [each for each in dict.fromkeys((*sealed.needs, *covered)) if each not in set(sealed.key)]
    statement = select(*sealed.key, *others, sealed.column.label("ciphertext")).where(
        sealed.column.is_not(None), sealed.column.not_like(f"{vault.first_key}.%")
    )
    async for rows in batches(database, statement, sealed.key, BATCH):
        updates: list[Update] = []
        for row in rows:
            belongs_to = sealed.bound_to(row)
            try:
                plain = vault.open(row.ciphertext, belongs_to)
            except ValueError:
                closed += 1
                continue
            mine = and_(*(column == row._mapping[column.name] for column in sealed.key), sealed.column == row.ciphertext)
            values: dict[str, str | None] = {sealed.column.name: vault.seal(plain, belongs_to)}
            if covered:
                values["proof"] = proofs.renewed(vault, table, row._mapping, values)
            updates.append(update(table).where(mine).values(values))
        done += await _write(database, updates)
    return Resealed(done, closed)


async def _write(database: Database, updates: Sequence[Update]) -> int:
    for attempt in range(1, ATTEMPTS + 1):
        try:
            async with database.write() as connection:
                return sum([(await connection.execute(each)).rowcount for each in updates])
        except Unavailable:  # for example a deadlock with a command: both try again
            if attempt == ATTEMPTS:
                raise
            await asyncio.sleep(0.2 * attempt)
    raise AssertionError("unreachable")

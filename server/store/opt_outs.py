"""Opt-outs: an address takes no more messages of an organisation on a way, until somebody undoes it.

The key has only a hash of the address. An opt-out therefore stays when the patient's records are erased, and holds for the
same address in another record.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import Delete, Insert, bindparam, delete, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from server.domain.messages import OptOutSource, Way, opt_out_name
from server.store.tables import opt_outs
from server.vault import Vault

_ADD: Insert = insert(opt_outs).prefix_with("IGNORE", dialect="mysql").prefix_with("OR IGNORE", dialect="sqlite")
_REMOVE: Delete = delete(opt_outs).where(
    opt_outs.c.organisation_id == bindparam("of"),
    opt_outs.c.way == bindparam("on"),
    opt_outs.c.address_hash == bindparam("hashed"),
)


@dataclass(frozen=True, slots=True)
class HashedAddress:
    """An address of a patient, and the organisation that sends to it: the key of an opt-out."""

    organisation_id: int
    way: Way
    address_hash: str


def hashed(vault: Vault, organisation_id: int, way: Way, address: str) -> HashedAddress:
    """Return the key of the opt-out of an address."""
    return HashedAddress(organisation_id, way, vault.keyed_hash(opt_out_name(address, way)))


async def add(connection: AsyncConnection, addresses: Iterable[HashedAddress], source: OptOutSource, now: int) -> int:
    """Store opt-outs; return the number of new ones. A stored one keeps its source. ``now`` is in microseconds."""
    rows: list[dict[str, Any]] = [asdict(each) | {"at": now, "source": source} for each in addresses]
    return (await connection.execute(_ADD, rows)).rowcount if rows else 0


async def remove(connection: AsyncConnection, address: HashedAddress) -> bool:
    """Undo an opt-out; return whether there was one."""
    key = {"of": address.organisation_id, "on": address.way, "hashed": address.address_hash}
    return (await connection.execute(_REMOVE, key)).rowcount == 1


async def sources(connection: AsyncConnection, addresses: Collection[HashedAddress]) -> dict[HashedAddress, OptOutSource]:
    """Return those of ``addresses`` that take no messages, each with the source of its opt-out."""
    if not addresses:
        return {}
    columns = [opt_outs.c[name] for name in HashedAddress.__dataclass_fields__]
    found = select(*columns, opt_outs.c.source).where(
        opt_outs.c.organisation_id.in_({each.organisation_id for each in addresses}),
        opt_outs.c.way.in_({each.way for each in addresses}),
        opt_outs.c.address_hash.in_({each.address_hash for each in addresses}),
    )
    known = {HashedAddress(*row[:-1]): row[-1] for row in await connection.execute(found)}
    return {key: known[key] for key in addresses if key in known}

"""The audit of access: sign-ins, refusals, and reads of personal data. One chain for each process.

A row has ids, never a name. The address is a keyed hash.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from server.store import proofs
from server.store.chain import START, follow
from server.store.database import Conflict
from server.store.tables import audit, audit_chains
from server.vault import Vault

# A process found that somebody else had changed its chain. The row names the chain, and the head that it had before.
CHAIN_CHANGED = "chain-changed"


@dataclass(frozen=True, slots=True)
class Noted:
    """One access: the ``actor`` (``staff:3``), the action, the record (``subject``: ``entry:812``) and the address.

    ``at`` is the process's own clock in microseconds; ``address`` is a keyed hash; ``detail`` says what changed, and never
    contains a secret: ``role: clinician -> admin``.
    """

    at: int
    actor: str
    action: str
    subject: str
    site_id: int | None
    organisation_id: int | None
    address: str | None
    allowed: bool
    request_id: str
    detail: str | None = None


@dataclass(frozen=True, slots=True)
class Chain:
    """A process's chain and its head: the number and the hash of its last row."""

    id: int
    n: int
    hash: str


async def begin(connection: AsyncConnection, vault: Vault, process: str) -> Chain:
    """Begin the chain of a process. Chain numbers have no gap. Raises `Conflict` if another process took the number."""
    last = await connection.scalar(select(func.max(audit_chains.c.id)))
    chain = Chain((last or 0) + 1, 0, START)
    mark = proofs.proof(vault, audit_chains, asdict(chain))
    await connection.execute(insert(audit_chains).values(**asdict(chain), process=process, proof=mark))
    await proofs.count(connection, vault, audit_chains)
    return chain


def chained(chain: Chain, noted: Sequence[Noted]) -> tuple[list[dict[str, Any]], Chain]:
    """Return the rows for ``noted``, which follow the chain's head, and the chain with its new head.

    A link is the hash of the previous link, the chain's id, n, and the fields of `Noted`, in this order, without an absent
    detail.
    """
    rows, n, head = [], chain.n, chain.hash
    for each in noted:
        n += 1
        head = link(head, chain.id, n, each)
        rows.append({"chain_id": chain.id, "n": n, **asdict(each), "hash": head})
    return rows, Chain(chain.id, n, head)


def link(previous: str, chain_id: int, n: int, noted: Noted) -> str:
    """Return the link of row ``n`` of a chain."""
    recorded = [getattr(noted, name) for name in Noted.__dataclass_fields__]
    return follow(previous, chain_id, n, *(recorded if noted.detail is not None else recorded[:-1]))


async def append(connection: AsyncConnection, vault: Vault, chain: Chain, noted: Sequence[Noted]) -> Chain:
    """Append to a chain; return it with its new head. Raises `Conflict` if the database has another head."""
    rows, after = chained(chain, noted)
    moved = await connection.execute(
        update(audit_chains)
        .where(audit_chains.c.id == chain.id, audit_chains.c.n == chain.n, audit_chains.c.hash == chain.hash)
        .values(n=after.n, hash=after.hash, proof=proofs.proof(vault, audit_chains, asdict(after)))
    )
    if moved.rowcount != 1:
        raise Conflict(f"audit chain {chain.id} is not at {chain.n}")
    await connection.execute(insert(audit), rows)
    return after


async def head(connection: AsyncConnection, chain_id: int) -> Chain | None:
    """Return a chain with its committed head, or None if there is no such chain."""
    columns = (audit_chains.c.id, audit_chains.c.n, audit_chains.c.hash)
    row = (await connection.execute(select(*columns).where(audit_chains.c.id == chain_id))).one_or_none()
    return Chain(*row) if row else None

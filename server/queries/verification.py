"""Verification of the hash chains: every site's log and every process's audit, link by link, in constant memory."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, Select, func, select, union

from server.queries.reader import Reader
from server.store.audit import Noted
from server.store.chain import START, follow
from server.store.tables import audit, audit_chains, events, sites

BATCH = 1000


@dataclass(frozen=True, slots=True)
class Verified:
    """One chain: its number of whole links, the last whole link, and the problem of the next one, if any."""

    chain: str
    links: int
    head: str
    broken: str | None = None


@dataclass(frozen=True, slots=True)
class _Head:
    name: str
    n: int
    hash: str
    last: int | None  # the largest number of a row


async def verify(
    database: Reader, site_id: int | None = None, through: tuple[int, str] | None = None
) -> AsyncIterator[Verified]:
    """Verify the log of one site, or every log and every process's chain. Servers may run meanwhile.

    With ``through``, the number and hash of an earlier head, the one site's log must contain that link. Raises
    `Unavailable`.
    """
    if site_id is not None:
        yield await _site(database, site_id, through)
        return
    async for each in _ids(database, _SITES):
        yield await _site(database, each)
    before = 0
    async for each in _ids(database, _CHAINS):
        for missing in range(before + 1, each):
            yield Verified(f"process chain {missing}", 0, START, "it is missing")
        yield await _process(database, each)
        before = each


async def _site(database: Reader, site_id: int, through: tuple[int, str] | None = None) -> Verified:
    last = select(func.max(events.c.seq)).where(events.c.site_id == site_id).scalar_subquery()
    async with database.read() as connection:
        row = (await connection.execute(select(sites.c.seq, sites.c.chain).where(sites.c.id == site_id))).one_or_none()
        head = _Head(f"site {site_id}", row.seq, row.chain, await connection.scalar(select(last))) if row else None
    if head is None:
        return Verified(f"site {site_id}", 0, START, "there is no such site")
    columns = [events.c[name] for name in ("seq", "at", "type", "actor", "command_id", "body", "hash")]
    rows = select(*columns).where(events.c.site_id == site_id).order_by(events.c.seq).limit(BATCH)

    def link(previous: str, row: Row[Any]) -> str:
        return follow(previous, site_id, row.seq, row.at, row.type, row.actor, row.command_id, row.body)

    return await _follow(database, head, "event", lambda after: rows.where(events.c.seq > after), link, through)


async def _process(database: Reader, chain_id: int) -> Verified:
    last = select(func.max(audit.c.n)).where(audit.c.chain_id == chain_id).scalar_subquery()
    async with database.read() as connection:
        row = (await connection.execute(select(audit_chains).where(audit_chains.c.id == chain_id))).one_or_none()
        if row is None:
            return Verified(f"process chain {chain_id}", 0, START, "it has rows and no head")
        head = _Head(f"process chain {chain_id} ({row.process})", row.n, row.hash, await connection.scalar(select(last)))
    names = list(Noted.__dataclass_fields__)
    columns = [audit.c.n.label("seq"), audit.c.hash, *(audit.c[name] for name in names)]
    rows = select(*columns).where(audit.c.chain_id == chain_id).order_by(audit.c.n).limit(BATCH)

    def link(previous: str, row: Row[Any]) -> str:
        return follow(previous, chain_id, row.seq, *(row._mapping[name] for name in names))

    return await _follow(database, head, "row", lambda after: rows.where(audit.c.n > after), link)


async def _follow(
    database: Reader,
    head: _Head,
    noun: str,
    rows_after: Callable[[int], Select[Any]],
    link: Callable[[str, Row[Any]], str],
    through: tuple[int, str] | None = None,
) -> Verified:
    """Follow a chain from its beginning to ``head``. The links below a head never change."""
    n, previous = 0, START
    while n < head.n:
        async with database.read() as connection:
            rows = (await connection.execute(rows_after(n))).all()
        for row in rows:
            if row.seq != n + 1:
                return Verified(head.name, n, previous, f"{noun} {n + 1} is missing")
            made = link(previous, row)
            if made != row.hash:
                problem = f"{noun} {row.seq} is not what was written there, or does not follow the one before it"
                return Verified(head.name, n, previous, problem)
            if through is not None and through[0] == row.seq and through[1] != made:
                return Verified(head.name, n, previous, f"{noun} {row.seq} is not what it was: the chain was rewritten")
            n, previous = row.seq, made
            if n == head.n:
                break
        if not rows:
            return Verified(head.name, n, previous, f"{noun} {n + 1} is missing")
    if through is not None and through[0] > n:
        return Verified(head.name, n, previous, f"{noun} {through[0]} is missing: the chain was longer once")
    if previous != head.hash:
        return Verified(head.name, n, previous, f"{noun} {n} is not the head that was recorded")
    if head.last is not None and head.last > head.n:
        return Verified(head.name, n, previous, f"{noun} {head.last} is beyond the head, {head.n}")
    return Verified(head.name, n, previous)


# Sites and chains with a head but no rows, or with rows but no head, are included.
_SITES = union(select(sites.c.id), select(events.c.site_id).distinct())
_CHAINS = union(select(audit_chains.c.id), select(audit.c.chain_id).distinct())


async def _ids(database: Reader, among: Any) -> AsyncIterator[int]:
    found = among.subquery()
    after = 0
    while True:
        async with database.read() as connection:
            page = select(found.c.id).where(found.c.id > after).order_by(found.c.id).limit(BATCH)
            batch = list(await connection.scalars(page))
        for after in batch:
            yield after
        if len(batch) < BATCH:
            return

"""Verification: every site's log and every process's audit, link by link, and the proofs of rows, in constant memory."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Row, Select, Table, func, select, union

from server.queries.reader import Reader
from server.store import audit as audit_store
from server.store import proofs
from server.store.audit import Noted
from server.store.chain import START, follow
from server.store.proofs import COUNTED, PROVEN
from server.store.tables import (
    account_links,
    api_keys,
    audit,
    audit_chains,
    census,
    events,
    second_factors,
    sessions,
    sites,
    staff,
)
from server.vault import Vault

BATCH = 1000
Kept = Mapping[str, tuple[int, str]]  # by the key of a chain (``site:7``): the number and hash of an earlier head


@dataclass(frozen=True, slots=True)
class Verified:
    """One chain: its number of whole links, the last whole link, and the problem of the next one, if any.

    ``key`` is its short name: ``site:7``, ``process:12``.
    """

    chain: str
    links: int
    head: str
    broken: str | None = None
    key: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class VerifiedRows:
    """One table of proven rows: its name, the number of right rows, and a problem for each wrong one."""

    table: str
    rows: int
    problems: list[str]


@dataclass(frozen=True, slots=True)
class _Head:
    name: str
    key: str
    n: int
    hash: str
    last: int | None  # the largest number of a row
    is_proven: bool


_CHANGED = "event {0} has another ciphertext, display name or entry than was written there"
_FORGED = "the head was not written by this installation: the chain was cut or rewritten"


async def verify(
    database: Reader,
    vault: Vault,
    site_id: int | None = None,
    through: tuple[int, str] | None = None,
    kept: Kept | None = None,
) -> AsyncIterator[Verified]:
    """Verify the log of one site, or every log and every process's chain. Servers may run meanwhile.

    With ``through``, the number and hash of an earlier head, the one site's log must contain that link; with ``kept``,
    every chain that it names. Raises `Unavailable`.
    """
    if site_id is not None:
        yield await _site(database, vault, site_id, {} if through is None else dict([through]))
        return
    passed = await _heads_in_memory(database)
    for key, (number, link) in (kept or {}).items():
        passed.setdefault(key, {})[number] = link
    missed = set(passed)
    async for each in _ids(database, _SITES):
        missed.discard(f"site:{each}")
        yield await _site(database, vault, each, passed.get(f"site:{each}", {}))
    before = 0
    async for each in _ids(database, _CHAINS):
        for missing in range(before + 1, each):
            missed.discard(f"process:{missing}")
            yield Verified(f"process chain {missing}", 0, START, "it is missing", f"process:{missing}")
        missed.discard(f"process:{each}")
        yield await _process(database, vault, each, passed.get(f"process:{each}", {}))
        before = each
    for key in sorted(missed):
        yield Verified(key, 0, START, "it is missing: its head is known", key)


async def verify_rows(database: Reader, vault: Vault) -> AsyncIterator[VerifiedRows]:
    """Verify the accounts with their second factors and links, sessions, API keys and the census.

    Each row has its proof, and no counted row is missing.

    Raises `Unavailable`.
    """
    for table in (census, staff, second_factors, account_links, sessions, api_keys):
        yield await _rows(database, vault, table)
    problems = []
    async with database.read() as connection:
        counted = {row.name: row.added for row in await connection.execute(select(census))}
        for table in COUNTED:
            found = await connection.scalar(select(func.count()).select_from(table)) or 0
            if found != counted.get(table.name, 0):
                problems.append(f"{table.name}: {found} rows are there, {counted.get(table.name, 0)} were added")
    yield VerifiedRows("the counts", len(COUNTED) - len(problems), problems)


async def _rows(database: Reader, vault: Vault, table: Table) -> VerifiedRows:
    key = next(iter(table.primary_key))
    columns = [table.c[name] for name in dict.fromkeys((key.name, *PROVEN[table], "proof"))]
    right, problems, after = 0, [], None
    while True:
        page = select(*columns).order_by(key).limit(BATCH)
        async with database.read() as connection:
            rows = (await connection.execute(page if after is None else page.where(key > after))).all()
        for row in rows:
            after = row._mapping[key.name]
            if row.proof == proofs.proof(vault, table, row._mapping):
                right += 1
            else:
                what = "has no proof" if row.proof is None else "is not what this installation wrote"
                problems.append(f"row {after} {what}")
        if len(rows) < BATCH:
            return VerifiedRows(table.name, right, problems)


async def _heads_in_memory(database: Reader) -> dict[str, dict[int, str]]:
    """Return the heads that processes had in memory when they found their chains changed, by the key of the chain."""
    found: dict[str, dict[int, str]] = {}
    statement = select(audit.c.subject, audit.c.detail).where(audit.c.action == audit_store.CHAIN_CHANGED)
    async with database.read() as connection:
        for subject, detail in await connection.execute(statement):
            number, _, link = str(detail).partition(":")
            found.setdefault(subject, {})[int(number)] = link
    return found


async def _site(database: Reader, vault: Vault, site_id: int, through: Mapping[int, str]) -> Verified:
    last = select(func.max(events.c.seq)).where(events.c.site_id == site_id).scalar_subquery()
    name, key = f"site {site_id}", f"site:{site_id}"
    async with database.read() as connection:
        found = select(*(sites.c[name] for name in (*PROVEN[sites], "proof"))).where(sites.c.id == site_id)
        row = (await connection.execute(found)).one_or_none()
        last_seq = await connection.scalar(select(last)) if row else None
    if row is None:
        return Verified(name, 0, START, "there is no such site", key)
    is_proven = row.proof == proofs.proof(vault, sites, row._mapping)
    head = _Head(name, key, row.seq, row.chain, last_seq, is_proven)
    names = ("seq", "at", "type", "actor", "command_id", "body", "hash", "site_id", "entry_id", "sealed", "display_name")
    columns = [events.c[name] for name in (*names, "proof")]
    rows = select(*columns).where(events.c.site_id == site_id).order_by(events.c.seq).limit(BATCH)

    def link(previous: str, row: Row[Any]) -> str:
        return follow(previous, site_id, row.seq, row.at, row.type, row.actor, row.command_id, row.body)

    def problem(row: Row[Any]) -> str | None:
        right = row.proof == proofs.proof(vault, events, row._mapping)
        return None if right else _CHANGED.format(row.seq) if row.proof else f"event {row.seq} has no proof"

    return await _follow(database, head, "event", lambda after: rows.where(events.c.seq > after), link, problem, through)


async def _process(database: Reader, vault: Vault, chain_id: int, through: Mapping[int, str]) -> Verified:
    last = select(func.max(audit.c.n)).where(audit.c.chain_id == chain_id).scalar_subquery()
    key = f"process:{chain_id}"
    async with database.read() as connection:
        row = (await connection.execute(select(audit_chains).where(audit_chains.c.id == chain_id))).one_or_none()
        if row is None:
            return Verified(f"process chain {chain_id}", 0, START, "it has rows and no head", key)
        is_proven = row.proof == proofs.proof(vault, audit_chains, row._mapping)
        last_n = await connection.scalar(select(last))
        head = _Head(f"process chain {chain_id} ({row.process})", key, row.n, row.hash, last_n, is_proven)
    names = list(Noted.__dataclass_fields__)
    columns = [audit.c.n.label("seq"), audit.c.hash, *(audit.c[name] for name in names)]
    rows = select(*columns).where(audit.c.chain_id == chain_id).order_by(audit.c.n).limit(BATCH)

    def link(previous: str, row: Row[Any]) -> str:
        noted = Noted(**{name: row._mapping[name] for name in names})
        return audit_store.link(previous, chain_id, row.seq, noted)

    return await _follow(database, head, "row", lambda after: rows.where(audit.c.n > after), link, lambda _: None, through)


async def _follow(
    database: Reader,
    head: _Head,
    noun: str,
    rows_after: Callable[[int], Select[Any]],
    link: Callable[[str, Row[Any]], str],
    problem: Callable[[Row[Any]], str | None],
    through: Mapping[int, str],
) -> Verified:
    """Follow a chain from its beginning to ``head``. The links below a head never change."""
    n, previous = 0, START

    def told(broken: str | None) -> Verified:
        return Verified(head.name, n, previous, broken, head.key)

    while n < head.n:
        async with database.read() as connection:
            rows = (await connection.execute(rows_after(n))).all()
        for row in rows:
            if row.seq != n + 1:
                return told(f"{noun} {n + 1} is missing")
            made = link(previous, row)
            if made != row.hash:
                return told(f"{noun} {row.seq} is not what was written there, or does not follow the one before it")
            if wrong := problem(row):
                return told(wrong)
            if through.get(row.seq, made) != made:
                return told(f"{noun} {row.seq} is not what it was: the chain was rewritten")
            n, previous = row.seq, made
            if n == head.n:
                break
        if not rows:
            return told(f"{noun} {n + 1} is missing")
    if max(through, default=0) > n:
        return told(f"{noun} {max(through)} is missing: the chain was longer once")
    if previous != head.hash:
        return told(f"{noun} {n} is not the head that was recorded")
    if head.last is not None and head.last > head.n:
        return told(f"{noun} {head.last} is beyond the head, {head.n}")
    return told(None if head.is_proven else _FORGED)


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

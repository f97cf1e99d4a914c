"""The row of a site: the lock that every command takes first, and the head of the site's log."""

from __future__ import annotations

import secrets
from collections.abc import Collection, Iterable
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from sqlalchemy import Connection, Row, bindparam, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from server.clock import SteadyClock, wall_microseconds
from server.domain.board import Board
from server.domain.errors import OrganisationNotFound, SiteNotFound
from server.domain.model import Rules, Site, tickets
from server.store import checkpoints, proofs, webhooks
from server.store.chain import START
from server.store.database import CLOCK, Conflict, new_id
from server.store.records import site_of
from server.store.tables import entries, organisations, sites
from server.vault import Vault


@dataclass(frozen=True, slots=True)
class Head:
    """The last number of a site's log. A new ``epoch`` means another history: discard events of the old one."""

    seq: int
    epoch: str


_FIELDS = tuple(item.name for item in fields(Site))
_SITE = sites.c.id == bindparam("site_id")
_LOAD = select(sites).where(_SITE)
_LOCK = select(sites, CLOCK.label("now")).where(_SITE).with_for_update()
_SAVE = update(sites).where(_SITE, sites.c.seq == bindparam("was_seq"), sites.c.epoch == bindparam("was_epoch"))


@dataclass(frozen=True, slots=True)
class Link:
    """The end of a site's log: the hash of the last event, and the proof of the site's row."""

    chain: str
    proof: str | None


def lock(connection: Connection, site_id: int, clock: SteadyClock, *, embedded: bool) -> tuple[Site, int, Link]:
    """Lock a site until the end of the transaction; return it, the present instant (microseconds), and its log's end.

    The instant is the database's, read under the lock, and never earlier than the site's last event. ``clock`` decides
    whether the database's clock is right. Call this as the first statement of a transaction. Raises `SiteNotFound`.
    """
    asked = clock.steady()
    row = connection.execute(_LOAD if embedded else _LOCK, {"site_id": site_id}).one_or_none()
    if row is None:
        raise SiteNotFound(site_id=site_id)
    site = _site(row)
    now = clock.read(wall_microseconds()) if embedded else clock.read(int(row.now), asked)
    return site, clock.at_site(site_id, now, site.last_event_at), Link(row.chain, row.proof)


def load(connection: Connection, site_id: int) -> Site:
    """Return a site. Raises `SiteNotFound`."""
    row = connection.execute(_LOAD, {"site_id": site_id}).one_or_none()
    if row is None:
        raise SiteNotFound(site_id=site_id)
    return _site(row)


def save(connection: Connection, before: Site, after: Site, link: Link) -> None:
    """Write the changed fields of a site's row, and ``link``, the end of its log.

    Raises `Conflict` if the row differs from ``before``.
    """
    changed = {name: getattr(after, name) for name in _FIELDS if getattr(after, name) != getattr(before, name)}
    if "rules" in changed:
        changed["rules"] = asdict(after.rules)
    key = {"site_id": before.id, "was_seq": before.seq, "was_epoch": before.epoch}
    result = connection.execute(_SAVE, changed | key | {"chain": link.chain, "proof": link.proof})
    if result.rowcount != 1:
        raise Conflict(f"site {before.id} is not at {before.seq}")


def linked(vault: Vault, before: Site, link: Link, after: Site, chain: str) -> Link:
    """Return the end of a site's log after a command, from the end before it (``link``). A wrong proof stays wrong."""

    def proven(site: Site, chain: str) -> dict[str, object]:
        return {"id": site.id, "organisation_id": site.organisation_id, "seq": site.seq, "chain": chain}

    row = proven(before, link.chain) | {"proof": link.proof}
    return Link(chain, proofs.renewed(vault, sites, row, proven(after, chain)))


async def heads(connection: AsyncConnection, site_ids: Iterable[int]) -> dict[int, Head]:
    """Return the heads of the given sites, in one query."""
    rows = await connection.execute(select(sites.c.id, sites.c.seq, sites.c.epoch).where(sites.c.id.in_(list(site_ids))))
    return {row.id: Head(row.seq, row.epoch) for row in rows}


async def renew_epoch(connection: AsyncConnection, site_id: int, epoch: str) -> None:
    """Give a site's history a new epoch, unless another process has already replaced ``epoch``."""
    ours = (sites.c.id == site_id, sites.c.epoch == epoch)
    await connection.execute(update(sites).where(*ours).values(epoch=secrets.token_hex(4)))


async def due(connection: AsyncConnection, now: int) -> list[int]:
    """Return the sites that the clock must tick at ``now`` (microseconds)."""
    return list(await connection.scalars(select(sites.c.id).where(sites.c.next_tick_at <= now).limit(1000)))


async def with_guests(connection: AsyncConnection) -> list[int]:
    """Return the sites that have a patient who is called to a point or served at one, by id."""
    busy = select(entries.c.site_id).where(entries.c.busy_point_id.is_not(None)).distinct()
    return sorted(await connection.scalars(busy))


async def organisation(connection: AsyncConnection, name: str) -> int:
    """Return the id of the organisation with this name. Raises `OrganisationNotFound`."""
    found = await connection.scalar(select(organisations.c.id).where(organisations.c.name == name))
    if found is None:
        raise OrganisationNotFound(name=name)
    return int(found)


async def organisation_or_new(connection: AsyncConnection, name: str) -> int:
    """Return the id of the organisation with this name. A new name creates one."""
    found = await connection.scalar(select(organisations.c.id).where(organisations.c.name == name))
    return int(found) if found is not None else new_id(await connection.execute(insert(organisations).values(name=name)))


async def organisation_names(connection: AsyncConnection) -> list[str]:
    """Return the names of all organisations."""
    return list(await connection.scalars(select(organisations.c.name).order_by(organisations.c.name)))


async def name_organisation(connection: AsyncConnection, name: str) -> None:
    """Give the organisation without a name this name. Raises `Conflict` (from the transaction) if another one has it."""
    await connection.execute(update(organisations).where(organisations.c.name == "").values(name=name))


@dataclass(frozen=True, slots=True)
class NamedSite:
    """A site with its name and the name of its organisation."""

    id: int
    name: str
    organisation: str


async def of_ids(connection: AsyncConnection, site_ids: Collection[int]) -> dict[int, Site]:
    """Return the sites with these ids, by id."""
    return {row.id: _site(row) for row in await connection.execute(select(sites).where(sites.c.id.in_(site_ids)))}


async def listed(connection: AsyncConnection) -> list[NamedSite]:
    """Return all sites of the installation, by id."""
    columns = (sites.c.id, sites.c.name, organisations.c.name)
    joined = select(*columns).join_from(sites, organisations, sites.c.organisation_id == organisations.c.id)
    return [NamedSite(*row) for row in await connection.execute(joined.order_by(sites.c.id))]


async def named(connection: AsyncConnection, organisation_id: int, name: str) -> int | None:
    """Return the id of the first site of an organisation with this name, or None."""
    mine = (sites.c.organisation_id == organisation_id, sites.c.name == name)
    found = await connection.scalar(select(sites.c.id).where(*mine).order_by(sites.c.id).limit(1))
    return None if found is None else int(found)


async def first_organisation(connection: AsyncConnection) -> int | None:
    """Return the id of the organisation that was created first, or None."""
    found = await connection.scalar(select(func.min(organisations.c.id)))
    return None if found is None else int(found)


async def unnamed(connection: AsyncConnection) -> int:
    """Create an organisation that gets the name of its first site, and return its id."""
    return await organisation_or_new(connection, "")


async def name_after_site(connection: AsyncConnection, organisation_id: int, name: str) -> None:
    """Give an organisation without a name this name. Raises `Conflict` (from the transaction) if another one has it."""
    nameless = (organisations.c.id == organisation_id, organisations.c.name == "")
    await connection.execute(update(organisations).where(*nameless).values(name=name))


async def create(
    connection: AsyncConnection,
    vault: Vault,
    *,
    organisation_id: int,
    name: str,
    time_zone: str,
    language: str,
    now: int,
    region: str = "",
    languages: tuple[str, ...] = (),
    day_turns_at_minutes: int = 240,
) -> Site:
    """Create a site of an organisation at ``now`` (microseconds). ``languages`` are those besides its own."""
    day = tickets.business_day(now, time_zone, day_turns_at_minutes)
    turns_at = tickets.next_turn(day, time_zone, day_turns_at_minutes)
    site = Site(
        id=0,
        organisation_id=organisation_id,
        name=name,
        time_zone=time_zone,
        language=language,
        day_turns_at_minutes=day_turns_at_minutes,
        business_day=day,
        turns_at=turns_at,
        next_tick_at=turns_at,
        quoted_at=0,
        message=None,
        epoch=secrets.token_hex(4),
        last_id=0,
        last_event_at=0,
        seq=0,
        rules=Rules(region=region, languages=languages),
    )
    values = _to_row(site)
    del values["id"]
    result = await connection.execute(insert(sites).values(**values, chain=START))
    site = replace(site, id=new_id(result))
    await proofs.add(connection, vault, sites, site.id)
    await checkpoints.put(connection, vault, Board(site), now)
    await webhooks.follow_site(connection, organisation_id, site.id)
    return site


def _to_row(site: Site) -> dict[str, Any]:
    return {name: getattr(site, name) for name in _FIELDS} | {"rules": asdict(site.rules)}


def _site(row: Row[tuple[object, ...]]) -> Site:
    values: dict[str, Any] = dict(row._mapping)
    for name in ("chain", "proof"):  # only the log needs them: no rule reads them
        del values[name]
    values.pop("now", None)
    return site_of(values)

"""The webhooks of organisations, read from rows; and the events that a webhook has not delivered yet."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from typing import Any

import orjson
from sqlalchemy import Row, bindparam, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from server.domain.events import Recorded, event_from
from server.queries.reader import Reader
from server.store.tables import events, sites, webhook_sites, webhooks
from server.store.webhooks import GONE, ON


@dataclass(frozen=True, slots=True)
class WebhookRow:
    """A row of a webhook. ``state`` is ``on``, ``off`` or ``gone``. ``changed_at`` in microseconds."""

    id: int
    organisation_id: int
    url: str
    sealed: str
    state: str
    changed_at: int


@dataclass(frozen=True, slots=True)
class PlaceRow:
    """How far a webhook is in the log of a site. Instants in microseconds.

    ``last`` and ``epoch`` are the number of the log's last event, and the word for its history.
    """

    webhook_id: int
    site_id: int
    number: int
    next_at: int | None
    failures: int
    failing_since: int | None
    off_at: int | None
    error: str | None
    last: int
    epoch: str


_ROW = [webhooks.c[each.name] for each in fields(WebhookRow)]
_OF_SITE = {"last": sites.c.seq, "epoch": sites.c.epoch}
_PLACE = [_OF_SITE[each.name] if each.name in _OF_SITE else webhook_sites.c[each.name] for each in fields(PlaceRow)]
_PLACES = select(*_PLACE).join_from(webhook_sites, sites, sites.c.id == webhook_sites.c.site_id)
_BEHIND = _PLACES.join(webhooks, webhooks.c.id == webhook_sites.c.webhook_id).where(
    webhook_sites.c.next_at <= bindparam("now"), sites.c.seq != webhook_sites.c.number, webhooks.c.state == ON
)
_EVENTS = (
    select(events.c.seq, events.c.at, events.c.actor, events.c.type, events.c.body)
    .where(events.c.site_id == bindparam("site_id"), events.c.seq > bindparam("number"))
    .order_by(events.c.seq)
    .limit(bindparam("limit"))
)


# The failures of a receiver itself. The first ones have nothing to do with the event: no request came through.
UNREACHABLE = ("no-connection", "certificate")
AWAY = (*UNREACHABLE, "no-answer", "busy", "broken")
OPENS_AFTER = 3  # failures in a row open the circuit
_BROKEN = (
    select(*(webhook_sites.c[name] for name in ("webhook_id", "site_id", "failing_since", "next_at", "error")))
    .join(webhooks, webhooks.c.id == webhook_sites.c.webhook_id)
    .where(
        webhook_sites.c.failing_since > 0,
        webhook_sites.c.failures >= OPENS_AFTER,
        webhook_sites.c.off_at.is_(None),
        webhook_sites.c.error.in_(AWAY),
        webhooks.c.state == ON,
    )
)


@dataclass(frozen=True, slots=True)
class Broken:
    """A webhook whose circuit is not closed, by the site that tries it next. Instants are in microseconds."""

    webhook_id: int
    site_id: int
    failing_since: int
    next_at: int
    error: str


@dataclass(frozen=True, slots=True)
class WebhookTally:
    """The webhooks of an installation: those that are on, that fail, and that failures have switched off."""

    on: int
    failing: int
    off: int


async def tally(database: Reader, before: int) -> WebhookTally:
    """Count the webhooks of all organisations. One fails that has failed since ``before`` (microseconds) or earlier.

    Raises `Unavailable`.
    """
    failing = select(webhook_sites.c.webhook_id, webhook_sites.c.off_at).where(
        webhook_sites.c.failing_since <= before, webhooks.c.id == webhook_sites.c.webhook_id, webhooks.c.state == ON
    )
    async with database.read() as connection:
        on = await connection.scalar(select(func.count()).where(webhooks.c.state == ON))
        gone = await connection.scalar(select(func.count()).where(webhooks.c.state == GONE))
        rows = (await connection.execute(failing)).all()
    off = {row.webhook_id for row in rows if row.off_at is not None}
    return WebhookTally(on or 0, len({row.webhook_id for row in rows} - off), len(off) + (gone or 0))


async def of_organisation(database: Reader, organisation_id: int) -> tuple[list[WebhookRow], list[PlaceRow]]:
    """Return the webhooks of an organisation by id, and their places in the logs of its sites. Raises `Unavailable`."""
    mine = webhooks.c.organisation_id == organisation_id
    async with database.read() as connection:
        rows = await connection.execute(select(*_ROW).where(mine).order_by(webhooks.c.id))
        places = await connection.execute(_PLACES.join(webhooks, webhooks.c.id == webhook_sites.c.webhook_id).where(mine))
        return [WebhookRow(*row) for row in rows], _ordered(places)


async def count(connection: AsyncConnection, organisation_id: int) -> int:
    """Return the number of webhooks of an organisation."""
    mine = webhooks.c.organisation_id == organisation_id
    return len((await connection.execute(select(webhooks.c.id).where(mine))).all())


async def find(connection: AsyncConnection, webhook_id: int) -> WebhookRow | None:
    """Return a webhook, or None."""
    row = (await connection.execute(select(*_ROW).where(webhooks.c.id == webhook_id))).one_or_none()
    return None if row is None else WebhookRow(*row)


async def place(connection: AsyncConnection, webhook_id: int, site_id: int) -> PlaceRow | None:
    """Return how far a webhook is in the log of a site, or None for a site that it does not follow."""
    mine = webhook_sites.c.webhook_id == webhook_id, webhook_sites.c.site_id == site_id
    row = (await connection.execute(_PLACES.where(*mine))).one_or_none()
    return None if row is None else PlaceRow(*row)


async def locked_changed_at(connection: AsyncConnection, webhook_id: int) -> int | None:
    """Return the instant of the last change of a webhook, or None for one that does not exist any more.

    No administrator can change the webhook until the end of the transaction.
    """
    return await connection.scalar(select(webhooks.c.changed_at).where(webhooks.c.id == webhook_id).with_for_update())


async def broken(connection: AsyncConnection) -> list[Broken]:
    """Return the webhooks whose receivers have failed several times in a row, each once."""
    return _first(await connection.execute(_BROKEN))


async def unreachable(connection: AsyncConnection, webhook_id: int) -> Broken | None:
    """Return the circuit of a webhook that no request reaches, or None: then no site of it can be delivered."""
    mine = webhook_sites.c.webhook_id == webhook_id, webhook_sites.c.error.in_(UNREACHABLE)
    found = _first(await connection.execute(_BROKEN.where(*mine)))
    return found[0] if found else None


def _first(rows: Iterable[Row[*tuple[Any, ...]]]) -> list[Broken]:
    """Return the site that comes next of each webhook."""
    latest_first = sorted((Broken(*row) for row in rows), key=lambda each: each.next_at, reverse=True)
    return list({each.webhook_id: each for each in latest_first}.values())


async def behind(database: Reader, now: int) -> Sequence[PlaceRow]:
    """Return the places with undelivered events that may be tried at ``now``, by webhook and site.

    Also those behind the end of a log that was shorter in a restored backup.

    Raises `Unavailable`.
    """
    async with database.read() as connection:
        return _ordered(await connection.execute(_BEHIND, {"now": now}))


async def events_after(database: Reader, site_id: int, number: int, limit: int) -> list[Recorded]:
    """Return at most ``limit`` events after a number, in order and without sealed parts. Raises `Unavailable`."""
    async with database.read() as connection:
        rows = await connection.execute(_EVENTS, {"site_id": site_id, "number": number, "limit": limit})
        return [Recorded(seq, at, actor, event_from(kind, orjson.loads(body), None)) for seq, at, actor, kind, body in rows]


def _ordered(rows: Iterable[Row[*tuple[Any, ...]]]) -> list[PlaceRow]:
    return sorted((PlaceRow(*row) for row in rows), key=lambda each: (each.webhook_id, each.site_id))

"""The webhooks of organisations, and how far each is in the log of each site."""

from __future__ import annotations

from sqlalchemy import BigInteger, ColumnElement, and_, delete, insert, literal, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from server.store.database import new_id
from server.store.staff import lock_organisation
from server.store.tables import sites, webhook_sites, webhooks

ON, OFF, GONE = "on", "off", "gone"  # GONE: the receiver has answered 410

_WHOLE: dict[str, int | str | None] = {"failures": 0, "failing_since": None, "off_at": None, "error": None}


def seals_for(webhook_id: int) -> str:
    """Return the name of the record to which the secret of a webhook is bound."""
    return f"webhook:{webhook_id}"


async def create(connection: AsyncConnection, organisation_id: int, url: str, now: int) -> int:
    """Add a webhook without a secret; return its id. It begins after the present last event of each site.

    The caller has locked the organisation, and gives the secret by `change` in the same transaction.
    """
    values = {"organisation_id": organisation_id, "url": url, "sealed": "", "state": ON, "changed_at": now}
    made = new_id(await connection.execute(insert(webhooks).values(**values)))
    begins = select(literal(made, BigInteger), sites.c.id, sites.c.seq, literal(0)).where(
        sites.c.organisation_id == organisation_id
    )
    columns = ["webhook_id", "site_id", "number", "next_at"]
    await connection.execute(insert(webhook_sites).from_select(columns, begins))
    return made


async def follow_site(connection: AsyncConnection, organisation_id: int, site_id: int) -> None:
    """Let every webhook of an organisation begin with the first event of a new site."""
    await lock_organisation(connection, organisation_id)
    begins = select(webhooks.c.id, literal(site_id, BigInteger), literal(0), literal(0)).where(
        webhooks.c.organisation_id == organisation_id
    )
    columns = ["webhook_id", "site_id", "number", "next_at"]
    await connection.execute(insert(webhook_sites).from_select(columns, begins))


async def change(connection: AsyncConnection, webhook_id: int, changed_at: int, **values: str) -> None:
    """Change ``url``, ``state`` or ``sealed`` of a webhook. The deliveries end that have read an earlier ``changed_at``."""
    changed = update(webhooks).where(webhooks.c.id == webhook_id).values(changed_at=changed_at, **values)
    await connection.execute(changed)


async def switch_on(connection: AsyncConnection, webhook_id: int) -> None:
    """Forget the failures of a webhook, so that it is tried at once at every site."""
    mine = webhook_sites.c.webhook_id == webhook_id
    await connection.execute(update(webhook_sites).where(mine).values(next_at=0, **_WHOLE))


async def remove(connection: AsyncConnection, organisation_id: int, webhook_id: int) -> bool:
    """Delete a webhook; return False if the organisation has none with this id."""
    mine = webhooks.c.id == webhook_id, webhooks.c.organisation_id == organisation_id
    if not (await connection.execute(delete(webhooks).where(*mine))).rowcount:
        return False
    await connection.execute(delete(webhook_sites).where(webhook_sites.c.webhook_id == webhook_id))
    return True


async def go_to(connection: AsyncConnection, webhook_id: int, site_id: int, number: int) -> bool:
    """Let a webhook go on after the event ``number`` of a site, and try it at once; return False without such a row."""
    mine = webhook_sites.c.webhook_id == webhook_id, webhook_sites.c.site_id == site_id
    changed = update(webhook_sites).where(*mine).values(number=number, next_at=0, **_WHOLE)
    return (await connection.execute(changed)).rowcount == 1


async def advance(connection: AsyncConnection, webhook_id: int, site_id: int, before: int, number: int) -> bool:
    """Note the delivery of the event after ``before``; return False if somebody has moved the webhook meanwhile."""
    changed = update(webhook_sites).where(_at(webhook_id, site_id, before)).values(number=number, next_at=0, **_WHOLE)
    return (await connection.execute(changed)).rowcount == 1


async def fail(
    connection: AsyncConnection,
    webhook_id: int,
    site_id: int,
    before: int,
    *,
    error: str,
    failures: int,
    since: int,
    next_at: int | None,
    off_at: int | None,
) -> None:
    """Note a failed delivery of the event after ``before``, unless somebody has moved the webhook meanwhile."""
    values = {"error": error, "failures": failures, "failing_since": since, "next_at": next_at, "off_at": off_at}
    await connection.execute(update(webhook_sites).where(_at(webhook_id, site_id, before)).values(**values))


async def wait(
    connection: AsyncConnection, webhook_id: int, site_id: int, before: int, *, error: str, since: int, next_at: int
) -> None:
    """Let a site wait for a receiver that cannot be reached. No failure of the site is counted, since nothing was sent."""
    values = {"error": error, "failing_since": since, "next_at": next_at}
    await connection.execute(update(webhook_sites).where(_at(webhook_id, site_id, before)).values(**values))


async def end(connection: AsyncConnection, webhook_id: int, changed_at: int, now: int) -> bool:
    """Switch a webhook off whose receiver is gone; return False if an administrator has changed it meanwhile."""
    mine = webhooks.c.id == webhook_id, webhooks.c.changed_at == changed_at
    values = {"state": GONE, "changed_at": max(now, changed_at + 1)}
    return (await connection.execute(update(webhooks).where(*mine).values(**values))).rowcount == 1


def _at(webhook_id: int, site_id: int, number: int) -> ColumnElement[bool]:
    return and_(
        webhook_sites.c.webhook_id == webhook_id, webhook_sites.c.site_id == site_id, webhook_sites.c.number == number
    )

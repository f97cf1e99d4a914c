"""The push subscriptions of patients' phones: one for each visit or appointment. A newer one replaces it.

The key is `server.domain.messages.subscriber_of`: a visit that came by an appointment has the appointment's subscription.
"""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import ColumnElement, Connection, and_, delete, exists, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from server.store.tables import appointments, push_subscriptions

KEPT_MICROSECONDS = 2 * 86_400_000_000  # after the last time at which it can be of use


def seals_for(subject_id: int) -> str:
    """Return the name of the record to which a subscription is bound."""
    return f"push:{subject_id}"


def among(connection: Connection, subject_ids: Collection[int]) -> set[int]:
    """Return those of these subjects that have a subscription."""
    found = select(push_subscriptions.c.subject_id).where(push_subscriptions.c.subject_id.in_(subject_ids))
    return set(connection.scalars(found)) if subject_ids else set()


def put(connection: Connection, subject_id: int, organisation_id: int, sealed: str, now: int) -> None:
    """Keep a subscription, in place of the former one. ``now`` is in microseconds."""
    mine = push_subscriptions.c.subject_id == subject_id
    before = connection.scalar(select(push_subscriptions.c.created_at).where(mine))
    connection.execute(delete(push_subscriptions).where(mine))
    # A sender removes the subscription that it has used, and no later one.
    created_at = now if before is None else max(now, before + 1)
    row = {"subject_id": subject_id, "organisation_id": organisation_id, "sealed": sealed, "created_at": created_at}
    connection.execute(insert(push_subscriptions), row)


async def remove(connection: AsyncConnection, subject_id: int, created_at: int | None = None) -> bool:
    """Delete the subscription of a subject, with ``created_at`` only the one of that instant.

    Return whether there was one.
    """
    statement = delete(push_subscriptions).where(push_subscriptions.c.subject_id == subject_id)
    if created_at is not None:
        statement = statement.where(push_subscriptions.c.created_at == created_at)
    return (await connection.execute(statement)).rowcount == 1


async def remove_all(connection: AsyncConnection, organisation_id: int) -> int:
    """Delete every subscription of an organisation, because its keys have gone; return their number."""
    statement = delete(push_subscriptions).where(push_subscriptions.c.organisation_id == organisation_id)
    return (await connection.execute(statement)).rowcount


async def forget(connection: AsyncConnection, now: int) -> int:
    """Delete the subscriptions that have been useless for two days; return their number."""
    return (await connection.execute(delete(push_subscriptions).where(useless(now - KEPT_MICROSECONDS)))).rowcount


def useless(before: int) -> ColumnElement[bool]:
    """The subscription is from before an instant (microseconds), and so is the end of its appointment, if there is one.

    A ticket lives for a day, so the subscription of a visit is useless some time after it began.
    """
    to_come = exists().where(appointments.c.id == push_subscriptions.c.subject_id, appointments.c.ends_at >= before)
    return and_(push_subscriptions.c.created_at < before, ~to_come)

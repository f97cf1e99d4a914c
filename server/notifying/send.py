"""Sending: gives a notification to its channel, at most once."""

from __future__ import annotations

import asyncio
import uuid

import structlog

from server import phones
from server.notifying.channels.channel import ChannelRefused, Message
from server.notifying.context import Context
from server.notifying.texts import Facts, text_for
from server.queries import waiting
from server.store import notifications
from server.store.notifications import Claimed, Outcome

logger = structlog.get_logger(__name__)


async def send_notification(context: Context, notification_id: int) -> Outcome | None:
    """Send one notification; return its outcome, or None if there is nothing to send or another worker sends it."""
    claimer = uuid.uuid4().hex
    now = await context.database.now()
    async with context.database.write() as connection:
        claimed = await notifications.claim(connection, notification_id, claimer, now)
    if claimed is None:
        return None
    message = await _message(context, claimed)
    async with context.database.write() as connection:
        if not await notifications.begin_sending(connection, notification_id, claimer, now):
            return None
    # Committed: after a crash from here on the row stays ``sending``, which nobody sends again.
    outcome: Outcome = "sent"
    try:
        await asyncio.to_thread(context.channels[claimed.channel].send, message)
    except ChannelRefused:  # the provider's reason can contain the phone number
        outcome = "failed"
        logger.warning("channel refused", notification_id=notification_id)
    except Exception as error:  # any other error of a library: the provider may have accepted the message
        outcome = "unknown"
        logger.warning("channel failed", notification_id=notification_id, error=type(error).__name__)
    finished = await context.database.now()
    async with context.database.write() as connection:
        await notifications.finish(connection, notification_id, claimer, outcome, finished)
    return outcome


async def _message(context: Context, claimed: Claimed) -> Message:
    found = await waiting.visit(context.database, claimed.visit_id)
    assert found is not None, "a notification's visit exists"
    visit, site_language = found
    personal = context.vault.open_personal(visit)
    assert personal.phone is not None, "every planned row has a phone number"
    link = f"{context.public_url}/t/{personal.token}"
    text = text_for(claimed.kind, (visit.language, site_language), Facts(label=visit.label, link=link))
    return Message(
        key=f"notification:{claimed.id}", to=phones.without_extension(personal.phone), language=visit.language, text=text
    )

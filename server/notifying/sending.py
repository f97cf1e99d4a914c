"""Planning and sending notifications: what the tasks do, free of Celery."""

from __future__ import annotations

import asyncio
import uuid

import structlog

from server.domain.rules.reminders import almost_your_turn
from server.notifying.channels.channel import ChannelRefused, Message
from server.notifying.context import Context
from server.notifying.texts import text_for
from server.queries import waiting
from server.store import notifications
from server.store.notifications import Claimed, Outcome

logger = structlog.get_logger(__name__)


async def plan(context: Context) -> list[int]:
    """Make rows for whoever is almost called, mark what nobody finished, and return the rows to be sent now.

    A patient who left no phone number gets no row: there is nobody to tell.
    """
    for site_id in await waiting.sites_with_waiting(context.database):
        board = await context.boards.board(site_id)
        reachable = [
            notice
            for notice in almost_your_turn(board)
            if context.vault.open_personal(board.visits[notice.visit_id]).phone is not None
        ]
        if reachable:
            now = await context.database.now()
            async with context.database.write() as connection:
                for channel in context.channels:
                    await notifications.plan(connection, reachable, channel, now)
    now = await context.database.now()
    async with context.database.write() as connection:
        given_up = await notifications.give_up_stale(connection, now)
        due = await notifications.due(connection, now)
    if given_up:
        logger.warning("notifications of unknown outcome", count=given_up)
    return due


async def send(context: Context, notification_id: int) -> Outcome | None:
    """Send one notification, if it is still to be sent and nobody else does; return how it ended, or None."""
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
    # Committed: from here on a crash leaves ``sending``, which is never sent again.
    outcome: Outcome = "sent"
    try:
        await asyncio.to_thread(context.channels[claimed.channel].send, message)
    except ChannelRefused:  # why, in a provider's words, may name the number
        outcome = "failed"
        logger.warning("channel refused", notification_id=notification_id)
    except Exception as error:  # whatever a provider's library raises: nobody knows whether it was accepted
        outcome = "unknown"
        logger.warning("channel failed", notification_id=notification_id, error=type(error).__name__)
    finished = await context.database.now()
    async with context.database.write() as connection:
        await notifications.finish(connection, notification_id, claimer, outcome, finished)
    return outcome


async def _message(context: Context, claimed: Claimed) -> Message:
    visit = await waiting.visit(context.database, claimed.visit_id)
    assert visit is not None, "a notification's visit exists"
    personal = context.vault.open_personal(visit)
    assert personal.phone is not None, "rows are planned for those who can be reached"
    link = f"{context.public_url}/t/{personal.token}"
    text = text_for(claimed.kind, visit.language, visit.label, link)
    return Message(key=f"notification:{claimed.id}", to=personal.phone, language=visit.language, text=text)

"""Planning: adds a row for each patient who should get a notification, and returns the rows to send now."""

from __future__ import annotations

from collections.abc import Iterable

import structlog

from server.domain.board import Board
from server.domain.rules.reminders import Notice, almost_your_turn
from server.notifying.context import Context
from server.queries import waiting
from server.store import notifications
from server.store.database import Database
from server.vault import Vault

logger = structlog.get_logger(__name__)


async def plan_notifications(context: Context) -> list[int]:
    """Add rows for the patients who are almost called; return the ids of all rows to send now. Raises `Unavailable`.

    Also marks rows as ``unknown`` whose sending began and never finished.
    """
    for site_id in await waiting.sites_with_waiting(context.database):
        board = await context.boards.board(site_id)
        notices = reachable(board, almost_your_turn(board), context.vault)
        if notices:
            await _add_rows(context.database, notices, context.channels)
    now = await context.database.now()
    async with context.database.write() as connection:
        given_up = await notifications.give_up_stale(connection, now)
        due = await notifications.due(connection, now)
    if given_up:
        logger.warning("notifications of unknown outcome", count=given_up)
    return due


def reachable(board: Board, notices: Iterable[Notice], vault: Vault) -> list[Notice]:
    """Return the notices for patients with a phone number. The others cannot get a message."""
    return [each for each in notices if vault.open_personal(board.visits[each.visit_id]).phone is not None]


async def _add_rows(database: Database, notices: Iterable[Notice], channels: Iterable[str]) -> None:
    now = await database.now()
    async with database.write() as connection:
        for channel in channels:
            await notifications.plan(connection, notices, channel, now)

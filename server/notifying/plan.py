"""Planning: adds a row for each patient who should get a notification."""

from __future__ import annotations

from collections.abc import Iterable

from server.domain.board import Board
from server.domain.model.ids import site_of
from server.domain.rules.reminders import Notice, almost_your_turn
from server.notifying.context import Context
from server.queries.messages import sites_with_waiting
from server.store import notifications
from server.store.notifications import Planned
from server.vault import Vault

USEFUL_MICROSECONDS = 30 * 60_000_000  # how long a patient is still glad of the message


async def plan_notifications(context: Context) -> int:
    """Add rows for the patients who are almost called; return the number of new rows. Raises `Unavailable`."""
    new = 0
    for site_id in await sites_with_waiting(context.database):
        board = await context.boards.board(site_id)
        notices = reachable(board, almost_your_turn(board), context.vault)
        if notices:
            now = await context.database.now()
            planned = [planned_for(notice, now) for notice in notices]
            async with context.database.write() as connection:
                new += await connection.run_sync(notifications.plan, planned, now)
    return new


def reachable(board: Board, notices: Iterable[Notice], vault: Vault) -> list[Notice]:
    """Return the notices for patients with a phone number. The others cannot get a message."""
    return [each for each in notices if vault.open_personal(board.visits[each.visit_id]).phone is not None]


def planned_for(notice: Notice, now: int) -> Planned:
    """Return the row of a notice, to send from ``now`` on (microseconds)."""
    return Planned(
        site_id=site_of(notice.entry_id),
        subject=f"entry:{notice.entry_id}",
        subject_version=notice.version,
        kind=notice.kind,
        ahead=notice.ahead,
        channel="sms",
        due_at=now,
        not_after=now + USEFUL_MICROSECONDS,
        visit_id=notice.visit_id,
        entry_id=notice.entry_id,
    )

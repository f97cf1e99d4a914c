"""The rule for undoing the last step of an entry."""

from __future__ import annotations

from collections.abc import Callable

from server.domain.board import Board
from server.domain.commands import Undo
from server.domain.errors import LaterStepDepends, NotAllowed, NothingToUndo
from server.domain.events import Event, StepUndone, TicketCalled
from server.domain.model import BUSY_STATES, COMMANDS_OF_STEP, OPEN_STATES, UNDO_MICROSECONDS
from server.domain.rules.lookups import find_entry, label_of, new_ids, refuse_busy, refuse_removed


def undo(board: Board, command: Undo, now: int, may: Callable[[str], bool]) -> list[Event]:
    entry = find_entry(board, command.entry_id)
    label = label_of(board, entry)
    step = entry.undo
    if step is None or now - step["at"] > UNDO_MICROSECONDS:
        raise NothingToUndo(entry_id=entry.id, label=label)
    if not any(may(name) for name in COMMANDS_OF_STEP[step["step"]]):
        raise NotAllowed(action=COMMANDS_OF_STEP[step["step"]][0])
    later = board.latest_entry(entry.visit_id)
    if later is not None and later.id != entry.id and (later.state != "waiting" or later.undo is not None):
        raise LaterStepDepends(entry_id=entry.id, label=label)
    back_to = step["back_to"]
    if back_to["state"] in OPEN_STATES:
        refuse_removed(board, entry, back_to["point_id"] if back_to["state"] in BUSY_STATES else None)
    if back_to["state"] in BUSY_STATES:
        guest = board.entry_at(back_to["point_id"])
        if guest is not None and guest.id != entry.id:
            refuse_busy(board, board.points[back_to["point_id"]])
    heard = step["step"] == TicketCalled.name_on_wire()
    checked_in = "check-in" in COMMANDS_OF_STEP[step["step"]]
    return [
        StepUndone(
            entry_id=entry.id,
            label=label,
            step=step["step"],
            point_id=entry.point_id,
            announcement_id=next(new_ids(board)) if heard else None,
            appointment_id=board.visits[entry.visit_id].appointment_id if checked_in else None,
        )
    ]

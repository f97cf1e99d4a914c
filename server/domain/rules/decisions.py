"""The one dispatch from a command to its rule. Pure: a board, a command and the time in, events out."""

from __future__ import annotations

from collections.abc import Callable

from server.domain.board import Board
from server.domain.commands import (
    AddDisplay,
    AddKiosk,
    AmendVisit,
    BreakPoint,
    BroadcastMessage,
    Call,
    CallNext,
    Cancel,
    ChangeDisplay,
    CloseDay,
    ClosePoint,
    Command,
    Complete,
    Hold,
    IssueTicket,
    Leave,
    Move,
    NoShow,
    OpenPoint,
    OpenQueue,
    PauseQueue,
    ReassignProvider,
    Recall,
    RenameDevice,
    RenewToken,
    Reopen,
    ReportDisplay,
    Reprioritise,
    Return,
    RevokeToken,
    RunningLate,
    StaffPoint,
    Start,
    SwapPoints,
    Tick,
    Transfer,
    Undo,
)
from server.domain.events import Event, MessageBroadcast
from server.domain.rules import calls, day, devices, leaving, queues_and_points, reordering, tickets, transfers, undo
from server.domain.rules.site_configuration import configure_site


def decide(
    board: Board,
    command: Command,
    now: int,
    token_hash: str = "",
    may: Callable[[str], bool] = lambda _: True,
    patients: tickets.Patients = tickets.NOBODY,
) -> list[Event]:
    """Return the events of ``command`` on ``board`` at ``now`` (microseconds). The board stays as it is.

    ``token_hash`` is the keyed hash of a new token, for the commands that issue one. ``may`` returns whether the caller may
    send a command of this name: an undo needs the right to the step that it undoes. ``patients`` gives the personal
    data of visits. Raises `NotFound`, `Refused` or `NotAllowed` by name if the board does not allow the command, and
    `ValueError` for a command without a rule.
    """
    match command:
        case Tick():
            return day.tick(board, now)
        case IssueTicket():
            return tickets.issue(board, command, now, token_hash, may, patients)
        case AmendVisit():
            return tickets.amend(board, command, now, patients)
        case CallNext():
            return calls.call_next(board, command)
        case Call():
            return calls.call(board, command)
        case Recall():
            return calls.recall(board, command)
        case Start():
            return calls.start(board, command)
        case Complete():
            return calls.complete(board, command)
        case NoShow():
            return calls.no_show(board, command)
        case Transfer():
            return transfers.transfer(board, command, now)
        case ReassignProvider():
            return transfers.reassign(board, command)
        case Hold():
            return leaving.hold(board, command)
        case Return():
            return leaving.return_(board, command, now)
        case RunningLate():
            return leaving.running_late(board, command, now)
        case Leave():
            return leaving.leave(board, command)
        case Cancel():
            return leaving.cancel(board, command)
        case Reopen():
            return leaving.reopen(board, command)
        case Reprioritise():
            return reordering.reprioritise(board, command)
        case Move():
            return reordering.move(board, command)
        case Undo():
            return undo.undo(board, command, now, may)
        case OpenPoint():
            return queues_and_points.open_point(board, command)
        case BreakPoint():
            return queues_and_points.break_point(board, command)
        case ClosePoint():
            return queues_and_points.close_point(board, command)
        case StaffPoint():
            return queues_and_points.staff_point(board, command)
        case SwapPoints():
            return queues_and_points.swap_points(board, command)
        case OpenQueue() | PauseQueue():
            return queues_and_points.open_or_pause_queue(board, command)
        case AddDisplay():
            return devices.add_display(board, command, token_hash)
        case AddKiosk():
            return devices.add_kiosk(board, command, token_hash)
        case RenameDevice():
            return devices.rename(board, command)
        case ChangeDisplay():
            return devices.change_display(board, command)
        case RenewToken():
            return devices.renew_token(board, command, token_hash)
        case RevokeToken():
            return devices.revoke_token(board, command)
        case ReportDisplay():
            return devices.report(board, command)
        case BroadcastMessage():
            return [MessageBroadcast(message=command.message)]
        case CloseDay():
            return day.close_day(board, command)
        case _:
            return configure_site(board, command, now)

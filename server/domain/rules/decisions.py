"""The one dispatch from a command to its rule. Pure: a board, a command and the time in, events out."""

from __future__ import annotations

from collections.abc import Callable

from server.domain.board import Board
from server.domain.calendar import NO_CALENDAR, Calendar
from server.domain.commands import (
    AcceptOffer,
    AddDisplay,
    AddException,
    AddKiosk,
    AddSchedule,
    AmendAppointment,
    AmendVisit,
    AnnounceDelay,
    AnswerHelp,
    AppointmentNoShow,
    AskHelp,
    Book,
    BookSeries,
    BreakPoint,
    BroadcastMessage,
    Call,
    CallNext,
    Cancel,
    CancelAppointment,
    ChangeDisplay,
    ChangeKiosk,
    ChangeSchedule,
    CheckIn,
    ClearUnreached,
    CloseDay,
    ClosePoint,
    Command,
    Complete,
    Confirm,
    DeclineOffer,
    DropHold,
    EndSchedule,
    EndTrial,
    HideChecklist,
    Hold,
    HoldSlot,
    ImportAppointments,
    IssueTicket,
    JoinQueue,
    Leave,
    LinkPractitioner,
    Move,
    MoveAppointments,
    NoShow,
    NoteMessage,
    NoteOutage,
    OpenPoint,
    OpenQueue,
    PassOffer,
    PauseQueue,
    ReachMilestone,
    ReassignProvider,
    Recall,
    ReleaseSlot,
    RemoveException,
    RenameDevice,
    RenewToken,
    Reopen,
    ReportDevice,
    Reprioritise,
    Reschedule,
    Return,
    RevokeToken,
    Rezone,
    RunningLate,
    SetUp,
    StaffPoint,
    Start,
    SwapPoints,
    Tick,
    Transfer,
    Undo,
    WantEarlier,
    WithdrawDelay,
)
from server.domain.events import Event, MessageBroadcast
from server.domain.rules import (
    booking,
    calls,
    day,
    delays,
    devices,
    doubts,
    first_steps,
    importing,
    joining,
    leaving,
    practitioners,
    queues_and_points,
    reordering,
    schedules,
    tickets,
    transfers,
    undo,
    unreached,
    waiting_list,
)
from server.domain.rules.check_in import check_in
from server.domain.rules.set_up import set_up
from server.domain.rules.site_configuration import configure_site


def decide(  # nosec B107 # no password: the hash of none
    board: Board,
    command: Command,
    now: int,
    token_hash: str = "",
    may: Callable[[str], bool] = lambda _: True,
    patients: tickets.Patients = tickets.NOBODY,
    calendar: Calendar = NO_CALENDAR,
) -> list[Event]:
    """Return the events of ``command`` on ``board`` at ``now`` (microseconds). The board stays as it is.

    ``token_hash`` is the keyed hash of a new token, for the commands that issue one. ``may`` returns whether the caller may
    send a command of this name: an undo needs the right to the step that it undoes. ``patients`` gives the personal
    data of visits, ``calendar`` the appointments of all days. Raises `NotFound`, `Refused` or `NotAllowed` by name if
    the board does not allow the command, and `ValueError` for a command without a rule.
    """
    match command:
        case Tick():
            return day.tick(board, now, calendar, explain=command.explain, leave=command.leave)
        case IssueTicket():
            return tickets.issue(board, command, now, token_hash, may, patients, calendar)
        case JoinQueue():
            return joining.join(board, command, now, token_hash)
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
        case ChangeKiosk():
            return devices.change_kiosk(board, command)
        case AskHelp():
            return devices.ask_help(board, command)
        case AnswerHelp():
            return devices.answer_help(board, command)
        case RenewToken():
            return devices.renew_token(board, command, token_hash)
        case RevokeToken():
            return devices.revoke_token(board, command)
        case ReportDevice():
            return devices.report(board, command)
        case SetUp():
            return set_up(board, command, now, patients.open_sealed, calendar)
        case BroadcastMessage():
            return [MessageBroadcast(message=command.message)]
        case AnnounceDelay():
            return delays.announce(board, command, now, patients)
        case WithdrawDelay():
            return delays.withdraw(board)
        case CloseDay():
            return day.close_day(board, command)
        case ReachMilestone() | HideChecklist():
            return first_steps.reach(board, command)
        case EndTrial():
            return first_steps.end_trial(board, command)
        case HoldSlot():
            return booking.hold(board, command, now, token_hash, calendar)
        case ReleaseSlot():
            return waiting_list.with_offers(board, booking.release(board, command, now, calendar), now, calendar)
        case Book():
            return booking.book(board, command, now, token_hash, may, calendar)
        case BookSeries():
            return booking.book_series(board, command, now, token_hash, calendar)
        case Reschedule():
            return waiting_list.with_offers(board, booking.reschedule(board, command, now, may, calendar), now, calendar)
        case AmendAppointment():
            return booking.amend(board, command, now, calendar, patients)
        case WantEarlier():
            return booking.want_earlier(board, command, now, calendar)
        case CancelAppointment():
            return waiting_list.with_offers(board, booking.cancel(board, command, now, may, calendar), now, calendar)
        case CheckIn():
            return check_in(board, command, now, token_hash, may, calendar, patients)
        case AppointmentNoShow():
            return waiting_list.with_offers(board, booking.no_show(board, command, now, calendar), now, calendar)
        case MoveAppointments():
            return waiting_list.with_offers(board, booking.move_list(board, command, now, calendar), now, calendar)
        case AcceptOffer():
            return waiting_list.with_offers(board, waiting_list.accept(board, command, now, calendar), now, calendar)
        case DeclineOffer():
            return waiting_list.with_offers(board, waiting_list.decline(board, command, now, calendar), now, calendar)
        case PassOffer():
            return waiting_list.with_offers(board, waiting_list.pass_on(command, now, calendar), now, calendar)
        case DropHold():
            return waiting_list.drop_hold(command, now, calendar)
        case NoteMessage():
            return unreached.note_message(board, command, now, calendar)
        case NoteOutage():
            return doubts.note_outage(board, command)
        case Confirm():
            return doubts.confirm(board, command)
        case ClearUnreached():
            return unreached.clear(board, command, calendar)
        case ImportAppointments():
            rows = importing.import_rows(board, command, now, may, calendar, patients)
            return waiting_list.with_offers(board, rows, now, calendar)
        case LinkPractitioner():
            return practitioners.link(board, command, now, calendar)
        case Rezone():
            return booking.rezone(board, now, calendar)
        case AddSchedule() | ChangeSchedule() | EndSchedule() | AddException() | RemoveException():
            return schedules.decide_schedule(board, command, now, calendar)
        case _:
            return configure_site(board, command, now, calendar)

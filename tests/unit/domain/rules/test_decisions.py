"""The dispatch of commands to rules, and the outcome of each command in each state."""

from __future__ import annotations

import pytest
from hypothesis import given

from server.domain.commands import (
    COMMANDS,
    AcceptOffer,
    AddDisplay,
    AddException,
    AddKiosk,
    AddPoint,
    AddProvider,
    AddQueue,
    AddSchedule,
    AddService,
    AmendAppointment,
    AmendVisit,
    AnnounceDelay,
    AnswerHelp,
    AppointmentNoShow,
    Arrange,
    AskHelp,
    Book,
    BookForVisitor,
    BookSeries,
    BreakPoint,
    BroadcastMessage,
    Call,
    CallNext,
    Cancel,
    CancelAppointment,
    ChangeDisplay,
    ChangeKiosk,
    ChangePoint,
    ChangeProvider,
    ChangeQueue,
    ChangeSchedule,
    ChangeService,
    ChangeSite,
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
    HoldForVisitor,
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
    Remove,
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
from server.domain.errors import NotFound, Refused
from server.domain.model import OPEN_STATES, State
from server.domain.rules import decide
from tests.support.extent import examples
from tests.support.one_entry import ENTRY, NOBODY, POINT, QUEUE, STATES, VISIT, board_with, on_entry, unchanged_by
from tests.support.worlds import SITE_ID, START, Step, command_of, scripts, small_clinic

SITE_CONFIGURATION = {
    ReportDevice,
    SetUp,
    *(AddService, ChangeService, AddProvider, ChangeProvider, AddQueue, ChangeQueue, AddPoint, ChangePoint, ChangeSite),
    *(AddDisplay, AddKiosk, ChangeDisplay, ChangeKiosk, AskHelp, AnswerHelp, RenameDevice, RenewToken, RevokeToken),
    *(Arrange, Remove, StaffPoint, SwapPoints, ReassignProvider),
}


# For each command on an entry: the event by state, and the code of the refusal in other states.
ENTRY_COMMANDS: dict[type[Command], tuple[dict[State, str], str]] = {
    Recall: ({"called": "ticket-recalled"}, "entry_not_called"),
    Start: ({"called": "service-started"}, "entry_not_called"),
    Complete: ({"serving": "service-completed"}, "entry_not_serving"),
    NoShow: ({"called": "no-show-recorded"}, "entry_not_called"),
    Transfer: (
        {"waiting": "ticket-transferred", "called": "ticket-transferred", "serving": "ticket-transferred"},
        "entry_not_open",
    ),
    Call: ({"waiting": "ticket-called"}, "entry_not_waiting"),
    Hold: ({"waiting": "entry-held", "called": "entry-held"}, "entry_not_open"),
    Return: (dict.fromkeys(("held", "no_show", "called"), "entry-returned"), "entry_not_held"),
    Leave: (dict.fromkeys(("waiting", "called", "held"), "entry-left"), "entry_not_leaving"),
    Cancel: ({"waiting": "entry-cancelled", "held": "entry-cancelled"}, "entry_not_leaving"),
    AmendVisit: (dict.fromkeys(sorted(OPEN_STATES), "visit-amended"), "entry_not_open"),
    Reprioritise: ({"waiting": "entry-reprioritised"}, "entry_not_waiting"),
    Move: ({"waiting": "entry-moved"}, "entry_not_waiting"),
    RunningLate: ({"waiting": "patient-running-late", "called": "entry-held"}, "entry_not_waiting"),
    Reopen: (dict.fromkeys(("completed", "left", "cancelled", "no_show"), "entry-reopened"), "entry_not_ended"),
}


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("kind", ENTRY_COMMANDS)
def test_each_command_on_an_entry_succeeds_in_its_states_only(kind: type[Command], state: State) -> None:
    allowed, refusal = ENTRY_COMMANDS[kind]
    outcome = unchanged_by(board_with(state), on_entry(kind))
    if state in allowed:
        assert isinstance(outcome, list)
        assert [event.name_on_wire() for event in outcome] == [allowed[state]]
        assert outcome[0].entry_id == ENTRY
        assert outcome[0].label == "A001"
        assert getattr(outcome[0], "point_id", POINT) == POINT
    else:
        assert isinstance(outcome, Refused)
        assert outcome.code == refusal
        assert outcome.details == {"entry_id": ENTRY, "label": "A001", "state": state}
        assert outcome.message.startswith(f"A001 is {state}")


TOMORROW = "2024-03-30"
ON_APPOINTMENTS: tuple[Command, ...] = (
    Reschedule(appointment_id=NOBODY, version=1, local_start=f"{TOMORROW}T09:00"),
    AmendAppointment(appointment_id=NOBODY, name="Ada"),
    CancelAppointment(appointment_id=NOBODY, version=1),
    CheckIn(appointment_id=NOBODY),
    WantEarlier(appointment_id=NOBODY, wants=True),
    AcceptOffer(appointment_id=NOBODY),
    DeclineOffer(appointment_id=NOBODY),
    AppointmentNoShow(appointment_id=NOBODY),
)
BOOKINGS: tuple[Command, ...] = (
    HoldSlot(site_id=SITE_ID, service_id=NOBODY, local_start=f"{TOMORROW}T09:00"),
    Book(site_id=SITE_ID, service_id=NOBODY, local_start=f"{TOMORROW}T09:00", name="Ada"),
    BookSeries(
        site_id=SITE_ID,
        service_id=NOBODY,
        provider_id=NOBODY,
        local_start=f"{TOMORROW}T09:00",
        every_days=7,
        count=2,
        name="Ada",
    ),
)
ON_SCHEDULES: tuple[Command, ...] = (
    ChangeSchedule(schedule_id=NOBODY, from_date=TOMORROW, until="12:00"),
    EndSchedule(schedule_id=NOBODY, last_date=TOMORROW),
)
ON_PROVIDERS: tuple[Command, ...] = (
    AddSchedule(
        site_id=SITE_ID,
        provider_id=NOBODY,
        service_ids=(NOBODY,),
        weekday=0,
        from_="09:00",
        until="17:00",
        slot_minutes=15,
        valid_from=TOMORROW,
    ),
    AddException(site_id=SITE_ID, provider_id=NOBODY, date=TOMORROW, kind="closed", reason="ill"),
    MoveAppointments(provider_id=NOBODY, date=TOMORROW, reason="ill"),
    LinkPractitioner(provider_id=NOBODY, practitioner_id=1),
)
# Their refusals name no id: a visitor of the booking page, a row of a file, a hold by its token, the clock.
OF_THE_CALENDAR = {
    *(HoldForVisitor, BookForVisitor, ImportAppointments, ReleaseSlot, Rezone, PassOffer, RemoveException, NoteMessage),
    *(DropHold, NoteOutage),
}
OF_MARKS = {ClearUnreached, Confirm}


UNKNOWN: list[tuple[Command, str, str]] = [
    *((on_entry(kind, NOBODY), "entry_not_found", "entry_id") for kind in ENTRY_COMMANDS),
    (Undo(entry_id=NOBODY), "entry_not_found", "entry_id"),
    (Move(entry_id=ENTRY, behind_entry_id=NOBODY, reason="frail"), "entry_not_found", "entry_id"),
    (Call(entry_id=ENTRY, point_id=NOBODY), "point_not_found", "point_id"),
    *((kind(point_id=NOBODY), "point_not_found", "point_id") for kind in (CallNext, OpenPoint, BreakPoint, ClosePoint)),
    *((kind(queue_id=NOBODY), "queue_not_found", "queue_id") for kind in (OpenQueue, PauseQueue)),
    (IssueTicket(queue_id=NOBODY), "queue_not_found", "queue_id"),
    (JoinQueue(queue_id=NOBODY, joined_from="phone", present=True), "queue_not_found", "queue_id"),
    (Transfer(entry_id=ENTRY, queue_id=NOBODY), "queue_not_found", "queue_id"),
    (AddPoint(site_id=SITE_ID, name="New", queue_ids=(QUEUE, NOBODY)), "queue_not_found", "queue_id"),
    *((command, "appointment_not_found", "appointment_id") for command in ON_APPOINTMENTS),
    (Confirm(entry_id=NOBODY), "entry_not_found", "entry_id"),
    (ClearUnreached(subject_id=NOBODY), "appointment_not_found", "appointment_id"),
    *((command, "service_not_found", "service_id") for command in BOOKINGS),
    *((command, "schedule_not_found", "schedule_id") for command in ON_SCHEDULES),
    (RemoveException(exception_id=NOBODY), "exception_not_found", "exception_id"),
    *((command, "provider_not_found", "provider_id") for command in ON_PROVIDERS),
]


@pytest.mark.parametrize(
    ("command", "code", "field"), UNKNOWN, ids=[f"{each[0].name_on_wire()}-{each[2]}" for each in UNKNOWN]
)
def test_unknown_id_is_refused_by_its_kind(command: Command, code: str, field: str) -> None:
    outcome = unchanged_by(board_with("waiting"), command)
    assert isinstance(outcome, NotFound)
    assert outcome.code == code
    assert outcome.details == {field: NOBODY}


def test_id_of_another_kind_is_unknown() -> None:
    board = board_with("waiting")
    for command, code in (
        (CallNext(point_id=QUEUE), "point_not_found"),
        (IssueTicket(queue_id=POINT), "queue_not_found"),
        (Start(entry_id=VISIT), "entry_not_found"),
    ):
        outcome = unchanged_by(board, command)
        assert isinstance(outcome, NotFound)
        assert outcome.code == code


def test_tables_name_every_command() -> None:
    of_entries = {*ENTRY_COMMANDS, Undo}
    of_points = {CallNext, OpenPoint, BreakPoint, ClosePoint}
    of_queues = {IssueTicket, JoinQueue, OpenQueue, PauseQueue}
    of_sites = {Tick, BroadcastMessage, AnnounceDelay, WithdrawDelay, CloseDay, EndTrial, HideChecklist, ReachMilestone}
    bookings = {type(each) for each in (*ON_APPOINTMENTS, *BOOKINGS, *ON_SCHEDULES, *ON_PROVIDERS)} | OF_THE_CALENDAR
    assert of_entries | of_points | of_queues | of_sites | SITE_CONFIGURATION | bookings | OF_MARKS == set(COMMANDS.values())


def test_booking_page_that_is_off_books_and_holds_nothing() -> None:
    for command in (
        HoldForVisitor(
            site_id=SITE_ID, service_id=NOBODY, local_start=f"{TOMORROW}T09:00", held_by="visitor", held_from="address"
        ),
        BookForVisitor(site_id=SITE_ID, service_id=NOBODY, local_start=f"{TOMORROW}T09:00", name="Ada"),
    ):
        outcome = unchanged_by(board_with("waiting"), command)
        assert isinstance(outcome, NotFound)
        assert outcome.code == "booking_is_off"


def test_hold_with_an_unknown_token_has_expired() -> None:
    outcome = unchanged_by(board_with("waiting"), ReleaseSlot(site_id=SITE_ID, hold_token="a7-unknown"))
    assert isinstance(outcome, Refused)
    assert outcome.code == "hold_expired"


def test_clock_finds_nothing_to_rezone() -> None:
    outcome = unchanged_by(board_with("waiting"), Rezone(site_id=SITE_ID))
    assert isinstance(outcome, Refused)
    assert outcome.code == "nothing_due"


def test_command_without_a_rule_raises_value_error() -> None:
    class Dance(Command):
        pass

    with pytest.raises(ValueError, match="Dance"):
        decide(board_with("waiting"), Dance(), START)


@examples(100)
@given(scripts(30))
def test_decide_does_not_change_the_board(script: list[Step]) -> None:
    """Only applying events changes the board, whether a command succeeds or not."""
    world = small_clinic()
    for action, about, pause in script:
        world.now += pause
        command = command_of(world, action, about)
        outcome = unchanged_by(world.board, command, world.now)
        if isinstance(outcome, list):
            assert outcome, "a successful command has events"
            world.do(command, after=0)


def test_refused_command_uses_no_number_and_no_id() -> None:
    world = small_clinic()
    queue_id = min(world.board.queues)
    one = world.ticket(queue_id)
    with pytest.raises(Refused):
        world.do(Start(entry_id=one.id))
    two = world.ticket(queue_id)
    assert world.label(two) == "A002"
    assert two.visit_id == one.id + 1

"""The people and screens that a change affects: every command is named here, with what it lists or with a reason."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import pytest

from server.domain.affected import KINDS, MOST_NAMED, affected
from server.domain.board import Board, Changes, apply
from server.domain.commands import (
    COMMANDS,
    AddDisplay,
    AddException,
    AddKiosk,
    AddPoint,
    AddProvider,
    AddQueue,
    AddSchedule,
    AddService,
    AnswerHelp,
    Arrange,
    AskHelp,
    Book,
    BreakPoint,
    BroadcastMessage,
    ChangeDisplay,
    ChangeKiosk,
    ChangePoint,
    ChangeProvider,
    ChangeQueue,
    ChangeSchedule,
    ChangeService,
    ChangeSite,
    CloseDay,
    ClosePoint,
    Command,
    EndSchedule,
    LinkPractitioner,
    MoveAppointments,
    OpenPoint,
    OpenQueue,
    PauseQueue,
    ReassignProvider,
    Remove,
    RemoveException,
    RenameDevice,
    RenewToken,
    RevokeToken,
    StaffPoint,
    SwapPoints,
)
from server.domain.errors import InUse
from server.domain.events import OfAppointment, Recorded
from server.domain.rules import decide
from tests.support.whole_clinic import ADA, BLOOD, BOSE, DOOR, HALL, ONE, SERVICE, TWO, X_RAY, refusal, whole_clinic
from tests.support.worlds import HOUR, MINUTE, SITE_ID, START, World, an_id

# What a change lists: kind -> the labels or names.
Listed = dict[str, tuple[str, ...]]


def listed(world: World, command: Command) -> Listed:
    """Return what a preview of a command lists. The board stays as it is."""
    board, after, changes = world.board, Board(world.board.site, world.board.records()), Changes()
    for event in decide(board, command, world.now, "another hash", calendar=world.calendar):
        if isinstance(event, OfAppointment) and (before := world.calendar.appointment(event.appointment_id)):
            after.lend(before)
        apply(after, Recorded(after.site.seq + 1, world.now, "staff:1", event), changes)
    return {each.kind: each.first for each in affected(board, after, world.now, changes)}


def busy() -> World:
    """Return a clinic with A001 called to room 1, A002 and A003 waiting, and B001 waiting for an X-ray in room 2."""
    world = whole_clinic()
    world.do(ChangeSite(site_id=SITE_ID, names_on_display=True, languages=("fr",)))
    for about in ({"name": "Ada Lovelace", "name_on_display": True}, {"language": "fr"}, {}):
        world.ticket(BLOOD, **about)
    world.ticket(X_RAY)
    world.call(ONE)
    return world


@dataclass(frozen=True)
class Case:
    """A command in the busy clinic, after other commands, and what it lists."""

    command: Command
    lists: Listed
    after: tuple[Command, ...] = field(default=())
    hours_later: int = 0


def at(minute: int) -> tuple[tuple[int, int, int], ...]:
    """Return opening hours that end at a minute of every day."""
    return tuple((day, 0, minute) for day in range(7))


MADE = an_id(19)  # the id of the next record in the busy clinic
WINDOW = AddSchedule(
    site_id=SITE_ID,
    provider_id=ADA,
    service_ids=(SERVICE,),
    weekday=4,
    from_="09:00",
    until="17:00",
    slot_minutes=15,
    valid_from="2024-03-01",
)
CLOSURE = AddException(site_id=SITE_ID, date="2024-03-29", kind="closed", reason="training")
TODAY, NEXT_WEEK = "2024-03-29T15:00", "2024-04-05T10:00"
BOOKED = (
    WINDOW,
    replace(WINDOW, provider_id=BOSE),
    *(
        Book(site_id=SITE_ID, service_id=SERVICE, provider_id=ADA, local_start=each, name="Ada")
        for each in (TODAY, NEXT_WEEK)
    ),
)
EVERYBODY = ("A001", "A002", "A003", "B001")
CASES = [
    Case(Remove(record_id=HALL), {"screens_dark": ("Hall",), "calls_unseen": ("A001",)}),
    Case(Remove(record_id=DOOR), {"screens_dark": ("Door",)}),
    Case(Remove(record_id=TWO), {"unserved": ("B001",), "queues_without_point": ("X-ray",)}),
    Case(Remove(record_id=BOSE), {}),
    Case(RevokeToken(device_id=HALL), {"screens_dark": ("Hall",), "calls_unseen": ("A001",)}),
    Case(RenewToken(device_id=DOOR), {"screens_dark": ("Door",)}),
    Case(RenameDevice(device_id=HALL, name="Foyer"), {}),
    Case(ChangeDisplay(display_id=HALL, point_ids=(TWO,)), {"calls_unseen": ("A001",)}),
    Case(ChangeKiosk(kiosk_id=DOOR, queue_ids=(BLOOD,)), {}),
    Case(AskHelp(kiosk_id=DOOR), {}),
    Case(AnswerHelp(kiosk_id=DOOR, name="Ada"), {}, after=(AskHelp(kiosk_id=DOOR),)),
    Case(ChangeService(service_id=SERVICE, public_name="Lab"), {}),
    Case(ChangeProvider(provider_id=ADA, name="Dr. Ada Byron"), {}),
    Case(ChangeQueue(queue_id=BLOOD, capacity=2), {"full": ("Blood",)}),
    Case(ChangeQueue(queue_id=BLOOD, capacity=3), {}),
    Case(ChangeQueue(queue_id=BLOOD, name="Laboratory"), {}),
    Case(ChangePoint(point_id=ONE, name="Room 7"), {"other_point": ("A001",)}),
    Case(ChangePoint(point_id=TWO, queue_ids=(BLOOD,)), {"unserved": ("B001",), "queues_without_point": ("X-ray",)}),
    Case(PauseQueue(queue_id=BLOOD), {"no_tickets": ("Blood",)}),
    Case(OpenQueue(queue_id=BLOOD), {}, after=(PauseQueue(queue_id=BLOOD),)),
    Case(ClosePoint(point_id=TWO), {"unserved": ("B001",), "queues_without_point": ("X-ray",)}),
    Case(BreakPoint(point_id=TWO), {"unserved": ("B001",), "queues_without_point": ("X-ray",)}),
    Case(OpenPoint(point_id=TWO), {}, after=(ClosePoint(point_id=TWO),)),
    Case(SwapPoints(point_id=TWO, with_point_id=ONE), {}),
    Case(CloseDay(site_id=SITE_ID, reason="fire alarm"), {"ended": EVERYBODY}),
    Case(BroadcastMessage(site_id=SITE_ID, message="Late"), {}),
    Case(Arrange(site_id=SITE_ID, record_ids=(X_RAY, BLOOD)), {}),
    Case(ChangeSite(site_id=SITE_ID, name="Hill"), {}),
    Case(ChangeSite(site_id=SITE_ID, names_on_display=False), {"names_hidden": ("A001",)}),
    Case(ChangeSite(site_id=SITE_ID, languages=()), {"language_lost": ("A002",)}),
    Case(ChangeSite(site_id=SITE_ID, hours=at(60)), {"closed": EVERYBODY}),
    Case(ChangeSite(site_id=SITE_ID, hours=at(1440)), {}),
    Case(ChangeSite(site_id=SITE_ID, closed_on=("2024-03-29",)), {"closed": EVERYBODY}),
    Case(ChangeSite(site_id=SITE_ID, closed_on=("2024-12-25",)), {}),
    Case(ChangeSite(site_id=SITE_ID, day_turns_at_minutes=120), {"day_turn": EVERYBODY}),
    Case(
        ChangeSite(site_id=SITE_ID, time_zone="Pacific/Kiritimati", day_turns_at_minutes=0),
        {"expiring": EVERYBODY},
        hours_later=4,
    ),
    Case(
        ChangeSite(site_id=SITE_ID, round_the_clock=False),
        {"expire_at_turn": EVERYBODY},
        after=(ChangeSite(site_id=SITE_ID, round_the_clock=True),),
    ),
    Case(AddService(site_id=SITE_ID, name="New", public_name="New"), {}),
    Case(AddProvider(site_id=SITE_ID, name="New"), {}),
    Case(AddQueue(site_id=SITE_ID, name="New", prefix="C"), {}),
    Case(AddPoint(site_id=SITE_ID, name="New", queue_ids=(BLOOD,)), {}),
    Case(AddDisplay(site_id=SITE_ID, name="New"), {}),
    Case(AddKiosk(site_id=SITE_ID, name="New"), {}),
    Case(WINDOW, {}),
    Case(ChangeSchedule(schedule_id=MADE, from_date="2024-03-30", until="12:00"), {}, after=(WINDOW,)),
    Case(EndSchedule(schedule_id=MADE, last_date="2024-03-29"), {}, after=(WINDOW,)),
    Case(EndSchedule(schedule_id=MADE, last_date="2024-03-29", stranded="keep"), {}, after=BOOKED),
    Case(
        EndSchedule(schedule_id=MADE, last_date="2024-03-28", stranded="cancel"),
        {"appointment_cancelled": (TODAY, NEXT_WEEK)},
        after=BOOKED,
    ),
    Case(
        ChangeSchedule(schedule_id=MADE, from_date="2024-03-29", until="12:00", stranded="cancel"),
        {"appointment_cancelled": (TODAY,)},
        after=BOOKED,
    ),
    Case(replace(CLOSURE, stranded="cancel"), {"appointment_cancelled": (TODAY,)}, after=BOOKED),
    Case(
        MoveAppointments(provider_id=ADA, date="2024-04-05", reason="is ill"),
        {"appointment_moved": (NEXT_WEEK,)},
        after=BOOKED,
    ),
    Case(
        MoveAppointments(provider_id=ADA, date="2024-03-29", to_provider_id=BOSE, reason="is ill"),
        {"appointment_moved": (TODAY,)},
        after=BOOKED,
    ),
    Case(CLOSURE, {}),
    Case(RemoveException(exception_id=MADE), {}, after=(CLOSURE,)),
    Case(LinkPractitioner(provider_id=ADA), {}, after=(LinkPractitioner(provider_id=ADA, practitioner_id=1),)),
]
# The commands without a case, and the reasons.
ONE_PATIENT = "a step of one patient, whom the person at the desk has chosen"
REASONS = {
    "drop-hold": "no client can send it; a restore ends the holds, whose patients begin again",
    **dict.fromkeys(("announce-delay", "withdraw-delay"), "changes no place and no screen; the event counts its messages"),
    **dict.fromkeys(
        ("issue-ticket", "call-next", "call", "recall", "start", "complete", "no-show", "transfer", "hold", "return"),
        ONE_PATIENT,
    ),
    **dict.fromkeys(
        ("leave", "cancel", "reprioritise", "move", "running-late", "undo", "reopen", "amend-visit"), ONE_PATIENT
    ),
    **dict.fromkeys(
        ("book", "book-for-visitor", "book-series", "reschedule", "amend-appointment", "cancel-appointment", "check-in"),
        ONE_PATIENT,
    ),
    **dict.fromkeys(("appointment-no-show", "hold-slot", "hold-for-visitor", "release-slot"), ONE_PATIENT),
    **dict.fromkeys(("clear-unreached", "note-message", "confirm"), ONE_PATIENT),
    "note-outage": "the server's own command after an outage: it asks, and ends nothing",
    **dict.fromkeys(("want-earlier", "accept-offer", "decline-offer", "pass-offer"), ONE_PATIENT),
    "import-appointments": "the promises of another system, which an administrator takes over as they are",
    "rezone": "the server's own command after new zone data",
    "join-queue": "a new ticket: nobody else is affected",
    "set-up": "made of the commands for single records; the command line shows its differences",
    "tick": "the clock's own command",
    "reach-milestone": "a first step of a new clinic",
    "hide-checklist": "a list on the administrator's page",
    "end-trial": "test patients only",
    "report-device": "the health of a device",
    "staff-point": "tested below: the patients of a provider",
    "reassign-provider": "tested below: the patients of a provider",
}


def test_every_command_has_a_case_or_a_reason() -> None:
    covered = {case.command.name_on_wire() for case in CASES}
    assert covered | REASONS.keys() == COMMANDS.keys()
    assert covered.isdisjoint(REASONS)


@pytest.mark.parametrize("case", CASES, ids=lambda case: str(case.command)[:70])
def test_change_lists_the_people_and_screens_that_it_affects(case: Case) -> None:
    world = busy()
    if isinstance(case.command, SwapPoints):
        world = whole_clinic()  # a point with a guest swaps with nobody
    for command in case.after:
        world.do(command)
    world.now += case.hours_later * HOUR
    assert listed(world, case.command) == case.lists


@pytest.mark.parametrize(
    ("record_id", "count", "first"),
    [
        (BLOOD, 5, ["Room 1", "Room 2", "A001", "A002", "A003"]),
        (X_RAY, 2, ["Room 2", "B001"]),
        (ONE, 1, ["A001"]),
        (SERVICE, 1, ["Blood"]),
    ],
)
def test_record_with_dependants_is_not_removed_and_they_are_named(record_id: int, count: int, first: list[str]) -> None:
    error = refusal(busy(), Remove(record_id=record_id))
    assert isinstance(error, InUse)
    assert (error.code, error.details["count"], error.details["first"]) == ("in_use", count, first)


def test_provider_with_patients_is_not_removed_and_they_are_named() -> None:
    world = busy()
    for _ in range(7):
        world.ticket(BLOOD, provider_id=ADA)
    error = refusal(world, Remove(record_id=ADA))
    assert (error.details["count"], error.details["first"]) == (7, [f"A00{number}" for number in range(4, 9)])


def test_patients_of_a_provider_who_leaves_are_listed() -> None:
    world = busy()
    world.do(StaffPoint(point_id=ONE, provider_id=ADA))
    world.ticket(BLOOD, provider_id=ADA)
    assert listed(world, StaffPoint(point_id=ONE, provider_id=BOSE)) == {"unserved": ("A004",)}
    moved = listed(world, ReassignProvider(provider_id=ADA, to_provider_id=BOSE, reason="ill today"))
    assert moved == {"unserved": ("A004",), "other_provider": ("A004",)}


def test_names_that_begin_to_show_are_listed() -> None:
    world = busy()
    world.do(ChangeSite(site_id=SITE_ID, names_on_display=False))
    assert listed(world, ChangeSite(site_id=SITE_ID, names_on_display=True)) == {"names_shown": ("A001",)}


def test_first_five_are_named_and_all_are_counted() -> None:
    world = whole_clinic()
    for _ in range(8):
        world.ticket(X_RAY)
    board, after, changes = world.board, Board(world.board.site, world.board.records()), Changes()
    for event in decide(board, ClosePoint(point_id=TWO), START + MINUTE):
        apply(after, Recorded(after.site.seq + 1, START + MINUTE, "staff:1", event), changes)
    unserved, _ = affected(board, after, START + MINUTE, changes)
    assert (unserved.kind, unserved.count, len(unserved.first)) == ("unserved", 8, MOST_NAMED)


def test_every_kind_is_listed_by_a_case() -> None:
    shown = {kind for case in CASES for kind in case.lists}
    assert shown | {"other_provider", "names_shown"} == set(KINDS)


def test_same_board_affects_nobody() -> None:
    world = busy()
    assert affected(world.board, Board(world.board.site, world.board.records()), world.now, Changes()) == []

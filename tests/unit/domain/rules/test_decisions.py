"""The decisions: what each command does in each state, and by which name it is refused."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.domain.board import Board, Changes, apply
from server.domain.commands import (
    COMMANDS,
    AddDisplay,
    AddKiosk,
    AddPoint,
    AddProvider,
    AddQueue,
    AddService,
    AmendVisit,
    BreakPoint,
    BroadcastMessage,
    Call,
    CallNext,
    Cancel,
    ChangePoint,
    ChangeProvider,
    ChangeQueue,
    ChangeService,
    ChangeSite,
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
    Remove,
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
from server.domain.errors import (
    EntryNotFound,
    LaterStepDepends,
    NobodyWaiting,
    NoNeighbour,
    NotAllowed,
    NotFound,
    NothingDue,
    NothingToUndo,
    NowServingError,
    PointAlready,
    PointBusy,
    PointNotOpen,
    QueueAlready,
    QueueIsPaused,
    QueueNotServed,
    Refused,
    VisitGoesOn,
)
from server.domain.events import (
    DayTurned,
    DisplayAdded,
    EntryExpired,
    NoShowRecorded,
    PointAdded,
    QueueAdded,
    Recorded,
    ServiceCompleted,
    ServiceStarted,
    TicketCalled,
    TicketIssued,
    TicketRecalled,
    TicketTransferred,
)
from server.domain.model import (
    BUSY_STATES,
    COMMANDS_OF_STEP,
    OPEN_STATES,
    Announcement,
    Display,
    Entity,
    Entry,
    Personal,
    Point,
    Queue,
    State,
)
from server.domain.model.tickets import next_turn
from server.domain.ranking import head_start
from server.domain.rules import decide, turn_of_day
from tests.support.worlds import (
    DAY,
    HOUR,
    MINUTE,
    PRIORITIES,
    SECOND,
    SITE_ID,
    START,
    Step,
    World,
    a_site,
    a_visit,
    an_entry,
    an_id,
    command_of,
    examples,
    facts,
    scripts,
    small_clinic,
)

QUEUE, OTHER_QUEUE, POINT, VISIT, ENTRY, NOBODY = (an_id(number) for number in (1, 2, 3, 4, 5, 999))
STATES: tuple[State, ...] = get_args(State)
# What says of what a site is made has tables of its own: test_furnishing.py.
FURNISHING = {
    ReportDisplay,
    *(AddService, ChangeService, AddProvider, ChangeProvider, AddQueue, ChangeQueue, AddPoint, ChangePoint, ChangeSite),
    *(AddDisplay, AddKiosk, RenameDevice, RenewToken, RevokeToken, Remove, StaffPoint, SwapPoints, ReassignProvider),
}


def board_with(state: State) -> Board:
    """Return a board with one entry, in ``state``."""
    point_id = None if state in ("waiting", "left", "cancelled") else POINT
    calls = 0 if point_id is None else 1
    records: list[Entity] = [
        Queue(QUEUE, SITE_ID, "Blood", "A", 0, False, (), 1),
        Queue(OTHER_QUEUE, SITE_ID, "X-ray", "B", 1, False, (), 2),
        Point(POINT, SITE_ID, "Room 1", (QUEUE,), 0, "open", 3),
        Display(an_id(6), SITE_ID, "Hall", "hash", 4),
        a_visit(VISIT, label="A001", priority="assisted"),
        an_entry(ENTRY, VISIT, QUEUE, state, point_id=point_id, calls=calls, place=START - 20 * MINUTE),
        Announcement(an_id(7), SITE_ID, DAY, ENTRY, POINT, "A001", "call", START, 5),
    ]
    return Board(a_site(last_id=10, seq=5), records)


# What each command on an entry does in each state: the event's name, or the code of the refusal.
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
    Return: ({"held": "entry-returned", "no_show": "entry-returned"}, "entry_not_held"),
    Leave: ({"waiting": "entry-left", "held": "entry-left"}, "entry_not_leaving"),
    Cancel: ({"waiting": "entry-cancelled", "held": "entry-cancelled"}, "entry_not_leaving"),
    AmendVisit: (dict.fromkeys(sorted(OPEN_STATES), "visit-amended"), "entry_not_open"),
    Reprioritise: ({"waiting": "entry-reprioritised"}, "entry_not_waiting"),
    Move: ({"waiting": "entry-moved"}, "entry_not_waiting"),
    RunningLate: ({"waiting": "patient-running-late"}, "entry_not_waiting"),
    Reopen: (dict.fromkeys(("completed", "left", "cancelled", "no_show"), "entry-reopened"), "entry_not_ended"),
}
# What a command on an entry needs beside the entry.
ALSO: dict[type[Command], dict[str, Any]] = {
    Transfer: {"queue_id": OTHER_QUEUE},
    Call: {"point_id": POINT},
    Cancel: {"reason": "asked for"},
    Reprioritise: {"priority": "urgent"},
    Move: {"behind_entry_id": None, "reason": "frail"},
    RunningLate: {"minutes": 10},
    AmendVisit: {"party_size": 4},
}


def on_entry(kind: type[Command], entry_id: int = ENTRY) -> Command:
    return kind(entry_id=entry_id, **ALSO.get(kind, {}))  # type: ignore[call-arg]


def unchanged_by(board: Board, command: Command, now: int = START + SECOND) -> list[Any] | NowServingError:
    """Decide, and check that nothing on the board is other than before; return the events or the refusal."""
    before, records, site = facts(board), deepcopy(board.records()), deepcopy(board.site)
    outcome: list[Any] | NowServingError
    try:
        outcome = list(decide(board, command, now, "hash"))
    except NowServingError as error:
        outcome = error
    assert facts(board) == before
    assert board.records() == records
    assert board.site == site
    return outcome


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("kind", ENTRY_COMMANDS)
def test_every_step_of_an_entry(kind: type[Command], state: State) -> None:
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


@pytest.mark.parametrize("state", STATES)
def test_call_next_in_every_state_of_the_only_entry(state: State) -> None:
    outcome = unchanged_by(board_with(state), CallNext(point_id=POINT))
    if state == "waiting":
        assert outcome == [
            TicketCalled(
                entry_id=ENTRY,
                point_id=POINT,
                announcement_id=an_id(11),
                label="A001",
                reason="A001: the only one waiting",
            )
        ]
    else:
        assert isinstance(outcome, Refused)
        assert outcome.code == ("point_busy" if state in BUSY_STATES else "nobody_waiting")
        assert outcome.details["point_name"] == "Room 1"
        if state in BUSY_STATES:
            assert outcome.details == {
                "point_id": POINT,
                "point_name": "Room 1",
                "entry_id": ENTRY,
                "label": "A001",
                "state": state,
            }


@pytest.mark.parametrize("state", STATES)
def test_the_turn_of_the_day_in_every_state(state: State) -> None:
    """What is open expires, by name; what has ended stays as it was; before the turn nothing is due."""
    board = board_with(state)
    board.site = replace(board.site, quoted_at=board.site.turns_at - 1)  # all who wait have just been told when
    refused = unchanged_by(board, Tick(site_id=SITE_ID), board.site.turns_at - 1)
    assert isinstance(refused, Refused)
    assert refused.code == "nothing_due"
    outcome = unchanged_by(board, Tick(site_id=SITE_ID), board.site.turns_at)
    expired = [EntryExpired(entry_id=ENTRY, label="A001", was=state)] if state in OPEN_STATES else []  # type: ignore[arg-type]
    turned = DayTurned(business_day="2024-03-30", next_turn_at=next_turn("2024-03-30", "Europe/Berlin", 240))
    assert outcome == [*expired, turned]


UNKNOWN: list[tuple[Command, str, str]] = [
    *((on_entry(kind, NOBODY), "entry_not_found", "entry_id") for kind in ENTRY_COMMANDS),
    (Undo(entry_id=NOBODY), "entry_not_found", "entry_id"),
    (Move(entry_id=ENTRY, behind_entry_id=NOBODY, reason="frail"), "entry_not_found", "entry_id"),
    (Call(entry_id=ENTRY, point_id=NOBODY), "point_not_found", "point_id"),
    *((kind(point_id=NOBODY), "point_not_found", "point_id") for kind in (CallNext, OpenPoint, BreakPoint, ClosePoint)),
    *((kind(queue_id=NOBODY), "queue_not_found", "queue_id") for kind in (OpenQueue, PauseQueue)),
    (IssueTicket(queue_id=NOBODY), "queue_not_found", "queue_id"),
    (Transfer(entry_id=ENTRY, queue_id=NOBODY), "queue_not_found", "queue_id"),
    (AddPoint(site_id=SITE_ID, name="New", queue_ids=(QUEUE, NOBODY)), "queue_not_found", "queue_id"),
]


@pytest.mark.parametrize(
    ("command", "code", "field"), UNKNOWN, ids=[f"{each[0].name_on_wire()}-{each[2]}" for each in UNKNOWN]
)
def test_unknown_ids(command: Command, code: str, field: str) -> None:
    outcome = unchanged_by(board_with("waiting"), command)
    assert isinstance(outcome, NotFound)
    assert outcome.code == code
    assert outcome.details == {field: NOBODY}


def test_an_id_of_another_kind_is_unknown() -> None:
    board = board_with("waiting")
    for command, code in (
        (CallNext(point_id=QUEUE), "point_not_found"),
        (IssueTicket(queue_id=POINT), "queue_not_found"),
        (Start(entry_id=VISIT), "entry_not_found"),
    ):
        outcome = unchanged_by(board, command)
        assert isinstance(outcome, NotFound)
        assert outcome.code == code


def test_these_tables_name_every_command() -> None:
    of_entries = {*ENTRY_COMMANDS, Undo}
    of_points = {CallNext, OpenPoint, BreakPoint, ClosePoint}
    of_queues = {IssueTicket, OpenQueue, PauseQueue}
    of_sites = {Tick, BroadcastMessage, CloseDay}
    assert of_entries | of_points | of_queues | of_sites | FURNISHING == set(COMMANDS.values())


def test_a_command_of_no_known_kind_is_a_mistake() -> None:
    class Dance(Command):
        pass

    with pytest.raises(ValueError, match="Dance"):
        decide(board_with("waiting"), Dance(), START)


@examples(100)
@given(scripts(30))
def test_deciding_changes_nothing(script: list[Step]) -> None:
    """Whatever is asked on whatever day, allowed or refused, only applying changes the board."""
    world = small_clinic()
    for action, about, pause in script:
        world.now += pause
        command = command_of(world, action, about)
        outcome = unchanged_by(world.board, command, world.now)
        if isinstance(outcome, list):
            assert outcome, "an allowed command always says what happened"
            world.do(command, after=0)


# Tickets


def test_labels_continue_and_are_longer_when_the_day_needs_it() -> None:
    world = small_clinic()
    queue_id = min(world.board.queues)
    labels = []
    for _ in range(1001):
        entry = world.ticket(queue_id, after=0)
        labels.append(world.label(entry))
        world.do(Leave(entry_id=entry.id), after=0)  # its number stays taken; who waits would make all this slow
    assert labels[:2] == ["A001", "A002"]
    assert labels[998:] == ["A999", "A1000", "A1001"]
    assert len(set(labels)) == len(labels)


def test_queues_of_one_prefix_share_their_numbers() -> None:
    world = small_clinic()
    blood, x_ray, forms = sorted(world.board.queues)
    labels = [world.label(world.ticket(queue_id)) for queue_id in (blood, forms, x_ray, blood, forms)]
    assert labels == ["A001", "A002", "B001", "A003", "A004"]


def test_a_refused_command_takes_no_number_and_no_id() -> None:
    world = small_clinic()
    queue_id = min(world.board.queues)
    one = world.ticket(queue_id)
    with pytest.raises(Refused):
        world.do(Start(entry_id=one.id))
    two = world.ticket(queue_id)
    assert world.label(two) == "A002"
    assert two.visit_id == one.id + 1


@pytest.mark.parametrize("priority", PRIORITIES)
def test_what_is_issued(priority: Any) -> None:
    board, now = board_with("waiting"), START + HOUR
    command = IssueTicket(
        queue_id=OTHER_QUEUE,
        priority=priority,
        party_size=3,
        language="tr",
        name="Ada King Lovelace",
        phone="+49 30 123",
        name_on_display=True,
    )
    assert decide(board, command, now, "the hash") == [
        TicketIssued(
            visit_id=an_id(11),
            entry_id=an_id(12),
            queue_id=OTHER_QUEUE,
            label="B001",
            prefix="B",
            number=1,
            priority=priority,
            party_size=3,
            language="tr",
            display_name="Ada L.",
            band=0 if priority == "emergency" else 1,
            place=now - head_start(priority, a_site().rules),
            due_at=now,
            expect_from=None,  # no point serves this queue
            expect_until=None,
            estimating=True,
            token_hash="the hash",
            personal=Personal(name="Ada King Lovelace", phone="+49 30 123"),
            quoted_ahead=0,
            quoted_points=0,
        )
    ]


@pytest.mark.parametrize(
    ("name", "on_display", "shown"),
    [
        (None, True, None),
        ("Ada", True, "Ada"),
        ("Ada Lovelace", True, "Ada L."),
        ("Ada King  Lovelace", True, "Ada L."),
        ("Øystein Åse", True, "Øystein Å."),
        ("Ada Lovelace", False, None),
        ("", True, None),
    ],
)
def test_the_display_name(name: str | None, on_display: bool, shown: str | None) -> None:
    [event] = decide(board_with("waiting"), IssueTicket(queue_id=QUEUE, name=name, name_on_display=on_display), START)
    assert isinstance(event, TicketIssued)
    assert event.display_name == shown


def test_the_language_is_the_sites_unless_named() -> None:
    [event] = decide(board_with("waiting"), IssueTicket(queue_id=QUEUE), START)
    assert isinstance(event, TicketIssued)
    assert event.language == "de"


# Calls


def test_a_recall_announces_anew_at_the_same_point() -> None:
    assert decide(board_with("called"), Recall(entry_id=ENTRY), START) == [
        TicketRecalled(entry_id=ENTRY, point_id=POINT, announcement_id=an_id(11), label="A001")
    ]


@pytest.mark.parametrize(
    ("state", "command", "event"),
    [
        ("called", Start(entry_id=ENTRY), ServiceStarted(entry_id=ENTRY, point_id=POINT, label="A001")),
        ("serving", Complete(entry_id=ENTRY), ServiceCompleted(entry_id=ENTRY, point_id=POINT, label="A001")),
        ("called", NoShow(entry_id=ENTRY), NoShowRecorded(entry_id=ENTRY, point_id=POINT, label="A001")),
    ],
)
def test_steps_name_entry_point_and_label(state: State, command: Command, event: object) -> None:
    assert decide(board_with(state), command, START) == [event]


def test_a_point_is_free_again_after_each_way_of_finishing() -> None:
    for finish in (("start", "complete"), ("no-show",), ("transfer",), ("start", "transfer")):
        world = small_clinic()
        first, second, _ = sorted(world.board.queues)
        one, two = world.ticket(first), world.ticket(first)
        point = min(world.board.points)
        assert world.call(point).id == one.id
        with pytest.raises(Refused) as refusal:
            world.do(CallNext(point_id=point))
        assert refusal.value.code == "point_busy"
        for step in finish:
            kind = COMMANDS[step]
            world.do(Transfer(entry_id=one.id, queue_id=second) if kind is Transfer else on_entry(kind, one.id))
        if finish[-1] == "transfer":  # it keeps its place, so it would be called again: let another take it
            world.call(max(world.board.points))
        assert world.call(point).id == two.id


def test_two_points_never_get_the_same_entry() -> None:
    world = World()
    queue_id = world.queue()
    points = [world.point(queue_id) for _ in range(5)]
    for _ in range(5):
        world.ticket(queue_id)
    called = [world.call(point).id for point in points]
    assert called == sorted(set(called))


# Transfer


@pytest.mark.parametrize("state", ["waiting", "called", "serving"])
def test_a_transfer_keeps_ticket_rank_and_label(state: State) -> None:
    board = board_with(state)
    before = board.entries[ENTRY]
    [event] = decide(board, Transfer(entry_id=ENTRY, queue_id=OTHER_QUEUE), START + HOUR)
    assert event == TicketTransferred(
        entry_id=ENTRY,
        new_entry_id=an_id(11),
        queue_id=OTHER_QUEUE,
        label="A001",
        band=before.band,
        place=before.place,
        due_at=before.due_at,
        expect_from=None,
        expect_until=None,
        estimating=True,
        quoted_ahead=0,
        quoted_points=0,
    )
    apply(board, Recorded(6, START + HOUR, "x", event), Changes())
    after = board.latest_entry(VISIT)
    assert after is not None
    assert (after.band, after.place, after.due_at, after.visit_id) == (before.band, before.place, before.due_at, VISIT)
    assert (after.queue_id, after.state, after.since) == (OTHER_QUEUE, "waiting", START + HOUR)
    assert board.visits[after.visit_id].label == "A001"


def test_a_transfer_to_the_same_queue_is_refused() -> None:
    outcome = unchanged_by(board_with("called"), Transfer(entry_id=ENTRY, queue_id=QUEUE))
    assert isinstance(outcome, Refused)
    assert outcome.code == "same_queue"


def test_a_visit_has_one_open_entry_at_most() -> None:
    world = small_clinic()
    first, second, third = sorted(world.board.queues)
    entry = world.ticket(first)
    for queue_id in (second, third, first, second):
        latest = world.board.latest_entry(entry.visit_id)
        assert latest is not None
        world.do(Transfer(entry_id=latest.id, queue_id=queue_id))
        states = [each.state for each in world.board.entries.values() if each.visit_id == entry.visit_id]
        assert sum(state in OPEN_STATES for state in states) == 1


# The house


def test_adding_the_house() -> None:
    board = board_with("waiting")
    assert decide(board, AddQueue(site_id=SITE_ID, name="Forms", prefix="C"), START) == [
        QueueAdded(queue_id=an_id(11), name="Forms", prefix="C", position=2)
    ]
    assert decide(board, AddPoint(site_id=SITE_ID, name="Room 2", queue_ids=(OTHER_QUEUE, QUEUE, OTHER_QUEUE)), START) == [
        PointAdded(point_id=an_id(11), name="Room 2", queue_ids=(OTHER_QUEUE, QUEUE), position=1)
    ]
    assert decide(board, AddDisplay(site_id=SITE_ID, name="Door"), START, "the hash") == [
        DisplayAdded(display_id=an_id(11), name="Door", token_hash="the hash")
    ]


@pytest.mark.parametrize(
    "command",
    [
        AddQueue(site_id=SITE_ID, name="Blood", prefix="C"),
        AddPoint(site_id=SITE_ID, name="Room 1", queue_ids=(QUEUE,)),
        AddDisplay(site_id=SITE_ID, name="Hall"),
    ],
)
def test_a_name_is_given_once_of_each_kind(command: AddQueue | AddPoint | AddDisplay) -> None:
    outcome = unchanged_by(board_with("waiting"), command)
    assert isinstance(outcome, Refused)
    assert outcome.code == "name_taken"
    assert outcome.details == {"name": command.name}
    assert isinstance(unchanged_by(board_with("waiting"), replace(command, name="Another")), list)
    assert isinstance(unchanged_by(board_with("waiting"), AddDisplay(site_id=SITE_ID, name="Room 1")), list)


# The turn of the day


def test_the_turn_expires_all_that_is_open_in_order_and_starts_numbers_anew() -> None:
    world = small_clinic()
    queue_id = min(world.board.queues)
    entries = [world.ticket(queue_id) for _ in range(4)]
    first, second = sorted(world.board.points)
    served = world.call(first)
    world.do(Start(entry_id=served.id))
    world.do(Complete(entry_id=served.id))
    world.call(first)
    events = [each.event for each in world.do(Tick(site_id=SITE_ID), after=20 * HOUR)]
    assert [event.name_on_wire() for event in events] == ["entry-expired"] * 3 + ["day-turned"]
    expired = [event for event in events if isinstance(event, EntryExpired)]
    assert [(event.entry_id, event.was) for event in expired] == [
        (entries[1].id, "called"),
        (entries[2].id, "waiting"),
        (entries[3].id, "waiting"),
    ]
    assert world.label(world.ticket(queue_id)) == "A001"
    assert world.call(first).state == "called"
    with pytest.raises(Refused):
        world.do(Tick(site_id=SITE_ID))
    with pytest.raises(Refused):
        world.do(CallNext(point_id=second))


def test_the_turn_skips_days_slept_through() -> None:
    board = board_with("waiting")
    events = turn_of_day(board, START + 10 * 24 * HOUR)
    turned = events[-1]
    assert isinstance(turned, DayTurned)
    assert turned.business_day == "2024-04-08"
    assert turned.next_turn_at == next_turn("2024-04-08", "Europe/Berlin", 240)
    assert turned.next_turn_at > START + 10 * 24 * HOUR


def test_the_day_never_goes_back() -> None:
    """A clock that runs backwards, or an hour that repeats, turns nothing."""
    board = board_with("waiting")
    outcome = unchanged_by(board, Tick(site_id=SITE_ID), START - 48 * HOUR)
    assert isinstance(outcome, Refused)
    assert outcome.code == "nothing_due"


# Taking a step back

UNDOABLE: list[tuple[str, tuple[str, ...]]] = [
    ("ticket-called", ("call",)),
    ("service-started", ("call", "start")),
    ("service-completed", ("call", "start", "complete")),
    ("no-show-recorded", ("call", "no-show")),
    ("entry-held", ("hold",)),
    ("entry-returned", ("hold", "return")),
    ("entry-left", ("leave",)),
    ("entry-cancelled", ("cancel",)),
    ("entry-reopened", ("cancel", "reopen")),
    ("ticket-transferred", ("transfer",)),
    ("entry-reprioritised", ("reprioritise",)),
    ("entry-moved", ("move",)),
    ("patient-running-late", ("running-late",)),
]
BY_NAME: dict[str, type[Command]] = {kind.name_on_wire(): kind for kind in ENTRY_COMMANDS}


def a_clinic() -> tuple[World, Entry]:
    """Return a clinic with three waiting for a blood test, and the second of them."""
    world = World()
    blood, x_ray = world.queue("A"), world.queue("B")
    world.point(blood)
    _, second, _ = (world.ticket(blood) for _ in range(3))
    assert x_ray != blood
    return world, second


def do_step(world: World, entry: Entry, name: str) -> None:
    kind = BY_NAME[name]
    also = ALSO.get(kind, {}) | {
        key: value
        for key, value in {"queue_id": max(world.board.queues), "point_id": min(world.board.points)}.items()
        if key in ALSO.get(kind, {})
    }
    world.do(kind(entry_id=entry.id, **also))  # type: ignore[call-arg]


@pytest.mark.parametrize(("event", "steps"), UNDOABLE, ids=[each[0] for each in UNDOABLE])
def test_the_last_step_can_be_taken_back(event: str, steps: tuple[str, ...]) -> None:
    """State, place, priority, calls and the running interval are as they were; a second undo finds nothing."""
    world, entry = a_clinic()
    for step in steps[:-1]:
        do_step(world, entry, step)
    before, visit = world.entry(entry), world.board.visits[entry.visit_id]
    do_step(world, entry, steps[-1])
    assert world.log[-1].event.name_on_wire() == event
    assert event in COMMANDS_OF_STEP
    world.do(Undo(entry_id=entry.id), after=59 * SECOND)
    after = world.entry(entry)
    assert replace(after, seq=0, undo=None) == replace(before, seq=0, undo=None)
    assert after.undo is None
    assert replace(world.board.visits[entry.visit_id], seq=0) == replace(visit, seq=0)
    assert facts(world.loaded()) == facts(world.board)
    with pytest.raises(NothingToUndo):
        world.do(Undo(entry_id=entry.id))


def test_every_step_that_can_be_undone_is_tested() -> None:
    assert {event for event, _ in UNDOABLE} == set(COMMANDS_OF_STEP)


def test_after_a_minute_nothing_can_be_taken_back() -> None:
    world, entry = a_clinic()
    do_step(world, entry, "hold")
    with pytest.raises(NothingToUndo):
        world.do(Undo(entry_id=entry.id), after=60 * SECOND + 1)


def test_a_call_that_was_heard_is_withdrawn() -> None:
    world, entry = a_clinic()
    do_step(world, entry, "call")
    world.do(Undo(entry_id=entry.id))
    assert [each.kind for each in world.board.announcements.values()] == ["call", "withdrawn"]
    do_step(world, entry, "hold")
    world.do(Undo(entry_id=entry.id))
    assert len(world.board.announcements) == 2


def test_nothing_is_taken_back_that_something_depends_on() -> None:
    """The room has the next patient; the next stage has begun: the later step goes first."""
    world, entry = a_clinic()
    do_step(world, entry, "call")
    do_step(world, entry, "no-show")
    world.call(min(world.board.points))
    with pytest.raises(PointBusy):
        world.do(Undo(entry_id=entry.id))
    world, entry = a_clinic()
    do_step(world, entry, "transfer")
    stage = world.board.latest_entry(entry.visit_id)
    assert stage is not None
    world.do(Hold(entry_id=stage.id))
    with pytest.raises(LaterStepDepends):
        world.do(Undo(entry_id=entry.id))


def test_a_transfer_that_was_undone_is_no_later_step() -> None:
    """The stage that it began is over: what the patient's visit is at is the stage that went on."""
    world = small_clinic()
    first, second, _ = sorted(world.board.queues)
    entry = world.ticket(first)
    world.call(min(world.board.points))
    world.do(Start(entry_id=entry.id))
    world.do(Transfer(entry_id=entry.id, queue_id=second))
    world.do(Undo(entry_id=entry.id))
    world.do(Complete(entry_id=entry.id))
    latest = world.board.latest_entry(entry.visit_id)
    assert latest is not None
    assert (latest.id, latest.state) == (entry.id, "completed")
    world.do(Undo(entry_id=entry.id))
    assert world.entry(entry).state == "serving"


def test_an_undo_needs_the_right_to_the_step() -> None:
    world, entry = a_clinic()
    do_step(world, entry, "cancel")
    with pytest.raises(NotAllowed):
        decide(world.board, Undo(entry_id=entry.id), world.now, may=lambda name: name != "cancel")
    assert decide(world.board, Undo(entry_id=entry.id), world.now, may=lambda name: name == "cancel")


# Coming late, going and coming back


def test_who_comes_later_is_passed_over_and_keeps_the_place() -> None:
    world, second = a_clinic()
    point = min(world.board.points)
    world.do(Complete(entry_id=_served(world, point)))
    world.do(RunningLate(entry_id=second.id, minutes=10))
    assert world.board.absent() == {second.id: world.now + 10 * MINUTE}
    third = world.call(point)
    assert third.id != second.id
    world.do(NoShow(entry_id=third.id))
    with pytest.raises(NobodyWaiting):
        world.call(point)
    world.do(Tick(site_id=SITE_ID), after=10 * MINUTE)
    assert world.log[-1].event.name_on_wire() == "absence-ended"
    assert world.entry(second).place == second.place
    assert world.call(point).id == second.id


def _served(world: World, point: int) -> int:
    entry = world.call(point)
    world.do(Start(entry_id=entry.id))
    return entry.id


def test_here_again_before_the_time() -> None:
    world, second = a_clinic()
    world.do(RunningLate(entry_id=second.id, minutes=10))
    world.do(RunningLate(entry_id=second.id, minutes=0))
    assert world.entry(second).absent_until is None
    assert world.board.absent() == {}


def test_who_returns_waits_behind_those_of_the_last_quarter_of_an_hour() -> None:
    world, second = a_clinic()
    world.do(Hold(entry_id=second.id))
    world.do(Return(entry_id=second.id), after=5 * MINUTE)
    assert world.entry(second).place == second.place, "a short absence costs nothing"
    world.do(Hold(entry_id=second.id))
    world.do(Return(entry_id=second.id), after=60 * MINUTE)
    assert world.entry(second).due_at == world.now - 15 * MINUTE
    assert world.entry(second).place == world.now - 15 * MINUTE


def test_a_visit_goes_on_in_one_place_only() -> None:
    world, entry = a_clinic()
    do_step(world, entry, "call")
    do_step(world, entry, "no-show")
    world.do(Reopen(entry_id=entry.id))
    do_step(world, entry, "transfer")
    old = replace(world.entry(entry), state="cancelled")
    board = Board(world.board.site, [*(each for each in world.board.records() if each != world.entry(entry)), old])
    outcome = unchanged_by(board, Reopen(entry_id=entry.id), world.now)
    assert isinstance(outcome, VisitGoesOn)


# Moving by hand


@examples(200)
@given(st.data())
def test_a_move_lands_directly_behind_and_changes_no_other_order(data: st.DataObject) -> None:
    world = World()
    queue = world.queue("A")
    for _ in range(data.draw(st.integers(2, 7))):
        world.ticket(queue, after=data.draw(st.sampled_from([0, 0, 1, SECOND])))
    for _ in range(6):
        order = [each.entry_id for each in world.board.waiting(queue)]
        moved = data.draw(st.sampled_from(order))
        behind = data.draw(st.sampled_from([None, *(each for each in order if each != moved)]))
        world.do(Move(entry_id=moved, behind_entry_id=behind, reason="frail"), after=0)
        rest = [each for each in order if each != moved]
        index = 0 if behind is None else rest.index(behind) + 1
        assert [each.entry_id for each in world.board.waiting(queue)] == [*rest[:index], moved, *rest[index:]]
        assert facts(world.loaded()) == facts(world.board)


def test_a_move_is_within_one_queue_and_band() -> None:
    world, entry = a_clinic()
    emergency = world.ticket(entry.queue_id, "emergency")
    elsewhere = world.ticket(max(world.board.queues))
    for behind in (emergency, elsewhere, entry):
        with pytest.raises(NoNeighbour):
            world.do(Move(entry_id=entry.id, behind_entry_id=behind.id, reason="frail"))
    with pytest.raises(EntryNotFound):
        world.do(Move(entry_id=entry.id, behind_entry_id=NOBODY, reason="frail"))


# Points, queues, the day


def test_a_point_calls_only_while_it_is_open() -> None:
    world, entry = a_clinic()
    point = min(world.board.points)
    for stop, again in ((BreakPoint, "on_break"), (ClosePoint, "closed")):
        world.do(stop(point_id=point))
        assert world.board.points[point].state == again
        for call in (CallNext(point_id=point), Call(entry_id=entry.id, point_id=point)):
            with pytest.raises(PointNotOpen):
                world.do(call)
        with pytest.raises(PointAlready):
            world.do(stop(point_id=point))
    world.do(OpenPoint(point_id=point))
    world.call(point)
    world.do(BreakPoint(point_id=point))  # after this one
    with pytest.raises(PointBusy):
        world.do(ClosePoint(point_id=point))


def test_a_point_calls_by_name_only_whom_it_serves() -> None:
    world, _ = a_clinic()
    elsewhere = world.ticket(max(world.board.queues))
    with pytest.raises(QueueNotServed):
        world.do(Call(entry_id=elsewhere.id, point_id=min(world.board.points)))


def test_a_paused_queue_gives_no_tickets_and_is_still_called() -> None:
    world, entry = a_clinic()
    world.do(PauseQueue(queue_id=entry.queue_id))
    with pytest.raises(QueueIsPaused):
        world.ticket(entry.queue_id)
    with pytest.raises(QueueAlready):
        world.do(PauseQueue(queue_id=entry.queue_id))
    world.call(min(world.board.points))
    world.do(OpenQueue(queue_id=entry.queue_id))
    world.ticket(entry.queue_id)


def test_closing_the_day_ends_everything_with_the_reason() -> None:
    world, entry = a_clinic()
    world.call(min(world.board.points))
    world.do(Hold(entry_id=entry.id))
    happened = [each.event for each in world.do(CloseDay(site_id=SITE_ID, reason="fire alarm"))]
    assert [event.name_on_wire() for event in happened] == [*["entry-cancelled"] * 3, "day-closed"]
    assert not [each for each in world.board.entries.values() if each.state in OPEN_STATES]
    assert {event.reason for event in happened} == {"fire alarm"}  # type: ignore[attr-defined]


def test_a_message_is_the_site_s_until_it_is_taken_away() -> None:
    world, _ = a_clinic()
    world.do(BroadcastMessage(site_id=SITE_ID, message="Fire drill at noon"))
    assert world.board.site.message == "Fire drill at noon"
    world.do(BroadcastMessage(site_id=SITE_ID, message=None))
    assert world.board.site.message is None


# What patients are told


def test_a_patient_is_told_when_on_joining_and_anew_as_things_go() -> None:
    """A first quote with the ticket, which is kept; others by the clock, at most every half a minute, if they differ."""
    world = World()
    queue = world.queue()
    point = world.point(queue)
    entries = [world.ticket(queue) for _ in range(4)]
    quotes = [(entry.expect_from, entry.expect_until) for entry in entries]
    assert all(begin is not None and end is not None and world.now <= begin < end for begin, end in quotes)
    assert quotes == sorted(quotes)
    assert all((entry.quoted_from, entry.quoted_until) == quote for entry, quote in zip(entries, quotes, strict=True))
    world.do(Tick(site_id=SITE_ID), after=30 * SECOND)
    with pytest.raises(NothingDue):
        world.do(Tick(site_id=SITE_ID), after=29 * SECOND)
    world.do(BreakPoint(point_id=point))
    world.do(Tick(site_id=SITE_ID), after=30 * SECOND)
    last = world.entry(entries[-1])
    assert (last.expect_from, last.expect_until) == (None, None), "nobody knows while no point is open"
    assert (last.quoted_from, last.quoted_until) == quotes[-1]


def test_who_comes_later_is_not_expected_before() -> None:
    world = World()
    queue = world.queue()
    world.point(queue)
    entry = world.ticket(queue)
    world.do(RunningLate(entry_id=entry.id, minutes=60))
    world.do(Tick(site_id=SITE_ID), after=30 * SECOND)
    expected = world.entry(entry).expect_from
    assert expected is not None
    assert expected >= world.now + 59 * MINUTE


def test_services_that_take_long_are_remembered_and_an_undo_forgets_them() -> None:
    world = World()
    queue = world.queue()
    point = world.point(queue)
    first, second = world.ticket(queue), world.ticket(queue)
    world.call(point)
    world.do(Start(entry_id=first.id), after=MINUTE)
    world.do(Complete(entry_id=first.id), after=9 * MINUTE)
    assert world.board.queues[queue].durations == (10 * MINUTE,)
    world.do(Undo(entry_id=first.id))
    assert world.board.queues[queue].durations == ()
    world.do(Complete(entry_id=first.id), after=0)
    world.call(point)
    world.do(Undo(entry_id=second.id))  # a call taken back is no service
    assert len(world.board.queues[queue].durations) == 1
    assert facts(world.loaded()) == facts(world.board)

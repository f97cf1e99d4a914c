"""What a site is made of: each thing is added, changed and taken away, and refused by name when it cannot be."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.domain.commands import (
    AddDisplay,
    AddKiosk,
    AddPoint,
    AddProvider,
    AddQueue,
    AddService,
    AmendVisit,
    ChangePoint,
    ChangeProvider,
    ChangeQueue,
    ChangeService,
    ChangeSite,
    Command,
    Hold,
    IssueTicket,
    ReassignProvider,
    Recall,
    Remove,
    RenameDevice,
    RenewToken,
    RevokeToken,
    RunningLate,
    StaffPoint,
    SwapPoints,
    Tick,
    Transfer,
    Undo,
)
from server.domain.errors import (
    InvalidField,
    NotAllowed,
    NothingChanged,
    NowServingError,
    QueueFull,
    SiteClosed,
    StillInUse,
)
from server.domain.events import ServiceAdded, ServiceChanged, SiteChanged
from server.domain.model import Entry, Personal, Rules
from server.domain.model.hours import is_open
from server.domain.model.tickets import next_turn
from server.domain.rules import decide
from server.domain.views import Cell, DeskView, DisplayView, TicketView, draw
from tests.support.worlds import (
    DAY,
    HOUR,
    MINUTE,
    SECOND,
    SITE_ID,
    START,
    World,
    a_site,
    an_id,
    examples,
    facts,
    open_sealed,
)

# Ids as they are given: service, queue, other queue, two points, two providers, display, kiosk.
SERVICE, QUEUE, OTHER, ONE, TWO, ADA, BOSE, HALL, DOOR = (an_id(number) for number in range(1, 10))
NOBODY = an_id(999)


def a_clinic() -> World:
    """Return a clinic with one of everything, and two of what is compared."""
    world = World()
    for command in (
        AddService(site_id=SITE_ID, name="HIV test", public_name="Blood"),
        AddQueue(site_id=SITE_ID, name="Blood", prefix="A", service_id=SERVICE),
        AddQueue(site_id=SITE_ID, name="X-ray", prefix="B"),
        AddPoint(site_id=SITE_ID, name="Room 1", queue_ids=(QUEUE,)),
        AddPoint(site_id=SITE_ID, name="Room 2", queue_ids=(QUEUE, OTHER), unmet_needs=("step_free",)),
        AddProvider(site_id=SITE_ID, name="Dr. Ada"),
        AddProvider(site_id=SITE_ID, name="Dr. Bose"),
        AddDisplay(site_id=SITE_ID, name="Hall"),
        AddKiosk(site_id=SITE_ID, name="Door"),
    ):
        world.do(command)
    return world


def refusal(world: World, command: Command) -> NowServingError:
    """Return how a command is refused; nothing has changed then."""
    before = facts(world.board)
    with pytest.raises(NowServingError) as caught:
        decide(world.board, command, world.now, "hash")
    assert facts(world.board) == before
    return caught.value


SET_UP: list[tuple[Command, str, dict[str, Any]]] = [
    (
        ChangeService(service_id=SERVICE, public_name="Lab", position=3),
        f"service:{SERVICE}",
        {"public_name": "Lab", "position": 3},
    ),
    (ChangeService(service_id=SERVICE, name="Other test"), f"service:{SERVICE}", {"name": "Other test"}),
    (ChangeProvider(provider_id=ADA, name="Dr. Ada Byron"), f"provider:{ADA}", {"name": "Dr. Ada Byron"}),
    (ChangeProvider(provider_id=ADA, position=5), f"provider:{ADA}", {"position": 5}),
    (ChangeQueue(queue_id=OTHER, service_id=SERVICE), f"queue:{OTHER}", {"service": SERVICE}),
    (ChangeQueue(queue_id=OTHER, capacity=7, joins_anew=True), f"queue:{OTHER}", {"capacity": 7, "joins_anew": True}),
    (ChangeQueue(queue_id=OTHER, name="CT", position=9), f"queue:{OTHER}", {"name": "CT", "position": 9}),
    (ChangePoint(point_id=ONE, name="Desk", queue_ids=(OTHER,)), f"point:{ONE}", {"name": "Desk", "queues": [OTHER]}),
    (ChangePoint(point_id=TWO, unmet_needs=()), f"point:{TWO}", {"unmet_needs": []}),
    (StaffPoint(point_id=ONE, provider_id=ADA), f"point:{ONE}", {"provider": ADA}),
    (RenameDevice(device_id=HALL, name="Foyer"), f"display:{HALL}", {"name": "Foyer", "paired": True}),
    (RenameDevice(device_id=DOOR, name="Gate"), f"kiosk:{DOOR}", {"name": "Gate"}),
    (RevokeToken(device_id=HALL), f"display:{HALL}", {"paired": False}),
    (RevokeToken(device_id=DOOR), f"kiosk:{DOOR}", {"paired": False}),
]


@pytest.mark.parametrize(("command", "key", "shown"), SET_UP, ids=lambda value: type(value).__name__)
def test_what_is_changed_is_seen_at_the_desk_and_stays_else_as_it_was(
    command: Command, key: str, shown: dict[str, Any]
) -> None:
    world = a_clinic()
    before = draw(DeskView(open_sealed), world.board)
    world.do(command)
    after = draw(DeskView(open_sealed), world.board)
    assert after == before | {key: dict(before[key]) | shown}
    assert after != before
    assert facts(world.loaded()) == facts(world.board)


REFUSED: list[tuple[Command, str]] = [
    (AddService(site_id=SITE_ID, name="X", public_name="Blood"), "name_taken"),
    (AddProvider(site_id=SITE_ID, name="Dr. Ada"), "name_taken"),
    (AddKiosk(site_id=SITE_ID, name="Door"), "name_taken"),
    (AddQueue(site_id=SITE_ID, name="New", prefix="C", service_id=NOBODY), "service_not_found"),
    (AddPoint(site_id=SITE_ID, name="New", queue_ids=(QUEUE, NOBODY)), "queue_not_found"),
    (ChangeService(service_id=NOBODY, name="X"), "service_not_found"),
    (ChangeService(service_id=SERVICE), "nothing_changed"),
    (ChangeProvider(provider_id=NOBODY, name="X"), "provider_not_found"),
    (ChangeProvider(provider_id=ADA, name="Dr. Bose"), "name_taken"),
    (ChangeProvider(provider_id=ADA, name="Dr. Ada"), "nothing_changed"),
    (ChangeQueue(queue_id=QUEUE, name="X-ray"), "name_taken"),
    (ChangeQueue(queue_id=QUEUE, service_id=NOBODY), "service_not_found"),
    (ChangeQueue(queue_id=QUEUE, service_id=SERVICE), "nothing_changed"),
    (ChangePoint(point_id=ONE, name="Room 2"), "name_taken"),
    (ChangePoint(point_id=ONE, queue_ids=(QUEUE,)), "nothing_changed"),
    (ChangePoint(point_id=ONE, queue_ids=(NOBODY,)), "queue_not_found"),
    (ChangePoint(point_id=NOBODY), "point_not_found"),
    (StaffPoint(point_id=ONE, provider_id=NOBODY), "provider_not_found"),
    (StaffPoint(point_id=ONE, provider_id=None), "nothing_changed"),
    (SwapPoints(point_id=ONE, with_point_id=ONE), "same_point"),
    (SwapPoints(point_id=ONE, with_point_id=NOBODY), "point_not_found"),
    (RenameDevice(device_id=NOBODY, name="X"), "device_not_found"),
    (RenameDevice(device_id=HALL, name="Hall"), "nothing_changed"),
    (RenewToken(device_id=ADA), "device_not_found"),
    (RevokeToken(device_id=NOBODY), "device_not_found"),
    (Remove(record_id=NOBODY), "record_not_found"),
    (Remove(record_id=SERVICE), "still_in_use"),
    (Remove(record_id=QUEUE), "still_in_use"),
    (ReassignProvider(provider_id=ADA, to_provider_id=BOSE, reason="ill"), "nothing_to_reassign"),
    (ReassignProvider(provider_id=ADA, to_provider_id=ADA, reason="ill"), "same_provider"),
    (ReassignProvider(provider_id=ADA, to_provider_id=NOBODY, reason="ill"), "provider_not_found"),
    (IssueTicket(queue_id=QUEUE, provider_id=NOBODY), "provider_not_found"),
    (ChangeSite(site_id=SITE_ID), "nothing_changed"),
    (ChangeSite(site_id=SITE_ID, name="Clinic"), "nothing_changed"),
]


@pytest.mark.parametrize(("command", "code"), REFUSED, ids=lambda value: str(value)[:60])
def test_what_is_refused(command: Command, code: str) -> None:
    assert refusal(a_clinic(), command).code == code


def test_a_service_s_true_name_is_for_the_desk_alone() -> None:
    world = a_clinic()
    (event,) = decide(world.board, AddService(site_id=SITE_ID, name="HIV clinic", public_name="Clinic"), START)
    assert event == ServiceAdded(
        service_id=an_id(10), public_name="Clinic", position=1, personal=Personal(name="HIV clinic")
    )
    (event,) = decide(world.board, ChangeService(service_id=SERVICE, public_name="Lab"), START)
    assert event == ServiceChanged(service_id=SERVICE, public_name="Lab", position=0, personal=None)
    entry = world.ticket(QUEUE)
    assert "HIV" in str(draw(DeskView(open_sealed), world.board))
    for view in (DisplayView(), TicketView(entry.visit_id)):
        assert "HIV" not in str(draw(view, world.board))
    assert draw(TicketView(entry.visit_id), world.board)["ticket"]["service"] == "Blood"
    world.do(ChangeService(service_id=SERVICE, public_name="Lab"))  # the true name stays, under its seal
    assert draw(DeskView(open_sealed), world.board)[f"service:{SERVICE}"]["name"] == "HIV test"


@pytest.mark.parametrize("record_id", [OTHER, ONE, ADA, HALL, DOOR])
def test_what_is_taken_away_is_gone_and_its_name_is_free(record_id: int) -> None:
    world = a_clinic()
    world.do(ChangePoint(point_id=TWO, queue_ids=(QUEUE,)))
    record = world.board.removable(record_id)
    assert record is not None
    world.do(Remove(record_id=record_id))
    for view in (DeskView(open_sealed), DisplayView()):
        assert not [key for key in draw(view, world.board) if key.endswith(f":{record_id}")]
    assert refusal(world, Remove(record_id=record_id)).code == "record_not_found"
    again: dict[int, Command] = {
        OTHER: AddQueue(site_id=SITE_ID, name="X-ray", prefix="B"),
        ONE: AddPoint(site_id=SITE_ID, name="Room 1", queue_ids=(QUEUE,)),
        ADA: AddProvider(site_id=SITE_ID, name="Dr. Ada"),
        HALL: AddDisplay(site_id=SITE_ID, name="Hall"),
        DOOR: AddKiosk(site_id=SITE_ID, name="Door"),
    }
    world.do(again[record_id])
    assert facts(world.loaded()) == facts(world.board)


def test_what_is_still_used_is_named() -> None:
    world = a_clinic()
    assert refusal(world, Remove(record_id=QUEUE)).message == "Blood is still in use: Room 1, Room 2."
    world.ticket(OTHER)
    world.do(ChangePoint(point_id=TWO, queue_ids=(QUEUE,)))
    assert refusal(world, Remove(record_id=OTHER)).details["by"] == "B001"
    world.ticket(QUEUE, provider_id=ADA)
    assert refusal(world, Remove(record_id=ADA)).details["by"] == "A001"
    world.do(StaffPoint(point_id=ONE, provider_id=BOSE))
    assert refusal(world, Remove(record_id=BOSE)).details["by"] == "Room 1"
    world.ticket(QUEUE)
    world.call(ONE)
    error = refusal(world, Remove(record_id=ONE))
    assert isinstance(error, StillInUse)
    assert error.details["by"] == "A002"


def test_the_last_look_at_a_ticket_of_a_queue_taken_away() -> None:
    world = a_clinic()
    entry = world.ticket(OTHER)
    world.do(Transfer(entry_id=entry.id, queue_id=QUEUE))
    world.do(ChangePoint(point_id=TWO, queue_ids=(QUEUE,)))
    world.do(Remove(record_id=OTHER))
    assert draw(TicketView(entry.visit_id), world.board)["ticket"]["queue"] == "Blood"
    assert refusal(world, IssueTicket(queue_id=OTHER)).code == "queue_not_found"


def test_two_points_change_rooms() -> None:
    world = a_clinic()
    world.do(StaffPoint(point_id=ONE, provider_id=ADA))
    one, two = world.board.points[ONE], world.board.points[TWO]
    world.do(SwapPoints(point_id=ONE, with_point_id=TWO))
    after = world.board.points
    assert (after[ONE].provider_id, after[ONE].queue_ids, after[ONE].state) == (None, two.queue_ids, two.state)
    assert (after[TWO].provider_id, after[TWO].queue_ids, after[TWO].state) == (ADA, one.queue_ids, one.state)
    # The room stays what it is: its name, and that it is up the stairs.
    assert [(after[key].name, after[key].unmet_needs) for key in (ONE, TWO)] == [("Room 1", ()), ("Room 2", ("step_free",))]
    world.ticket(QUEUE)
    world.call(TWO)
    assert refusal(world, SwapPoints(point_id=ONE, with_point_id=TWO)).code == "point_busy"
    assert refusal(world, SwapPoints(point_id=TWO, with_point_id=ONE)).code == "point_busy"


def test_a_sick_doctor_s_whole_list_goes_to_another_and_the_patients_see_it() -> None:
    world = a_clinic()
    waiting, held, late = (world.ticket(QUEUE, provider_id=ADA) for _ in range(3))
    world.do(Hold(entry_id=held.id))
    world.do(RunningLate(entry_id=late.id, minutes=20))
    world.do(StaffPoint(point_id=ONE, provider_id=ADA))
    called = world.call(ONE)
    other = world.ticket(QUEUE, provider_id=BOSE)
    (recorded,) = world.do(ReassignProvider(provider_id=ADA, to_provider_id=BOSE, reason="ill today"))
    assert called.id == waiting.id, "who is with the doctor already stays"
    assert recorded.event.entry_ids == (held.id, late.id)  # type: ignore[attr-defined]
    providers = [world.entry(each).provider_id for each in (waiting, held, late, other)]
    assert providers == [ADA, BOSE, BOSE, BOSE]
    assert draw(TicketView(late.visit_id), world.board)["ticket"]["provider"] == "Dr. Bose"
    world.do(ReassignProvider(provider_id=BOSE, to_provider_id=None, reason="ill as well"))
    assert draw(TicketView(late.visit_id), world.board)["ticket"]["provider"] is None
    assert facts(world.loaded()) == facts(world.board)


def test_amending_a_visit() -> None:
    world = a_clinic()
    entry = world.ticket(QUEUE)
    assert refusal(world, AmendVisit(entry_id=entry.id)).code == "nothing_changed"
    world.do(AmendVisit(entry_id=entry.id, party_size=4, language="ar", needs=("interpreter", "chaperone", "interpreter")))
    visit = world.board.visits[entry.visit_id]
    assert (visit.party_size, visit.language, visit.needs) == (4, "ar", ("chaperone", "interpreter"))
    cell = draw(DeskView(open_sealed), world.board)[f"entry:{entry.id}"]
    assert (cell["party"], cell["language"], cell["needs"]) == (4, "ar", ["chaperone", "interpreter"])
    for view in (DisplayView(), TicketView(entry.visit_id)):
        assert "chaperone" not in str(draw(view, world.board)), "needs are for staff alone"


def test_a_name_and_a_phone_are_put_right() -> None:
    """What is left out stays, what is empty goes; a display follows where the patient had agreed, and nowhere else."""
    world = a_clinic()
    entry = world.ticket(QUEUE, name="Nora Canari", phone="+49 30 901820", name_on_display=True)
    quiet = world.ticket(QUEUE, name="Bo Lind")

    def known(of: Entry) -> tuple[str | None, str | None, str | None]:
        visit = world.board.visits[of.visit_id]
        personal = open_sealed(visit)
        return personal.name, personal.phone, visit.display_name

    world.do(AmendVisit(entry_id=entry.id, name="Nora Canary-Blue"))
    assert known(entry) == ("Nora Canary-Blue", "+49 30 901820", "Nora C.")
    assert draw(DeskView(open_sealed), world.board)[f"entry:{entry.id}"]["name"] == "Nora Canary-Blue"
    world.do(AmendVisit(entry_id=entry.id, phone="030 1234567", party_size=2))
    assert known(entry) == ("Nora Canary-Blue", "030 1234567", "Nora C.")
    world.do(AmendVisit(entry_id=entry.id, party_size=3))
    assert known(entry) == ("Nora Canary-Blue", "030 1234567", "Nora C.")
    world.do(AmendVisit(entry_id=entry.id, name="", phone=""))
    assert known(entry) == (None, None, None)
    world.do(AmendVisit(entry_id=quiet.id, name="Bo Lindh"))
    assert known(quiet) == ("Bo Lindh", None, None)
    assert facts(world.loaded()) == facts(world.board)


# Hours, capacity, rules


def test_a_closed_site_gives_no_ticket_but_to_who_may_overrule_it() -> None:
    world = a_clinic()
    world.do(ChangeSite(site_id=SITE_ID, hours=((4, 9 * 60, 12 * 60),)))  # Fridays; it is Friday, 8 in the morning
    error = refusal(world, IssueTicket(queue_id=QUEUE))
    assert isinstance(error, SiteClosed)
    assert error.message == "Clinic is closed now."
    command = IssueTicket(queue_id=QUEUE, overrule=True)
    assert decide(world.board, command, world.now, "hash", lambda action: action == "overrule-limits")
    with pytest.raises(NotAllowed):
        decide(world.board, command, world.now, "hash", lambda action: action != "overrule-limits")
    assert decide(world.board, IssueTicket(queue_id=QUEUE), START + HOUR)
    with pytest.raises(SiteClosed):
        decide(world.board, IssueTicket(queue_id=QUEUE), START + 4 * HOUR)
    world.do(ChangeSite(site_id=SITE_ID, closed_on=(DAY,)))
    with pytest.raises(SiteClosed):
        decide(world.board, IssueTicket(queue_id=QUEUE), START + HOUR)
    world.do(ChangeSite(site_id=SITE_ID, hours=(), closed_on=()))
    assert decide(world.board, IssueTicket(queue_id=QUEUE), world.now)


def test_a_full_queue_gives_no_ticket_and_who_is_away_counts() -> None:
    world = a_clinic()
    world.do(ChangeQueue(queue_id=QUEUE, capacity=2))
    first = world.ticket(QUEUE)
    world.ticket(QUEUE)
    world.do(RunningLate(entry_id=first.id, minutes=30))
    error = refusal(world, IssueTicket(queue_id=QUEUE))
    assert isinstance(error, QueueFull)
    assert error.message == "The queue Blood is full: 2 wait already."
    world.ticket(QUEUE, overrule=True)
    world.call(ONE)
    world.call(TWO)  # one is left, who is away
    assert world.ticket(QUEUE).state == "waiting"
    world.ticket(OTHER)
    world.do(ChangeQueue(queue_id=QUEUE, capacity=0))
    for _ in range(5):
        world.ticket(QUEUE)


def test_only_who_may_reprioritise_gives_a_ticket_of_another_class() -> None:
    world = a_clinic()
    for priority in ("assisted", "urgent", "emergency"):
        with pytest.raises(NotAllowed):
            decide(world.board, IssueTicket(queue_id=QUEUE, priority=priority), START, "hash", lambda _: False)
    assert decide(world.board, IssueTicket(queue_id=QUEUE), START, "hash", lambda _: False)


def test_a_site_decides_what_a_class_is_worth_from_then_on() -> None:
    world = a_clinic()
    before = world.ticket(QUEUE, "urgent")
    world.do(ChangeSite(site_id=SITE_ID, head_start_urgent=10, return_lead=0))
    after = world.ticket(QUEUE, "urgent")
    assert [world.entry(each).due_at - world.entry(each).place for each in (before, after)] == [45 * MINUTE, 10 * MINUTE]


def test_a_queue_that_lets_join_anew() -> None:
    world = a_clinic()
    world.do(ChangeQueue(queue_id=OTHER, joins_anew=True))
    entry = world.ticket(QUEUE, "assisted")
    world.do(Transfer(entry_id=entry.id, queue_id=OTHER, provider_id=ADA), after=HOUR)
    stage = world.board.latest_entry(entry.visit_id)
    assert stage is not None
    assert (stage.due_at, stage.place, stage.provider_id) == (world.now, world.now - 20 * MINUTE, ADA)
    back = world.do(Transfer(entry_id=stage.id, queue_id=QUEUE), after=HOUR)
    assert back[0].event.due_at == stage.due_at  # type: ignore[attr-defined]


def test_a_name_is_shown_only_where_the_site_allows_it() -> None:
    world = a_clinic()
    world.do(ChangeSite(site_id=SITE_ID, names_on_display=False))
    entry = world.ticket(QUEUE, name="Ada Lovelace", name_on_display=True)
    assert world.board.visits[entry.visit_id].display_name is None
    world.do(ChangeSite(site_id=SITE_ID, names_on_display=True))
    entry = world.ticket(QUEUE, name="Ada Lovelace", name_on_display=True)
    assert world.board.visits[entry.visit_id].display_name == "Ada L."


def test_privacy_is_the_default() -> None:
    assert Rules().names_on_display is False


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"time_zone": "Mars/Olympus"}, "time_zone"),
        ({"time_zone": "../../etc/passwd"}, "time_zone"),
        ({"time_zone": "Europe"}, "time_zone"),
        ({"hours": ((7, 0, 60),)}, "hours"),
        ({"hours": ((-1, 0, 60),)}, "hours"),
        ({"hours": ((0, 60, 60),)}, "hours"),
        ({"hours": ((0, 0, 1441),)}, "hours"),
        ({"hours": ((0, 0, 60), (0, 59, 90))}, "hours"),
        ({"closed_on": ("2026-02-30",)}, "closed_on"),
        ({"closed_on": ("20261225",)}, "closed_on"),
    ],
)
def test_rules_that_make_no_sense_are_refused_by_the_field(wrong: dict[str, Any], field: str) -> None:
    error = refusal(a_clinic(), ChangeSite(site_id=SITE_ID, **wrong))
    assert isinstance(error, InvalidField)
    assert error.details["field"] == field
    assert error.message.startswith(f"{field}: ")


def test_the_site_s_own_zone_and_turn() -> None:
    world = a_clinic()
    (recorded,) = world.do(ChangeSite(site_id=SITE_ID, time_zone="Asia/Tokyo", day_turns_at_minutes=0, name="Tokyo"))
    assert isinstance(recorded.event, SiteChanged)
    site = world.board.site
    assert (site.name, site.time_zone, site.turns_at) == ("Tokyo", "Asia/Tokyo", next_turn(DAY, "Asia/Tokyo", 0))
    assert site.next_tick_at == site.turns_at
    world.do(Tick(site_id=SITE_ID), after=9 * HOUR)  # past midnight there
    assert world.board.site.business_day == "2024-03-30"
    with pytest.raises(NothingChanged):
        world.do(ChangeSite(site_id=SITE_ID, time_zone="Asia/Tokyo"))


OPEN_ON_FRIDAY = Rules(hours=((4, 540, 720), (4, 780, 1020)), closed_on=("2024-04-05",))


@pytest.mark.parametrize(
    ("hours_later", "is_it"),
    [(0, False), (1, True), (3.99, True), (4, False), (5, True), (8.99, True), (9, False), (24, False), (7 * 24 + 1, False)],
)
def test_opening_hours_are_wall_clock_hours(hours_later: float, is_it: bool) -> None:
    assert is_open(START + int(hours_later * HOUR), "Europe/Berlin", OPEN_ON_FRIDAY) is is_it


def test_hours_follow_the_clock_across_daylight_saving() -> None:
    sundays = Rules(hours=((6, 120, 240),))  # 2 to 4 in the night in which 2 o'clock becomes 3
    begin = 1_711_846_800_000_000  # 2024-03-31 02:00 CET, which is 03:00 CEST
    assert not is_open(begin - SECOND, "Europe/Berlin", sundays)
    assert is_open(begin, "Europe/Berlin", sundays)
    assert is_open(begin + HOUR - SECOND, "Europe/Berlin", sundays)
    assert not is_open(begin + HOUR, "Europe/Berlin", sundays)


@examples(60)
@given(st.integers(0, 2**41), st.sampled_from(["UTC", "Pacific/Kiritimati", "America/Adak"]))
def test_a_site_without_hours_is_always_open(seconds: int, zone: str) -> None:
    assert is_open(seconds % 4_000_000_000 * SECOND, zone, Rules())


# Round the clock


def test_where_it_never_closes_the_turn_carries_on_who_is_there() -> None:
    world = a_clinic()
    world.do(ChangeSite(site_id=SITE_ID, round_the_clock=True))
    waiting, called, done = (world.ticket(QUEUE) for _ in range(3))
    held = world.ticket(QUEUE)
    world.do(Hold(entry_id=held.id))
    world.do(Transfer(entry_id=done.id, queue_id=OTHER))
    assert world.call(ONE).id == waiting.id
    (turned,) = world.do(Tick(site_id=SITE_ID), after=21 * HOUR)
    assert world.board.site.business_day == "2024-03-30"
    entries = world.board.entries
    assert {entry.state for entry in entries.values()} == {"called", "waiting", "held"}
    assert done.id not in entries, "a stage that had ended stays behind"
    assert set(turned.event.carried) == set(entries)  # type: ignore[attr-defined]
    assert {entry.business_day for entry in entries.values()} == {"2024-03-30"}
    assert world.board.entry_at(ONE) == world.entry(waiting)
    assert draw(TicketView(called.visit_id), world.board)["ticket"]["label"] == "A002"
    assert facts(world.loaded()) == facts(world.board)
    # Numbers begin anew, but no open ticket's label is given a second time.
    labels = [world.label(world.ticket(QUEUE)) for _ in range(3)]
    assert labels == ["A005", "A006", "A007"]
    assert facts(world.loaded()) == facts(world.board)


def test_elsewhere_the_turn_ends_them() -> None:
    world = a_clinic()
    entry = world.ticket(QUEUE)
    world.do(Tick(site_id=SITE_ID), after=21 * HOUR)
    rows = [row for row in world.rows.values() if isinstance(row, Entry)]
    assert [(row.id, row.state, row.business_day) for row in rows] == [(entry.id, "expired", DAY)]


def test_what_was_transferred_before_the_turn_cannot_be_taken_back_after_it() -> None:
    world = a_clinic()
    world.do(ChangeSite(site_id=SITE_ID, round_the_clock=True))
    entry = world.ticket(QUEUE, after=19 * HOUR + 59 * MINUTE)
    world.do(Transfer(entry_id=entry.id, queue_id=OTHER), after=40 * SECOND)
    world.do(Tick(site_id=SITE_ID), after=15 * SECOND)
    assert refusal(world, Undo(entry_id=entry.id)).code == "entry_not_found"


# Quotes and their inputs; calls


def test_the_first_quote_is_kept_with_its_inputs_and_the_truth_beside_it() -> None:
    world = a_clinic()
    first = world.ticket(QUEUE)
    second = world.ticket(QUEUE)
    assert [(each.quoted_ahead, each.quoted_points) for each in (first, second)] == [(0, 2), (1, 2)]
    wheelchair = world.ticket(QUEUE, needs=("step_free",))
    assert (wheelchair.quoted_ahead, wheelchair.quoted_points) == (2, 1)
    world.call(ONE)
    called_at = world.now
    assert world.entry(first).first_called_at == called_at
    world.do(Undo(entry_id=first.id))
    assert world.entry(first).first_called_at is None
    assert a_site().rules.names_on_display


def test_a_no_show_is_offered_after_the_site_s_recalls_and_minutes_and_a_wait_has_its_target() -> None:
    world = a_clinic()
    world.do(ChangeSite(site_id=SITE_ID, recalls_before_no_show=1, minutes_before_no_show=2, target_standard=15))
    entry = world.ticket(QUEUE)

    def cell() -> Cell:
        return draw(DeskView(open_sealed), world.board)[f"entry:{entry.id}"]

    assert cell()["wait_target"] == (entry.due_at + 15 * MINUTE) // 1000
    world.call(ONE)
    called_at = world.now
    assert cell()["no_show_from"] is None
    world.do(Recall(entry_id=entry.id))
    assert cell()["no_show_from"] == (called_at + 2 * MINUTE) // 1000
    world.do(ChangeSite(site_id=SITE_ID, target_standard=0))
    assert cell()["wait_target"] is None

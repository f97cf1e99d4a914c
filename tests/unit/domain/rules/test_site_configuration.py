"""Rules for the set-up of a site: each record is added, changed and removed, or the command is refused."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from server.domain.commands import (
    AddDisplay,
    AddKiosk,
    AddPoint,
    AddProvider,
    AddQueue,
    AddService,
    AnswerHelp,
    Arrange,
    AskHelp,
    ChangeDisplay,
    ChangeKiosk,
    ChangePoint,
    ChangeProvider,
    ChangeQueue,
    ChangeService,
    ChangeSite,
    Command,
    IssueTicket,
    ReassignProvider,
    Remove,
    RenameDevice,
    RenewToken,
    RevokeToken,
    StaffPoint,
    SwapPoints,
    Tick,
    Transfer,
)
from server.domain.errors import InUse, InvalidField, NothingChanged, Refused
from server.domain.events import DisplayAdded, PointAdded, QueueAdded, ServiceAdded, ServiceChanged, SiteChanged
from server.domain.events.encoding import body_of, decode
from server.domain.model import Personal
from server.domain.model.tickets import next_turn
from server.domain.rules import decide
from server.domain.views import DeskView, DisplayView, PointView, TicketView, View, draw
from tests.support.one_entry import OTHER_QUEUE, QUEUE, board_with, unchanged_by
from tests.support.whole_clinic import ADA, BLOOD, BOSE, DOOR, HALL, NOBODY, ONE, SERVICE, TWO, X_RAY, refusal, whole_clinic
from tests.support.worlds import DAY, HOUR, SITE_ID, START, an_id, facts, open_sealed


def test_added_records_get_the_next_id_and_position() -> None:
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
def test_name_is_unique_for_each_kind(command: AddQueue | AddPoint | AddDisplay) -> None:
    outcome = unchanged_by(board_with("waiting"), command)
    assert isinstance(outcome, Refused)
    assert outcome.code == "name_taken"
    assert outcome.details == {"name": command.name}
    assert isinstance(unchanged_by(board_with("waiting"), replace(command, name="Another")), list)
    assert isinstance(unchanged_by(board_with("waiting"), AddDisplay(site_id=SITE_ID, name="Room 1")), list)


SET_UP: list[tuple[Command, str, dict[str, Any]]] = [
    (
        ChangeService(service_id=SERVICE, public_name="Lab", position=3),
        f"service:{SERVICE}",
        {"public_name": "Lab", "position": 3},
    ),
    (ChangeService(service_id=SERVICE, name="Other test"), f"service:{SERVICE}", {"name": "Other test"}),
    (ChangeProvider(provider_id=ADA, name="Dr. Ada Byron"), f"provider:{ADA}", {"name": "Dr. Ada Byron"}),
    (ChangeProvider(provider_id=ADA, position=5), f"provider:{ADA}", {"position": 5}),
    (ChangeQueue(queue_id=X_RAY, service_id=SERVICE), f"queue:{X_RAY}", {"service": SERVICE}),
    (ChangeQueue(queue_id=X_RAY, capacity=7, joins_anew=True), f"queue:{X_RAY}", {"capacity": 7, "joins_anew": True}),
    (ChangeQueue(queue_id=X_RAY, name="CT", position=9), f"queue:{X_RAY}", {"name": "CT", "position": 9}),
    (ChangePoint(point_id=ONE, name="Desk", queue_ids=(X_RAY,)), f"point:{ONE}", {"name": "Desk", "queues": [X_RAY]}),
    (ChangePoint(point_id=TWO, unmet_needs=()), f"point:{TWO}", {"unmet_needs": []}),
    (StaffPoint(point_id=ONE, provider_id=ADA), f"point:{ONE}", {"provider": ADA}),
    (RenameDevice(device_id=HALL, name="Foyer"), f"display:{HALL}", {"name": "Foyer", "paired": True}),
    (RenameDevice(device_id=DOOR, name="Gate"), f"kiosk:{DOOR}", {"name": "Gate"}),
    (ChangeDisplay(display_id=HALL, queue_ids=(BLOOD, BLOOD)), f"display:{HALL}", {"queues": [BLOOD]}),
    (ChangeDisplay(display_id=HALL, point_ids=(TWO, ONE, TWO)), f"display:{HALL}", {"points": [TWO, ONE]}),
    (ChangeKiosk(kiosk_id=DOOR, queue_ids=(BLOOD, BLOOD)), f"kiosk:{DOOR}", {"queues": [BLOOD]}),
    (
        ChangeKiosk(kiosk_id=DOOR, printing="browser", low=True, check_in="code", place="Gate"),
        f"kiosk:{DOOR}",
        {"printing": "browser", "low": True, "check_in": "code", "place": "Gate"},
    ),
    (RevokeToken(device_id=HALL), f"display:{HALL}", {"paired": False}),
    (RevokeToken(device_id=DOOR), f"kiosk:{DOOR}", {"paired": False}),
]


@pytest.mark.parametrize(("command", "key", "shown"), SET_UP, ids=lambda value: type(value).__name__)
def test_change_is_shown_at_the_desk_and_changes_nothing_else(command: Command, key: str, shown: dict[str, Any]) -> None:
    world = whole_clinic()
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
    (AddPoint(site_id=SITE_ID, name="New", queue_ids=(BLOOD, NOBODY)), "queue_not_found"),
    (ChangeService(service_id=NOBODY, name="X"), "service_not_found"),
    (ChangeService(service_id=SERVICE), "nothing_changed"),
    (ChangeProvider(provider_id=NOBODY, name="X"), "provider_not_found"),
    (ChangeProvider(provider_id=ADA, name="Dr. Bose"), "name_taken"),
    (ChangeProvider(provider_id=ADA, name="Dr. Ada"), "nothing_changed"),
    (ChangeQueue(queue_id=BLOOD, name="X-ray"), "name_taken"),
    (ChangeQueue(queue_id=BLOOD, service_id=NOBODY), "service_not_found"),
    (ChangeQueue(queue_id=BLOOD, service_id=SERVICE), "nothing_changed"),
    (ChangePoint(point_id=ONE, name="Room 2"), "name_taken"),
    (ChangePoint(point_id=ONE, queue_ids=(BLOOD,)), "nothing_changed"),
    (ChangePoint(point_id=ONE, queue_ids=(NOBODY,)), "queue_not_found"),
    (ChangePoint(point_id=NOBODY), "point_not_found"),
    (StaffPoint(point_id=ONE, provider_id=NOBODY), "provider_not_found"),
    (StaffPoint(point_id=ONE, provider_id=None), "nothing_changed"),
    (SwapPoints(point_id=ONE, with_point_id=ONE), "same_point"),
    (SwapPoints(point_id=ONE, with_point_id=NOBODY), "point_not_found"),
    (RenameDevice(device_id=NOBODY, name="X"), "device_not_found"),
    (RenameDevice(device_id=HALL, name="Hall"), "nothing_changed"),
    (ChangeDisplay(display_id=HALL), "nothing_changed"),
    (ChangeDisplay(display_id=HALL, queue_ids=(), point_ids=()), "nothing_changed"),
    (ChangeDisplay(display_id=HALL, queue_ids=(ONE,)), "queue_not_found"),
    (ChangeDisplay(display_id=HALL, point_ids=(BLOOD,)), "point_not_found"),
    (ChangeDisplay(display_id=DOOR, queue_ids=(BLOOD,)), "device_not_found"),
    (ChangeKiosk(kiosk_id=HALL, low=True), "device_not_found"),
    (ChangeKiosk(kiosk_id=DOOR), "nothing_changed"),
    (ChangeKiosk(kiosk_id=DOOR, low=False, printing="none"), "nothing_changed"),
    (ChangeKiosk(kiosk_id=DOOR, queue_ids=(ONE,)), "queue_not_found"),
    (AskHelp(kiosk_id=HALL), "device_not_found"),
    (AnswerHelp(kiosk_id=DOOR, name="Maria"), "help_not_asked"),
    (RenewToken(device_id=ADA), "device_not_found"),
    (RevokeToken(device_id=NOBODY), "device_not_found"),
    (Remove(record_id=NOBODY), "record_not_found"),
    (Remove(record_id=SERVICE), "in_use"),
    (Remove(record_id=BLOOD), "in_use"),
    (ReassignProvider(provider_id=ADA, to_provider_id=BOSE, reason="ill"), "nothing_to_reassign"),
    (ReassignProvider(provider_id=ADA, to_provider_id=ADA, reason="ill"), "same_provider"),
    (ReassignProvider(provider_id=ADA, to_provider_id=NOBODY, reason="ill"), "provider_not_found"),
    (IssueTicket(queue_id=BLOOD, provider_id=NOBODY), "provider_not_found"),
    (ChangeSite(site_id=SITE_ID), "nothing_changed"),
    (ChangeSite(site_id=SITE_ID, name="Clinic"), "nothing_changed"),
]


@pytest.mark.parametrize(("command", "code"), REFUSED, ids=lambda value: str(value)[:60])
def test_command_is_refused_by_its_code(command: Command, code: str) -> None:
    assert refusal(whole_clinic(), command).code == code


def test_only_the_desk_shows_the_true_name_of_a_service() -> None:
    world = whole_clinic()
    (event,) = decide(world.board, AddService(site_id=SITE_ID, name="HIV clinic", public_name="Clinic"), START)
    assert event == ServiceAdded(
        service_id=an_id(10), public_name="Clinic", position=1, personal=Personal(name="HIV clinic")
    )
    (event,) = decide(world.board, ChangeService(service_id=SERVICE, public_name="Lab"), START)
    assert event == ServiceChanged(service_id=SERVICE, public_name="Lab", position=0, personal=None)
    entry = world.ticket(BLOOD)
    assert "HIV" in str(draw(DeskView(open_sealed), world.board))
    for view in (DisplayView(), TicketView(entry.visit_id)):
        assert "HIV" not in str(draw(view, world.board))
    assert draw(TicketView(entry.visit_id), world.board)["ticket"]["service"] == "Blood"
    world.do(ChangeService(service_id=SERVICE, public_name="Lab"))  # the sealed true name stays
    assert draw(DeskView(open_sealed), world.board)[f"service:{SERVICE}"]["name"] == "HIV test"


@pytest.mark.parametrize("record_id", [X_RAY, ONE, ADA, HALL, DOOR])
def test_removed_record_is_not_shown_and_its_name_is_free(record_id: int) -> None:
    world = whole_clinic()
    world.do(ChangePoint(point_id=TWO, queue_ids=(BLOOD,)))
    record = world.board.removable(record_id)
    assert record is not None
    world.do(Remove(record_id=record_id))
    for view in (DeskView(open_sealed), DisplayView()):
        assert not [key for key in draw(view, world.board) if key.endswith(f":{record_id}")]
    assert refusal(world, Remove(record_id=record_id)).code == "record_not_found"
    again: dict[int, Command] = {
        X_RAY: AddQueue(site_id=SITE_ID, name="X-ray", prefix="B"),
        ONE: AddPoint(site_id=SITE_ID, name="Room 1", queue_ids=(BLOOD,)),
        ADA: AddProvider(site_id=SITE_ID, name="Dr. Ada"),
        HALL: AddDisplay(site_id=SITE_ID, name="Hall"),
        DOOR: AddKiosk(site_id=SITE_ID, name="Door"),
    }
    world.do(again[record_id])
    assert facts(world.loaded()) == facts(world.board)


def test_records_are_arranged_at_once_and_others_follow() -> None:
    world = whole_clinic()
    recorded = world.do(Arrange(site_id=SITE_ID, record_ids=(TWO,)))
    assert [(each.event.point_id, each.event.position) for each in recorded] == [(TWO, 0), (ONE, 1)]  # type: ignore[attr-defined]
    for record_ids in ((X_RAY, BLOOD), (BOSE, ADA)):
        world.do(Arrange(site_id=SITE_ID, record_ids=record_ids))
        shown = [world.board.removable(each) for each in record_ids]
        assert [each.position for each in shown] == [0, 1]  # type: ignore[union-attr]
    assert facts(world.loaded()) == facts(world.board)
    assert refusal(world, Arrange(site_id=SITE_ID, record_ids=(TWO, ONE))).code == "nothing_changed"
    for wrong in ((TWO, BLOOD), (HALL,), (NOBODY,)):
        assert refusal(world, Arrange(site_id=SITE_ID, record_ids=wrong)).code == "record_not_found"


def test_removal_is_refused_with_the_users_of_the_record() -> None:
    world = whole_clinic()
    assert refusal(world, Remove(record_id=BLOOD)).message == "Blood is still in use: Room 1, Room 2."
    world.ticket(X_RAY)
    world.do(ChangePoint(point_id=TWO, queue_ids=(BLOOD,)))
    assert refusal(world, Remove(record_id=X_RAY)).details["by"] == "B001"
    world.ticket(BLOOD, provider_id=ADA)
    assert refusal(world, Remove(record_id=ADA)).details["by"] == "A001"
    world.do(StaffPoint(point_id=ONE, provider_id=BOSE))
    assert refusal(world, Remove(record_id=BOSE)).details["by"] == "Room 1"
    world.ticket(BLOOD)
    world.call(ONE)
    error = refusal(world, Remove(record_id=ONE))
    assert isinstance(error, InUse)
    assert error.details["by"] == "A002"


def test_ticket_stays_readable_after_its_first_queue_is_removed() -> None:
    world = whole_clinic()
    entry = world.ticket(X_RAY)
    world.do(Transfer(entry_id=entry.id, queue_id=BLOOD))
    world.do(ChangePoint(point_id=TWO, queue_ids=(BLOOD,)))
    world.do(Remove(record_id=X_RAY))
    assert draw(TicketView(entry.visit_id), world.board)["ticket"]["queue"] == "Blood"
    assert refusal(world, IssueTicket(queue_id=X_RAY)).code == "queue_not_found"


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
        ({"reminders": (24, 0)}, "reminders"),
        ({"reminders": (337,)}, "reminders"),
    ],
)
def test_invalid_rules_are_refused_by_the_field(wrong: dict[str, Any], field: str) -> None:
    error = refusal(whole_clinic(), ChangeSite(site_id=SITE_ID, **wrong))
    assert isinstance(error, InvalidField)
    assert error.details["field"] == field
    assert error.message.startswith(f"{field}: ")


def test_ways_keep_their_order_and_reminders_go_from_the_earliest_to_the_last() -> None:
    world = whole_clinic()
    assert world.board.site.rules.message_ways == ()
    world.do(ChangeSite(site_id=SITE_ID, message_ways=("push", "email", "push"), reminders=(2, 48, 2), quiet_from=0))
    rules = world.board.site.rules
    assert (rules.message_ways, rules.reminders) == (("push", "email"), (48, 2))
    assert (rules.quiet_from, rules.quiet_until) == (0, 480)
    same = ChangeSite(site_id=SITE_ID, reminders=(48, 2, 48))
    assert refusal(world, same).code == "nothing_changed"


def test_stored_rules_from_before_send_no_message() -> None:
    event = whole_clinic().do(ChangeSite(site_id=SITE_ID, target_urgent=5))[0].event
    body = body_of(event)
    for name in ("message_ways", "reminders", "quiet_from", "quiet_until"):
        del body["rules"][name]
    old = decode(SiteChanged, body, None)
    assert isinstance(old, SiteChanged)
    assert (old.rules.message_ways, old.rules.reminders, old.rules.target_urgent) == ((), (72, 24), 5)


def test_every_screen_has_the_clock_of_the_site() -> None:
    world = whole_clinic()
    entry = world.ticket(BLOOD)

    def shown() -> set[str]:
        views: list[View] = [DeskView(open_sealed), DisplayView(), PointView(ONE, open_sealed)]
        ticket = draw(TicketView(entry.visit_id), world.board)["ticket"]["clock"]
        return {ticket, *(draw(view, world.board)["site"]["clock"] for view in views)}

    assert shown() == {"24"}
    world.do(ChangeSite(site_id=SITE_ID, region="US"))
    assert shown() == {"12"}
    world.do(ChangeSite(site_id=SITE_ID, clock="24"))
    assert shown() == {"24"}
    world.do(ChangeSite(site_id=SITE_ID, clock="auto"))
    assert shown() == {"12"}


def test_names_are_shown_in_the_languages_of_the_site() -> None:
    world = whole_clinic()
    world.do(ChangeSite(site_id=SITE_ID, languages=("AR", "zh-hant", "ar")))
    assert world.board.site.languages == ("de", "ar", "zh-Hant")
    world.do(
        ChangeService(
            service_id=SERVICE,
            names=(
                ("ar", "مختبر"),
                ("ZH-HANT", "化驗室"),
            ),
        )
    )
    world.do(ChangeQueue(queue_id=BLOOD, names=(("ar", "تحاليل الدم"),)))
    world.do(ChangePoint(point_id=ONE, names=(("ar", "غرفة 1"),)))
    entry = world.ticket(BLOOD)
    world.call(ONE)
    desk, display = (draw(view, world.board) for view in (DeskView(open_sealed), DisplayView()))
    room, ticket = (draw(view, world.board) for view in (PointView(ONE, open_sealed), TicketView(entry.visit_id)))
    assert desk[f"service:{SERVICE}"]["names"] == {"ar": "مختبر", "zh-Hant": "化驗室"} == ticket["ticket"]["service_names"]
    for names in (desk[f"queue:{BLOOD}"]["names"], display[f"queue:{BLOOD}"]["names"], room["guest"]["queue_names"]):
        assert names == {"ar": "تحاليل الدم"} == ticket["ticket"]["queue_names"]
    for names in (desk[f"point:{ONE}"]["names"], display[f"point:{ONE}"]["names"], room["point"]["names"]):
        assert names == {"ar": "غرفة 1"} == ticket["ticket"]["point_names"]
    assert facts(world.loaded()) == facts(world.board)
    world.do(ChangeSite(site_id=SITE_ID, languages=()))
    assert "غرفة" not in str([draw(view, world.board) for view in (DisplayView(), TicketView(entry.visit_id))])


@pytest.mark.parametrize(
    "command",
    [
        AddService(site_id=SITE_ID, name="X", public_name="X", names=(("ar", "س"),)),
        ChangeService(service_id=SERVICE, names=(("ar", "س"),)),
        AddQueue(site_id=SITE_ID, name="X", prefix="X", names=(("ar", "س"),)),
        ChangeQueue(queue_id=BLOOD, names=(("ar", "س"),)),
        AddPoint(site_id=SITE_ID, name="X", queue_ids=(BLOOD,), names=(("ar", "س"),)),
        ChangePoint(point_id=ONE, names=(("ar", "س"),)),
    ],
    ids=lambda command: command.name_on_wire(),
)
def test_names_need_a_language_of_the_site(command: Command) -> None:
    world = whole_clinic()
    error = refusal(world, command)
    assert (error.code, error.details["language"]) == ("language_not_offered", "ar")
    world.do(ChangeSite(site_id=SITE_ID, languages=("ar",)))
    world.do(command)
    assert facts(world.loaded()) == facts(world.board)


def test_new_zone_and_turn_apply_at_once() -> None:
    world = whole_clinic()
    (recorded,) = world.do(ChangeSite(site_id=SITE_ID, time_zone="Asia/Tokyo", day_turns_at_minutes=0, name="Tokyo"))
    assert isinstance(recorded.event, SiteChanged)
    site = world.board.site
    assert (site.name, site.time_zone, site.turns_at) == ("Tokyo", "Asia/Tokyo", next_turn(DAY, "Asia/Tokyo", 0))
    assert site.next_tick_at == site.turns_at
    world.do(Tick(site_id=SITE_ID), after=9 * HOUR)  # past midnight in Tokyo
    assert world.board.site.business_day == "2024-03-30"
    with pytest.raises(NothingChanged):
        world.do(ChangeSite(site_id=SITE_ID, time_zone="Asia/Tokyo"))

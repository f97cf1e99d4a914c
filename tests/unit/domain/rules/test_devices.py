"""Rules for kiosks: help and health, and tickets that are wanted for a moment only."""

from __future__ import annotations

from server.domain.commands import AnswerHelp, AskHelp, IssueTicket, ReportDevice
from server.domain.events import event_from
from server.domain.views import DeskView, draw
from tests.support.whole_clinic import BLOOD, DOOR, HALL, refusal, whole_clinic
from tests.support.worlds import World, open_sealed


def asked_at(world: World) -> int | None:
    asked: int | None = draw(DeskView(open_sealed), world.board)[f"kiosk:{DOOR}"]["help_asked"]
    return asked


def test_help_is_asked_once_answered_once_and_asked_again() -> None:
    world = whole_clinic()
    world.do(AskHelp(kiosk_id=DOOR))
    assert asked_at(world) == world.now // 1000
    assert refusal(world, AskHelp(kiosk_id=DOOR)).code == "nothing_changed"
    world.do(AnswerHelp(kiosk_id=DOOR, name="Maria"))
    assert asked_at(world) is None
    error = refusal(world, AnswerHelp(kiosk_id=DOOR, name="Otto"))
    assert error.message == "Nobody at Door waits for help: a colleague has answered already."
    world.do(AskHelp(kiosk_id=DOOR))
    assert asked_at(world) == world.now // 1000


def test_report_of_a_kiosk_keeps_its_printer_and_has_no_sound() -> None:
    world = whole_clinic()
    world.do(ReportDevice(device_id=DOOR, heard_by="p", connected=True, muted=True, printer="no_paper", lag=0))
    kiosk = world.board.kiosks[DOOR]
    assert (kiosk.connected, kiosk.printer, kiosk.lag) == (True, "no_paper", 0)
    assert refusal(world, ReportDevice(device_id=DOOR, heard_by="p", muted=False)).code == "nothing_changed"
    world.do(ReportDevice(device_id=DOOR, heard_by="p", connected=False))
    assert (world.board.kiosks[DOOR].connected, world.board.kiosks[DOOR].printer) == (False, "no_paper")
    assert refusal(world, ReportDevice(device_id=HALL, heard_by="p", printer="fault")).code == "nothing_changed"


def test_reports_of_displays_in_old_logs_stay_readable() -> None:
    body = {"display_id": HALL, "connected": True, "heard_by": "p", "muted": False, "version": None, "lag": 0}
    event = event_from("display-reported", body, None)
    assert event.name_on_wire() == "device-reported"
    assert event == event_from("device-reported", {"device_id": HALL} | {key: body[key] for key in list(body)[1:]}, None)


def test_late_request_issues_no_ticket() -> None:
    world = whole_clinic()
    expired = IssueTicket(queue_id=BLOOD, valid_until=world.now // 1000 - 1)
    assert refusal(world, expired).code == "request_expired"
    world.do(IssueTicket(queue_id=BLOOD, valid_until=world.now // 1000 + 3_600_000))
    assert len(world.board.waiting(BLOOD)) == 1

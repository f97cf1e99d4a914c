"""The view of the set-up of a site."""

from __future__ import annotations

from dataclasses import fields

from server.domain.commands import (
    AddException,
    ChangeSite,
    EndSchedule,
    LinkPractitioner,
    PauseQueue,
    Remove,
    RemoveException,
)
from server.domain.model import Rules
from server.domain.views import ConfigurationView, DeskView, draw
from server.domain.views.configuration import RulesOfSite
from tests.support.bookings import a_clinic
from tests.support.whole_clinic import ADA, BLOOD, BOSE, HALL, SERVICE, whole_clinic
from tests.support.worlds import SITE_ID, open_sealed

VIEW = ConfigurationView(open_sealed)


def test_every_rule_of_a_site_is_in_its_cell() -> None:
    assert list(RulesOfSite.__annotations__) == [item.name for item in fields(Rules)]


def test_rules_are_lists_as_in_json() -> None:
    world = whole_clinic()
    world.do(ChangeSite(site_id=SITE_ID, hours=((0, 480, 720), (0, 780, 1080)), closed_on=("2024-12-25",)))
    rules = draw(VIEW, world.board)["site"]["rules"]
    assert rules["hours"] == [[0, 480, 720], [0, 780, 1080]]
    assert rules["closed_on"] == ["2024-12-25"]


def test_records_are_those_of_the_desk_with_the_true_names_of_services() -> None:
    world = whole_clinic()
    shown, desk = draw(VIEW, world.board), draw(DeskView(open_sealed), world.board)
    assert shown[f"service:{SERVICE}"]["name"] == "HIV test"
    for kind in ("service", "display", "kiosk"):
        assert {key: cell for key, cell in shown.items() if key.startswith(kind)} == {
            key: cell for key, cell in desk.items() if key.startswith(kind)
        }


def test_provider_shows_its_practitioner() -> None:
    world = whole_clinic()
    world.do(LinkPractitioner(provider_id=ADA, practitioner_id=5))
    shown = draw(VIEW, world.board)
    assert shown[f"provider:{ADA}"] == {"name": "Dr. Ada", "position": 0, "practitioner": 5}
    assert shown[f"provider:{BOSE}"] == {"name": "Dr. Bose", "position": 1, "practitioner": None}


def test_queue_counts_its_patients_and_no_patient_is_named() -> None:
    world = whole_clinic()
    world.ticket(BLOOD, name="Ada Lovelace")
    world.do(PauseQueue(queue_id=BLOOD))
    shown = draw(VIEW, world.board)
    assert shown[f"queue:{BLOOD}"]["waiting"] == 1
    assert shown[f"queue:{BLOOD}"]["paused"] is True
    assert "A001" not in str(shown)
    assert "Lovelace" not in str(shown)


def test_removed_records_have_no_cell() -> None:
    world = whole_clinic()
    for record_id in (ADA, HALL):
        world.do(Remove(record_id=record_id))
    assert not {f"provider:{ADA}", f"display:{HALL}"} & draw(VIEW, world.board).keys()


def test_schedules_and_exceptions_have_cells_while_they_matter() -> None:
    clinic = a_clinic()
    one = clinic.providers[0]
    clinic.do(AddException(site_id=SITE_ID, provider_id=one, date="2024-03-29", kind="closed", from_="12:00", reason="ill"))
    shown = draw(VIEW, clinic.board)
    schedule = clinic.board.schedules[min(clinic.board.schedules)]
    cell = shown[f"schedule:{schedule.id}"]
    assert (cell["provider"], cell["services"], cell["weekday"]) == (one, [clinic.service], 0)
    assert (cell["from_minute"], cell["until_minute"], cell["slot_minutes"], cell["capacity"]) == (480, 1080, 15, 1)
    assert (cell["valid_from"], cell["valid_until"], cell["point"]) == ("2024-03-29", None, None)
    (exception,) = clinic.board.exceptions
    cell = shown[f"exception:{exception}"]
    assert (cell["provider"], cell["date"], cell["kind"]) == (one, "2024-03-29", "closed")
    assert (cell["from_minute"], cell["until_minute"], cell["reason"]) == (720, 1440, "ill")
    clinic.do(EndSchedule(schedule_id=schedule.id, last_date="2024-03-28", stranded="cancel"))
    clinic.do(RemoveException(exception_id=exception))
    assert not {f"schedule:{schedule.id}", f"exception:{exception}"} & draw(VIEW, clinic.board).keys()

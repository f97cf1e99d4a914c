"""Taking over the appointments of another system: what becomes of each row."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.domain.commands import (
    AcceptOffer,
    AddProvider,
    AddSchedule,
    AddService,
    CancelAppointment,
    ImportAppointments,
    ImportRow,
    Tick,
    WantEarlier,
)
from server.domain.events import AppointmentsImported, OfAppointment
from server.domain.model import FIRST_EXTRA_LANE, Appointment
from server.domain.model.local_time import instant_of
from tests.support.extent import examples
from tests.support.worlds import SITE_ID, World, a_site, open_sealed

FRIDAY, MONDAY = "2024-03-29", "2024-04-01"
ZONE = "Europe/Berlin"


class Clinic(World):
    """A world with a service, and two providers who see patients from 8 to 18, a quarter of an hour each."""

    def __init__(self) -> None:
        super().__init__(a_site())
        self.do(AddService(site_id=SITE_ID, name="HIV test", public_name="Blood test"))
        self.service = max(self.board.services)
        self.providers = [self.provider("Dr Ada"), self.provider("Dr Bo")]

    def provider(self, name: str) -> int:
        self.do(AddProvider(site_id=SITE_ID, name=name))
        provider_id = max(self.board.providers)
        for weekday in range(7):
            self.do(
                AddSchedule(
                    site_id=SITE_ID,
                    provider_id=provider_id,
                    service_ids=(self.service,),
                    weekday=weekday,
                    from_="08:00",
                    until="18:00",
                    slot_minutes=15,
                    valid_from=FRIDAY,
                )
            )
        return provider_id

    def take(self, *rows: ImportRow, anyway: bool = False) -> AppointmentsImported:
        """Import rows; return the last event."""
        last = self.do(ImportAppointments(site_id=SITE_ID, rows=rows, anyway=anyway))[-1].event
        assert isinstance(last, AppointmentsImported)
        return last

    def of(self, foreign_id: str) -> Appointment:
        """Return the appointment with an id of the other system."""
        [found] = self.calendar.of_foreign_ids([foreign_id])
        return found


def a_row(number: int = 1, **values: Any) -> ImportRow:
    """Return a row at Monday 9:00 with the first provider, with ``values``."""
    given: dict[str, Any] = {
        "foreign_id": f"T-{number}",
        "service": "Blood test",
        "provider": "Dr Ada",
        "local_start": f"{MONDAY}T09:00",
        "name": "Grace Hopper",
    }
    return ImportRow(number=number, **given | values)


def test_new_row_is_booked_with_its_sealed_data() -> None:
    clinic = Clinic()
    outcome = clinic.take(
        a_row(phone="+4930901820", email="grace@example.org", date_of_birth="1976-12-09", language="fr", note="by taxi")
    )
    assert outcome == AppointmentsImported(booked=(1,))
    made = clinic.of("T-1")
    assert (made.state, made.version, made.local_start, made.minutes) == ("booked", 1, f"{MONDAY}T09:00", 15)
    assert (made.provider_id, made.service_id, made.overbooked) == (clinic.providers[0], clinic.service, None)
    assert (made.language, made.phone_hash) == ("fr", "phone:+4930901820")
    known = open_sealed(made)
    assert (known.name, known.phone, known.notes) == ("Grace Hopper", "+4930901820", "by taxi")
    assert known.date_of_birth == "1976-12-09"
    assert made.token_hash


def test_same_file_again_changes_nothing() -> None:
    clinic = Clinic()
    rows = [a_row(1, phone="+4930901820"), a_row(2, local_start=f"{MONDAY}T09:15", minutes=30)]
    assert clinic.take(*rows).booked == (1, 2)
    before = clinic.calendar.all()
    assert clinic.take(*rows) == AppointmentsImported(unchanged=(1, 2))
    assert clinic.calendar.all() == before


def test_another_time_moves_the_appointment_and_keeps_its_token() -> None:
    clinic = Clinic()
    clinic.take(a_row())
    before = clinic.of("T-1")
    assert clinic.take(a_row(local_start=f"{MONDAY}T11:00", name="Grace B. Hopper")).moved == (1,)
    after = clinic.of("T-1")
    assert (after.id, after.version, after.local_start) == (before.id, 2, f"{MONDAY}T11:00")
    assert after.token_hash == before.token_hash
    assert open_sealed(after).name == "Grace B. Hopper"


def test_other_data_amend_the_appointment_and_missing_data_stay() -> None:
    clinic = Clinic()
    clinic.take(a_row(phone="+4930901820", note="by taxi"))
    outcome = clinic.take(a_row(provider=None, name="Grace B. Hopper", email="grace@example.org"))
    assert outcome == AppointmentsImported(amended=(1,))
    known = open_sealed(clinic.of("T-1"))
    assert (known.name, known.email) == ("Grace B. Hopper", "grace@example.org")
    assert (known.phone, known.notes) == ("+4930901820", "by taxi")


def test_service_and_provider_are_named_by_id_or_by_name() -> None:
    clinic = Clinic()
    outcome = clinic.take(
        a_row(1, service=str(clinic.service), provider=str(clinic.providers[1])),
        a_row(2, service="HIV test", provider="Dr Bo", local_start=f"{MONDAY}T10:00"),
        a_row(3, service="blood test"),
        a_row(4, provider="Dr Cy"),
        a_row(5, service="99"),
    )
    assert outcome.booked == (1, 2)
    assert outcome.refused == ((3, "service_not_found", ""), (4, "provider_not_found", ""), (5, "service_not_found", ""))
    assert [each.provider_id for each in clinic.calendar.all()] == [clinic.providers[1]] * 2


def test_name_of_two_providers_names_neither() -> None:
    clinic = Clinic()
    provider = clinic.board.providers[clinic.providers[1]]

    clinic.board.providers[provider.id] = replace(provider, name="Dr Ada")
    assert clinic.take(a_row()).refused == ((1, "provider_not_found", ""),)


def test_row_without_a_provider_goes_to_one_who_is_free() -> None:
    clinic = Clinic()
    rows = [a_row(number, provider=None) for number in (1, 2, 3)]
    outcome = clinic.take(*rows)
    assert outcome.booked == (1, 2)
    assert outcome.refused == ((3, "slot_taken", "booked"),)
    assert {each.provider_id for each in clinic.calendar.all()} == set(clinic.providers)


@pytest.mark.parametrize(
    ("values", "code", "word"),
    [
        ({"local_start": f"{MONDAY}T07:00"}, "slot_not_offered", "no_schedule"),
        ({"local_start": f"{MONDAY}T09:05"}, "slot_not_offered", "off_grid"),
        ({"local_start": f"{FRIDAY}T07:55"}, "slot_not_offered", "past"),
        ({"local_start": "2024-03-31T02:30"}, "no_such_local_time", "local_start"),
        ({"local_start": "1.4.2024 9:00"}, "invalid_field", "local_start"),
        ({"local_start": "2024-02-31T09:00"}, "invalid_field", "local_start"),
        ({"minutes": 17}, "invalid_field", "minutes"),
        ({"minutes": 0}, "invalid_field", "minutes"),
        ({"name": "G\u202ehopper"}, "invalid_field", "name"),
        ({"name": "x" * 81}, "invalid_field", "name"),
        ({"foreign_id": ""}, "invalid_field", "foreign_id"),
        ({"email": "nobody"}, "invalid_field", "email"),
        ({"date_of_birth": "9.12.1976"}, "invalid_field", "date_of_birth"),
        ({"date_of_birth": "1976-02-30"}, "invalid_field", "date_of_birth"),
        ({"date_of_birth": "2024-03-30"}, "invalid_field", "date_of_birth"),
        ({"language": "German!"}, "invalid_field", "language"),
        ({"wrong": "phone"}, "invalid_field", "phone"),
    ],
)
def test_wrong_row_is_refused_and_the_next_one_goes_on(values: dict[str, Any], code: str, word: str) -> None:
    clinic = Clinic()
    outcome = clinic.take(a_row(1, **values), a_row(2, local_start=f"{MONDAY}T12:00"))
    assert outcome == AppointmentsImported(booked=(2,), refused=((1, code, word),))
    assert len(clinic.calendar.all()) == 1


def test_second_row_with_the_same_id_is_refused() -> None:
    clinic = Clinic()
    outcome = clinic.take(a_row(1, foreign_id="T"), a_row(2, foreign_id="T", local_start=f"{MONDAY}T10:00"))
    assert outcome == AppointmentsImported(booked=(1,), refused=((2, "invalid_field", "foreign_id"),))
    assert clinic.of("T").local_start == f"{MONDAY}T09:00"


def test_taken_times_are_overbooked_when_the_administrator_says_so() -> None:
    clinic = Clinic()
    rows = [a_row(1), a_row(2), a_row(3, local_start=f"{MONDAY}T20:00"), a_row(4, local_start=f"{FRIDAY}T07:00")]
    assert [each[0] for each in clinic.take(*rows).refused] == [2, 3, 4]
    outcome = clinic.take(*rows, anyway=True)
    assert outcome == AppointmentsImported(booked=(2, 3), unchanged=(1,), refused=((4, "slot_not_offered", "past"),))
    taken = clinic.of("T-2")
    assert (taken.overbooked, taken.lane >= FIRST_EXTRA_LANE) == ("import", True)
    assert clinic.of("T-1").overbooked is None
    # A later file without the leave to overbook leaves them as they are.
    assert clinic.take(*rows[:3]) == AppointmentsImported(unchanged=(1, 2, 3))


def test_appointment_that_was_cancelled_here_is_not_booked_again() -> None:
    clinic = Clinic()
    clinic.take(a_row())
    clinic.do(CancelAppointment(appointment_id=clinic.of("T-1").id, version=1))
    assert clinic.take(a_row()).refused == ((1, "appointment_not_booked", "cancelled"),)
    assert clinic.of("T-1").state == "cancelled"


def test_unchanged_appointment_of_the_past_is_no_mistake() -> None:
    clinic = Clinic()
    clinic.take(a_row())
    clinic.now = instant_of(f"{MONDAY}T08:59", ZONE)
    clinic.do(Tick(site_id=SITE_ID), after=0)
    clinic.now = instant_of(f"{MONDAY}T09:01", ZONE)
    assert clinic.take(a_row()).unchanged == (1,)


def test_rows_of_one_part_may_swap_a_freed_time() -> None:
    """The row that leaves a time comes before the row that takes it."""
    clinic = Clinic()
    clinic.take(a_row(1), a_row(2, local_start=f"{MONDAY}T10:00"))
    outcome = clinic.take(a_row(1, local_start=f"{MONDAY}T11:00"), a_row(2))
    assert outcome == AppointmentsImported(moved=(1, 2))
    assert clinic.of("T-2").local_start == f"{MONDAY}T09:00"


def offers(clinic: Clinic) -> list[tuple[str, int | None]]:
    """Return the local time of each offer in force, with the appointment of the patient who has it."""
    held = [each for each in clinic.calendar.all() if each.state == "held" and each.takes_time(clinic.now)]
    return [(each.local_start[11:], each.offered_to) for each in held]


def waiting(clinic: Clinic, *clocks: str, **values: Any) -> list[int]:
    """Import a patient at each of these times who asks for an earlier one, in this order; return the appointments."""
    for number, clock in enumerate(clocks, 50):
        clinic.take(a_row(number, local_start=f"{MONDAY}T{clock}", **values))
        clinic.do(WantEarlier(appointment_id=clinic.of(f"T-{number}").id, wants=True))
    return [clinic.of(f"T-{number}").id for number, _ in enumerate(clocks, 50)]


def test_patient_has_one_offer_at_a_time() -> None:
    clinic = Clinic()
    clinic.take(a_row(1), a_row(2, local_start=f"{MONDAY}T10:00"))
    [patient] = waiting(clinic, "16:00")
    clinic.take(a_row(1, local_start=f"{MONDAY}T17:00"), a_row(2, local_start=f"{MONDAY}T17:15"))
    assert offers(clinic) == [("09:00", patient)]


def test_freed_time_is_offered_to_the_first_who_asked() -> None:
    clinic = Clinic()
    clinic.take(a_row(1), a_row(2, local_start=f"{MONDAY}T09:15"))
    first, second = waiting(clinic, "16:00", "15:00")
    outcome = clinic.take(a_row(1, local_start=f"{MONDAY}T17:00"), a_row(3, local_start=f"{MONDAY}T12:00"))
    assert outcome == AppointmentsImported(booked=(3,), moved=(1,)), "the answer is about the last event"
    assert offers(clinic) == [("09:00", first)]
    clinic.do(AcceptOffer(appointment_id=first))
    assert offers(clinic) == []  # 16:00, which is free now, is later than the time of the other patient
    clinic.take(a_row(2, local_start=f"{MONDAY}T17:15"))
    assert offers(clinic) == [("09:15", second)]


def test_each_freed_time_is_offered_once() -> None:
    clinic = Clinic()
    clinic.take(a_row(1), a_row(2, local_start=f"{MONDAY}T10:00"))
    first, second = waiting(clinic, "16:00", "16:15")
    rows = [a_row(1, local_start=f"{MONDAY}T17:00"), a_row(2, local_start=f"{MONDAY}T17:15")]
    clinic.take(*rows)
    assert offers(clinic) == [("09:00", first), ("10:00", second)]
    assert clinic.take(*rows) == AppointmentsImported(unchanged=(1, 2))
    assert len(offers(clinic)) == 2


def test_time_that_a_later_row_takes_is_offered_to_nobody() -> None:
    clinic = Clinic()
    clinic.take(a_row(1))
    waiting(clinic, "16:00")
    outcome = clinic.take(a_row(1, local_start=f"{MONDAY}T17:00"), a_row(2))
    assert (outcome.moved, outcome.booked) == ((1,), (2,))
    assert offers(clinic) == []


def test_row_of_a_later_command_finds_an_offered_time_held() -> None:
    clinic = Clinic()
    clinic.take(a_row(1))
    waiting(clinic, "16:00")
    clinic.take(a_row(1, local_start=f"{MONDAY}T17:00"))
    assert clinic.take(a_row(2)).refused == ((2, "slot_taken", "held"),)


def test_patient_whom_the_same_file_moves_gets_no_time_that_is_later_or_with_another_provider() -> None:
    clinic = Clinic()
    clinic.take(a_row(1))
    waiting(clinic, "16:00", "15:00")
    to = {50: {"local_start": f"{MONDAY}T08:00"}, 51: {"local_start": f"{MONDAY}T15:00", "provider": "Dr Bo"}}
    moves = [a_row(number, **values) for number, values in to.items()]
    assert clinic.take(a_row(1, local_start=f"{MONDAY}T17:00"), *moves).moved == (1, 50, 51)
    assert offers(clinic) == []


def test_appointment_that_moves_by_a_part_of_its_length_frees_no_time_for_another_one() -> None:
    clinic = Clinic()
    clinic.take(a_row(1, minutes=30))
    waiting(clinic, "16:00", minutes=30)
    clinic.take(a_row(1, local_start=f"{MONDAY}T09:15", minutes=30))
    assert offers(clinic) == []


quarters = st.integers(0, 50).map(lambda index: f"{MONDAY}T{7 + index // 4:02}:{index % 4 * 15:02}")
files = st.lists(
    st.builds(
        a_row,
        number=st.integers(1, 6),
        local_start=quarters,
        provider=st.sampled_from(["Dr Ada", "Dr Bo", "Dr Cy", None]),
        minutes=st.sampled_from([None, 30, 17]),
        name=st.sampled_from(["Grace", "Ada", ""]),
    ),
    min_size=1,
    max_size=8,
)


@given(st.lists(files, min_size=1, max_size=3), st.booleans())
@examples(100)
def test_every_row_has_one_outcome_and_a_file_sent_again_changes_nothing(parts: list[list[ImportRow]], anyway: bool) -> None:
    clinic = Clinic()
    for part in parts:
        numbered = [a_row(index, **_values(row)) for index, row in enumerate(part, 1)]
        events = clinic.do(ImportAppointments(site_id=SITE_ID, rows=tuple(numbered), anyway=anyway))
        last = events[-1].event
        assert isinstance(last, AppointmentsImported)
        numbers = [*last.booked, *last.moved, *last.amended, *last.unchanged, *(each[0] for each in last.refused)]
        assert sorted(numbers) == list(range(1, len(part) + 1))
        changed = [each.event for each in events if isinstance(each.event, OfAppointment)]
        assert len(changed) == len(last.booked) + len(last.moved) + len(last.amended)
        clinic.calendar.cells()  # asserts that no two share a lane
        again = clinic.do(ImportAppointments(site_id=SITE_ID, rows=tuple(numbered), anyway=anyway))[-1].event
        assert isinstance(again, AppointmentsImported)
        assert set(last.booked + last.moved + last.amended + last.unchanged) <= set(again.unchanged)


def _values(row: ImportRow) -> dict[str, Any]:
    names = ("foreign_id", "local_start", "provider", "minutes", "name")
    return {name: getattr(row, name) for name in names}

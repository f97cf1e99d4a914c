"""Booking, moving, ending and checking in appointments, by the cases of the specification."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest

from server.domain.commands import (
    AcceptOffer,
    AddProvider,
    AddSchedule,
    AddService,
    AmendAppointment,
    AppointmentNoShow,
    Book,
    BookForVisitor,
    BookSeries,
    CancelAppointment,
    ChangeQueue,
    ChangeSite,
    CheckIn,
    Complete,
    DeclineOffer,
    DropHold,
    HoldForVisitor,
    HoldSlot,
    IssueTicket,
    LinkPractitioner,
    MoveAppointments,
    PassOffer,
    ReleaseSlot,
    Reschedule,
    Rezone,
    StaffPoint,
    Start,
    Tick,
    Undo,
)
from server.domain.errors import (
    AlreadyCheckedIn,
    AlsoBooked,
    AppointmentChanged,
    AppointmentNotBooked,
    AppointmentNotFound,
    BookingIsOff,
    ForeignIdTaken,
    HasAppointment,
    HoldExpired,
    HoldNotExtended,
    InvalidField,
    NoQueueForService,
    NoSuchLocalTime,
    NotAllowed,
    NothingDue,
    NothingToMove,
    NotPlaced,
    OfferOver,
    PhoneNumberNeeded,
    SeriesTaken,
    SlotNotOffered,
    SlotTaken,
    TooEarly,
    TooLate,
    TooManyHolds,
)
from server.domain.events import (
    AppointmentCancelled,
    AppointmentDue,
    AppointmentMissed,
    AppointmentMoved,
    OfAppointment,
    others,
)
from server.domain.model import FIRST_EXTRA_LANE, Appointment, Entry, cells_of
from server.domain.model.local_time import MINUTE, instant_of
from server.domain.ranking import next_for
from server.domain.rules import Patients, booking, decide
from tests.support.worlds import HOUR, SECOND, SITE_ID, World, a_site, open_sealed

FRIDAY, MONDAY = "2024-03-29", "2024-04-01"  # the world's day, and the day after the clocks change
ZONE = "Europe/Berlin"


class Clinic(World):
    """A world with a service, its queue and a point, and providers with schedules on every day of the week."""

    def __init__(self, providers: int = 1, capacity: int = 1, slot: int = 15, **site: Any) -> None:
        super().__init__(a_site(**site))
        self.do(AddService(site_id=SITE_ID, name="Blood", public_name="Blood"))
        self.service = max(self.board.services)
        self.queue_id = self.queue("A")
        self.do(ChangeQueue(queue_id=self.queue_id, service_id=self.service))
        self.point_id = self.point(self.queue_id)
        self.providers = [self.provider(f"Dr {index}", capacity, slot) for index in range(providers)]

    def provider(self, name: str, capacity: int = 1, slot: int = 15) -> int:
        """Add a provider who works from 8 to 18; return its id."""
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
                    slot_minutes=slot,
                    capacity=capacity,
                    valid_from=FRIDAY,
                )
            )
        return provider_id

    def book(self, local_start: str, **more: Any) -> Appointment:
        """Book a time; return the appointment."""
        body: dict[str, Any] = {
            "site_id": SITE_ID,
            "service_id": self.service,
            "provider_id": self.providers[0],
            "name": "Ada",
        }
        body |= more
        return self.made(Book(local_start=local_start, **body))

    def made(self, command: Any, **more: Any) -> Appointment:
        """Do a command; return the appointment of its last event, as its row is now."""
        event = self.do(command, **more)[-1].event
        assert isinstance(event, OfAppointment)
        return self.row(event.appointment_id)

    def row(self, appointment_id: int) -> Appointment:
        """Return the row of an appointment."""
        found = self.calendar.appointment(appointment_id)
        assert found is not None
        return found

    def at(self, local: str) -> None:
        """Let the clock of the site show a local time, with the ticks that are due by then."""
        self.now = instant_of(local, ZONE)
        if self.now >= self.board.site.turns_at:
            self.do(Tick(site_id=SITE_ID), after=0)

    def check_in(self, appointment: Appointment, **more: Any) -> Entry:
        """Check a patient in; return the entry."""
        self.do(CheckIn(appointment_id=appointment.id, **more), after=0)
        return self.board.entries[max(self.board.entries)]


def by_patient(clinic: Clinic, command: Any) -> list[Any]:
    """Return the events of a command that a patient sends with the appointment's token."""
    return decide(
        clinic.board,
        command,
        clinic.now,
        "hash",
        lambda name: name in ("reschedule", "cancel-appointment", "check-in"),
        Patients(open_sealed, lambda _: ()),
        clinic.calendar,
    )


# Booking


def test_time_is_booked_once_and_the_next_one_is_still_free() -> None:
    clinic = Clinic()
    made = clinic.book(f"{MONDAY}T09:00")
    assert (made.state, made.version, made.minutes) == ("booked", 1, 15)
    assert made.starts_at == instant_of(f"{MONDAY}T09:00", ZONE)
    assert made.ends_at - made.starts_at == 15 * MINUTE
    with pytest.raises(SlotTaken) as refused:
        clinic.book(f"{MONDAY}T09:00")
    assert refused.value.details["reason"] == "booked"
    assert clinic.book(f"{MONDAY}T09:15").id != made.id


def test_capacity_of_three_gives_three() -> None:
    clinic = Clinic(capacity=3)
    lanes = [clinic.book(f"{MONDAY}T09:00").lane for _ in range(3)]
    assert lanes == [0, 1, 2]
    with pytest.raises(SlotTaken):
        clinic.book(f"{MONDAY}T09:00")


def test_appointments_of_another_day_are_not_on_the_board() -> None:
    clinic = Clinic()
    later, today = clinic.book(f"{MONDAY}T09:00"), clinic.book(f"{FRIDAY}T09:00")
    assert list(clinic.board.appointments) == [today.id]
    assert (later.business_day, today.business_day) == (None, FRIDAY)
    assert clinic.loaded().appointments == clinic.board.appointments


def test_local_time_in_a_gap_is_refused_with_the_next_one() -> None:
    clinic = Clinic()
    with pytest.raises(NoSuchLocalTime) as refused:
        clinic.book("2024-03-31T02:30", overbook="night shift")
    assert refused.value.details["offered"] == "2024-03-31T03:00"


def test_any_provider_is_the_one_with_the_fewest_appointments_then_the_first() -> None:
    clinic = Clinic(providers=2)
    first, second = clinic.providers
    clinic.book(f"{MONDAY}T08:00", provider_id=first)
    assert clinic.book(f"{MONDAY}T10:00", provider_id=None).provider_id == second
    assert clinic.book(f"{MONDAY}T11:00", provider_id=None).provider_id == first


def test_same_phone_at_one_time_needs_a_confirmation() -> None:
    clinic = Clinic(providers=2)
    second = clinic.providers[1]
    booked = clinic.book(f"{MONDAY}T09:00", phone="+49301234567")
    with pytest.raises(AlsoBooked) as refused:
        clinic.book(f"{MONDAY}T09:00", phone="+49301234567", provider_id=second)
    assert refused.value.details["appointment_id"] == booked.id
    assert clinic.book(f"{MONDAY}T09:15", phone="+49301234567", provider_id=second).state == "booked"
    assert clinic.book(f"{MONDAY}T09:00", phone="+49301234567", provider_id=second, anyway=True).state == "booked"


def test_id_of_another_system_names_one_appointment_in_any_state() -> None:
    clinic = Clinic()
    first = clinic.book(f"{MONDAY}T09:00", foreign_id="T-1")
    for state in ("booked", "cancelled"):
        with pytest.raises(ForeignIdTaken) as refused:
            clinic.book(f"{MONDAY}T10:00", foreign_id="T-1")
        assert refused.value.details == {
            "appointment_id": first.id,
            "foreign_id": "T-1",
            "local_start": f"{MONDAY}T09:00",
            "state": state,
        }
        if state == "booked":
            clinic.do(CancelAppointment(appointment_id=first.id, version=first.version))
    assert clinic.book(f"{MONDAY}T10:00", foreign_id="T-2").state == "booked"


def test_overbooking_needs_a_right_and_a_reason_and_blocks_nobody() -> None:
    clinic = Clinic()
    clinic.book(f"{MONDAY}T09:00")
    body = Book(
        site_id=SITE_ID,
        service_id=clinic.service,
        provider_id=clinic.providers[0],
        name="Ada",
        local_start=f"{MONDAY}T09:00",
        overbook="in pain",
    )
    with pytest.raises(NotAllowed):
        decide(clinic.board, body, clinic.now, "hash", lambda name: name == "book", calendar=clinic.calendar)
    extra = [clinic.made(body), clinic.made(body)]
    assert [each.lane for each in extra] == [100, 101]
    assert [each.overbooked for each in extra] == ["in pain", "in pain"]
    clinic.do(CancelAppointment(appointment_id=clinic.calendar.all()[0].id, version=1))
    assert clinic.book(f"{MONDAY}T09:00").lane == 0
    with pytest.raises(InvalidField):
        clinic.book(f"{MONDAY}T09:00", overbook="in pain", provider_id=None)
    with pytest.raises(SlotNotOffered):
        clinic.book(f"{FRIDAY}T07:00", overbook="in pain")  # the past


# Holds


def hold(clinic: Clinic, local_start: str, by: str = "visitor", from_: str = "address", **more: Any) -> Appointment:
    command = HoldForVisitor(
        site_id=SITE_ID,
        service_id=clinic.service,
        provider_id=clinic.providers[0],
        local_start=local_start,
        held_by=by,
        held_from=from_,
        **more,
    )
    return clinic.made(command)


def open_to_visitors(clinic: Clinic) -> Clinic:
    clinic.do(ChangeSite(site_id=SITE_ID, booking="on"))
    return clinic


def test_held_time_is_taken_for_others_and_free_for_its_visitor() -> None:
    clinic = open_to_visitors(Clinic())
    held = hold(clinic, f"{MONDAY}T10:00")
    with pytest.raises(SlotTaken) as refused:
        clinic.book(f"{MONDAY}T09:45", minutes=30)
    assert refused.value.details["reason"] == "held"
    booked = clinic.book(f"{MONDAY}T10:00", hold_token=held.token_hash)
    assert (booked.id, booked.token_hash, booked.state, booked.held_until) == (held.id, held.token_hash, "booked", None)


def test_lapsed_hold_is_free_at_once_and_cannot_be_booked() -> None:
    clinic = open_to_visitors(Clinic())
    held = hold(clinic, f"{MONDAY}T10:00")
    clinic.now += 10 * MINUTE
    with pytest.raises(HoldExpired):
        clinic.book(f"{MONDAY}T10:00", hold_token=held.token_hash)
    assert clinic.book(f"{MONDAY}T10:00").id != held.id


def test_hold_is_extended_once() -> None:
    clinic = open_to_visitors(Clinic())
    held = hold(clinic, f"{MONDAY}T10:00")
    clinic.now += 9 * MINUTE
    longer = hold(clinic, f"{MONDAY}T10:00", hold_token=held.token_hash)
    assert longer.held_until is not None
    assert held.held_until is not None
    assert longer.held_until > held.held_until
    with pytest.raises(HoldNotExtended):
        hold(clinic, f"{MONDAY}T10:00", hold_token=held.token_hash)


def test_visitor_keeps_one_time_and_an_address_three() -> None:
    clinic = open_to_visitors(Clinic())
    first = hold(clinic, f"{MONDAY}T10:00", by="one")
    second = hold(clinic, f"{MONDAY}T10:15", by="one")
    assert (clinic.row(first.id).state, second.state) == ("expired", "held")
    hold(clinic, f"{MONDAY}T10:00", by="two")
    hold(clinic, f"{MONDAY}T10:30", by="three")
    with pytest.raises(TooManyHolds):
        hold(clinic, f"{MONDAY}T10:45", by="four")
    assert hold(clinic, f"{MONDAY}T10:45", by="four", from_="elsewhere").state == "held"


def test_released_time_is_free() -> None:
    clinic = open_to_visitors(Clinic())
    held = hold(clinic, f"{MONDAY}T10:00")
    clinic.do(ReleaseSlot(site_id=SITE_ID, hold_token=held.token_hash))
    assert cells_of(clinic.row(held.id)) == []
    assert clinic.book(f"{MONDAY}T10:00").state == "booked"


def test_visitors_book_only_where_the_page_is_on_and_leave_a_way_to_reach_them() -> None:
    clinic = Clinic()
    body = BookForVisitor(site_id=SITE_ID, service_id=clinic.service, local_start=f"{MONDAY}T10:00", name="Ada")
    for closed in (body, None):
        with pytest.raises(BookingIsOff):
            clinic.do(closed) if closed else hold(clinic, f"{MONDAY}T10:00")
    open_to_visitors(clinic)
    with pytest.raises(PhoneNumberNeeded):
        clinic.do(body)


# Series


def series(clinic: Clinic, **more: Any) -> BookSeries:
    return BookSeries(
        site_id=SITE_ID,
        service_id=clinic.service,
        provider_id=clinic.providers[0],
        local_start=f"{MONDAY}T09:00",
        every_days=7,
        count=24,
        name="Ada",
        **more,
    )


def test_series_beyond_the_last_year_is_refused() -> None:
    clinic = Clinic()
    with pytest.raises(InvalidField) as refused:
        clinic.do(replace(series(clinic), local_start="9998-12-28T09:00", every_days=92, count=60))
    assert refused.value.details["field"] == "count"
    with pytest.raises(InvalidField) as refused:
        clinic.do(replace(series(clinic), local_start="9998-12-28T09:00"))
    assert refused.value.details["field"] == "local_start"


def test_series_with_a_taken_time_is_refused_with_its_date_or_skips_it() -> None:
    clinic = Clinic()
    clinic.book("2024-05-13T09:00")  # the seventh Monday
    before = len(clinic.log)
    with pytest.raises(SeriesTaken) as refused:
        clinic.do(series(clinic))
    assert (refused.value.details["count"], refused.value.details["local_start"]) == (1, "2024-05-13T09:00")
    assert len(clinic.log) == before
    made = clinic.do(series(clinic, skip_taken=True))
    assert len(made) == 23
    times = [each.event.appointment for each in made if isinstance(each.event, OfAppointment)]
    assert {each.series_id for each in times} == {times[0].id}
    assert len({each.token_hash for each in times}) == 23
    assert {each.local_start[11:] for each in times} == {"09:00"}


# Moving


def test_appointment_does_not_block_its_own_move() -> None:
    clinic = Clinic()
    made = clinic.book(f"{MONDAY}T11:30", minutes=60)
    moved = clinic.made(Reschedule(appointment_id=made.id, version=1, local_start=f"{MONDAY}T11:45"))
    assert (moved.local_start, moved.minutes, moved.version) == (f"{MONDAY}T11:45", 60, 2)
    assert clinic.book(f"{MONDAY}T11:30").state == "booked"
    with pytest.raises(AppointmentChanged) as refused:
        clinic.do(Reschedule(appointment_id=made.id, version=1, local_start=f"{MONDAY}T13:00"))
    assert refused.value.details["version"] == 2


def test_move_between_today_and_another_day_changes_the_board() -> None:
    clinic = Clinic()
    made = clinic.book(f"{MONDAY}T09:00")
    here = clinic.made(Reschedule(appointment_id=made.id, version=1, local_start=f"{FRIDAY}T10:00"))
    assert clinic.board.appointments == {made.id: here}
    clinic.do(Reschedule(appointment_id=made.id, version=2, local_start=f"{MONDAY}T09:00"))
    assert clinic.board.appointments == {}
    assert clinic.row(made.id).sealed == made.sealed


def test_patient_moves_and_cancels_until_the_limit_of_the_site() -> None:
    clinic = Clinic()
    clinic.at(f"{FRIDAY}T09:00")
    made = clinic.book(f"{FRIDAY}T12:00")
    [moved] = by_patient(clinic, Reschedule(appointment_id=made.id, version=1, local_start=f"{FRIDAY}T13:00"))
    assert isinstance(moved, AppointmentMoved)
    clinic.at(f"{FRIDAY}T10:01")
    with pytest.raises(TooLate):
        by_patient(clinic, Reschedule(appointment_id=made.id, version=1, local_start=f"{FRIDAY}T13:00"))
    [late] = by_patient(clinic, CancelAppointment(appointment_id=made.id, version=1))
    assert isinstance(late, AppointmentCancelled)
    assert (late.appointment.late, late.appointment.ended_by) == (True, "patient")


def test_sick_providers_list_goes_to_free_colleagues_at_the_same_times() -> None:
    clinic = Clinic(providers=3)
    sick, one, two = clinic.providers
    nine, ten = clinic.book(f"{MONDAY}T09:00"), clinic.book(f"{MONDAY}T10:00")
    clinic.book(f"{MONDAY}T09:00", provider_id=one)
    clinic.do(MoveAppointments(provider_id=sick, date=MONDAY, reason="ill today"))
    assert (clinic.row(nine.id).provider_id, clinic.row(ten.id).provider_id) == (two, one)
    assert clinic.row(nine.id).local_start == f"{MONDAY}T09:00"
    with pytest.raises(NothingToMove):
        clinic.do(MoveAppointments(provider_id=sick, date=MONDAY, reason="ill today"))


def test_list_without_a_free_colleague_is_refused_kept_or_cancelled() -> None:
    clinic = Clinic(providers=2)
    sick, one = clinic.providers
    nine, ten = clinic.book(f"{MONDAY}T09:00"), clinic.book(f"{MONDAY}T10:00")
    clinic.book(f"{MONDAY}T09:00", provider_id=one)
    moving = MoveAppointments(provider_id=sick, date=MONDAY, reason="ill today")
    with pytest.raises(NotPlaced) as refused:
        clinic.do(moving)
    assert (refused.value.details["count"], refused.value.details["local_start"]) == (1, f"{MONDAY}T09:00")
    clinic.do(replace(moving, unplaced="keep"))
    assert (clinic.row(nine.id).provider_id, clinic.row(ten.id).provider_id) == (sick, one)
    clinic.do(replace(moving, unplaced="cancel"))
    assert clinic.row(nine.id).state == "cancelled"


@pytest.mark.parametrize("day", ["9999-12-31", "1972-12-31", "2024-02-30"])
def test_list_of_a_date_that_no_clinic_has_is_refused(day: str) -> None:
    clinic = Clinic()
    clinic.book(f"{MONDAY}T09:00")
    with pytest.raises(InvalidField) as refused:
        clinic.do(MoveAppointments(provider_id=clinic.providers[0], date=day, reason="ill today"))
    assert refused.value.details["field"] == "date"


# Ending


def test_cancelled_time_is_free_and_a_cancelled_appointment_stays_so() -> None:
    clinic = Clinic()
    made = clinic.book(f"{MONDAY}T09:00")
    cancelled = clinic.made(CancelAppointment(appointment_id=made.id, version=1))
    assert (cancelled.state, cancelled.version, cancelled.late, cells_of(cancelled)) == ("cancelled", 2, False, [])
    with pytest.raises(AppointmentNotBooked):
        clinic.do(CancelAppointment(appointment_id=made.id, version=2))
    assert clinic.book(f"{MONDAY}T09:00").state == "booked"


def test_no_show_frees_the_rest_of_the_time() -> None:
    clinic = Clinic()
    made = clinic.book(f"{FRIDAY}T10:00", minutes=60)
    clinic.at(f"{FRIDAY}T09:59")
    with pytest.raises(TooEarly):
        clinic.do(AppointmentNoShow(appointment_id=made.id), after=0)
    clinic.at(f"{FRIDAY}T10:20")
    missed = clinic.made(AppointmentNoShow(appointment_id=made.id), after=0)
    assert missed.state == "no_show"
    assert len(cells_of(missed)) == 4
    assert clinic.book(f"{FRIDAY}T10:30").state == "booked"


def test_unknown_appointment_and_a_hold_are_not_found() -> None:
    clinic = open_to_visitors(Clinic())
    held = hold(clinic, f"{MONDAY}T10:00")
    for identifier in (held.id, held.id + 99):
        with pytest.raises(AppointmentNotFound):
            clinic.do(CancelAppointment(appointment_id=identifier, version=1))


def test_amended_data_stay_with_the_appointment() -> None:
    clinic = Clinic()
    made = clinic.book(f"{MONDAY}T09:00", phone="+49301234567", note="wheelchair")
    amended = clinic.made(AmendAppointment(appointment_id=made.id, name="Ada King", phone=""))
    personal = open_sealed(amended)
    assert (personal.name, personal.phone, personal.notes) == ("Ada King", None, "wheelchair")
    assert (amended.version, amended.phone_hash) == (1, None)


# The day


def test_turn_of_the_day_brings_its_appointments_and_ends_the_old_ones() -> None:
    clinic = Clinic()
    missed, coming, later = (clinic.book(f"{day}T09:00") for day in (FRIDAY, "2024-03-30", MONDAY))
    clinic.at("2024-03-30T04:00")
    events = [type(each.event) for each in clinic.log[-4:]]
    assert events.count(AppointmentMissed) == 1
    assert events.count(AppointmentDue) == 1
    assert list(clinic.board.appointments) == [coming.id]
    assert (clinic.row(missed.id).state, clinic.row(later.id).state) == ("no_show", "booked")
    assert clinic.row(coming.id).sealed == coming.sealed
    assert clinic.loaded().appointments == clinic.board.appointments


def test_days_without_a_server_leave_nobody_booked_in_the_past() -> None:
    clinic = Clinic()
    made = [clinic.book(f"{day}T09:00") for day in ("2024-03-30", "2024-03-31", MONDAY)]
    clinic.at(f"{MONDAY}T08:00")
    assert [clinic.row(each.id).state for each in made] == ["no_show", "no_show", "booked"]
    assert list(clinic.board.appointments) == [made[2].id]


def test_longer_day_has_the_appointments_of_its_new_hours() -> None:
    clinic = Clinic()
    tomorrow = clinic.book("2024-03-30T09:00")
    clinic.do(ChangeSite(site_id=SITE_ID, day_turns_at_minutes=600))
    assert list(clinic.board.appointments) == [tomorrow.id]
    clinic.do(ChangeSite(site_id=SITE_ID, day_turns_at_minutes=240))
    assert clinic.board.appointments == {}
    assert clinic.loaded().appointments == {}


# Check-in


def test_early_check_in_neither_gains_nor_loses_a_place() -> None:
    clinic = Clinic()
    ten, quarter = clinic.book(f"{FRIDAY}T10:00"), clinic.book(f"{FRIDAY}T10:15")
    clinic.at(f"{FRIDAY}T09:00")
    second = clinic.check_in(quarter)
    clinic.at(f"{FRIDAY}T09:30")
    first = clinic.check_in(ten)
    walk_in = clinic.ticket(clinic.queue_id)
    assert first.due_at == ten.starts_at - 15 * MINUTE
    point = clinic.board.points[clinic.point_id]
    order = []
    while (entry := next_for(clinic.board, point)) is not None:
        order.append(entry.id)
        clinic.call(clinic.point_id)
        clinic.do(Start(entry_id=entry.id))
        clinic.do(Complete(entry_id=entry.id))
    assert order == [walk_in.id, first.id, second.id]


def test_late_check_in_counts_from_the_check_in_with_the_lead_until_the_grace() -> None:
    clinic = Clinic()
    ten, eleven = clinic.book(f"{FRIDAY}T10:00"), clinic.book(f"{FRIDAY}T11:00")
    clinic.at(f"{FRIDAY}T10:15")
    assert clinic.check_in(ten).due_at == clinic.now - 15 * MINUTE
    clinic.at(f"{FRIDAY}T11:16")
    with pytest.raises(TooLate) as refused:
        clinic.check_in(eleven)
    assert refused.value.details["local_until"] == f"{FRIDAY}T11:15"
    assert clinic.check_in(eleven, anyway=True).due_at == clinic.now


def test_check_in_opens_at_the_limit_of_the_site_and_never_before_the_day() -> None:
    clinic = Clinic()
    today, monday = clinic.book(f"{FRIDAY}T12:00"), clinic.book(f"{MONDAY}T09:00")
    clinic.at(f"{FRIDAY}T09:59")
    with pytest.raises(TooEarly) as refused:
        clinic.check_in(today)
    assert refused.value.details["local_from"] == f"{FRIDAY}T10:00"
    with pytest.raises(TooEarly):
        clinic.check_in(monday, anyway=True)
    assert clinic.check_in(today, anyway=True).state == "waiting"


def test_appointment_follows_its_entry() -> None:
    clinic = Clinic()
    made = clinic.book(f"{FRIDAY}T09:00", minutes=60)
    clinic.at(f"{FRIDAY}T09:00")
    entry = clinic.check_in(made)
    assert clinic.row(made.id).state == "checked_in"
    with pytest.raises(AlreadyCheckedIn) as refused:
        clinic.check_in(made)
    assert refused.value.details["label"] == clinic.label(entry)
    clinic.call(clinic.point_id)
    clinic.do(Start(entry_id=entry.id))
    clinic.do(Complete(entry_id=entry.id), after=20 * MINUTE)
    done = clinic.row(made.id)
    assert done.state == "fulfilled"
    assert done.freed_from == clinic.now
    assert clinic.book(f"{FRIDAY}T09:30").state == "booked"
    clinic.do(Undo(entry_id=entry.id))
    assert clinic.row(made.id).state == "checked_in"
    assert clinic.row(made.id).freed_from == done.freed_from  # the time that another patient has booked stays theirs
    clinic.calendar.cells()


def test_check_in_is_undone_within_a_minute() -> None:
    clinic = Clinic()
    made = clinic.book(f"{FRIDAY}T09:00")
    clinic.at(f"{FRIDAY}T08:50")
    entry = clinic.check_in(made)
    [undone] = clinic.do(Undo(entry_id=entry.id), after=59 * SECOND)
    assert others(undone.event) == (made.id,), "the appointment's history has the undo, too"
    assert (clinic.row(made.id).state, clinic.row(made.id).visit_id) == ("booked", None)
    assert clinic.entry(entry).state == "cancelled"
    again = clinic.check_in(made)
    assert (again.state, clinic.row(made.id).state) == ("waiting", "checked_in")


def test_patient_waits_for_the_provider_if_the_provider_is_at_a_point() -> None:
    clinic = Clinic(providers=2)
    first, second = clinic.providers
    mine, theirs = clinic.book(f"{FRIDAY}T09:00"), clinic.book(f"{FRIDAY}T09:00", provider_id=second)
    clinic.do(StaffPoint(point_id=clinic.point_id, provider_id=first))
    clinic.at(f"{FRIDAY}T09:00")
    assert clinic.check_in(mine).provider_id == first
    assert clinic.check_in(theirs).provider_id is None


def test_check_in_needs_a_queue_of_the_service() -> None:
    clinic = Clinic()
    clinic.do(AddService(site_id=SITE_ID, name="X-ray", public_name="X-ray"))
    other = max(clinic.board.services)
    made = clinic.book(f"{FRIDAY}T09:00", service_id=other, overbook="no schedule yet")
    clinic.at(f"{FRIDAY}T09:00")
    with pytest.raises(NoQueueForService):
        clinic.check_in(made)
    assert clinic.check_in(made, queue_id=clinic.queue_id).queue_id == clinic.queue_id


def test_walk_in_whose_phone_has_an_appointment_today_is_asked() -> None:
    clinic = Clinic()
    made = clinic.book(f"{FRIDAY}T12:00", phone="+49301234567")
    with pytest.raises(HasAppointment) as refused:
        clinic.do(IssueTicket(queue_id=clinic.queue_id, name="Ada", phone="+49301234567"))
    assert refused.value.details["appointment_id"] == made.id
    clinic.do(IssueTicket(queue_id=clinic.queue_id, name="Ada", phone="+49301234567", second_ticket=True))


def test_missing_patient_who_comes_after_all_is_checked_in_by_staff() -> None:
    clinic = Clinic()
    made = clinic.book(f"{FRIDAY}T09:00")
    clinic.at(f"{FRIDAY}T09:30")
    clinic.do(AppointmentNoShow(appointment_id=made.id), after=0)
    clinic.check_in(made, anyway=True)
    assert clinic.row(made.id).state == "checked_in"
    assert len(cells_of(clinic.row(made.id))) == 3  # the time that was freed stays free


# Zone data and people


def test_new_zone_moves_the_instants_and_keeps_the_local_times() -> None:
    clinic = Clinic(providers=1)
    made = clinic.book(f"{MONDAY}T09:00")
    with pytest.raises(NothingDue):
        clinic.do(Rezone(site_id=SITE_ID))
    clinic.do(ChangeSite(site_id=SITE_ID, time_zone="America/New_York"))
    moved = clinic.made(Rezone(site_id=SITE_ID))
    assert (moved.local_start, moved.version) == (f"{MONDAY}T09:00", 1)
    assert moved.starts_at - made.starts_at == 6 * HOUR
    assert moved.zone == "America/New_York"


@pytest.mark.parametrize("zone", ["America/New_York", "Europe/Kyiv", "Asia/Tokyo"])
@pytest.mark.parametrize("at_once", [200, 3])
def test_new_zone_moves_a_full_day_without_a_collision(zone: str, at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each appointment moves onto the time of another one, which moves, too: with the same command or with a later one."""
    monkeypatch.setattr(booking, "REZONED_AT_ONCE", at_once)
    clinic = Clinic(slot=60)
    made = [clinic.book(f"{MONDAY}T{hour:02}:00") for hour in range(8, 18)]
    clinic.do(ChangeSite(site_id=SITE_ID, time_zone=zone))
    with suppress(NothingDue):
        while True:
            clinic.do(Rezone(site_id=SITE_ID))
    for before in made:
        after = clinic.row(before.id)
        assert (after.local_start, after.lane, after.collides) == (before.local_start, 0, False)
        assert after.starts_at == instant_of(before.local_start, zone)
    clinic.calendar.cells()  # no two take the same time


def test_appointment_that_new_zone_data_move_onto_another_is_marked() -> None:
    clinic = Clinic()
    staying, other = clinic.book(f"{MONDAY}T09:00"), clinic.book(f"{MONDAY}T10:00")
    old = replace(other, local_start=staying.local_start, tz_version="2020a")  # by old data, this was one hour later
    clinic.rows[Appointment, other.id] = old
    rezoned = clinic.made(Rezone(site_id=SITE_ID))
    assert (rezoned.starts_at, rezoned.lane, rezoned.collides) == (staying.starts_at, FIRST_EXTRA_LANE, True)
    assert (rezoned.version, rezoned.tz_version) == (1, clinic.calendar.tz_version())
    assert clinic.row(staying.id) == staying
    moved = Reschedule(appointment_id=other.id, version=1, local_start=f"{MONDAY}T11:00")
    assert (clinic.made(moved).lane, clinic.row(other.id).collides) == (0, False)


def test_lapsed_hold_is_not_rezoned() -> None:
    """Another appointment may have its time: both would take one cell."""
    clinic = Clinic()
    clinic.do(HoldSlot(site_id=SITE_ID, service_id=clinic.service, local_start=f"{MONDAY}T09:00"))
    clinic.now += HOUR
    made = clinic.book(f"{MONDAY}T09:00")
    clinic.do(ChangeSite(site_id=SITE_ID, time_zone="America/New_York"))
    assert [each.event.appointment_id for each in clinic.do(Rezone(site_id=SITE_ID))] == [made.id]  # type: ignore[attr-defined]
    assert clinic.row(made.id).lane == 0


def test_linked_providers_share_their_time() -> None:
    clinic = Clinic(providers=2)
    first, second = clinic.providers
    made = clinic.book(f"{MONDAY}T09:00")
    clinic.do(LinkPractitioner(provider_id=first, practitioner_id=5))
    assert clinic.row(made.id).resource_id == 5
    clinic.do(LinkPractitioner(provider_id=second, practitioner_id=5))
    with pytest.raises(SlotTaken):
        clinic.book(f"{MONDAY}T09:00", provider_id=second)


def test_held_by_staff_without_limits() -> None:
    clinic = Clinic()
    command = HoldSlot(site_id=SITE_ID, service_id=clinic.service, local_start=f"{MONDAY}T09:00")
    assert clinic.made(command).state == "held"


def test_appointment_of_a_patient_who_is_here_stays_on_the_board_when_the_day_ends_earlier() -> None:
    clinic = Clinic()
    appointment = clinic.book(f"{FRIDAY}T16:00")
    entry = clinic.check_in(appointment, anyway=True)
    clinic.do(ChangeSite(site_id=SITE_ID, time_zone="Pacific/Kiritimati"))
    assert appointment.starts_at >= clinic.board.site.turns_at
    clinic.do(Undo(entry_id=entry.id), after=0)
    after = clinic.row(appointment.id)
    assert (after.state, after.visit_id, after.version) == ("booked", None, 2)


# The waiting list


def waiting_clinic() -> tuple[Clinic, Appointment, Appointment, Appointment]:
    """Return a clinic with an early appointment and two later patients who asked for an earlier time, in this order."""
    clinic = Clinic()
    early = clinic.book(f"{MONDAY}T09:00")
    first = clinic.book(f"{MONDAY}T15:00", wants_earlier=True)
    second = clinic.book(f"{MONDAY}T11:00", wants_earlier=True)
    return clinic, early, first, second


def offered(clinic: Clinic, to: Appointment) -> Appointment | None:
    """Return the offer in force to the patient of an appointment."""
    return next((each for each in clinic.calendar.offers_to(to.id) if each.takes_time(clinic.now)), None)


def test_freed_time_is_offered_to_the_first_who_asked_and_the_old_one_stays() -> None:
    clinic, early, first, second = waiting_clinic()
    clinic.do(CancelAppointment(appointment_id=early.id, version=1))
    offer = offered(clinic, first)
    assert offer is not None
    assert (offer.local_start, offered(clinic, second)) == (f"{MONDAY}T09:00", None)
    with pytest.raises(SlotTaken):
        clinic.book(f"{MONDAY}T09:00")
    assert clinic.row(first.id).local_start == f"{MONDAY}T15:00"
    accepted = clinic.made(AcceptOffer(appointment_id=first.id))
    assert (accepted.local_start, accepted.version, accepted.wants_earlier) == (f"{MONDAY}T09:00", 2, False)
    assert offered(clinic, second) is None  # 15:00, which is free now, would be later
    assert clinic.book(f"{MONDAY}T15:00").state == "booked"


def test_declined_and_unanswered_offers_go_to_the_next_and_never_twice_to_one() -> None:
    clinic, early, first, second = waiting_clinic()
    clinic.do(CancelAppointment(appointment_id=early.id, version=1))
    clinic.do(DeclineOffer(appointment_id=first.id))
    offer = offered(clinic, second)
    assert offer is not None
    with pytest.raises(OfferOver):
        clinic.do(AcceptOffer(appointment_id=first.id))
    with pytest.raises(NothingDue):
        clinic.do(PassOffer(appointment_id=offer.id))
    clinic.do(PassOffer(appointment_id=offer.id), after=10 * MINUTE)
    assert (offered(clinic, first), offered(clinic, second)) == (None, None)
    assert clinic.book(f"{MONDAY}T09:00").state == "booked"
    with pytest.raises(OfferOver):
        clinic.do(AcceptOffer(appointment_id=second.id))


def test_hold_of_a_restored_database_is_dropped_and_offered_to_nobody() -> None:
    clinic, early, first, second = waiting_clinic()
    clinic.do(CancelAppointment(appointment_id=early.id, version=1))
    offer = offered(clinic, first)
    assert offer is not None
    clinic.do(DropHold(appointment_id=offer.id))
    assert (offered(clinic, first), offered(clinic, second)) == (None, None)
    assert clinic.book(f"{MONDAY}T09:00").state == "booked"
    for appointment_id in (offer.id, first.id, 1):
        with pytest.raises(NothingDue):
            clinic.do(DropHold(appointment_id=appointment_id))


def test_patient_has_one_offer_at_a_time() -> None:
    clinic, early, first, second = waiting_clinic()
    another = clinic.book(f"{MONDAY}T10:00")
    clinic.do(CancelAppointment(appointment_id=early.id, version=1))
    clinic.do(CancelAppointment(appointment_id=another.id, version=1))
    to_first, to_second = offered(clinic, first), offered(clinic, second)
    assert to_first is not None
    assert to_second is not None
    assert (to_first.local_start, to_second.local_start) == (f"{MONDAY}T09:00", f"{MONDAY}T10:00")


def test_time_that_a_moved_appointment_still_takes_in_part_is_offered_to_nobody() -> None:
    clinic = Clinic()
    early = clinic.book(f"{MONDAY}T09:00", minutes=30)
    later = clinic.book(f"{MONDAY}T15:00", minutes=30, wants_earlier=True)
    moved = clinic.made(Reschedule(appointment_id=early.id, version=1, local_start=f"{MONDAY}T09:15"))
    assert offered(clinic, later) is None
    clinic.do(Reschedule(appointment_id=moved.id, version=2, local_start=f"{MONDAY}T10:00"))
    assert offered(clinic, later) is not None


def test_time_of_the_next_hour_is_offered_to_nobody() -> None:
    clinic = Clinic()
    soon = clinic.book(f"{FRIDAY}T09:00")
    later = clinic.book(f"{FRIDAY}T15:00", wants_earlier=True)
    clinic.at(f"{FRIDAY}T08:30")
    clinic.do(CancelAppointment(appointment_id=soon.id, version=1))
    assert offered(clinic, later) is None

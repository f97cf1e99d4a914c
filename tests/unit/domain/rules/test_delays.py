"""The patients who get a message about a delay, and what the message plans say of them."""

from __future__ import annotations

from typing import Any

import pytest

from server.domain.commands import AnnounceDelay, CallNext, ChangeSite, IssueTicket, Tick, WithdrawDelay
from server.domain.errors import NoDelayAnnounced, NoMessageWays
from server.domain.events import DelayAnnounced
from server.domain.messages import OF_APPOINTMENTS, OF_ENTRIES
from server.domain.model.local_time import MINUTE
from server.domain.rules.messages import PlannedMessage, planned
from tests.support.worlds import HOUR, SITE_ID
from tests.unit.domain.rules.test_booking import FRIDAY, MONDAY, Clinic

PHONE = "+49301234567"


class LateClinic(Clinic):
    """A clinic that sends SMS, at nine in the morning of a Friday."""

    def __init__(self, **rules: Any) -> None:
        super().__init__(providers=2, capacity=4)
        self.do(ChangeSite(site_id=SITE_ID, message_ways=("sms",), **rules))
        self.at(f"{FRIDAY}T09:00")

    def announce(self, minutes: int) -> list[PlannedMessage]:
        """Announce a delay; return the planned messages about it."""
        recorded = self.do(AnnounceDelay(site_id=SITE_ID, minutes=minutes))
        found = planned(self.board, [each.event for each in recorded], self.now)
        return [each for each in found if each.kind == "running-late"]


@pytest.mark.parametrize(
    ("start", "minutes", "concerned"),
    [
        (f"{FRIDAY}T09:15", 5, True),
        (f"{FRIDAY}T10:45", 5, True),
        (f"{FRIDAY}T11:15", 5, False),
        (f"{FRIDAY}T12:45", 240, True),  # within the delay
        (f"{FRIDAY}T13:15", 240, False),
        (f"{MONDAY}T09:15", 240, False),
    ],
)
def test_delay_concerns_appointments_of_the_next_two_hours_or_within_it(start: str, minutes: int, concerned: bool) -> None:
    clinic = LateClinic()
    appointment = clinic.book(start, phone=PHONE)
    found = clinic.announce(minutes)
    assert [each.subject for each in found] == ([f"appointment:{appointment.id}"] if concerned else [])


def test_patient_who_may_still_check_in_after_the_start_is_told() -> None:
    clinic = LateClinic()
    clinic.book(f"{FRIDAY}T09:15", phone=PHONE)
    clinic.at(f"{FRIDAY}T09:29")
    assert len(clinic.announce(30)) == 1
    clinic.at(f"{FRIDAY}T09:31")
    assert clinic.announce(30) == []


def test_waiting_patients_are_told_and_called_and_test_patients_are_not() -> None:
    clinic = LateClinic()
    called, waiting = (clinic.ticket(clinic.queue_id, phone=PHONE) for _ in range(2))
    clinic.do(IssueTicket(queue_id=clinic.queue_id, trial=True))
    clinic.do(CallNext(point_id=clinic.point_id))
    [found] = clinic.announce(20)
    assert called.id != found.entry_id == waiting.id
    assert (found.visit_id, found.version, found.minutes) == (waiting.visit_id, 0, 20)


def test_checked_in_patient_is_told_once_about_the_entry() -> None:
    clinic = LateClinic()
    entry = clinic.check_in(clinic.book(f"{FRIDAY}T09:15", phone=PHONE), anyway=True)
    assert [each.subject for each in clinic.announce(20)] == [f"entry:{entry.id}"]


def test_message_waits_a_minute_ignores_quiet_hours_and_ends_after_half_an_hour() -> None:
    clinic = LateClinic(quiet_from=0, quiet_until=1439)
    clinic.book(f"{FRIDAY}T09:15", phone=PHONE)
    [found] = clinic.announce(20)
    assert found == found.spread()
    assert (found.state, found.due_at - clinic.now, found.not_after - clinic.now) == ("due", MINUTE, 30 * MINUTE)


def test_each_announcement_is_another_message_about_the_same_version() -> None:
    clinic = LateClinic()
    clinic.book(f"{FRIDAY}T09:15", phone=PHONE)
    [first], [second] = clinic.announce(20), clinic.announce(20)
    assert (first.subject, first.version) == (second.subject, second.version)
    assert first.ahead < second.ahead == clinic.board.site.late_number


def test_event_counts_the_patients_with_and_without_an_address() -> None:
    clinic = LateClinic()
    clinic.book(f"{FRIDAY}T09:15")
    clinic.ticket(clinic.queue_id)
    event = clinic.do(AnnounceDelay(site_id=SITE_ID, minutes=20))[-1].event
    assert isinstance(event, DelayAnnounced)
    assert (event.minutes, event.reached + event.without_address) == (20, 2)


def test_delay_of_a_site_without_ways_is_refused() -> None:
    clinic = LateClinic()
    clinic.do(ChangeSite(site_id=SITE_ID, message_ways=()))
    with pytest.raises(NoMessageWays):
        clinic.announce(20)


def test_delay_stays_until_it_is_withdrawn_or_the_day_turns() -> None:
    clinic = LateClinic()
    with pytest.raises(NoDelayAnnounced):
        clinic.do(WithdrawDelay(site_id=SITE_ID))
    clinic.announce(20)
    assert (clinic.board.site.late_minutes, clinic.board.site.late_since) == (20, clinic.now)
    clinic.do(WithdrawDelay(site_id=SITE_ID))
    assert (clinic.board.site.late_minutes, clinic.board.site.late_since, clinic.board.site.late_number) == (0, None, 0)
    clinic.announce(20)
    clinic.now += 24 * HOUR
    clinic.do(Tick(site_id=SITE_ID))
    assert (clinic.board.site.late_minutes, clinic.board.site.late_since, clinic.board.site.late_number) == (0, None, 0)


def test_subjects_of_a_delay_may_get_its_message() -> None:
    assert "booked" in OF_APPOINTMENTS["running-late"]
    assert "waiting" in OF_ENTRIES["running-late"]

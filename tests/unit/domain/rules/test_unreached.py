"""The mark of a patient who has not received a message: the events that set it and clear it."""

from __future__ import annotations

from typing import Any

import pytest

from server.domain.commands import (
    AmendAppointment,
    CallNext,
    CancelAppointment,
    CheckIn,
    ClearUnreached,
    Command,
    DeclineOffer,
    IssueTicket,
    NoteMessage,
    PassOffer,
    Recall,
    Reprioritise,
    Reschedule,
    Undo,
)
from server.domain.errors import NothingChanged, NothingDue
from server.domain.model import Appointment, Entry
from server.domain.model.local_time import MINUTE
from tests.support.worlds import SECOND, World
from tests.unit.domain.rules.test_booking import FRIDAY, MONDAY, Clinic, offered, waiting_clinic


def note(
    subject: Entry | Appointment, kind: str, problem: str | None = "address", at: int = 1, way: str = "sms"
) -> NoteMessage:
    """Return the command that notes a message about the present version of a subject."""
    version = subject.calls if isinstance(subject, Entry) else subject.version
    values: dict[str, Any] = {"kind": kind, "problem": problem, "way": way}
    return NoteMessage(subject_id=subject.id, version=version, at=at, **values)


def refused(world: World, command: Command) -> None:
    """Assert that a command has nothing to do."""
    with pytest.raises(NothingDue):
        world.do(command)


@pytest.fixture
def clinic() -> Clinic:
    return Clinic()


def test_message_that_failed_marks_the_entry_until_staff_tell_the_patient(clinic: Clinic) -> None:
    entry = clinic.ticket(clinic.queue_id)
    clinic.do(note(entry, "almost-your-turn"))
    assert clinic.entry(entry).unreached == ("almost-your-turn", "sms", "address", 1, False)
    clinic.do(ClearUnreached(subject_id=entry.id))
    assert clinic.entry(entry).unreached == ("almost-your-turn", "sms", "address", 1, True)
    with pytest.raises(NothingChanged):
        clinic.do(ClearUnreached(subject_id=entry.id))
    clinic.do(ClearUnreached(subject_id=entry.id, told=False))
    assert clinic.entry(entry).unreached == ("almost-your-turn", "sms", "address", 1, False)


def test_subject_without_a_mark_has_nothing_to_clear(clinic: Clinic) -> None:
    for subject in (clinic.ticket(clinic.queue_id), clinic.book(f"{MONDAY}T09:00")):
        with pytest.raises(NothingChanged):
            clinic.do(ClearUnreached(subject_id=subject.id))


def test_step_to_another_state_ends_the_mark_and_its_undo_brings_it_back(clinic: Clinic) -> None:
    entry = clinic.ticket(clinic.queue_id)
    clinic.do(note(entry, "almost-your-turn"))
    clinic.do(CallNext(point_id=clinic.point_id))
    assert clinic.entry(entry).unreached is None
    refused(clinic, note(entry, "almost-your-turn"))  # about the patient who waited
    clinic.do(Undo(entry_id=entry.id))
    assert clinic.entry(entry).unreached == ("almost-your-turn", "sms", "address", 1, False)
    assert clinic.loaded().entries[entry.id] == clinic.entry(entry)


def test_undo_of_a_step_in_the_same_state_keeps_a_later_mark(clinic: Clinic) -> None:
    entry = clinic.ticket(clinic.queue_id)
    clinic.do(Reprioritise(entry_id=entry.id, priority="urgent", reason="in pain"))
    clinic.do(note(entry, "almost-your-turn"))
    clinic.do(Undo(entry_id=entry.id))
    assert clinic.entry(entry).unreached == ("almost-your-turn", "sms", "address", 1, False)


def test_second_call_does_not_take_the_news_of_the_first(clinic: Clinic) -> None:
    entry = clinic.ticket(clinic.queue_id)
    called = clinic.call(clinic.point_id)
    clinic.do(Recall(entry_id=entry.id))
    refused(clinic, note(called, "called"))
    clinic.do(note(clinic.entry(entry), "called"))
    assert clinic.entry(entry).unreached is not None


def test_later_message_that_went_out_clears_the_mark_and_an_earlier_one_does_not(clinic: Clinic) -> None:
    booked = clinic.book(f"{MONDAY}T09:00")
    clinic.do(note(booked, "booked", at=5))
    refused(clinic, note(booked, "reminder", None, at=4))
    refused(clinic, note(booked, "reminder", "undelivered", at=4))
    assert clinic.row(booked.id).unreached == ("booked", "sms", "address", 5, False)
    clinic.do(note(booked, "reminder", None, at=6))
    assert clinic.row(booked.id).unreached is None
    refused(clinic, note(booked, "reminder", None, at=7))  # there is no mark any more


def test_same_news_again_changes_nothing(clinic: Clinic) -> None:
    booked = clinic.book(f"{MONDAY}T09:00")
    clinic.do(note(booked, "booked"))
    refused(clinic, note(booked, "booked"))


def test_change_of_the_appointment_ends_the_mark_and_a_correction_does_not(clinic: Clinic) -> None:
    booked = clinic.book(f"{MONDAY}T09:00")
    clinic.do(note(booked, "booked"))
    clinic.do(AmendAppointment(appointment_id=booked.id, phone="+49301234567"))
    assert clinic.row(booked.id).unreached is not None
    clinic.do(Reschedule(appointment_id=booked.id, version=1, local_start=f"{MONDAY}T10:00"))
    assert clinic.row(booked.id).unreached is None
    refused(clinic, note(booked, "booked"))  # about the time before
    moved = clinic.row(booked.id)
    clinic.do(note(moved, "moved"))
    clinic.do(CancelAppointment(appointment_id=booked.id, version=moved.version))
    assert clinic.row(booked.id).unreached is None
    clinic.do(note(clinic.row(booked.id), "cancelled", "undelivered"))
    assert clinic.row(booked.id).unreached == ("cancelled", "sms", "undelivered", 1, False)


def test_appointment_that_has_begun_gets_no_mark(clinic: Clinic) -> None:
    booked = clinic.book(f"{FRIDAY}T11:00")
    clinic.now = booked.starts_at - SECOND
    refused(clinic, note(booked, "booked"))


def test_check_in_ends_the_mark(clinic: Clinic) -> None:
    booked = clinic.book(f"{FRIDAY}T11:00")
    clinic.do(note(booked, "reminder"))
    clinic.do(CheckIn(appointment_id=booked.id, queue_id=clinic.queue_id, anyway=True))
    assert clinic.row(booked.id).unreached is None
    refused(clinic, note(booked, "reminder"))


def test_test_patients_and_kinds_without_an_action_get_no_mark(clinic: Clinic) -> None:
    clinic.do(IssueTicket(queue_id=clinic.queue_id, trial=True))
    trial = clinic.board.entries[max(clinic.board.entries)]
    refused(clinic, note(trial, "almost-your-turn"))
    ended = clinic.ticket(clinic.queue_id)
    refused(clinic, note(ended, "no-show"))
    refused(clinic, note(clinic.book(f"{MONDAY}T09:00"), "feedback"))


@pytest.mark.parametrize("ends", ["decline", "pass"])
def test_offer_that_did_not_arrive_marks_the_appointment_of_its_patient_until_it_ends(ends: str) -> None:
    clinic, early, first, _ = waiting_clinic()
    clinic.do(CancelAppointment(appointment_id=early.id, version=1))
    offer = offered(clinic, first)
    assert offer is not None
    clinic.do(note(offer, "freed-time"))
    assert clinic.row(first.id).unreached == ("freed-time", "sms", "address", 1, False)
    if ends == "decline":
        clinic.do(DeclineOffer(appointment_id=first.id))
    else:
        clinic.do(PassOffer(appointment_id=offer.id), after=10 * MINUTE)
    assert clinic.row(first.id).unreached is None
    refused(clinic, note(offer, "freed-time"))


def test_news_of_an_offer_replaces_no_mark_of_the_appointment_itself() -> None:
    clinic, early, first, _ = waiting_clinic()
    clinic.do(note(first, "booked"))
    clinic.do(CancelAppointment(appointment_id=early.id, version=1))
    offer = offered(clinic, first)
    assert offer is not None
    refused(clinic, note(offer, "freed-time", at=9))
    refused(clinic, note(offer, "freed-time", None, at=9))
    assert clinic.row(first.id).unreached == ("booked", "sms", "address", 1, False)

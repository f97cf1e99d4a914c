"""Messages, made from the records at the moment of sending."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from server.domain.messages import Kind, Way
from server.domain.model import Appointment, Personal, Visit
from server.domain.model.local_time import instant_of
from server.notifying.channels.channel import Message
from server.notifying.compose import compose
from server.queries.messages import Subject
from server.store.notifications import Claimed
from tests.support.vaults import VAULT
from tests.support.worlds import a_site
from tests.unit.domain.rules.test_booking import MONDAY, Clinic

ROW = Claimed(7, 1, "entry:12", "almost-your-turn", 2, "sms", 12, None, 99, 0)
ABOUT = Claimed(8, 1, "appointment:5", "reminder", 24, "sms", None, 5, 99, 0)
KNOWN = Personal(name="Nora", phone="+4930901820;ext=3", email="nora@example.org", token="1-secret")
SITE = replace(a_site(), name="Riverside", language="es")
ADDRESS = "https://clinic.example"


def visit(personal: Personal = KNOWN, language: str = "fr") -> Visit:
    return Visit(12, 1, "2026-01-01", "A012", "standard", 1, language, "N.", "hash", _sealed(personal, "visit:12"), 0, 0)


def appointment(personal: Personal = KNOWN, **changes: Any) -> Appointment:
    booked = replace(Clinic().book(f"{MONDAY}T09:00"), id=5, language="en", **changes)
    return replace(booked, sealed=_sealed(personal, f"appointment:{booked.id}"))


def _sealed(personal: Personal, seals_for: str) -> str:
    return VAULT.seal_personal(personal, seals_for)


def made(row: Claimed, subject: Subject) -> Message:
    message = compose(row, subject, VAULT, ADDRESS, 0)
    assert message is not None
    return message


def test_message_of_a_ticket_has_label_and_link_and_no_name() -> None:
    message = made(ROW, Subject(SITE, visit()))
    assert message.key == "notification:7"
    assert message.text == (
        "A012 : votre tour approche. Merci de revenir en salle d'attente. https://clinic.example/t/1-secret"
    )
    assert (message.subject, message.not_after) == ("C\u2019est bientôt votre tour \u00b7 Riverside", 99)
    assert message.link == "https://clinic.example/t/1-secret"


def test_language_without_texts_falls_back_to_that_of_the_site() -> None:
    assert made(ROW, Subject(SITE, visit(language="tlh"))).subject == "Casi es su turno \u00b7 Riverside"


def test_reminder_has_the_wall_clock_of_the_clinic_and_its_present_name() -> None:
    booked = appointment()
    text = made(ABOUT, Subject(SITE, appointment=booked)).text
    assert "09:00" in text
    assert text.startswith("Riverside: ")
    assert text.endswith("https://clinic.example/a/1-secret")
    assert made(ABOUT, Subject(replace(SITE, name="Hillside"), appointment=booked)).text.startswith("Hillside: ")


@pytest.mark.parametrize(("kind", "method"), [("booked", "PUBLISH"), ("moved", "PUBLISH"), ("reminder", "PUBLISH")])
def test_mail_about_an_appointment_has_its_calendar_entry(kind: Kind, method: str) -> None:
    message = made(replace(ABOUT, kind=kind, channel="email"), Subject(SITE, appointment=appointment(), provider="Dr Ada"))
    assert message.calendar is not None
    assert f"METHOD:{method}" in message.calendar.decode()
    assert "Dr Ada" in message.calendar.decode()


def test_mail_about_a_cancelled_appointment_removes_the_calendar_entry() -> None:
    over = replace(appointment(), state="cancelled", version=2)
    message = made(replace(ABOUT, kind="cancelled", channel="email"), Subject(SITE, appointment=over))
    assert message.calendar is not None
    assert "METHOD:CANCEL" in message.calendar.decode()
    assert "SEQUENCE:2" in message.calendar.decode()


def test_short_message_has_no_calendar_entry() -> None:
    assert made(ABOUT, Subject(SITE, appointment=appointment())).calendar is None


def test_free_time_goes_to_the_patient_who_asked_and_names_its_end() -> None:
    asking = appointment(replace(KNOWN, phone="+4930901821", token="1-asking"))
    hold = appointment(Personal(), held_until=instant_of(f"{MONDAY}T08:10", SITE.time_zone), state="held", offered_to=5)
    message = made(replace(ABOUT, kind="freed-time"), Subject(SITE, appointment=hold, asking=asking))
    assert message.to == "+4930901821"
    assert "by 08:10" in message.text
    assert message.text.endswith("/a/1-asking")


@pytest.mark.parametrize(("way", "address"), [("sms", "+4930901820"), ("email", "nora@example.org")])
def test_way_decides_the_address(way: Way, address: str) -> None:
    assert made(replace(ROW, channel=way), Subject(SITE, visit())).to == address


@pytest.mark.parametrize("way", ["sms", "email", "push"])
def test_patient_without_an_address_gets_no_message(way: Way) -> None:
    subject = Subject(SITE, visit(Personal(name="Nora")))
    assert compose(replace(ROW, channel=way), subject, VAULT, ADDRESS, 0) is None


def test_deleted_record_gets_no_message() -> None:
    assert compose(ROW, Subject(SITE), VAULT, ADDRESS, 0) is None


def test_clinics_own_text_is_sent_in_the_patients_language() -> None:
    own = {"reminder": {"de": "Bis {date}, {time} {link}", "es": "Nos vemos {date}, {time} {link}"}}
    german = made(replace(ABOUT, channel="email"), Subject(SITE, appointment=appointment(), texts=own))
    assert german.text.startswith("Riverside: reminder"), "the patient's language has a shipped text"
    subject = Subject(SITE, appointment=replace(appointment(), language="de"), texts=own)
    german = made(replace(ABOUT, channel="email"), subject)
    assert (german.subject, german.text[:7]) == ("Riverside", "Bis Mo.")
    assert made(ABOUT, replace(subject, appointment=replace(appointment(), language="tlh"))).text.startswith("Nos vemos")


def test_own_text_with_an_unknown_placeholder_gives_way_to_the_shipped_one() -> None:
    subject = Subject(SITE, appointment=appointment(), texts={"reminder": {"en": "{date} {time} {link} {room}"}})
    assert made(ABOUT, subject).text.startswith("Riverside: reminder")

"""Appointments as iCalendar files (RFC 5545): for a patient's own calendar, and for a provider's.

Calendars sync to other companies and show on shared screens: no file has anything clinical, or a patient's name.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from icalendar import Calendar, Event

from server.domain.model import Appointment
from server.vault import Vault

MEDIA_TYPE = "text/calendar; charset=utf-8"
REFRESH = timedelta(minutes=15)
_PRODUCT = "-//Now Serving//Appointments//EN"


def of_patient(appointment: Appointment, vault: Vault, now: int, *, site: str, provider: str, address: str) -> bytes:
    """Return the calendar of one appointment. ``address`` is that of the page with which the patient manages it.

    The entry has one UID for life and the version as its sequence, so a calendar that reads it again moves the entry. The
    file of an appointment that has ended without a visit has the method ``CANCEL``: it removes the entry.
    """
    event = _event(appointment, _uid(vault, "patient", appointment), now)
    event.add("summary", f"{site} · {provider}")
    event.add("location", site)
    event.add("description", address)
    event.add("url", address)
    calendar = _calendar([event])
    if _has_ended(appointment):
        calendar["method"] = "CANCEL"
    return bytes(calendar.to_ical())


def of_provider(appointments: Iterable[Appointment], vault: Vault, now: int, *, name: str) -> bytes:
    """Return the calendar of a provider: the times of the appointments, and nothing of the patients."""
    events = []
    for each in appointments:
        event = _event(each, _uid(vault, "provider", each), now)
        event.add("summary", "Appointment")
        event.add("class", "PRIVATE")
        events.append(event)
    calendar = _calendar(events)
    calendar.add("x-wr-calname", name)
    calendar.add("refresh-interval", REFRESH, parameters={"VALUE": "DURATION"})
    calendar.add("x-published-ttl", "PT15M")
    return bytes(calendar.to_ical())


def _calendar(events: Iterable[Event]) -> Calendar:
    calendar = Calendar()
    calendar.add("prodid", _PRODUCT)
    calendar.add("version", "2.0")
    calendar.add("method", "PUBLISH")
    for each in events:
        calendar.add_component(each)
    return calendar


def _event(appointment: Appointment, uid: str, now: int) -> Event:
    event = Event()
    event.add("uid", uid)
    event.add("sequence", appointment.version)
    event.add("dtstamp", _instant(now))
    event.add("dtstart", _instant(appointment.starts_at))
    event.add("dtend", _instant(appointment.ends_at))
    event.add("status", "CANCELLED" if _has_ended(appointment) else "CONFIRMED")
    return event


def _has_ended(appointment: Appointment) -> bool:
    return appointment.state in ("cancelled", "expired")


def _uid(vault: Vault, reader: str, appointment: Appointment) -> str:
    """Return the UID of an appointment for one kind of reader. Another installation has the same ids: the key tells them."""
    return f"{vault.keyed_hash(f'calendar:{reader}:{appointment.id}')[:32]}@nowserving"


def _instant(microseconds: int) -> datetime:
    return datetime.fromtimestamp(microseconds // 1_000_000, UTC)

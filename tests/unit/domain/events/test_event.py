"""All events: their names and internal fields."""

from __future__ import annotations

from dataclasses import fields, is_dataclass

from server.domain import events
from server.domain.events import EVENTS, Event, OfAppointment
from server.domain.model import Appointment, Schedule, ScheduleException


def test_every_event_is_registered_under_its_name() -> None:
    written = {
        kind for kind in vars(events).values() if isinstance(kind, type) and issubclass(kind, Event) and is_dataclass(kind)
    }
    assert set(EVENTS.values()) == written - {OfAppointment}  # the common part of the events of appointments
    assert all(kind.name_on_wire() == name for name, kind in EVENTS.items())
    assert "ticket-called" in EVENTS
    assert "no-show-recorded" in EVENTS


def test_internal_fields_exist() -> None:
    """A misspelt name would show an internal field."""
    names = {item.name for kind in EVENTS.values() for item in fields(kind)}  # type: ignore[arg-type]
    names |= {item.name for record in (Appointment, Schedule, ScheduleException) for item in fields(record)}
    assert names >= Event.kept_inside
    assert Event.kept_inside >= {"sealed", "personal", "token_hash"}


def test_no_field_has_a_name_that_shown_adds() -> None:
    for kind in EVENTS.values():
        assert not {"seq", "at", "type"} & {item.name for item in fields(kind)}  # type: ignore[arg-type]

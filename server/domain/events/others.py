"""The entries and appointments that an event is about besides the entry it names."""

from __future__ import annotations

from server.domain.events.appointments import OfAppointment
from server.domain.events.day import DayTurned
from server.domain.events.event import Event
from server.domain.events.reordering import EntryMoved
from server.domain.events.tickets import TicketIssued
from server.domain.events.transfers import ProviderReassigned
from server.domain.events.undo import StepUndone


def others(event: Event) -> tuple[int, ...]:
    """Return the entries that an event changed besides the one it names, and the appointments that it is about.

    The event belongs to their histories, too. The offer of an earlier time is about the kept time, and about the
    appointment of the patient who gets the offer.
    """
    match event:
        case ProviderReassigned():
            return event.entry_ids
        case EntryMoved():
            return tuple(entry_id for entry_id, _ in event.pushed)
        case DayTurned():
            return event.carried
        case TicketIssued() | StepUndone() if event.appointment_id is not None:
            return (event.appointment_id,)
        case OfAppointment(appointment=appointment):
            offered_to = () if appointment.offered_to is None else (appointment.offered_to,)
            return (event.appointment_id, *offered_to)
    return ()

"""The entries that an event changes besides the one it names."""

from __future__ import annotations

from server.domain.events.appointments import OfAppointment
from server.domain.events.day import DayTurned
from server.domain.events.event import Event
from server.domain.events.reordering import EntryMoved
from server.domain.events.tickets import TicketIssued
from server.domain.events.transfers import ProviderReassigned


def others(event: Event) -> tuple[int, ...]:
    """Return the entries that an event changed besides the one it names. The event belongs to their histories, too."""
    match event:
        case ProviderReassigned():
            return event.entry_ids
        case EntryMoved():
            return tuple(entry_id for entry_id, _ in event.pushed)
        case DayTurned():
            return event.carried
        case TicketIssued() if event.appointment_id is not None:
            return (event.appointment_id,)
        case OfAppointment():
            return (event.appointment_id,)
    return ()

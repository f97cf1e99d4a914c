"""The rule for linking a provider with a practitioner."""

from __future__ import annotations

from dataclasses import replace

from server.domain.board import Board
from server.domain.calendar import Calendar
from server.domain.commands import LinkPractitioner
from server.domain.errors import NothingChanged, PractitionerBusy, PractitionerNotFound
from server.domain.events import AppointmentAmended, Event, PractitionerLinked
from server.domain.model import Appointment, cells_of
from server.domain.rules.lookups import find_provider

FAR_FUTURE = 2**62


def link(board: Board, command: LinkPractitioner, now: int, calendar: Calendar) -> list[Event]:
    provider = find_provider(board, command.provider_id)
    if command.practitioner_id == provider.practitioner_id:
        raise NothingChanged(provider_id=provider.id)
    if command.practitioner_id is not None and not calendar.has_practitioner(command.practitioner_id):
        raise PractitionerNotFound(practitioner_id=command.practitioner_id)
    linked = replace(provider, practitioner_id=command.practitioner_id)
    coming = [each for each in calendar.between(now - _LONGEST, FAR_FUTURE, [provider.id]) if each.takes_time(now)]
    moved = [replace(each, resource_id=linked.resource_id) for each in coming]
    _refuse_collisions(calendar, moved, now)
    events: list[Event] = [AppointmentAmended(appointment=each) for each in moved]
    return [PractitionerLinked(provider_id=provider.id, practitioner_id=command.practitioner_id), *events]


_LONGEST = 24 * 3_600_000_000


def _refuse_collisions(calendar: Calendar, moved: list[Appointment], now: int) -> None:
    """Raise `PractitionerBusy` with the appointments whose time another site has booked of the same person."""
    cells = {cell[:3]: each for each in moved for cell in cells_of(each) if cell.resource_id == each.resource_id}
    if not cells:
        return
    resource_id, numbers = moved[0].resource_id, [cell for _, cell, _ in cells]
    taken = calendar.busy([resource_id], min(numbers), max(numbers) + 1)
    own = {each.id for each in moved}
    colliding = {
        cells[cell[:3]].id: cells[cell[:3]].local_start
        for cell in taken
        if cell[:3] in cells and cell.appointment_id not in own and (cell.held_until is None or cell.held_until > now)
    }
    if colliding:
        first = sorted(colliding.values())
        raise PractitionerBusy(count=len(first), local_start=first[0], first=first[:5])

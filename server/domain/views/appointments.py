"""The cell of an appointment, on the desk and in the calendar.

An appointment has a cell while its time is or was promised to somebody: it is held, booked, checked in, fulfilled, or the
patient did not come. A cancelled one has a cell only for staff, while its patient does not know: a message did not
arrive, and nobody has told the patient. A hold lapses without an event: its cell says when, and the screen hides it from
then on. It shows that the time is taken, and nothing of the visitor.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Annotated, TypedDict

from server.domain.board import Board
from server.domain.model import Appointment, AppointmentState, Need
from server.domain.roles import Onlooker, roles_that_may
from server.domain.views.fields import Count, Described, Id, Instant
from server.domain.views.unreached import MessageUnreached, unreached
from server.domain.views.view import OpenSealed, milliseconds

SHOWN_STATES: tuple[AppointmentState, ...] = ("held", "booked", "checked_in", "fulfilled", "no_show")
CELL_STATES: tuple[AppointmentState, ...] = (*SHOWN_STATES, "cancelled")

LocalStart = Annotated[str, Described("The start by the site's clock: YYYY-MM-DDTHH:MM.")]
OffsetMinutes = Annotated[
    int,
    Described(
        "How far the site's clock is ahead of UTC at the start, in minutes. The screen adds it to every instant of the "
        "appointment: no time zone of the device is right."
    ),
]
Version = Annotated[int, Described("The number of changes that matter to the patient.", minimum=1)]


class AppointmentCell(TypedDict):
    """An appointment, or a hold of its time."""

    state: Annotated[AppointmentState, Described("`cancelled` only while the patient does not know it.", enum=CELL_STATES)]
    version: Version
    service: Id
    provider: Id
    point: Annotated[Id | None, Described("The room that the appointment takes; null for none.")]
    local_start: LocalStart
    offset_minutes: OffsetMinutes
    starts: Instant
    ends: Instant
    minutes: Count
    check_in_from: Annotated[Instant, Described("The time from which the patient may check in.")]
    late_from: Annotated[Instant, Described("The time from which a patient who has not checked in is late.")]
    too_late_from: Annotated[Instant, Described("The time from which only staff may check the patient in.")]
    held_until: Annotated[
        int | None,
        Described("The end of the hold, in milliseconds since 1970: hide the cell from then on. Null if no hold."),
    ]
    name: Annotated[
        str | None, Described(f"The patient's name, for the roles: {', '.join(roles_that_may('read-personal'))}.")
    ]
    born: Annotated[int | None, Described("The patient's year of birth, for the roles that see names.")]
    language: Annotated[str | None, Described("Null for a hold.")]
    needs: Annotated[list[Need] | None, Described("Null for another system.")]
    overbooked: Annotated[
        str | None, Described("The reason why the time was booked although it was taken. Null for another system.")
    ]
    wants_earlier: Annotated[bool, Described("The patient would come earlier.")]
    collides: Annotated[bool, Described("New zone data moved it onto another appointment: a person decides.")]
    series: Annotated[Id | None, Described("The first appointment of its series; null for a single one.")]
    entry: Annotated[Id | None, Described("The patient's entry after the check-in, on its day.")]
    label: Annotated[str | None, Described("The label of the ticket after the check-in, on its day.")]
    unreached: MessageUnreached


def appointment_cell(
    board: Board, appointment: Appointment, open_sealed: OpenSealed, onlooker: Onlooker
) -> AppointmentCell | None:
    """Return the cell of an appointment as an onlooker sees it, or None if it has none at present."""
    missed = None if onlooker == "system" else unreached(appointment.unreached)
    uninformed = appointment.state == "cancelled" and missed is not None and not missed["told"]
    if appointment.state not in SHOWN_STATES and not uninformed:
        return None
    held, starts_at = appointment.state == "held", appointment.starts_at
    check_in_from, check_in_until = board.site.rules.check_in_time(starts_at)
    personal = open_sealed(appointment) if onlooker == "floor" and not held else None
    visit = None if appointment.visit_id is None else board.visits.get(appointment.visit_id)
    entry = None if visit is None else board.latest_entry(visit.id)
    return {
        "state": appointment.state,
        "version": appointment.version,
        "service": appointment.service_id,
        "provider": appointment.provider_id,
        "point": appointment.point_id,
        "local_start": appointment.local_start,
        "offset_minutes": offset_minutes(appointment),
        "starts": starts_at // 1000,
        "ends": appointment.ends_at // 1000,
        "minutes": appointment.minutes,
        "check_in_from": check_in_from // 1000,
        "late_from": starts_at // 1000,
        "too_late_from": check_in_until // 1000,
        "held_until": milliseconds(appointment.held_until) if held else None,
        "name": personal.name if personal else None,
        "born": personal.born if personal else None,
        "language": None if held else appointment.language,
        "needs": None if onlooker == "system" else [] if held else list(appointment.needs),
        "overbooked": None if onlooker == "system" else appointment.overbooked,
        "wants_earlier": appointment.wants_earlier,
        "collides": appointment.collides,
        "series": appointment.series_id,
        "entry": entry.id if entry else None,
        "label": visit.label if visit else None,
        "unreached": missed,
    }


def offset_minutes(appointment: Appointment) -> int:
    """Return how far the site's clock is ahead of UTC at the start of an appointment, in minutes. It needs no zone data."""
    local = datetime.fromisoformat(appointment.local_start).replace(tzinfo=UTC)
    return (int(local.timestamp()) - appointment.starts_at // 1_000_000) // 60


def touched_appointments(board: Board, changed: set[str]) -> Iterable[str]:
    """Return the keys of the appointments whose cells may differ after the board's ``changed`` keys changed.

    They show the rules of the site, and the visit's present entry after the check-in.
    """
    if "site" in changed:
        yield from (f"appointment:{key}" for key in board.appointments)
    for key in changed:
        kind, _, identifier = key.partition(":")
        if kind == "appointment":
            yield key
        elif kind in ("entry", "visit"):
            entry = board.entries.get(int(identifier)) if kind == "entry" else None
            visit = board.visits.get(int(identifier) if kind == "visit" else entry.visit_id if entry else 0)
            if visit is not None and visit.appointment_id is not None:
                yield f"appointment:{visit.appointment_id}"

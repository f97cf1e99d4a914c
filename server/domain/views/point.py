"""The view of a room's console."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, TypedDict

from server.domain.board import Board
from server.domain.model import UNDO_MICROSECONDS, Entry, Need, Point, PointState, Priority, State
from server.domain.ranking import first_for, minutes_of, waiting_for
from server.domain.views.appointments import AppointmentCell, appointment_cell, touched_appointments
from server.domain.views.doubts import InDoubt, doubt_of
from server.domain.views.fields import (
    Away,
    Calls,
    Count,
    Delay,
    Described,
    Id,
    Instant,
    NamesByTag,
    Party,
    Trial,
    UndoStep,
    UndoUntil,
)
from server.domain.views.gone import Gone, gone_from
from server.domain.views.site import SiteCell, site_cell
from server.domain.views.standing import StandsUntil, stands_until
from server.domain.views.view import NEXT_UP, Cell, OpenSealed, milliseconds, names_of


class RoomPointCell(TypedDict):
    """The point itself."""

    name: str
    names: NamesByTag
    state: PointState
    queues: list[str]
    provider: Annotated[str | None, Described("The clinician at the point.")]
    unmet_needs: Annotated[list[Need], Described("Needs that the room cannot meet.")]
    gone: Annotated[Gone | None, Described("The last called patient, if they left or need more time; else null.")]


class RoomPatient(TypedDict):
    """A patient, as the room needs to know."""

    entry: Id
    label: str
    name: str | None
    born: Annotated[int | None, Described("The patient's year of birth, if it is known.")]
    queue: str
    queue_names: NamesByTag
    priority: Priority
    needs: list[Need]
    language: str
    party: Party
    away: Away
    delay: Delay
    trial: Trial


class RoomGuestCell(RoomPatient):
    """The patient who is called to the point or served at it. A free point has no such cell."""

    state: Annotated[State, Described(enum=("called", "serving"))]
    since: Instant
    calls: Calls
    stands_until: StandsUntil
    doubt: InDoubt
    undo: UndoStep
    undo_until: UndoUntil


class NextPatient(RoomPatient):
    """A patient who waits for this point."""

    joined: Instant


class RoomNextCell(TypedDict):
    """The next patients of this point, in the order in which it would call them."""

    waiting: Annotated[Count, Described("The number of waiting patients that this point may serve.")]
    first: Annotated[list[NextPatient], Described(max_items=NEXT_UP)]


class RoomDayCell(TypedDict):
    """The point's counts of today."""

    served: Annotated[Count, Described("Patients served to the end at this point today.")]
    no_shows: Annotated[Count, Described("No-shows at this point today.")]


@dataclass(frozen=True, slots=True)
class PointView:
    """A room's console: its patient, its next patients and their needs, and its counts of the day.

    Also today's appointments of the clinician at the point, with names.
    """

    point_id: int
    open_sealed: OpenSealed
    kind: ClassVar[str] = "point"
    shape: ClassVar[str] = "point10"
    cells: ClassVar[Mapping[str, Any]] = {
        "site": SiteCell,
        "point": RoomPointCell,
        "guest": RoomGuestCell,
        "next": RoomNextCell,
        "day": RoomDayCell,
        "appointment": AppointmentCell,
    }

    @property
    def name(self) -> str:
        return f"point:{self.point_id}"

    def keys(self, board: Board) -> Iterable[str]:
        yield from ("site", "point", "guest", "next", "day")
        yield from _appointments(board)

    def cell(self, board: Board, key: str) -> Cell | None:
        if key == "site":
            return site_cell(board)
        point = board.points.get(self.point_id)
        if point is None or point.removed_at:
            return None
        match key:
            case "point":
                return _point(board, point)
            case "guest":
                guest = board.entry_at(point.id)
                return None if guest is None else self._guest(board, guest)
            case "next":
                return self._next(board, point)
            case "day":
                return _day(board, point)
        return self._appointment(board, point, key)

    def _appointment(self, board: Board, point: Point, key: str) -> AppointmentCell | None:
        kind, _, identifier = key.partition(":")
        appointment = board.appointments.get(int(identifier)) if kind == "appointment" else None
        if appointment is None or appointment.business_day != board.site.business_day:
            return None
        if appointment.provider_id != point.provider_id or appointment.state == "cancelled":
            return None
        return appointment_cell(board, appointment, self.open_sealed, "floor")

    def _guest(self, board: Board, guest: Entry) -> RoomGuestCell:
        return {
            **self._patient(board, guest),
            "state": guest.state,
            "since": guest.since // 1000,
            "calls": guest.calls,
            "stands_until": stands_until(board, guest),
            "doubt": doubt_of(guest),
            "undo": guest.undo["step"] if guest.undo else None,
            "undo_until": milliseconds(guest.undo["at"] + UNDO_MICROSECONDS) if guest.undo else None,
        }

    def _next(self, board: Board, point: Point) -> RoomNextCell:
        first = first_for(board, point, NEXT_UP)
        return {
            "waiting": waiting_for(board, point),
            "first": [{**self._patient(board, entry), "joined": entry.due_at // 1000} for entry in first],
        }

    def _patient(self, board: Board, entry: Entry) -> RoomPatient:
        visit = board.visits[entry.visit_id]
        personal = self.open_sealed(visit)
        return {
            "entry": entry.id,
            "label": visit.label,
            "name": personal.name,
            "born": personal.born,
            "queue": board.queues[entry.queue_id].name,
            "queue_names": names_of(board, board.queues[entry.queue_id]),
            "priority": visit.priority,
            "needs": list(visit.needs),
            "language": visit.language,
            "party": visit.party_size,
            "away": minutes_of(entry.away),
            "delay": minutes_of(entry.delay),
            "trial": visit.trial,
        }

    def touched(self, board: Board, changed: set[str]) -> Iterable[str]:
        mine, ended = f"point:{self.point_id}", False
        for key in changed:
            kind, _, identifier = key.partition(":")
            if kind == "entry":
                entry = board.entries.get(int(identifier))
                ended = ended or entry is None or entry.point_id == self.point_id
        yield from ("site", "point", "guest", "next")
        if ended or mine in changed:
            yield "day"
        if mine in changed:  # another clinician at the point has other appointments
            yield from _appointments(board)
        yield from touched_appointments(board, changed)  # also those that the turn of the day took off the board


def _appointments(board: Board) -> Iterable[str]:
    return (f"appointment:{key}" for key in board.appointments)


def _point(board: Board, point: Point) -> RoomPointCell:
    provider = board.providers[point.provider_id] if point.provider_id is not None else None
    return {
        "name": point.name,
        "names": names_of(board, point),
        "state": point.state,
        "queues": [board.queues[queue_id].name for queue_id in point.queue_ids],
        "provider": provider.name if provider else None,
        "unmet_needs": list(point.unmet_needs),
        "gone": gone_from(board, point),
    }


def _day(board: Board, point: Point) -> RoomDayCell:
    here = (entry for entry in board.entries.values() if entry.point_id == point.id)
    mine = [entry for entry in here if not board.visits[entry.visit_id].trial]
    return {
        "served": sum(map(_served, mine)),
        "no_shows": sum(entry.state == "no_show" for entry in mine),
    }


def _served(entry: Entry) -> bool:
    """Return whether a point has served an entry to its end: it is completed, or was transferred during service."""
    if entry.state == "transferred":
        return entry.undo is not None and entry.undo["back_to"]["state"] == "serving"
    return entry.state == "completed"

"""The view of one patient's ticket."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal, TypedDict

from server.domain.board import Board
from server.domain.model import Cause, Entry, State, Visit
from server.domain.model.clocks import Hours, clock_of
from server.domain.model.local_time import MINUTE
from server.domain.ranking import ahead, is_served, lane
from server.domain.staffing import begun_late
from server.domain.views.doubts import InDoubt, doubt_of
from server.domain.views.fields import (
    AbsentUntil,
    Calls,
    Count,
    Described,
    Estimating,
    ExpectFrom,
    ExpectUntil,
    Id,
    Instant,
    NamesByTag,
    Party,
)
from server.domain.views.site import Offsets, offsets_of
from server.domain.views.view import Cell, milliseconds, names_of

TICKET, AHEAD = "ticket", "ahead"  # the keys of the view


class MovedCell(TypedDict):
    """Why the expected time of a call moved. It names no other patient."""

    cause: Annotated[Cause, Described("`later` and `earlier` stand for a move without a certain cause.")]
    point: Annotated[str | None, Described("The point that the cause names; null for none.")]
    point_names: NamesByTag
    doctor: Annotated[bool, Described("A clinician is at this point.")]
    going_on: Annotated[bool, Described("The break goes on, or the point has not begun yet.")]
    minutes: Annotated[Count, Described("How much later than usual the point began, in whole minutes; else 0.")]


class CurrentTicketCell(TypedDict):
    """A ticket of today."""

    entry: Annotated[Id, Described("The ticket's present stage: the patient's commands name this entry.")]
    label: str
    state: State
    queue: str
    queue_names: NamesByTag
    service: Annotated[str | None, Described("The neutral name of the service.")]
    service_names: NamesByTag
    provider: str | None
    point: str | None
    point_names: NamesByTag
    since: Instant
    calls: Calls
    doubt: InDoubt
    absent_until: AbsentUntil
    party: Party
    language: str
    site: str
    time_zone: str
    offsets: Offsets
    clock: Hours
    site_language: str
    expect_from: ExpectFrom
    expect_until: ExpectUntil
    estimating: Estimating
    moved: Annotated[MovedCell | None, Described("The last meaningful move of the expected time; null for none.")]
    leave_until: Annotated[
        int | None,
        Described(
            "The patient may leave until this instant: fewer than one patient in twenty are called before it. In "
            "milliseconds since 1970; null while the clinic does not promise it."
        ),
    ]
    leave_said: Annotated[
        int | None, Described("The first such instant that the patient has read. A later one may be earlier. Null for none.")
    ]
    counts_from: Annotated[
        int | None,
        Described(
            "The time from which the place of a patient with an appointment counts, in milliseconds since 1970. Null "
            "without an appointment."
        ),
    ]
    served: Annotated[bool, Described("An open point may call this patient. While none may, nobody serves the queue.")]


class ExpiredTicketCell(TypedDict):
    """A ticket of an earlier day."""

    state: Literal["expired"]


class AheadCell(TypedDict):
    """The number of patients ahead. The view has this cell while the patient waits; `ticket` stays when the queue moves."""

    count: Annotated[Count, Described("The number of patients ahead of this one.")]


@dataclass(frozen=True, slots=True)
class TicketView:
    """One patient's ticket, and the number of patients ahead while this patient waits. It reveals nothing else of others.

    The number is a cell of its own, because every change of the patient's place changes the number and nothing else.
    """

    visit_id: int
    kind: ClassVar[str] = "ticket"
    shape: ClassVar[str] = "ticket11"
    cells: ClassVar[Mapping[str, Any]] = {TICKET: CurrentTicketCell | ExpiredTicketCell, AHEAD: AheadCell}

    @property
    def name(self) -> str:
        return f"ticket:{self.visit_id}"

    def keys(self, board: Board) -> Iterable[str]:
        yield from (TICKET, AHEAD)

    def cell(self, board: Board, key: str) -> Cell | None:
        visit, entry = board.visits.get(self.visit_id), board.latest_entry(self.visit_id)
        if key == AHEAD:
            return _ahead(board, entry) if entry is not None and entry.state == "waiting" else None
        return _expired() if visit is None or entry is None else _current(board, visit, entry)

    def touched(self, board: Board, changed: set[str]) -> Iterable[str]:
        return self.keys(board)


def surroundings(board: Board) -> tuple[object, ...]:
    """Return everything that a ticket's cell reads of a board besides its own visit and entry.

    A ticket's cell stays the same as long as this value, its visit and its entry stay the same.
    """
    return (
        board.site.name,
        board.site.time_zone,
        board.site.business_day,
        board.site.languages,
        clock_of(board.site),
        [(queue.id, queue.name, queue.names, queue.service_id) for queue in board.queues.values()],
        [(service.id, service.public_name, service.names) for service in board.services.values()],
        [(provider.id, provider.name) for provider in board.providers.values()],
        [
            (point.id, point.name, point.names, point.state, point.queue_ids, point.provider_id, point.unmet_needs)
            for point in board.points.values()
        ],
        None if board.habits is None else [day[:2] for day in board.habits.points],
    )


def _current(board: Board, visit: Visit, entry: Entry) -> CurrentTicketCell:
    point = board.points[entry.point_id] if entry.point_id is not None else None
    queue = board.queues[entry.queue_id]
    service = board.services[queue.service_id] if queue.service_id is not None else None
    return {
        "entry": entry.id,
        "label": visit.label,
        "state": entry.state,
        "queue": queue.name,
        "queue_names": names_of(board, queue),
        "service": service.public_name if service else None,
        "service_names": names_of(board, service) if service else {},
        "provider": board.providers[entry.provider_id].name if entry.provider_id is not None else None,
        "point": point.name if point else None,
        "point_names": names_of(board, point) if point else {},
        "since": entry.since // 1000,
        "calls": entry.calls,
        "doubt": doubt_of(entry),
        "absent_until": milliseconds(entry.back_at),
        "expect_from": milliseconds(entry.expect_from) if entry.state == "waiting" else None,
        "expect_until": milliseconds(entry.expect_until) if entry.state == "waiting" else None,
        "estimating": entry.estimating,
        "moved": _moved(board, entry),
        "leave_until": milliseconds(entry.leave_until) if _comes(entry) else None,
        "leave_said": milliseconds(entry.quoted_leave) if _comes(entry) else None,
        "counts_from": entry.due_at // 1000 if visit.booked_for is not None else None,
        "served": is_served(board, lane(entry, visit)),
        "party": visit.party_size,
        "language": visit.language,
        "site": board.site.name,
        "time_zone": board.site.time_zone,
        "offsets": offsets_of(board.site),
        "clock": clock_of(board.site),
        "site_language": board.site.language,
    }


def _comes(entry: Entry) -> bool:
    """Return whether a patient waits and is not absent."""
    return entry.state == "waiting" and entry.absent_until is None


def _moved(board: Board, entry: Entry) -> MovedCell | None:
    told = entry.last_told if _comes(entry) else None
    if told is None or told.cause is None:
        return None
    point = None if told.point_id is None else board.points.get(told.point_id)
    if point is None:
        return {"cause": told.cause, "point": None, "point_names": {}, "doctor": False, "going_on": False, "minutes": 0}
    day = None if board.habits is None else board.habits.of_point(point.id)
    late_start = told.cause == "late_start"
    return {
        "cause": told.cause,
        "point": point.name,
        "point_names": names_of(board, point),
        "doctor": point.provider_id is not None,
        "going_on": day is None if late_start else point.state == "on_break",
        "minutes": begun_late(board.habits, day) // MINUTE if late_start and board.habits and day else 0,
    }


def _expired() -> ExpiredTicketCell:
    return {"state": "expired"}


def _ahead(board: Board, entry: Entry) -> AheadCell:
    return {"count": ahead(board, entry)}

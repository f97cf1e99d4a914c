"""The view of the calendar: the appointments of some dates, and the times in which clinicians see patients."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Annotated, Any, ClassVar, TypedDict

from server.domain.board import Board
from server.domain.free_time import open_times
from server.domain.model import local_time
from server.domain.model.hours import DAY_MINUTES
from server.domain.model.local_time import MINUTE
from server.domain.roles import Onlooker
from server.domain.views.appointments import AppointmentCell, appointment_cell, touched_appointments
from server.domain.views.desk import DeskProviderCell, DeskServiceCell, DeskView
from server.domain.views.fields import Count, Described, Id, Instant, NamesByTag, Place
from server.domain.views.site import SiteCell, site_cell
from server.domain.views.view import Cell, OpenSealed, in_use, names_of
from server.domain.watching import Dates, dates_from

MOST_DAYS = 7
_PARTS = ("schedule", "exception", "provider")  # kinds of records that the times of a date depend on


class CalendarPointCell(TypedDict):
    """A room."""

    name: str
    names: NamesByTag
    position: Place


class Edge(TypedDict):
    """The begin or the end of a time: the instant, and the site's clock at it."""

    at: Instant
    local: Annotated[str, Described("The time by the site's clock: YYYY-MM-DDTHH:MM.")]
    offset_minutes: Annotated[int, Described("How far the site's clock is ahead of UTC, in minutes.")]


class OpenTimeOfDay(TypedDict):
    """A time in which a clinician sees patients with appointments, without its closed parts."""

    provider: Id
    services: list[Id]
    point: Annotated[Id | None, Described("The room that each appointment takes; null for none.")]
    slot_minutes: Count
    capacity: Count
    begin: Edge
    end: Edge


class CalendarDayCell(TypedDict):
    """A date, from its first instant to the first one of the next date."""

    begin: Edge
    end: Edge
    turn: Annotated[
        Edge | None, Described("The first instant after the clocks change on this date; null on all other dates.")
    ]
    closed: Annotated[bool, Described("The site is closed on this date.")]
    open_times: Annotated[
        list[OpenTimeOfDay] | None, Described("By begin, then by provider. Null for a past date: nobody books it.")
    ]


@dataclass(frozen=True, slots=True)
class CalendarView:
    """The appointments that start on some local dates, with the clinicians, the services and the rooms.

    Only the floor sees patients' names, as on the desk.
    """

    first: str
    days: int
    open_sealed: OpenSealed
    onlooker: Onlooker = "floor"
    kind: ClassVar[str] = "calendar"
    shape: ClassVar[str] = "calendar3"
    chooses: ClassVar[bool] = True  # each choice of dates is a view of its own
    cells: ClassVar[Mapping[str, Any]] = {
        "site": SiteCell,
        "service": DeskServiceCell,
        "provider": DeskProviderCell,
        "point": CalendarPointCell,
        "day": CalendarDayCell,
        "appointment": AppointmentCell,
    }

    @property
    def name(self) -> str:
        return f"calendar:{self.first}:{self.days}:{self.onlooker}"

    @property
    def watch(self) -> Dates:
        """The appointments that the view shows."""
        return dates_from(self.first, self.days)

    def keys(self, board: Board) -> Iterable[str]:
        yield "site"
        yield from (f"service:{key}" for key in board.services)
        yield from (f"provider:{key}" for key in board.providers)
        yield from (f"point:{key}" for key in board.points)
        yield from self._day_keys()
        yield from (f"appointment:{key}" for key in board.appointments)

    def cell(self, board: Board, key: str) -> Cell | None:
        kind, _, identifier = key.partition(":")
        match kind:
            case "site":
                return site_cell(board)
            case "service" | "provider":
                return DeskView(self.open_sealed, self.onlooker).cell(board, key)
            case "point":
                point = in_use(board.points, identifier)
                if point is None:
                    return None
                made: CalendarPointCell = {
                    "name": point.name,
                    "names": names_of(board, point),
                    "position": point.position,
                }
                return made
            case "day":
                return _day(board, identifier)
            case "appointment":
                appointment = board.appointments.get(int(identifier))
                if appointment is None or not self.watch.covers(appointment):
                    return None
                return appointment_cell(board, appointment, self.open_sealed, self.onlooker)
        return None

    def touched(self, board: Board, changed: set[str]) -> Iterable[str]:
        kinds = {key.partition(":")[0] for key in changed}
        yield from (key for key in changed if key.partition(":")[0] in ("site", "service", "provider", "point"))
        if "site" in kinds or not kinds.isdisjoint(_PARTS):
            yield from self._day_keys()
        yield from touched_appointments(board, changed)

    def _day_keys(self) -> Iterable[str]:
        first = date.fromisoformat(self.first)
        return (f"day:{first + timedelta(days=each)}" for each in range(self.days))


def _day(board: Board, day: str) -> CalendarDayCell:
    site = board.site
    begin = local_time.first_instant(day, site.time_zone)
    end = local_time.first_instant(day, site.time_zone, DAY_MINUTES)
    return {
        "begin": _edge(begin, site.time_zone),
        "end": _edge(end, site.time_zone),
        "turn": _turn(begin, end, site.time_zone),
        "closed": day in site.rules.closed_on,
        "open_times": None
        if day < site.business_day
        else [
            {
                "provider": each.provider_id,
                "services": list(each.service_ids),
                "point": each.point_id,
                "slot_minutes": each.slot_minutes,
                "capacity": each.capacity,
                "begin": _edge(each.begin, site.time_zone),
                "end": _edge(each.end, site.time_zone),
            }
            for each in open_times(board, day)
        ],
    }


def _turn(begin: int, end: int, zone: str) -> Edge | None:
    """Return the first instant from ``begin`` to ``end`` at which the clock has another offset, to the minute."""
    before = local_time.local_of(begin, zone).offset_minutes
    if local_time.local_of(end, zone).offset_minutes == before:
        return None
    while end - begin > MINUTE:
        middle = begin + (end - begin) // (2 * MINUTE) * MINUTE
        if local_time.local_of(middle, zone).offset_minutes == before:
            begin = middle
        else:
            end = middle
    return _edge(end, zone)


def _edge(instant: int, zone: str) -> Edge:
    local = local_time.local_of(instant, zone)
    return {"at": instant // 1000, "local": local.local, "offset_minutes": local.offset_minutes}
